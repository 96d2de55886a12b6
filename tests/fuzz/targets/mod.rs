//! The doors through which bytes of others come in, each as a function that any bytes may be given to.
//!
//! A door panics only when Tieline is wrong: about what it serves, keeps or answers. `tests/fuzz`
//! opens them to libFuzzer, the conformance tests to inputs made of fixtures by chance.

mod asked;
mod stored;
mod upstream;
mod written;

/// One door.
pub(crate) struct Target {
    /// As `tests/fuzz/run` takes it.
    pub(crate) name: &'static str,
    /// What is done with the bytes.
    pub(crate) enter: fn(&[u8]),
    /// Inputs to begin with.
    pub(crate) seeds: fn() -> Vec<Vec<u8>>,
    /// How many of a thousand executions it gets: what is slow gets few.
    pub(crate) share: u32,
}

/// All of them.
pub(crate) const TARGETS: [Target; 8] = [
    Target {
        name: "frames",
        enter: upstream::frames,
        seeds: upstream::fixtures,
        share: 306,
    },
    Target {
        name: "answers",
        enter: upstream::answers,
        seeds: upstream::fixtures,
        share: 200,
    },
    Target {
        name: "profiles",
        enter: written::profiles,
        seeds: written::profile_seeds,
        share: 2,
    },
    Target {
        name: "configs",
        enter: written::configs,
        seeds: written::config_seeds,
        share: 2,
    },
    Target {
        name: "segments",
        enter: stored::segments,
        seeds: stored::segment_seeds,
        share: 10,
    },
    Target {
        name: "commits",
        enter: stored::commits,
        seeds: stored::commit_seeds,
        share: 200,
    },
    Target {
        name: "requests",
        enter: asked::requests,
        seeds: asked::request_seeds,
        share: 80,
    },
    Target {
        name: "texts",
        enter: asked::texts,
        seeds: asked::text_seeds,
        share: 200,
    },
];
