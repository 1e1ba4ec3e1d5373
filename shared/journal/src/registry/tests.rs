mod versions;

use std::sync::Arc;
use std::time::Duration;

use model::arn::{ActivityArn, Home, StateMachineArn};
use model::json::Text;
use model::status::{LogLevel, StateMachineType};
use model::timestamp::Timestamp;
use ports::faulty::{self, Fault, Faults, Rates};
use ports::memory::{Blobs, Table};
use ports::{Blobs as _, SystemClock, Virtual};

use super::*;
use crate::store::{Config, StoreError};

const HOME: &str = "arn:aws:states:us-east-1:123456789012";

async fn registry(shards: u32) -> (Registry, Arc<Blobs>) {
    let blobs = Arc::new(Blobs::new());
    let home = Home::new("aws", "us-east-1", "123456789012");
    let config = Config { listing_shards: shards, ..Config::new(home) };
    let table = Arc::new(Table::new(Arc::new(SystemClock)));
    let store = Store::open(table, blobs.clone(), config).await.unwrap();
    (Registry::new(store), blobs)
}

fn arn(name: &str) -> StateMachineArn {
    StateMachineArn::parse(&format!("{HOME}:stateMachine:{name}")).unwrap()
}

fn activity(name: &str) -> ActivityArn {
    ActivityArn::parse(&format!("{HOME}:activity:{name}")).unwrap()
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn new(name: &str, definition: &str, revision_id: &str) -> NewStateMachine {
    NewStateMachine {
        arn: arn(name),
        machine_type: StateMachineType::Standard,
        definition: definition.into(),
        role_arn: "role".into(),
        logging: Logging::default(),
        tracing_enabled: false,
        encryption: None,
        tags: Tags::default(),
        publish: None,
        revision_id: revision_id.into(),
        now: at(1),
    }
}

async fn created(registry: &Registry, new: NewStateMachine) -> StateMachine {
    match registry.create_state_machine(new).await.unwrap() {
        Outcome::Created(machine) => machine,
        Outcome::Exists(existing) => panic!("{existing:?}"),
    }
}

fn tags(pairs: &[(&str, &str)]) -> Tags {
    pairs.iter().map(|(key, value)| (Text::from(*key), Text::from(*value))).collect()
}

#[tokio::test]
async fn a_state_machine_and_its_revisions() {
    let (registry, _) = registry(1).await;
    assert_eq!(registry.state_machine(&arn("m")).await, Ok(None));
    let machine = created(&registry, new("m", "one", "r1")).await;
    assert_eq!(registry.state_machine(&arn("m")).await, Ok(Some(machine.clone())));
    assert_eq!(machine.current.shown_id(), None);

    let change = Change { definition: Some("two".into()), ..Change::default() };
    let updated =
        registry.update_state_machine(&arn("m"), &change, &"r2".into(), None, at(2)).await.unwrap().unwrap();
    assert!(updated.changed);
    assert_eq!(updated.state_machine.current.shown_id(), Some(&Text::from("r2")));
    assert_eq!((updated.state_machine.created_at, updated.state_machine.current.created_at), (at(1), at(2)));

    let revisions = [("r1", "one"), ("r2", "two")];
    for (id, definition) in revisions {
        let revision = registry.revision(&arn("m"), id).await.unwrap().unwrap();
        assert_eq!((revision.definition.as_str(), revision.summary.id.as_str()), (definition, id));
    }
    assert_eq!(registry.revision(&arn("m"), "r3").await, Ok(None));
    assert_eq!(registry.revision(&arn("n"), "r1").await, Ok(None));

    // They outlive the state machine, and whatever has its name afterwards.
    assert_eq!(registry.delete_state_machine(&arn("m")).await, Ok(true));
    assert_eq!(registry.delete_state_machine(&arn("m")).await, Ok(false));
    assert_eq!(registry.state_machine(&arn("m")).await, Ok(None));
    created(&registry, new("m", "three", "r3")).await;
    for (id, definition) in [revisions[0], revisions[1], ("r3", "three")] {
        assert_eq!(registry.revision(&arn("m"), id).await.unwrap().unwrap().definition, definition);
    }
}

#[tokio::test]
async fn a_change_that_changes_nothing_makes_no_revision() {
    let (registry, _) = registry(1).await;
    created(&registry, new("m", "one", "r1")).await;
    let unchanged = [
        Change::default(),
        Change { definition: Some("one".into()), ..Change::default() },
        Change { role_arn: Some("role".into()), tracing_enabled: Some(false), ..Change::default() },
        Change {
            logging: Some(Logging::default()),
            encryption: Some(Encryption::default()),
            ..Change::default()
        },
    ];
    for change in unchanged {
        let updated = registry
            .update_state_machine(&arn("m"), &change, &"r2".into(), None, at(2))
            .await
            .unwrap()
            .unwrap();
        assert!(!updated.changed && updated.state_machine.current.id == "r1", "{change:?}");
    }
    let changed = [
        Change { role_arn: Some("other".into()), ..Change::default() },
        Change { tracing_enabled: Some(true), ..Change::default() },
        Change { logging: Some(Logging { level: LogLevel::All, ..Logging::default() }), ..Change::default() },
        Change {
            encryption: Some(Encryption { kms_key_id: Some("key".into()), ..Encryption::default() }),
            ..Change::default()
        },
    ];
    for (change, id) in changed.iter().zip(["a", "b", "c", "d"]) {
        let updated =
            registry.update_state_machine(&arn("m"), change, &id.into(), None, at(2)).await.unwrap().unwrap();
        assert!(updated.changed && updated.state_machine.current.id == id, "{change:?}");
        assert_eq!(registry.revision(&arn("m"), id).await.unwrap().unwrap().definition, "one");
    }
    assert_eq!(
        registry.update_state_machine(&arn("n"), &changed[0], &"x".into(), None, at(2)).await,
        Ok(None)
    );
}

#[tokio::test]
async fn creating_again() {
    let (registry, _) = registry(1).await;
    let first = created(&registry, new("m", "one", "r1")).await;
    let again = NewStateMachine {
        role_arn: "other".into(),
        tags: tags(&[("a", "b")]),
        now: at(9),
        ..new("m", "one", "r2")
    };
    assert!(again.is_again(&first));
    assert!(NewStateMachine { encryption: Some(Encryption::default()), ..again.clone() }.is_again(&first));
    assert!(!new("m", "one ", "r2").is_again(&first));
    assert!(!NewStateMachine { tracing_enabled: true, ..again.clone() }.is_again(&first));
    assert!(!NewStateMachine { machine_type: StateMachineType::Express, ..again.clone() }.is_again(&first));
    assert_eq!(registry.create_state_machine(again).await, Ok(Outcome::Exists(first)));
}

#[tokio::test]
async fn a_large_definition_is_a_blob() {
    let (registry, blobs) = registry(1).await;
    let large = "x".repeat(1_000_000);
    created(&registry, new("m", &large, "r1")).await;
    created(&registry, new("n", &large, "r2")).await;
    let keys = blobs.list("definition/", None, 10).await.unwrap();
    assert_eq!(keys.len(), 1, "equal definitions share one blob");
    assert_eq!(registry.revision(&arn("n"), "r2").await.unwrap().unwrap().definition, large);
    blobs.put(&keys[0], "y".into()).await.unwrap();
    assert!(matches!(registry.revision(&arn("m"), "r1").await, Err(StoreError::Damaged(_))));
    blobs.delete(&keys[0]).await.unwrap();
    assert!(matches!(registry.revision(&arn("m"), "r1").await, Err(StoreError::Damaged(_))));
}

#[tokio::test]
async fn others_homes_have_nothing_here() {
    let (registry, _) = registry(1).await;
    created(&registry, new("m", "one", "r1")).await;
    for home in ["arn:aws:states:us-east-1:000000000000", "arn:aws-cn:states:us-east-1:123456789012"] {
        let other = StateMachineArn::parse(&format!("{home}:stateMachine:m")).unwrap();
        assert_eq!(registry.state_machine(&other).await, Ok(None));
        assert_eq!(registry.revision(&other, "r1").await, Ok(None));
        assert_eq!(registry.delete_state_machine(&other).await, Ok(false));
        let new = NewStateMachine { arn: other, ..new("m", "one", "r1") };
        assert!(matches!(registry.create_state_machine(new).await, Err(StoreError::Refused(_))));
    }
}

#[tokio::test]
async fn listings_page_over_all_shards_in_the_order_of_names() {
    for shards in [1, 3] {
        let (registry, _) = registry(shards).await;
        let names: Vec<String> =
            (0..25).map(|n| format!("m{n:02}")).chain(["é".to_owned(), "!".to_owned()]).collect();
        for name in names.iter().rev() {
            created(&registry, new(name, "one", &format!("r-{name}"))).await;
            let new = NewActivity {
                arn: activity(name),
                encryption: Encryption::default(),
                tags: Tags::default(),
                nonce: name.as_str().into(),
                now: at(1),
            };
            assert!(matches!(registry.create_activity(new).await, Ok(Outcome::Created(_))));
        }
        let mut sorted = names.clone();
        sorted.sort();
        for limit in [1, 7, 26, 27, 1_000] {
            let (mut machines, mut activities): (Vec<String>, Vec<String>) = Default::default();
            loop {
                let page =
                    registry.list_state_machines(machines.last().map(String::as_str), limit).await.unwrap();
                machines.extend(page.rows.iter().map(|row| row.name.to_string()));
                let others =
                    registry.list_activities(activities.last().map(String::as_str), limit).await.unwrap();
                activities.extend(others.rows.iter().map(|row| row.name.to_string()));
                assert_eq!(page.more, others.more);
                if !page.more {
                    break;
                }
            }
            assert_eq!((&machines, &activities), (&sorted, &sorted), "{limit}");
        }
        // What is gone is not listed, and a page goes on behind it.
        registry.delete_state_machine(&arn("m07")).await.unwrap();
        let page = registry.list_state_machines(Some("m07"), 1).await.unwrap();
        assert_eq!(page.rows[0].name, "m08");
    }
}

#[tokio::test]
async fn activities() {
    let (registry, _) = registry(1).await;
    let new = NewActivity {
        arn: activity("a"),
        encryption: Encryption::default(),
        tags: tags(&[("k", "v")]),
        nonce: "1".into(),
        now: at(1),
    };
    assert_eq!(registry.activity_exists(&activity("a")).await, Ok(false));
    let Ok(Outcome::Created(made)) = registry.create_activity(new.clone()).await else { panic!() };
    assert_eq!((made.created_at, &made.tags), (at(1), &new.tags));
    let again = NewActivity { now: at(2), tags: Tags::default(), nonce: "2".into(), ..new };
    assert_eq!(registry.create_activity(again).await, Ok(Outcome::Exists(made)));
    assert_eq!(registry.activity_exists(&activity("a")).await, Ok(true));
    assert_eq!(registry.delete_activity(&activity("a")).await, Ok(true));
    assert_eq!(registry.delete_activity(&activity("a")).await, Ok(false));
    assert_eq!(registry.activity(&activity("a")).await, Ok(None));
}

#[tokio::test]
async fn tags_of_both() {
    let (registry, _) = registry(1).await;
    created(&registry, new("m", "one", "r1")).await;
    let set = |pairs: &[(&str, &str)]| TagChange::Set(tags(pairs));
    let change =
        async |change: &TagChange| registry.tag_state_machine(&arn("m"), change, 3).await.unwrap().unwrap();
    assert_eq!(change(&set(&[("b", "1"), ("a", "2"), ("b", "3")])).await, tags(&[("b", "3"), ("a", "2")]));
    assert_eq!(change(&set(&[("a", ""), ("c", "4")])).await, tags(&[("b", "3"), ("a", ""), ("c", "4")]));
    // One too many: told, not done.
    assert_eq!(change(&set(&[("d", "5")])).await.len(), 4);
    assert_eq!(
        change(&TagChange::Remove(vec!["b".into(), "x".into()])).await,
        tags(&[("a", ""), ("c", "4")])
    );
    // An update of the definition keeps them.
    let update = Change { definition: Some("two".into()), ..Change::default() };
    registry.update_state_machine(&arn("m"), &update, &"r2".into(), None, at(2)).await.unwrap();
    let machine = registry.state_machine(&arn("m")).await.unwrap().unwrap();
    assert_eq!((machine.tags, machine.current.id.as_str()), (tags(&[("a", ""), ("c", "4")]), "r2"));

    assert_eq!(registry.tag_state_machine(&arn("n"), &set(&[]), 3).await, Ok(None));
    assert_eq!(registry.tag_activity(&activity("a"), &set(&[]), 3).await, Ok(None));
    let new = NewActivity {
        arn: activity("a"),
        encryption: Encryption::default(),
        tags: Tags::default(),
        nonce: "1".into(),
        now: at(1),
    };
    registry.create_activity(new).await.unwrap();
    let tagged = registry.tag_activity(&activity("a"), &set(&[("k", "v")]), 3).await.unwrap().unwrap();
    assert_eq!(registry.activity(&activity("a")).await.unwrap().unwrap().tags, tagged);
}

/// Writes take their time, and many that were applied do not say so.
#[tokio::test(start_paused = true)]
async fn writers_that_race_lose_nothing() {
    for seed in 0..20 {
        let clock = Arc::new(Virtual::default());
        let rates = Rates { delayed: 0.5, unknown_applied: 0.4, ..Rates::NONE };
        let faults = Faults::new(seed, Rates { delay_max: Duration::from_secs(2), ..rates }, clock.clone());
        let table = faulty::Table::new(Arc::new(Table::new(clock)), faults.clone());
        let home = Home::new("aws", "us-east-1", "123456789012");
        let store = Store::open(Arc::new(table), Arc::new(Blobs::new()), Config::new(home)).await.unwrap();
        let registry = Registry::new(store);
        created(&registry, new("m", "one", "r1")).await;
        let mut writers = tokio::task::JoinSet::new();
        for n in 0..6 {
            let registry = registry.clone();
            writers.spawn(async move {
                let change =
                    TagChange::Set([(Text::from(format!("k{n}")), Text::default())].into_iter().collect());
                registry.tag_state_machine(&arn("m"), &change, 50).await.unwrap();
                let update = Change { definition: Some(format!("d{n}").into()), ..Change::default() };
                registry
                    .update_state_machine(&arn("m"), &update, &format!("u{n}").into(), None, at(2))
                    .await
                    .unwrap();
            });
        }
        while let Some(done) = writers.join_next().await {
            done.unwrap();
        }
        let machine = registry.state_machine(&arn("m")).await.unwrap().unwrap();
        assert_eq!(machine.tags.len(), 6, "seed {seed}");
        let revision = registry.revision(&arn("m"), &machine.current.id).await.unwrap().unwrap();
        assert_eq!(revision.summary, machine.current, "seed {seed}");
        assert!(faults.struck(Fault::UnknownApplied) > 0 && faults.struck(Fault::Delayed) > 0, "seed {seed}");
    }
}

#[tokio::test]
async fn a_name_that_is_used_again_starts_from_another_revision() {
    let (registry, _) = registry(1).await;
    created(&registry, new("m", "one", "r1")).await;
    let (row, machine) = registry.machine_row(&arn("m")).await.unwrap().unwrap();
    registry.delete_state_machine(&arn("m")).await.unwrap();
    created(&registry, new("m", "one", "r2")).await;
    // Who still holds the old row does not overwrite the new one.
    assert_eq!(registry.replace_machine(&row, &machine).await, Ok(row::Written::Conflict));
}

#[test]
fn derived_ids_are_uuids_of_their_own() {
    let ids: Vec<Text> = (1..4).map(|number| row::derived_id("u", number)).collect();
    for (at, id) in ids.iter().enumerate() {
        let groups: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(groups, [8, 4, 4, 4, 12], "{id}");
        assert!(id.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit()) && !ids[..at].contains(id));
    }
    assert_eq!(row::derived_id("u", 1), ids[0]);
}
