//! What any peer may do to the gRPC listener of the real binary, frame by frame. While it is attacked a
//! reader gets every event in order, and memory and open files stay below a bound.

mod arena;
mod floods;
mod malformed;
mod raw;
mod requests;
mod stalls;
mod storms;
