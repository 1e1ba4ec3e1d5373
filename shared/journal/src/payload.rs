//! Payloads stored once: the large ones as blobs named by their content, the others in the
//! [`Pool`] of their record, since one and the same goes through events, states and calls.
//!
//! What holds a payload has a marker in its place, a string that begins with a control character;
//! a payload that is such a string itself is escaped. Both happen in place: [`outline`] gives back
//! what it replaced, so that a live snapshot can be restored without a copy.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use model::json::{Text, Value, format_text};
use sha2::{Digest as _, Sha256};

use crate::store::{Store, StoreError};

/// What markers and escaped strings begin with: DATA LINK ESCAPE.
const ESCAPE: char = '\u{10}';

/// What holds payloads: calls its argument for each, always in the same order.
pub trait Payloads {
    /// Visits every payload. The visitor may replace it.
    fn visit(&mut self, visitor: &mut dyn FnMut(&mut Value));
}

/// Payloads that a record holds once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pool(Vec<Value>);

/// A payload with a shorter JSON text stays where it is, in bytes: a marker takes as much.
const POOLED_BYTES_MIN: usize = 24;
/// A payload is looked for among so many that came last.
const POOL_WINDOW: usize = 64;

impl Pool {
    /// The marker of a payload that is in the pool from now on; none for one that is too short.
    fn take(&mut self, payload: &Value) -> Option<Value> {
        if payload.json_len() < POOLED_BYTES_MIN {
            return None;
        }
        let from = self.0.len().saturating_sub(POOL_WINDOW);
        let place = self.0[from..].iter().position(|pooled| same(pooled, payload)).map(|at| from + at);
        let place = place.unwrap_or_else(|| {
            self.0.push(payload.clone());
            self.0.len() - 1
        });
        Some(Value::from(format_text!("{ESCAPE}={place}")))
    }

    /// Puts the payloads of the pool where [`outline`] found them. Those that have gone to the
    /// blobs are left to [`inline`].
    ///
    /// # Errors
    /// When a marker names a payload that is not there.
    pub fn fill(&self, holder: &mut dyn Payloads) -> Result<(), StoreError> {
        let mut missing = None;
        holder.visit(&mut |payload| {
            if let Some(Stored::Pooled(place)) = stored(payload) {
                match place.parse().ok().and_then(|place: usize| self.0.get(place)) {
                    Some(pooled) => *payload = pooled.clone(),
                    None => missing = Some(place.to_owned()),
                }
            }
        });
        match missing {
            None => Ok(()),
            Some(place) => Err(StoreError::Damaged(format!("a record has no payload {place}"))),
        }
    }

    /// Bytes of the payloads' JSON texts together.
    pub fn json_len(&self) -> usize {
        self.0.iter().map(Value::json_len).sum()
    }

    /// The stored form.
    pub(crate) fn values(&self) -> &[Value] {
        &self.0
    }

    pub(crate) fn of(values: Vec<Value>) -> Pool {
        Pool(values)
    }
}

/// The blobs of one execution that are known to be stored.
#[derive(Debug, Default)]
pub struct Known {
    keys: BTreeSet<Text>,
    /// Payloads that were hashed lately: they are passed on from state to state.
    recent: Vec<(Value, Text)>,
}

