//! What an installation costs in a month in which nothing happens.
//!
//! | what | how much | source |
//! | --- | --- | --- |
//! | sweeper | once a minute; what one sweep of an empty installation uses is measured | the template |
//! | poller of the queue | each of its pollers waits 20 s in a receive, and begins anew | SQS, "Amazon SQS short and long polling"; Lambda developer guide, "Using Lambda with Amazon SQS": long polling |
//! | pollers | five, and as few as two when traffic is low and no maximum concurrency is set | Lambda developer guide, "Configuring scaling behavior for SQS event source mappings" |
//! | alarms | those of the template, each of one metric | the template |
//! | schedule, queues, bus, topic, table, bucket without data | nothing | their price lists |
//! | dashboard | none by default | the template |
//! | logs | none: at the default level the functions have nothing to say | the template |
//!
//! Free tiers, which cover the first ten alarms and a million requests to queues, are left out.

use std::sync::Arc;

use super::bill::{TEMPLATE, Terms};
use super::installation::{Installation, Setup};

/// Minutes of a month of 730 hours, by which AWS counts.
const MINUTES: f64 = 730.0 * 60.0;
/// Receives of one poller in a minute.
const RECEIVES_PER_MINUTE: f64 = 3.0;

/// Dollars of an idle month.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Idle {
    /// The sweeper: its function, the table, the queue of dead letters.
    pub sweeper: f64,
    /// One poller of the queue.
    pub poller: f64,
    /// Alarms.
    pub alarms: f64,
}

impl Idle {
    /// With so many pollers.
    pub fn total(&self, pollers: u32) -> f64 {
        self.sweeper + self.poller * f64::from(pollers) + self.alarms
    }
}

/// Measures what a sweep uses, and takes the alarms from the template.
///
/// # Errors
/// When the sweep fails.
pub fn idle(terms: &Terms) -> Result<Idle, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let spent = runtime.map_err(|error| error.to_string())?.block_on(async {
        let installation = Installation::new(Setup::plain(Arc::new(integrations::Nothing))).await?;
        let before = installation.spent();
        installation.sweep().await?;
        Ok::<_, String>(installation.spent().since(before))
    })?;
    let sweep = spent.usage.dollars(&terms.ports) + terms.function_dollars(spent.sweeper);
    let alarms = TEMPLATE.matches("Type: AWS::CloudWatch::Alarm\n").count();
    Ok(Idle {
        sweeper: sweep * MINUTES,
        poller: MINUTES * RECEIVES_PER_MINUTE * terms.ports.queue_requests / 1e6,
        alarms: alarms as f64 * terms.prices.alarm_month,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_has_its_parts() {
        let terms = Terms::of_template().unwrap();
        let idle = idle(&terms).unwrap();
        // 131,400 receives.
        assert!((idle.poller - 0.052_56).abs() < 1e-9, "{idle:?}");
        assert!(idle.alarms > 0.0 && idle.sweeper > 0.01 && idle.sweeper < 0.20, "{idle:?}");
        assert_eq!(idle.total(2), idle.sweeper + 2.0 * idle.poller + idle.alarms);
    }
}
