use ports::faulty::{self, CrashPoint, Faults, Rates};

use super::*;

#[tokio::test]
async fn records_go_after_their_retention_and_names_after_theirs() {
    for (archive, closes) in [(false, false), (false, true), (true, false), (true, true)] {
        let fixture = fixture(|config| {
            config.records_retention_millis = 1_000;
            config.name_retention_millis = 5_000;
            config.archive = archive;
        })
        .await;
        fixture.create("x", START).await;
        fixture.append("x", record(1, 2, 3, large())).await.unwrap();
        let arn = fixture.arn("x");
        assert!(!fixture.executions.give_up(&arn, Timestamp::MAX).await.unwrap(), "it runs");
        fixture.append("x", ended(2, 5, Value::Null)).await.unwrap();
        let loaded = fixture.executions.load(&arn).await.unwrap().unwrap();
        let ending = loaded.ending.unwrap();
        if closes {
            fixture.executions.close(&loaded.first, &ending).await.unwrap();
        }
        assert!(!fixture.executions.give_up(&arn, ending.at).await.unwrap(), "too early");
        let due =
            fixture.executions.due(DueKind::Gone, 0, ending.at.plus_millis(1_000), None, 9).await.unwrap();
        assert_eq!(due.entries.len(), 1);
        assert!(fixture.executions.give_up(&arn, ending.at.plus_millis(1_000)).await.unwrap());
        assert_eq!(
            fixture.executions.describe(&arn).await.unwrap().unwrap().status,
            ExecutionStatus::Succeeded
        );
        let events = fixture.history("x", &all()).await.events;
        assert_eq!(events.len(), if archive { 6 } else { 0 });
        assert!(fixture.executions.give_up(&arn, ending.at.plus_millis(5_000)).await.unwrap());
        assert!(fixture.executions.describe(&arn).await.unwrap().is_none());
        assert_eq!(fixture.blobs.list("", None, 10).await.unwrap(), Vec::<model::json::Text>::new());
        // The format of the store is all that is left.
        assert_eq!(fixture.table.rows().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_one_that_goes_never_looks_as_if_it_ran() {
    let mut stops = 0;
    // Whoever removes it stops at each of its requests, and another goes on.
    for operation in 1..20 {
        let fixture = fixture(|_| {}).await;
        let meta = fixture.meta("x", START, Value::object());
        fixture.create("x", START).await;
        fixture.append("x", record(1, 2, 3, large())).await.unwrap();
        fixture.append("x", record(2, 5, 1, Value::Null)).await.unwrap();
        let known = &mut Known::default();
        let (place, last) = (fixture.place("x"), ended(3, 6, Value::Null));
        fixture.executions.append(&place, last, Then::IsOver(&meta), Vec::new(), known).await.unwrap();
        let (arn, at) = (fixture.arn("x"), START.plus_seconds(365 * 86_400));
        let faults = Faults::new(1, Rates::NONE, Arc::new(Virtual::new(START)));
        let table = Arc::new(faulty::Table::new(fixture.table.clone(), faults.clone()));
        let config = fixture.executions.store().config().clone();
        let store = Store::open(table, fixture.blobs.clone(), config).await.unwrap();
        faults.crash_at(faults.operations() + operation, CrashPoint::After);
        let executions = Executions::new(store);
        let gives_up = executions.give_up(&arn, at);
        let stopped = tokio::time::timeout(std::time::Duration::from_secs(60), gives_up).await.is_err();
        stops += u32::from(stopped);
        let left = fixture.executions.describe(&arn).await.unwrap().map(|found| found.status);
        assert!(left.is_none_or(|status| status == ExecutionStatus::Succeeded), "{operation}: {left:?}");
        // With the first record alone there is nothing to be brought back.
        if left.is_some() && fixture.table.rows().len() > 2 {
            // The last record brings it back.
            let due = fixture.executions.due(DueKind::Gone, 0, at, None, 9).await.unwrap();
            assert_eq!(due.entries.len(), 1, "{operation}");
            assert!(fixture.executions.give_up(&arn, at).await.unwrap());
        }
        let rows = fixture.table.rows();
        let by_itself = rows.iter().all(|row| row.key.partition == "format" || row.expires_at.is_some());
        assert!(by_itself, "{operation}: {rows:?}");
        assert_eq!(fixture.blobs.list("", None, 9).await.unwrap(), Vec::<model::json::Text>::new());
    }
    assert!(stops > 5, "{stops}");
}

#[tokio::test]
async fn an_execution_of_one_row_goes_by_itself() {
    const DAY_MILLIS: i64 = 24 * 60 * 60 * 1_000;
    let check = async |payload: Value, archive: bool, records_days: i64, by_itself: bool| {
        let fixture = fixture(|config| {
            config.archive = archive;
            config.records_retention_millis = records_days * DAY_MILLIS;
        })
        .await;
        let ended = ended(0, 2, payload.clone());
        let ending = ended.ending().unwrap();
        let meta = Meta { ending: Some(ending.clone()), ..fixture.meta("x", START, payload) };
        let place = fixture.place("x");
        let known = &mut Known::default();
        fixture.executions.create(&place, &meta, ended, None, Vec::new(), known).await.unwrap();
        let rows = fixture.table.rows();
        let row = rows.iter().find(|row| row.key.sort == "r/0000000000").unwrap();
        let at = ending.at.plus_millis(records_days * DAY_MILLIS);
        assert_eq!(row.expires_at, by_itself.then_some(at), "{archive} {records_days}");
        let due = fixture.executions.due(DueKind::Gone, 0, at, None, 9).await.unwrap();
        assert_eq!(due.entries.len(), usize::from(!by_itself), "{archive} {records_days}");
    };
    check(Value::Null, false, 90, true).await;
    check(Value::Null, false, 400, true).await;
    check(large(), false, 90, false).await;
    check(Value::Null, true, 90, false).await;
    check(Value::Null, false, 7, false).await;
}

#[tokio::test]
async fn an_execution_of_one_row_that_is_closed_is_given_up_too() {
    let fixture = fixture(|_| {}).await;
    let mut last = record(0, 0, 1, Value::Null);
    last.history[0].event = Event::ExecutionFailed(model::error::Failure::new("E", "why"));
    let ending = last.ending().unwrap();
    let (meta, place) = (fixture.meta("x", START, Value::Null), fixture.place("x"));
    let known = &mut Known::default();
    let created = fixture.executions.create(&place, &meta, last, None, Vec::new(), known).await.unwrap();
    assert!(fixture.executions.close(&created.first.unwrap(), &ending).await.unwrap());
    let at = ending.at.plus_millis(fixture.executions.store().config().records_retention_millis);
    let due = fixture.executions.due(DueKind::Gone, 0, at, None, 9).await.unwrap();
    assert_eq!(due.entries.len(), 1);
    assert!(fixture.executions.give_up(&fixture.arn("x"), at).await.unwrap());
    assert_eq!(fixture.table.rows().len(), 1, "the format of the store is all that is left");
}
