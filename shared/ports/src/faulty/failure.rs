//! How each port says that something went wrong.

use crate::blobs::BlobError;
use crate::bus::BusError;
use crate::queue::QueueError;
use crate::table::TableError;

/// An error of a port.
pub(super) trait Failure: Send {
    /// Too many requests; nothing was done.
    fn throttled() -> Self;
    /// It cannot serve; nothing was done, as far as a table is concerned.
    fn unavailable() -> Self;
    /// It may or may not have been done.
    fn unknown() -> Self;
    /// The request itself is wrong, which no fault hides.
    fn is_refusal(&self) -> bool;
}

/// Marks errors that were injected.
const REASON: &str = "injected fault";

impl Failure for TableError {
    fn throttled() -> Self {
        TableError::Throttled
    }

    fn unavailable() -> Self {
        TableError::Unavailable(REASON.to_owned())
    }

    fn unknown() -> Self {
        TableError::Unknown(REASON.to_owned())
    }

    fn is_refusal(&self) -> bool {
        matches!(self, TableError::TooLarge { .. })
    }
}

impl Failure for QueueError {
    fn throttled() -> Self {
        QueueError::Throttled
    }

    fn unavailable() -> Self {
        QueueError::Unavailable(REASON.to_owned())
    }

    fn unknown() -> Self {
        Self::unavailable()
    }

    fn is_refusal(&self) -> bool {
        matches!(self, QueueError::Refused(_) | QueueError::Missing(_))
    }
}

impl Failure for BlobError {
    fn throttled() -> Self {
        BlobError::Throttled
    }

    fn unavailable() -> Self {
        BlobError::Unavailable(REASON.to_owned())
    }

    fn unknown() -> Self {
        Self::unavailable()
    }

    fn is_refusal(&self) -> bool {
        matches!(self, BlobError::Refused(_))
    }
}

impl Failure for BusError {
    fn throttled() -> Self {
        BusError::Throttled
    }

    fn unavailable() -> Self {
        BusError::Unavailable(REASON.to_owned())
    }

    fn unknown() -> Self {
        Self::unavailable()
    }

    fn is_refusal(&self) -> bool {
        matches!(self, BusError::Refused(_))
    }
}