impl Known {
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

/// Payloads that are hashed once while they stay in use.
const RECENT_MAX: usize = 8;

/// What [`outline`] did.
#[derive(Debug, Default)]
pub struct Outlined {
    /// Blobs to be written before what refers to them.
    pub blobs: Vec<(Text, Bytes)>,
    /// What was replaced, in the order of the visit; `None` where nothing was.
    replaced: Vec<Option<Value>>,
}

/// Replaces the payloads above `inline_max` bytes of JSON by markers, and all but the shortest
/// where there is a pool. `scope` begins the keys of the blobs, before a `/`.
pub fn outline(
    holder: &mut dyn Payloads,
    scope: &str,
    inline_max: usize,
    known: &mut Known,
    mut pool: Option<&mut Pool>,
) -> Outlined {
    let mut outlined = Outlined::default();
    let mut any = false;
    holder.visit(&mut |payload| {
        let replacement = match payload {
            Value::String(text) if text.starts_with(ESCAPE) => {
                Some(Value::from(Text::from(format!("{ESCAPE}{text}"))))
            }
            _ if payload.json_len() > inline_max => {
                let (key, bytes) = known.key_of(payload, scope);
                if let Some(bytes) = bytes {
                    outlined.blobs.push((key.clone(), bytes));
                }
                let marker = Value::from(Text::from(format!("{ESCAPE}blob:{key}")));
                // It is long itself.
                Some(pool.as_mut().and_then(|pool| pool.take(&marker)).unwrap_or(marker))
            }
            _ => pool.as_mut().and_then(|pool| pool.take(payload)),
        };
        any |= replacement.is_some();
        outlined.replaced.push(replacement.map(|replacement| std::mem::replace(payload, replacement)));
    });
    if !any {
        outlined.replaced = Vec::new();
    }
    outlined
}

/// Undoes [`outline`] on the same holder.
pub fn restore(holder: &mut dyn Payloads, outlined: Outlined) {
    if outlined.replaced.is_empty() {
        return;
    }
    let mut replaced = outlined.replaced.into_iter();
    holder.visit(&mut |payload| {
        if let Some(Some(original)) = replaced.next() {
            *payload = original;
        }
    });
}

/// Puts the payloads back that markers refer to.
pub async fn inline(store: &Store, holder: &mut (dyn Payloads + Send)) -> Result<(), StoreError> {
    inline_beside(store, holder, None).await
}

/// The same with a payload that is at hand, behind its stored form.
pub(crate) async fn inline_beside(
    store: &Store,
    holder: &mut (dyn Payloads + Send),
    at_hand: Option<(&Value, &Value)>,
) -> Result<(), StoreError> {
    let mut payloads = Vec::new();
    if let Some((marker, payload)) = at_hand
        && let Some(Stored::Blob(key)) = stored(marker)
    {
        payloads.push((Text::from(key), payload.clone()));
    }
    let mut keys = BTreeSet::new();
    holder.visit(&mut |payload| {
        if let Some(Stored::Blob(key)) = stored(payload) {
            keys.insert(Text::from(key));
        }
    });
    for key in keys {
        if payloads.iter().all(|(name, _)| *name != key) {
            let payload = fetch(store, &key).await?;
            payloads.push((key, payload));
        }
    }
    holder.visit(&mut |payload| {
        let replacement = match stored(payload) {
            Some(Stored::Blob(key)) => {
                payloads.iter().find(|(name, _)| name == key).map(|(_, payload)| payload.clone())
            }
            Some(Stored::Escaped(text)) => Some(Value::from(Text::from(text))),
            Some(Stored::Pooled(_)) | None => None,
        };
        if let Some(replacement) = replacement {
            *payload = replacement;
        }
    });
    Ok(())
}

/// Whether a payload as it is stored is not the payload itself.
pub(crate) fn is_outlined(payload: &Value) -> bool {
    stored(payload).is_some()
}

/// Removes what markers and escapes say about payloads, without loading any: a payload that has
/// gone to the blobs becomes `null`.
pub fn drop_outlined(holder: &mut dyn Payloads) {
    holder.visit(&mut |payload| {
        let replacement = match stored(payload) {
            Some(Stored::Blob(_)) => Some(Value::Null),
            Some(Stored::Escaped(text)) => Some(Value::from(Text::from(text))),
            Some(Stored::Pooled(_)) | None => None,
        };
        if let Some(replacement) = replacement {
            *payload = replacement;
        }
    });
}

/// Writes blobs, several at once, before whatever refers to them.
pub async fn write(store: &Store, blobs: &[(Text, Bytes)]) -> Result<(), StoreError> {
    for (key, bytes) in blobs {
        store.blobs.put(key, bytes.clone()).await?;
    }
    Ok(())
}

enum Stored<'a> {
    Blob(&'a str),
    Pooled(&'a str),
    Escaped(&'a str),
}

fn stored(payload: &Value) -> Option<Stored<'_>> {
    let rest = payload.as_str()?.strip_prefix(ESCAPE)?;
    Some(if rest.starts_with(ESCAPE) {
        Stored::Escaped(rest)
    } else if let Some(place) = rest.strip_prefix('=') {
        Stored::Pooled(place)
    } else if let Some(key) = rest.strip_prefix("blob:") {
        Stored::Blob(key)
    } else {
        Stored::Escaped(rest)
    })
}

async fn fetch(store: &Store, key: &str) -> Result<Value, StoreError> {
    let bytes = store.blobs.get(key).await?;
    let bytes = bytes.ok_or_else(|| StoreError::Damaged(format!("the payload {key} is missing")))?;
    let text = std::str::from_utf8(&bytes)
        .map_err(|error| StoreError::Damaged(format!("the payload {key} is not text: {error}")))?;
    Value::parse(text).map_err(|error| StoreError::Damaged(format!("the payload {key} is not JSON: {error}")))
}

impl Known {
    /// The key of a payload, and its bytes when they have not been written yet.
    fn key_of(&mut self, payload: &Value, scope: &str) -> (Text, Option<Bytes>) {
        if let Some((_, key)) = self.recent.iter().find(|(recent, _)| same(recent, payload)) {
            return (key.clone(), None);
        }
        let text = payload.to_json();
        let hash = Sha256::digest(text.as_bytes());
        let key = Text::from(format!("{scope}/{}", URL_SAFE_NO_PAD.encode(&hash[..24])));
        if self.recent.len() == RECENT_MAX {
            self.recent.remove(0);
        }
        self.recent.push((payload.clone(), key.clone()));
        let new = self.keys.insert(key.clone());
        (key, new.then(|| Bytes::from(text)))
    }

    /// Lets go of payloads that nobody else holds: they may be large, and will hardly come again.
    pub fn let_go(&mut self) {
        self.recent.retain(|(payload, _)| payload.is_shared());
    }

    /// Nothing is known any more: what was handed out may not have been written.
    pub fn forget(&mut self) {
        *self = Known::default();
    }
}

/// Whether two values are one string, or share their container. Equal ones that do not are hashed
/// or stored again, which costs time and room only.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => a.ptr_eq(b),
        (Value::Object(a), Value::Object(b)) => a.ptr_eq(b),
        (Value::String(a), Value::String(b)) => a == b,
        _ => false,
    }
}

