//! `faults!`: writes an enum of faults, the enum of their names, and the table between them.

/// `faults! { Fault, FaultName; /// Doc. Variant "name" { /// Doc. field: Type } … }`. Parameters
/// carry their defaults as serde attributes, so that a name alone sets a fault.
macro_rules! faults {
    ($fault:ident, $names:ident; $( $(#[$doc:meta])* $variant:ident $name:literal { $( $(#[$field_doc:meta])* $field:ident : $kind:ty ),* $(,)? } )*) => {
        /// Something that goes wrong, with its parameters. In JSON and YAML the name stands in
        /// the key `fault`, the parameters beside it.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "fault", deny_unknown_fields)]
        pub enum $fault {
            $( $(#[$doc])* #[serde(rename = $name)] $variant { $( $(#[$field_doc])* $field: $kind ),* } ),*
        }

        /// The name of a fault: one rule may be in force for each.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $names {
            $( $(#[$doc])* #[serde(rename = $name)] $variant ),*
        }

        impl $names {
            /// Every name.
            pub const ALL: &[Self] = &[ $( Self::$variant ),* ];

            /// The name as it is written.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $name ),* }
            }
        }

        impl $crate::sandbox::fault::FaultNames for $names {
            fn all() -> &'static [Self] {
                Self::ALL
            }

            fn text(self) -> &'static str {
                self.as_str()
            }
        }

        impl std::str::FromStr for $names {
            type Err = $crate::sandbox::fault::UnknownFault;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let mut all = Self::ALL.iter().copied();
                all.find(|name| name.as_str() == text)
                    .ok_or_else(|| $crate::sandbox::fault::UnknownFault::among(text, Self::ALL))
            }
        }

        impl std::fmt::Display for $names {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl $fault {
            /// Its name.
            #[must_use]
            pub const fn name(&self) -> $names {
                match self { $( Self::$variant { .. } => $names::$variant ),* }
            }

            /// In force until it is cleared or has struck `count` times.
            #[must_use]
            pub fn times(self, count: u64) -> $crate::sandbox::fault::FaultRule<Self> {
                $crate::sandbox::fault::FaultRule::from(self).times(count)
            }

            /// In force for this long.
            #[must_use]
            pub fn during(
                self,
                duration: std::time::Duration,
            ) -> $crate::sandbox::fault::FaultRule<Self> {
                $crate::sandbox::fault::FaultRule::from(self).during(duration)
            }

            /// Strikes by chance.
            #[must_use]
            pub fn with_probability(
                self,
                probability: f64,
            ) -> $crate::sandbox::fault::FaultRule<Self> {
                $crate::sandbox::fault::FaultRule::from(self).with_probability(probability)
            }
        }
    };
}

pub(in crate::sandbox) use faults;
