//! The bytes of a record.
//!
//! ```text
//! format | flags | body                              flags: 1 compressed, 2 in the blobs
//! body = len head | head | len pool | pool | len history | history | len steps | steps | state
//! ```
//!
//! The row of record 0 has the same form, its body a segment with META and then that record. A body is
//! compressed with a dictionary of what records have in common.
//!
//! Lengths are four bytes, little-endian. Head, pool and history are MessagePack, structs as arrays.

use std::sync::LazyLock;

use bytes::Bytes;
use model::history::HistoryEvent;
use model::json::Value;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::{DecoderDictionary, EncoderDictionary};

use crate::store::{FORMAT, StoreError};

const COMPRESSED: u8 = 1;
const IN_BLOBS: u8 = 2;
/// No record is larger, compressed or not: a bound for what damaged bytes can ask for.
const BODY_BYTES_MAX: usize = 1 << 30;
/// The fastest level that beats the store's own compression.
const FAST_LEVEL: i32 = 1;
/// What is worth its time where each KB is paid for: some 5 % shorter, in tens of microseconds.
const THOROUGH_LEVEL: i32 = 15;

/// Whether and how a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Compression {
    /// A shorter body is not.
    pub bytes_min: usize,
    /// Taking more time for fewer bytes.
    pub thorough: bool,
}

impl Compression {
    #[cfg(test)]
    pub fn fast(bytes_min: usize) -> Compression {
        Compression { bytes_min, thorough: false }
    }
}

pub(super) fn encode<H: Serialize>(
    head: &H,
    pool: &[Value],
    history: &[HistoryEvent],
    steps: &[u8],
    state: &[u8],
    compression: Compression,
) -> Bytes {
    let mut out = Vec::with_capacity(1_024 + steps.len() + state.len());
    out.extend_from_slice(&[FORMAT, 0]);
    segment(&mut out, |out| rmp_serde::encode::write(out, head));
    segment(&mut out, |out| rmp_serde::encode::write(out, pool));
    segment(&mut out, |out| rmp_serde::encode::write(out, history));
    segment(&mut out, |out| {
        out.extend_from_slice(steps);
        Ok(())
    });
    out.extend_from_slice(state);
    seal(out, compression)
}

/// What begins with format and no flags, its body compressed where that is wanted and pays.
pub(super) fn seal(out: Vec<u8>, compression: Compression) -> Bytes {
    if out.len() - 2 < compression.bytes_min {
        return out.into();
    }
    let dictionary = if compression.thorough { &THOROUGH } else { &FAST };
    let compressed = Compressor::with_prepared_dictionary(dictionary);
    match compressed.and_then(|mut compressor| compressor.compress(&out[2..])) {
        Ok(compressed) if compressed.len() + 4 < out.len() - 2 => {
            let length = u32::try_from(out.len() - 2).expect("records are bounded by the limits on a step");
            let mut smaller = Vec::with_capacity(6 + compressed.len());
            smaller.extend_from_slice(&[FORMAT, COMPRESSED]);
            smaller.extend_from_slice(&length.to_le_bytes());
            smaller.extend_from_slice(&compressed);
            smaller.into()
        }
        // Not worth it, or not possible: what stands is right as it is.
        _ => out.into(),
    }
}

/// The opposite of [`seal`]: the body, without what stands in front of it. `what` names it in an
/// error.
pub(super) fn open(bytes: &Bytes, what: &str) -> Result<Bytes, StoreError> {
    match &bytes[..] {
        [FORMAT, flags, rest @ ..] if flags & COMPRESSED != 0 => {
            let (length, compressed) = rest.split_at_checked(4).ok_or_else(short)?;
            let length = le(length);
            if length > BODY_BYTES_MAX {
                return Err(StoreError::Damaged(format!("{what} says that it has {length} bytes")));
            }
            let opened = Decompressor::with_prepared_dictionary(&DECODER)
                .and_then(|mut decompressor| decompressor.decompress(compressed, length));
            let damaged = |error| StoreError::Damaged(format!("{what} cannot be decompressed: {error}"));
            opened.map(Bytes::from).map_err(damaged)
        }
        [FORMAT, _, ..] => Ok(bytes.slice(2..)),
        [FORMAT] | [] => Err(short()),
        [found, ..] => {
            Err(StoreError::Version(format!("{what} has format {found}, this version reads format {FORMAT}")))
        }
    }
}

static FAST: LazyLock<EncoderDictionary<'static>> =
    LazyLock::new(|| EncoderDictionary::copy(COMMON, FAST_LEVEL));
static THOROUGH: LazyLock<EncoderDictionary<'static>> =
    LazyLock::new(|| EncoderDictionary::copy(COMMON, THOROUGH_LEVEL));
static DECODER: LazyLock<DecoderDictionary<'static>> = LazyLock::new(|| DecoderDictionary::copy(COMMON));

