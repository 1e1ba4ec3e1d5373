//! The engine from outside: whole executions, driven by hand in virtual time.

mod containers;
mod durable;
mod limits;
mod replay;
mod stored;
mod tasks;
mod timing;
mod world;
