//! The queue under scripted inputs and under chance: no runtime, time moved by hand.

mod kit;
mod property;
mod rules;
