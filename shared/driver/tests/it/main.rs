//! The protocol, rule by rule, over ports in memory and a virtual clock.

mod protocol;
mod scene;
