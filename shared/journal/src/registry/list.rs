//! Listings, merged over the shards of the index.

use model::json::Text;
use ports::{Index, IndexPosition, IndexQuery, IndexRow, Key, Order};
use serde::de::DeserializeOwned;

use super::Registry;
use super::row::decode;
use crate::store::StoreError;

/// Some entries of a listing, in the order of their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<T> {
    /// The entries.
    pub rows: Vec<T>,
    /// There are more behind the last.
    pub more: bool,
}

/// Behind every name: no name has this character.
const LAST: &str = "\u{10ffff}";

impl Registry {
    /// Up to `limit` entries of a listing behind the name `after`.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        listing: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Listed<T>, StoreError> {
        // One more than is wanted tells whether there are more.
        let wanted = limit.saturating_add(1);
        let mut found: Vec<IndexRow> = Vec::new();
        for shard in 0..self.store.config.listing_shards.max(1) {
            found.extend(self.shard(&format!("{listing}/{shard}"), after, wanted).await?);
        }
        found.sort_by(|a, b| a.position.cmp(&b.position));
        // A name is listed once, but an entry that moves to another shard may be seen in both.
        found.dedup_by(|a, b| a.position.sort == b.position.sort);
        let more = found.len() > limit;
        let rows = found
            .iter()
            .take(limit)
            .map(|row| decode(&row.summary, &row.position.key))
            .collect::<Result<_, _>>()?;
        Ok(Listed { rows, more })
    }

    async fn shard(
        &self,
        partition: &str,
        after: Option<&str>,
        wanted: usize,
    ) -> Result<Vec<IndexRow>, StoreError> {
        let mut query = IndexQuery {
            index: Index::First,
            partition: partition.into(),
            from: Text::new(after.unwrap_or("!")),
            to: Text::new_static(LAST),
            order: Order::Ascending,
            // The key is behind that of every row with the same sort key.
            after: after.map(|name| IndexPosition { sort: name.into(), key: Key::new(LAST, LAST) }),
            limit: wanted,
        };
        let mut rows: Vec<IndexRow> = Vec::new();
        loop {
            query.limit = wanted.saturating_sub(rows.len());
            let page = self.store.table.query_index(&query).await?;
            query.after = page.rows.last().map(|row| row.position.clone());
            rows.extend(page.rows);
            if !page.more || query.after.is_none() || rows.len() >= wanted {
                return Ok(rows);
            }
        }
    }
}
