//! Batches, of which some entries may fail and others not.

use std::future::Future;

use ports::{Clock, QueueError, Receipt};

use crate::fault::{is_throttle, short};

/// An entry that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failed {
    /// Which entry: its place among the receipts of the request.
    pub id: String,
    /// The request was wrong, rather than the service unable.
    pub is_senders: bool,
    pub code: String,
    pub message: String,
}

/// How often what the service was unable to do is tried.
const ROUNDS_MAX: u32 = 4;
/// Before the second round; doubled for each further one.
const BACKOFF_MILLIS: i64 = 50;

/// Does `request` for the receipts, and again for those that the service was unable to do. Those
/// that name no message any more are left alone.
pub(super) async fn run<F>(
    receipts: &[Receipt],
    clock: &dyn Clock,
    request: impl Fn(Vec<(String, Receipt)>) -> F,
) -> Result<(), QueueError>
where
    F: Future<Output = Result<Vec<Failed>, QueueError>>,
{
    let mut left: Vec<(String, Receipt)> =
        receipts.iter().enumerate().map(|(id, receipt)| (id.to_string(), receipt.clone())).collect();
    let mut refused = None;
    for round in 0..ROUNDS_MAX {
        if left.is_empty() {
            break;
        }
        if round > 0 {
            let until = clock.now().plus_millis(BACKOFF_MILLIS << (round - 1));
            while clock.now() < until {
                clock.sleep_until(until).await;
            }
        }
        let mut unable = Vec::new();
        for failed in request(left.clone()).await? {
            match outcome(&failed) {
                Outcome::LeftAlone => {}
                Outcome::Again(error) => unable.push((failed.id, error)),
                Outcome::Refused(error) => refused = Some(error),
            }
        }
        left.retain(|(id, _)| unable.iter().any(|(failed, _)| failed == id));
        if round + 1 == ROUNDS_MAX
            && let Some((_, error)) = unable.pop()
        {
            return Err(error);
        }
    }
    refused.map_or(Ok(()), Err)
}

/// What is to be done about a failed entry.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// The message has come back or was deleted.
    LeftAlone,
    Again(QueueError),
    Refused(QueueError),
}

fn outcome(failed: &Failed) -> Outcome {
    let reason = || short(&format!("{}: {}", failed.code, failed.message));
    // The code has a prefix in one of the protocols that SQS speaks.
    match failed.code.rsplit('.').next().unwrap_or_default() {
        "MessageNotInflight" | "ReceiptHandleIsInvalid" => Outcome::LeftAlone,
        "InvalidParameterValue" if failed.message.contains("ReceiptHandle") => Outcome::LeftAlone,
        code if is_throttle(code) => Outcome::Again(QueueError::Throttled),
        "AccessDenied" | "AccessDeniedException" => Outcome::Refused(QueueError::Unavailable(reason())),
        _ if failed.is_senders => Outcome::Refused(QueueError::Refused(reason())),
        _ => Outcome::Again(QueueError::Unavailable(reason())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ports::Virtual;
    use std::sync::Mutex;

    fn failed(id: usize, is_senders: bool, code: &str, message: &str) -> Failed {
        Failed { id: id.to_string(), is_senders, code: code.to_owned(), message: message.to_owned() }
    }

    #[test]
    fn failed_entries_are_told_apart() {
        let unavailable = |reason: &str| QueueError::Unavailable(reason.to_owned());
        let handle = "Value x for parameter ReceiptHandle is invalid. Reason: Message does not exist or is \
                      not available for visibility timeout change.";
        let beyond = "Total VisibilityTimeout for the message is beyond the limit";
        let cases = [
            (failed(0, true, "ReceiptHandleIsInvalid", ""), Outcome::LeftAlone),
            (failed(0, true, "AWS.SimpleQueueService.MessageNotInflight", ""), Outcome::LeftAlone),
            (failed(0, true, "InvalidParameterValue", handle), Outcome::LeftAlone),
            (
                failed(0, true, "InvalidParameterValue", beyond),
                Outcome::Refused(QueueError::Refused(format!("InvalidParameterValue: {beyond}"))),
            ),
            (failed(0, true, "AccessDenied", "no"), Outcome::Refused(unavailable("AccessDenied: no"))),
            (failed(0, true, "RequestThrottled", ""), Outcome::Again(QueueError::Throttled)),
            (failed(0, false, "InternalError", "oops"), Outcome::Again(unavailable("InternalError: oops"))),
        ];
        for (failed, expected) in cases {
            assert_eq!(outcome(&failed), expected, "{failed:?}");
        }
    }

    /// Rounds of answers; what was asked for in each, and the result.
    async fn check(
        answers: Vec<Result<Vec<Failed>, QueueError>>,
        asked_expected: &[&[&str]],
        expected: Result<(), QueueError>,
    ) {
        let receipts: Vec<Receipt> = ["a", "b", "c"].map(|receipt| Receipt(receipt.into())).into();
        let asked = Mutex::new(Vec::new());
        let answers = Mutex::new(answers.into_iter());
        let clock = Virtual::default();
        let result = run(&receipts, &clock, |left| {
            let left: Vec<String> = left.into_iter().map(|(_, receipt)| receipt.0.to_string()).collect();
            asked.lock().unwrap().push(left);
            let answer = answers.lock().unwrap().next().unwrap();
            async move { answer }
        });
        assert_eq!(result.await, expected);
        assert_eq!(*asked.lock().unwrap(), asked_expected);
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_service_was_unable_to_do_is_tried_again() {
        let all: &[&str] = &["a", "b", "c"];
        let unable = |id| failed(id, false, "InternalError", "");
        check(vec![Ok(vec![])], &[all], Ok(())).await;
        check(
            vec![Ok(vec![unable(0), unable(2)]), Ok(vec![unable(2)]), Ok(vec![])],
            &[all, &["a", "c"], &["c"]],
            Ok(()),
        )
        .await;
        let gone = failed(1, true, "ReceiptHandleIsInvalid", "");
        check(vec![Ok(vec![gone, unable(2)]), Ok(vec![])], &[all, &["c"]], Ok(())).await;
        let refused = failed(1, true, "Invalid", "why");
        let error = QueueError::Refused("Invalid: why".to_owned());
        check(vec![Ok(vec![refused, unable(2)]), Ok(vec![])], &[all, &["c"]], Err(error)).await;
        let throttled = || Ok(vec![failed(0, false, "ThrottlingException", "")]);
        check(
            vec![throttled(), throttled(), throttled(), throttled()],
            &[all, &["a"], &["a"], &["a"]],
            Err(QueueError::Throttled),
        )
        .await;
        let missing = QueueError::Missing("q".to_owned());
        check(vec![Err(missing.clone())], &[all], Err(missing)).await;
    }
}
