//! The journal against its promises: on a simulated disk that tears, forgets and fails, and on a real
//! one.

mod crashes;
mod damage;
mod deaths;
mod erasing;
mod faults;
mod independent;
mod kit;
mod model;
mod offline;
mod opening;
mod play;
mod reading;
mod real;
mod retention;
mod script;
