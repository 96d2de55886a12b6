//! `families!`: declares families of figures and lists them.

/// Makes a static of each family and `FAMILIES`, the list of all.
macro_rules! families {
    ($($ident:ident: $kind:ident $name:literal [$($label:literal),*] $help:literal;)+) => {
        $(
            static $ident: crate::telemetry::metrics::Family = crate::telemetry::metrics::Family {
                name: $name,
                kind: crate::telemetry::metrics::Kind::$kind,
                labels: &[$($label),*],
                help: $help,
            };
        )+

        /// Every family of this subject.
        pub(super) const FAMILIES: &[&crate::telemetry::metrics::Family] = &[$(&$ident),+];
    };
}

pub(super) use families;