impl crate::execution::Executions {
    /// Moves the large payloads of what is about an execution, and is stored elsewhere, to the
    /// blobs.
    pub async fn outline(
        &self,
        execution: &model::arn::ExecutionArn,
        holder: &mut (dyn Payloads + Send),
    ) -> Result<(), StoreError> {
        let inline_max = self.store().config().payload_bytes_inline_max;
        let mut any = false;
        holder.visit(&mut |payload| any |= payload.json_len() > inline_max || stored(payload).is_some());
        if !any {
            return Ok(());
        }
        let place = self.place(execution)?;
        let outlined = outline(holder, place.scope(), inline_max, &mut Known::default(), None);
        write(self.store(), &outlined.blobs).await
    }

    /// Puts the payloads of an execution's state back, or of its steps. Its input is at hand, which
    /// they often are.
    pub async fn inline_beside(
        &self,
        holder: &mut (dyn Payloads + Send),
        first: &crate::execution::First,
        input: &Value,
    ) -> Result<(), StoreError> {
        inline_beside(self.store(), holder, Some((first.stored_input(), input))).await
    }

    /// Puts the payloads of such a thing back.
    pub async fn inline(&self, holder: &mut (dyn Payloads + Send)) -> Result<(), StoreError> {
        inline(self.store(), holder).await
    }
}
