//! The eight state types: what each does when it is entered or attempted again, and how it
//! goes on when the world answers.

pub(crate) mod choice;
pub(crate) mod fail;
pub(crate) mod field;
pub(crate) mod map;
pub(crate) mod parallel;
pub(crate) mod pass;
pub(crate) mod succeed;
pub(crate) mod task;
pub(crate) mod task_event;
pub(crate) mod wait;