/// What many records hold, the most frequent last. It is part of the format.
const COMMON: &[u8] = b"\
MapIterationFailedMapIterationAbortedMapStateFailedMapStateSucceededMapStateStarted\
MapIterationStartedMapIterationSucceededMapStateEnteredMapStateExited\
ParallelStateFailedParallelStateStartedParallelStateSucceededParallelStateEnteredParallelStateExited\
ActivityFailedActivityTimedOutActivityScheduledActivityStartedActivitySucceeded\
SucceedStateEnteredSucceedStateExitedFailStateEnteredWaitStateEnteredWaitStateExited\
ChoiceStateEnteredChoiceStateExitedPassStateEnteredPassStateExited\
LambdaFunctionScheduleFailedLambdaFunctionTimedOutLambdaFunctionFailedTaskTimedOutTaskFailed\
ExecutionAbortedExecutionTimedOutExecutionFailedABORTEDTIMED_OUTFAILED\
TaskSubmittedTaskScheduledTaskStartedTaskSucceeded\
States.RuntimeStates.TimeoutStates.TaskFailedlambdainvokearn:aws:states:::lambda:invoke\
ExecutedVersion$LATESTFunctionNamePayloadStatusCode\
eu-central-1eu-west-1us-west-2us-east-1RUNNINGSUCCEEDED\
WaitingRetryingSubmittedScheduledDelayedNobodyOwnerSucceededRunningTask\
arn:aws:iam:::role/service-role/arn:aws:lambda:us-east-1::function:\
arn:aws:states:us-east-1::activity::stateMachine::execution:\
ExecutionSucceededExecutionStarted\
TaskStateEnteredLambdaFunctionScheduledLambdaFunctionStartedLambdaFunctionSucceededTaskStateExited";

/// Writes a segment behind a place for its length, and then its length.
pub(super) fn segment(
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), rmp_serde::encode::Error>,
) {
    let place = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out).expect("a record holds only what MessagePack can write");
    let length = out.len() - place - 4;
    let length = u32::try_from(length).expect("records are bounded by the limits on a step");
    out[place..place + 4].copy_from_slice(&length.to_le_bytes());
}

/// MessagePack with structs as arrays.
pub(super) fn pack<T: Serialize>(value: &T) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    rmp_serde::encode::write(&mut out, value).expect("what is stored holds only what MessagePack can write");
    out
}

/// The opposite of [`pack`].
pub(super) fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    rmp_serde::from_slice(bytes).map_err(|error| StoreError::Damaged(error.to_string()))
}

/// What a row holds in place of a record that has gone to the blobs under `key`.
pub(super) fn reference(head: &impl Serialize, key: &str) -> Bytes {
    let mut out = vec![FORMAT, IN_BLOBS];
    segment(&mut out, |out| rmp_serde::encode::write(out, head));
    out.extend_from_slice(key.as_bytes());
    out.into()
}

/// The key of the blob that a row refers to, if it does.
pub(super) fn referred(bytes: &[u8]) -> Result<Option<&str>, StoreError> {
    match bytes {
        [FORMAT, flags, rest @ ..] if flags & IN_BLOBS != 0 => {
            let (_, key) = take(rest)?;
            std::str::from_utf8(key).map(Some).map_err(|error| StoreError::Damaged(error.to_string()))
        }
        _ => Ok(None),
    }
}

/// A record taken apart, its parts not yet read.
pub(super) struct Segments {
    body: Bytes,
    head: (usize, usize),
    pool: (usize, usize),
    history: (usize, usize),
    steps: (usize, usize),
}

impl Segments {
    pub fn split(bytes: &Bytes) -> Result<Segments, StoreError> {
        let body = open(bytes, "a record")?;
        let mut at = 0;
        let mut next = || {
            let (segment, _) = take(&body[at..])?;
            let place = (at + 4, at + 4 + segment.len());
            at = place.1;
            Ok::<_, StoreError>(place)
        };
        let (head, pool, history, steps) = (next()?, next()?, next()?, next()?);
        Ok(Segments { body, head, pool, history, steps })
    }

    pub fn head<H: DeserializeOwned>(&self) -> Result<H, StoreError> {
        unpack(&self.body[self.head.0..self.head.1])
    }

    pub fn pool(&self) -> Result<Vec<Value>, StoreError> {
        unpack(&self.body[self.pool.0..self.pool.1])
    }

    pub fn history(&self) -> Result<Vec<HistoryEvent>, StoreError> {
        unpack(&self.body[self.history.0..self.history.1])
    }

    pub fn steps(&self) -> Bytes {
        self.body.slice(self.steps.0..self.steps.1)
    }

    pub fn state(&self) -> Bytes {
        self.body.slice(self.steps.1..)
    }
}

/// A segment with its length in front, and what follows it.
pub(super) fn take(bytes: &[u8]) -> Result<(&[u8], &[u8]), StoreError> {
    let (length, rest) = bytes.split_at_checked(4).ok_or_else(short)?;
    rest.split_at_checked(le(length)).ok_or_else(short)
}

fn le(bytes: &[u8]) -> usize {
    bytes.iter().rev().fold(0, |length, byte| (length << 8) | usize::from(*byte))
}

fn short() -> StoreError {
    StoreError::Damaged("a record is cut short".to_owned())
}
