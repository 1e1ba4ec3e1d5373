//! What was used, and what it costs.

use std::ops::{Add, Sub};

/// What was used of the services behind the ports. Differences say what one piece of work used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Requests to the table.
    pub table_requests: u64,
    /// Write request units, those of the indexes included: each begun KB of each row or entry.
    pub write_units: u64,
    /// Halves of read request units: two for each begun 4 KB of a consistent read, one for an
    /// eventually consistent read of an index.
    pub read_half_units: u64,
    /// Bytes of rows in the put requests that were charged.
    pub table_bytes_written: u64,
    /// Bytes of rows and index entries that were read.
    pub table_bytes_read: u64,
    /// Requests to queues as they are charged: each begun 64 KB is one.
    pub queue_requests: u64,
    /// Bytes of messages, sent and received.
    pub queue_bytes: u64,
    /// Blobs written.
    pub blob_puts: u64,
    /// Blobs read, found or not.
    pub blob_gets: u64,
    /// Pages of up to 1,000 keys listed.
    pub blob_lists: u64,
    /// Blobs removed.
    pub blob_deletes: u64,
    /// Bytes of blobs written.
    pub blob_bytes_written: u64,
    /// Bytes of blobs read.
    pub blob_bytes_read: u64,
    /// Events as they are charged: each begun 64 KB is one.
    pub bus_events: u64,
    /// Bytes of events.
    pub bus_bytes: u64,
}

impl Usage {
    /// Read request units, in halves.
    pub fn read_units(&self) -> f64 {
        self.read_half_units as f64 / 2.0
    }

    /// What this costs in USD, without free tiers, storage and traffic.
    pub fn dollars(&self, prices: &Prices) -> f64 {
        let millions = [
            (self.write_units as f64, prices.write_units),
            (self.read_units(), prices.read_units),
            (self.queue_requests as f64, prices.queue_requests),
            ((self.blob_puts + self.blob_lists) as f64, prices.blob_puts_and_lists),
            (self.blob_gets as f64, prices.blob_gets),
            (self.bus_events as f64, prices.bus_events),
        ];
        millions.iter().map(|(count, price)| count * price).sum::<f64>() / 1e6
    }

    fn zip(self, other: Usage, with: impl Fn(u64, u64) -> u64) -> Usage {
        Usage {
            table_requests: with(self.table_requests, other.table_requests),
            write_units: with(self.write_units, other.write_units),
            read_half_units: with(self.read_half_units, other.read_half_units),
            table_bytes_written: with(self.table_bytes_written, other.table_bytes_written),
            table_bytes_read: with(self.table_bytes_read, other.table_bytes_read),
            queue_requests: with(self.queue_requests, other.queue_requests),
            queue_bytes: with(self.queue_bytes, other.queue_bytes),
            blob_puts: with(self.blob_puts, other.blob_puts),
            blob_gets: with(self.blob_gets, other.blob_gets),
            blob_lists: with(self.blob_lists, other.blob_lists),
            blob_deletes: with(self.blob_deletes, other.blob_deletes),
            blob_bytes_written: with(self.blob_bytes_written, other.blob_bytes_written),
            blob_bytes_read: with(self.blob_bytes_read, other.blob_bytes_read),
            bus_events: with(self.bus_events, other.bus_events),
            bus_bytes: with(self.bus_bytes, other.bus_bytes),
        }
    }
}

impl Add for Usage {
    type Output = Usage;

    fn add(self, other: Usage) -> Usage {
        self.zip(other, u64::saturating_add)
    }
}

impl Sub for Usage {
    type Output = Usage;

    /// What was used between an earlier reading, `other`, and this one; zero where it was not.
    fn sub(self, other: Usage) -> Usage {
        self.zip(other, u64::saturating_sub)
    }
}

/// Prices in USD per million.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prices {
    /// When they were looked up.
    pub date: &'static str,
    /// Where they hold.
    pub region: &'static str,
    /// Write request units.
    pub write_units: f64,
    /// Read request units.
    pub read_units: f64,
    /// Requests to a queue.
    pub queue_requests: f64,
    /// Blobs written and pages listed.
    pub blob_puts_and_lists: f64,
    /// Blobs read.
    pub blob_gets: f64,
    /// Events published.
    pub bus_events: f64,
}

impl Prices {
    /// The list prices of US East (N. Virginia), first tier.
    pub const US_EAST_1: Prices = Prices {
        date: "2026-06",
        region: "us-east-1",
        // DynamoDB, on-demand, Standard table class; halved in November 2024.
        write_units: 0.625,
        read_units: 0.125,
        // SQS, standard queues, up to 100 billion requests a month.
        queue_requests: 0.40,
        // S3 Standard: $0.005 per 1,000 PUT, COPY, POST and LIST, $0.0004 per 1,000 GET. DELETE is free.
        blob_puts_and_lists: 5.0,
        blob_gets: 0.40,
        // EventBridge, custom events.
        bus_events: 1.0,
    };
}
