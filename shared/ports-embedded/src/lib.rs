//! The ports on one data directory: an embedded store with group commit.
