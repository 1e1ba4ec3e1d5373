//! Why a store does not open, and how its failures reach the ports.

use std::path::{Path, PathBuf};

use ports::{BlobError, QueueError, TableError};

/// Why a directory could not be opened as a store.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another store of this one, has it open.
    #[error(
        "the store in {} is in use{}: stop it first, or choose another directory",
        directory.display(),
        holder.map(|pid| format!(" by process {pid}")).unwrap_or_default()
    )]
    Locked {
        /// The directory.
        directory: PathBuf,
        /// The process, where it could be read.
        holder: Option<u32>,
    },
    /// It was written by a version with another format.
    #[error(
        "the store in {} has format {found}, and this version reads format {supported}: open it with the version \
         that wrote it, or choose another directory",
        directory.display()
    )]
    Format {
        /// The directory.
        directory: PathBuf,
        /// Its format.
        found: u32,
        /// The format of this version.
        supported: u32,
    },
    /// The directory holds other things.
    #[error("{} holds no store, and is not empty: choose another directory", .0.display())]
    Foreign(PathBuf),
    /// A file is torn, changed or missing, beyond what a crash leaves.
    #[error("the store is damaged: {}: {reason}; restore the directory from a backup, or choose another", file.display())]
    Damaged {
        /// Which file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file system refused.
    #[error("{}: {error}", file.display())]
    Io {
        /// Which file or directory.
        file: PathBuf,
        /// Why.
        #[source]
        error: std::io::Error,
    },
}

impl OpenError {
    pub(crate) fn io(file: &Path) -> impl FnOnce(std::io::Error) -> OpenError {
        let file = file.to_owned();
        move |error| OpenError::Io { file, error }
    }

    pub(crate) fn damaged(file: &Path, reason: impl Into<String>) -> OpenError {
        OpenError::Damaged { file: file.to_owned(), reason: reason.into() }
    }
}

/// Why the store did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nothing was written.
    Unavailable(String),
    /// It may or may not have been written.
    Unknown(String),
    /// What is stored cannot be read.
    Damaged(String),
}

impl From<Failure> for TableError {
    fn from(failure: Failure) -> TableError {
        match failure {
            Failure::Unavailable(reason) => TableError::Unavailable(reason),
            Failure::Unknown(reason) => TableError::Unknown(reason),
            Failure::Damaged(reason) => TableError::Damaged(reason),
        }
    }
}

impl From<Failure> for QueueError {
    fn from(failure: Failure) -> QueueError {
        let (Failure::Unavailable(reason) | Failure::Unknown(reason) | Failure::Damaged(reason)) = failure;
        QueueError::Unavailable(reason)
    }
}

impl From<Failure> for BlobError {
    fn from(failure: Failure) -> BlobError {
        match failure {
            Failure::Unavailable(reason) | Failure::Unknown(reason) => BlobError::Unavailable(reason),
            Failure::Damaged(reason) => BlobError::Damaged(reason),
        }
    }
}
