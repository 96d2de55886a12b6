//! What every connector must do, asked of every platform in the registry.

#[cfg(test)]
mod addresses;
#[cfg(test)]
mod chance;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod forms;
#[cfg(test)]
mod kit;
#[cfg(test)]
mod promises;
#[cfg(test)]
#[path = "../fuzz/targets/mod.rs"]
mod targets;
