//! The rules of a store of blobs.

use std::sync::Arc;

use bytes::Bytes;
use model::json::Text;

use super::{names, ok};
use crate::blobs::{BlobError, Blobs, KEY_BYTES_MAX};

pub(super) async fn check(make: &impl AsyncFn() -> Arc<dyn Blobs>) {
    bytes(&*make().await).await;
    keys(&*make().await).await;
    lists(&*make().await).await;
}

async fn get(blobs: &dyn Blobs, key: &str) -> Option<Bytes> {
    ok(blobs.get(key).await, "a blob can be read")
}

async fn put(blobs: &dyn Blobs, key: &str, bytes: impl Into<Bytes>) {
    ok(blobs.put(key, bytes.into()).await, "a blob can be written");
}

async fn bytes(blobs: &dyn Blobs) {
    assert_eq!(get(blobs, "bytes/absent").await, None, "what was not written is absent");
    let every_byte: Vec<u8> = (0..=u8::MAX).collect();
    let large = vec![0xa5; 3 * 1024 * 1024 + 1];
    for (key, bytes) in [("bytes/a", every_byte), ("bytes/empty", Vec::new()), ("bytes/large", large)] {
        put(blobs, key, bytes.clone()).await;
        let read = get(blobs, key).await;
        assert!(read == Some(Bytes::from(bytes)), "a blob is read as it was written: {key}");
    }
    put(blobs, "bytes/a", "other").await;
    put(blobs, "bytes/a", "other").await;
    assert_eq!(get(blobs, "bytes/a").await, Some(Bytes::from("other")), "a put replaces the blob");
    for _ in 0..2 {
        ok(blobs.delete("bytes/a").await, "deleting a blob twice is no error");
        assert_eq!(get(blobs, "bytes/a").await, None, "a deleted blob is absent");
    }
    assert_eq!(get(blobs, "bytes/empty").await, Some(Bytes::new()), "a delete leaves other blobs alone");
}

async fn keys(blobs: &dyn Blobs) {
    for key in ["keys/ü/€/𝄞", "keys/ and spaces?&%2F#", &format!("keys/{}", "k".repeat(KEY_BYTES_MAX - 5))]
    {
        put(blobs, key, key.to_owned()).await;
        assert_eq!(get(blobs, key).await, Some(Bytes::from(key.to_owned())), "any text is a key: {key}");
        let listed = ok(blobs.list(key, None, 10).await, "keys can be listed");
        assert_eq!(listed, [Text::from(key)], "a listed key is spelled as it was written");
    }
    put(blobs, "keys/A", "upper").await;
    put(blobs, "keys/a", "lower").await;
    assert_eq!(get(blobs, "keys/A").await, Some(Bytes::from("upper")), "keys differ by case");

    let long = format!("keys/{}", "k".repeat(KEY_BYTES_MAX - 4));
    let limits = [KEY_BYTES_MAX + 1, KEY_BYTES_MAX].map(|bytes| bytes.to_string());
    for (key, values) in [("", &[][..]), (long.as_str(), &limits[..])] {
        let rule = "a key that is empty or too long is refused";
        match blobs.put(key, Bytes::from("x")).await {
            Err(BlobError::Refused(reason)) => names(&reason, values, rule),
            other => panic!("{rule}: {other:?}"),
        }
        assert_eq!(get(blobs, key).await, None, "a key that is not allowed has no blob");
    }
}

async fn lists(blobs: &dyn Blobs) {
    // In the order of their bytes: `-` < `/` < `0` < `B` < `a` < two, three and four bytes of UTF-8.
    let ordered = ["l/-", "l/0", "l/B", "l/a", "l/a/1", "l/ab", "l/ü", "l/€", "l/\u{ffff}", "l/𝄞"];
    for key in ordered.iter().rev() {
        put(blobs, key, "x").await;
    }
    for key in ["k", "l", "l.", "l0", "m"] {
        put(blobs, key, "x").await;
    }
    let cases: [(&str, Option<&str>, usize, &[&str]); 11] = [
        ("l/", None, 100, &ordered),
        ("l/", None, 3, &ordered[..3]),
        ("l/", Some("l/B"), 3, &ordered[3..6]),
        ("l/", Some("l/𝄞"), 100, &[]),
        ("l/", Some("l/b"), 2, &ordered[6..8]),
        ("l/", Some("k"), 2, &ordered[..2]),
        ("l/", Some("m"), 100, &[]),
        ("l/a", None, 100, &["l/a", "l/a/1", "l/ab"]),
        ("l/a", Some("l/a"), 1, &["l/a/1"]),
        ("l/ü", None, 100, &["l/ü"]),
        ("nothing", None, 100, &[]),
    ];
    for (prefix, after, limit, expected) in cases {
        let keys = ok(blobs.list(prefix, after, limit).await, "keys can be listed");
        assert_eq!(
            keys, expected,
            "a listing has the keys of the prefix `{prefix}` behind {after:?}, at most {limit}, in order"
        );
    }
    let all = ok(blobs.list("", Some("l/𝄞"), 2).await, "keys can be listed");
    assert_eq!(all, ["l0", "m"], "an empty prefix lists every key");
    ok(blobs.delete("l/a").await, "a blob can be deleted");
    let keys = ok(blobs.list("l/a", None, 100).await, "keys can be listed");
    assert_eq!(keys, ["l/a/1", "l/ab"], "a deleted blob is not listed");
}
