//! What things cost beside table, queue, blobs and bus, whose prices are [`ports::metered::Prices`]:
//! functions, gateway, monitoring, and the service that is replaced. List prices of US East
//! (N. Virginia), first tier, without free tiers.
//!
//! | what | USD | source |
//! | --- | --- | --- |
//! | Lambda, requests | 0.20 per million | aws.amazon.com/lambda/pricing |
//! | Lambda, x86_64 | 0.0000166667 per GB-second, each begun millisecond | the same |
//! | Lambda, arm64 | 0.0000133334 per GB-second | the same |
//! | Lambda, function URL | nothing beside the request | the same |
//! | API Gateway, HTTP API | 1.00 per million, each begun 512 KB | aws.amazon.com/api-gateway/pricing |
//! | DynamoDB, storage | 0.25 per GB and month | aws.amazon.com/dynamodb/pricing/on-demand |
//! | S3 Standard, storage | 0.023 per GB and month | aws.amazon.com/s3/pricing |
//! | SNS, publishing | 0.50 per million, each begun 64 KB | aws.amazon.com/sns/pricing |
//! | CloudWatch, alarm | 0.10 per month and metric | aws.amazon.com/cloudwatch/pricing |
//! | CloudWatch, dashboard | 3.00 per month, the first three of an account are free | the same |
//! | CloudWatch Logs, ingestion | 0.50 per GB | the same |
//! | EventBridge Scheduler | 1.00 per million invocations | aws.amazon.com/eventbridge/pricing |
//! | Step Functions Standard | 25.00 per million state transitions | aws.amazon.com/step-functions/pricing |
//! | Step Functions Express, requests | 1.00 per million | the same |
//! | Step Functions Express, duration | 0.00001667 per GB-second, each begun 100 ms and 64 MB | the same |

/// Prices beside those of the ports. In USD, per million where nothing else is said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prices {
    /// When they were looked up.
    pub date: &'static str,
    /// Invocations of functions.
    pub function_requests: f64,
    /// A GB-second of a function on x86_64.
    pub gb_second_x86: f64,
    /// A GB-second of a function on arm64.
    pub gb_second_arm: f64,
    /// Requests to an HTTP API.
    pub http_api_requests: f64,
    /// A GB in the table for a month.
    pub table_gb_month: f64,
    /// A GB of blobs for a month.
    pub blob_gb_month: f64,
    /// Messages published to a topic.
    pub topic_messages: f64,
    /// An alarm for a month.
    pub alarm_month: f64,
    /// A dashboard for a month, beyond those that are free.
    pub dashboard_month: f64,
    /// A GB of logs.
    pub log_gb: f64,
    /// Invocations by a schedule.
    pub schedule_invocations: f64,
    /// State transitions of Step Functions Standard.
    pub standard_transitions: f64,
    /// Executions of Step Functions Express.
    pub express_requests: f64,
    /// A GB-second of Step Functions Express.
    pub express_gb_second: f64,
}

impl Prices {
    /// The table above.
    pub const US_EAST_1: Prices = Prices {
        date: ports::metered::Prices::US_EAST_1.date,
        function_requests: 0.20,
        gb_second_x86: 0.000_016_666_7,
        gb_second_arm: 0.000_013_333_4,
        http_api_requests: 1.00,
        table_gb_month: 0.25,
        blob_gb_month: 0.023,
        topic_messages: 0.50,
        alarm_month: 0.10,
        dashboard_month: 3.00,
        log_gb: 0.50,
        schedule_invocations: 1.00,
        standard_transitions: 25.0,
        express_requests: 1.00,
        express_gb_second: 0.000_016_67,
    };
}
