//! What is made once and kept in the repository.

pub mod sdk_catalog;
