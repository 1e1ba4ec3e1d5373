//! Two thousand Standard starts per second on AWS, as a simulation of discrete events against the
//! limits that AWS publishes: which partition of the table is the hottest, and how old messages get.
//!
//! What executions read and write comes from executions of the real service, driver and journal
//! ([`trace`]): real keys, shards, index entries and units. What moves them is a model ([`simulation`])
//! of arrivals, the queue, Lambda's poller and functions. Seeded: the same every time.
//!
//! | assumption | value | source |
//! | --- | --- | --- |
//! | starts | 2,000 per second, Poisson, for 300 s, from an empty queue and no warm container | the goal |
//! | workload | W2: five calls of 100 ms, payloads of 1 KB | the goal |
//! | a partition of the table or an index | 1,000 write and 3,000 read units per second | DynamoDB, "Service, account, and table quotas"; "Burst and adaptive capacity" |
//! | burst capacity | none is used | the same: "not guaranteed" |
//! | one key of an index | stays in one partition: its sort keys only grow, which no split helps | DynamoDB, "Designing partition keys to distribute your workload" |
//! | a full index partition | refuses the writes of the table too | DynamoDB, "Using global secondary indexes": throttling |
//! | a new on-demand table or index | 4,000 write and 12,000 read units per second | DynamoDB, "On-demand capacity mode": initial throughput |
//! | growth | to twice the previous peak, within 30 minutes of it | the same |
//! | quota of an on-demand table | 40,000 write and 40,000 read units per second | DynamoDB, "Quotas" |
//! | keys and partitions | placed by a hash, evenly; index keys apart from one another once split for heat | DynamoDB, "Partitions and data distribution" |
//! | standard queue | 120,000 messages in flight, no limit of requests | SQS, "Standard queue quotas" |
//! | poller | 5 batches at once, 300 more per minute while messages are left, at most 1,250 | Lambda, "Configuring scaling behavior for SQS event source mappings" |
//! | functions | 1,000 new environments per 10 s and function | Lambda, "Understanding Lambda function scaling" |
//! | account | 1,000 invocations at once by default, which the task functions share | Lambda, "Lambda quotas" |
//! | a receive | 15 ms, up to ten messages, whatever is there | [`crate::costs::latency`] |
//! | an invocation | as long as the traced ones took, and 10 % more or less; 40 ms more in a new environment | [`trace`]; the driver is ready 15 ms after exec |

pub mod simulation;
pub mod trace;
