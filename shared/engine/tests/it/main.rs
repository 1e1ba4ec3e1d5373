//! The engine from outside: whole executions, driven by hand in virtual time.

mod containers;
mod limits;
mod replay;
mod tasks;
mod timing;
mod world;
