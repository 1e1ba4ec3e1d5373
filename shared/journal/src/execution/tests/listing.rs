use super::*;
use crate::registry::Qualifier;

/// The names on all pages of a list, and how many pages there are.
async fn listed(
    fixture: &Fixture,
    qualifier: Option<&Qualifier>,
    status: Option<ExecutionStatus>,
    limit: usize,
) -> (Vec<String>, usize) {
    let (mut names, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let (state_machine, qualifier) = (fixture.machine.clone(), qualifier.cloned());
        let query = ListQuery { state_machine, qualifier, status, after, limit };
        let page = fixture.executions.list(&query).await.unwrap();
        assert!(page.rows.len() <= limit);
        names.extend(page.rows.iter().map(|row| row.name.to_string()));
        (after, pages) = (page.next, pages + 1);
        if after.is_none() {
            return (names, pages);
        }
    }
}

#[tokio::test]
async fn lists_are_newest_first_over_all_shards_and_statuses() {
    for shards in [1, 4] {
        let fixture = fixture(|config| config.listing_shards = shards).await;
        for number in 0..30 {
            let name = format!("e{number:02}");
            // Three start in the same millisecond.
            fixture.create(&name, START.plus_millis(number / 3)).await;
            if number % 2 == 0 {
                fixture.append(&name, ended(1, 2, Value::Null)).await.unwrap();
                let loaded = fixture.executions.load(&fixture.arn(&name)).await.unwrap().unwrap();
                fixture.executions.close(&loaded.first, &loaded.ending.unwrap()).await.unwrap();
            }
        }
        for (status, step) in
            [(None, 1), (Some(ExecutionStatus::Running), 2), (Some(ExecutionStatus::Succeeded), 2)]
        {
            for limit in [1, 4, 100] {
                let (names, _) = listed(&fixture, None, status, limit).await;
                let first = usize::from(status == Some(ExecutionStatus::Running));
                let mut expected: Vec<String> =
                    (first..30).step_by(step).map(|n| format!("e{n:02}")).collect();
                expected.reverse();
                assert_eq!(names, expected, "{status:?} by {limit} over {shards}");
            }
        }
        let state_machine = fixture.machine.clone();
        let query = ListQuery { state_machine, qualifier: None, status: None, after: None, limit: 1 };
        let listing = fixture.executions.list(&query).await.unwrap().rows.remove(0);
        assert_eq!(
            listing.version_arn.as_deref(),
            Some("arn:aws:states:us-east-1:123456789012:stateMachine:m:3")
        );
    }
}

#[tokio::test]
async fn an_execution_that_is_over_is_listed_by_its_last_record() {
    let fixture = fixture(|_| {}).await;
    let meta = fixture.meta("x", START, Value::object());
    fixture.create("x", START).await;
    let before = fixture.meter.usage();
    let known = &mut Known::default();
    let (place, last) = (fixture.place("x"), ended(1, 2, Value::Null));
    fixture.executions.append(&place, last, Then::IsOver(&meta), Vec::new(), known).await.unwrap();
    // The row, its place in the list, and when it is given up.
    assert_eq!((fixture.meter.usage() - before).write_units, 3);
    for (status, expected) in [
        (None, Some(ExecutionStatus::Succeeded)),
        (Some(ExecutionStatus::Succeeded), Some(ExecutionStatus::Succeeded)),
        (Some(ExecutionStatus::Running), None),
        (Some(ExecutionStatus::Failed), None),
    ] {
        let state_machine = fixture.machine.clone();
        let query = ListQuery { state_machine, qualifier: None, status, after: None, limit: 9 };
        let rows = fixture.executions.list(&query).await.unwrap().rows;
        assert_eq!(rows.iter().map(|row| row.status).collect::<Vec<_>>(), Vec::from_iter(expected));
        for row in rows {
            assert_eq!((row.started_at, row.stopped_at), (START, Some(START.plus_millis(3))));
            assert!(row.version_arn.unwrap().ends_with(":3"));
        }
    }
}

#[tokio::test]
async fn what_runs_is_found_without_looking_at_all_each_time() {
    for shards in [1, 4] {
        let fixture = fixture(|config| config.listing_shards = shards).await;
        let name = |number: usize| format!("e{number:04}");
        let create = async |number: usize, at: Timestamp, ends: bool| {
            fixture.create(&name(number), at).await;
            if ends {
                let meta = fixture.meta(&name(number), at, Value::object());
                let known = &mut Known::default();
                let (place, last) = (fixture.place(&name(number)), ended(1, 2, Value::Null));
                fixture
                    .executions
                    .append(&place, last, Then::IsOver(&meta), Vec::new(), known)
                    .await
                    .unwrap();
            }
        };
        let list = async |limit: usize| listed(&fixture, None, Some(ExecutionStatus::Running), limit).await;
        let names = |numbers: &[usize]| numbers.iter().map(|number| name(*number)).collect::<Vec<_>>();
        // Over two hours, one in a thousand stays.
        for number in 0..3_000 {
            let at = START.plus_millis(2_400 * number as i64);
            create(number, at, number % 1_000 != 500).await;
        }
        let read = async |limit: usize| {
            let before = fixture.meter.usage();
            let seen = list(limit).await;
            (seen, (fixture.meter.usage() - before).table_bytes_read)
        };
        let (seen, all) = read(9).await;
        assert_eq!(seen, (names(&[2_500, 1_500, 500]), 1));
        let (seen, noted) = read(9).await;
        assert_eq!(seen, (names(&[2_500, 1_500, 500]), 1));
        assert!(noted < all / 8, "{noted} of {all}");
        for limit in [1, 2] {
            assert_eq!(list(limit).await.0, names(&[2_500, 1_500, 500]));
        }
        // What the note says is not taken for granted, and what came later is seen.
        fixture.append(&name(1_500), ended(1, 2, Value::Null)).await.unwrap();
        let end = START.plus_millis(2_400 * 3_000);
        create(3_000, end, false).await;
        create(3_001, end, true).await;
        assert_eq!(list(9).await.0, names(&[3_000, 2_500, 500]));
        // Many run for long: the note holds the oldest.
        for number in 3_002..4_500 {
            create(number, end.plus_millis(1_000 * number as i64), number % 2 == 0).await;
        }
        let mut expected: Vec<usize> = (3_002..4_500).filter(|number| number % 2 == 1).rev().collect();
        expected.extend([3_000, 2_500, 500]);
        for limit in [1_000, 1_000, 7] {
            assert_eq!(list(limit).await.0, names(&expected), "{limit}");
        }
    }
}

#[tokio::test]
async fn the_executions_of_a_version_or_an_alias_are_found_among_all_others() {
    for shards in [1, 4] {
        let fixture = fixture(|config| config.listing_shards = shards).await;
        let mut expected: [Vec<String>; 3] = Default::default();
        for number in 0..450_usize {
            let name = format!("e{number:03}");
            let mut meta = fixture.meta(&name, START.plus_millis(number as i64), Value::object());
            // One in nine runs version 1, every other one of these by way of an alias.
            let (version, alias) = (number.is_multiple_of(9), number.is_multiple_of(18));
            let qualified =
                |there: bool, qualifier| there.then(|| format!("{}:{qualifier}", fixture.machine).into());
            meta.execution.state_machine_version_arn =
                qualified(version, "1").or(Some(format!("{}:10", fixture.machine).into()));
            meta.execution.state_machine_alias_arn = qualified(alias, "a");
            let record = record(0, 0, 2, Value::object());
            let place = fixture.place(&name);
            let known = &mut Known::default();
            fixture.executions.create(&place, &meta, record, None, Vec::new(), known).await.unwrap();
            for (there, names) in [version, alias, !version].into_iter().zip(&mut expected) {
                if there {
                    names.insert(0, name.clone());
                }
            }
        }
        let qualifiers = [
            Qualifier::Version(1),
            Qualifier::Alias("a".into()),
            Qualifier::Version(10),
            Qualifier::Version(2),
        ];
        for (qualifier, expected) in qualifiers.iter().zip(expected.into_iter().chain([Vec::new()])) {
            for limit in [1, 7, 1_000] {
                let (names, _) = listed(&fixture, Some(qualifier), None, limit).await;
                assert_eq!(names, expected, "{qualifier:?} by {limit} over {shards}");
            }
        }
    }
}
