//! Versions and aliases.

use super::*;

async fn updated(registry: &Registry, definition: &str, revision_id: &str, publish: bool) -> Updated {
    let publish = publish.then(Publish::default);
    let change = Change { definition: Some(definition.into()), publish, ..Change::default() };
    registry
        .update_state_machine(&arn("m"), &change, &revision_id.into(), Some(3), at(2))
        .await
        .unwrap()
        .unwrap()
}

async fn published(registry: &Registry) -> Published {
    registry.publish_version(&arn("m"), None, &Publish::default(), Some(3), at(3)).await.unwrap()
}

fn number(published: &Published) -> u64 {
    match published {
        Published::Version(version) => version.number,
        other => panic!("{other:?}"),
    }
}

async fn listed(registry: &Registry, before: Option<u64>, limit: usize) -> (Vec<u64>, bool) {
    let listed = registry.list_versions(&arn("m"), before, limit).await.unwrap().unwrap();
    (listed.rows.iter().map(|version| version.number).collect(), listed.more)
}

async fn version(registry: &Registry, number: u64) -> Option<Version> {
    let machine = registry.state_machine(&arn("m")).await.unwrap().unwrap();
    registry.version(&machine, number).await.unwrap()
}

fn alias(name: &str, routes: &[(u64, u64)]) -> Alias {
    let routes = routes.iter().map(|(version, weight)| Route { version: *version, weight: *weight });
    let (created_at, updated_at) = (at(4), at(4));
    Alias { name: name.into(), description: None, routes: routes.collect(), created_at, updated_at }
}

#[tokio::test]
async fn a_revision_has_one_version() {
    let (registry, _) = registry(1).await;
    assert_eq!(published(&registry).await, Published::DoesNotExist);
    created(&registry, new("m", "one", "r1")).await;
    let first = published(&registry).await;
    assert_eq!((number(&first), published(&registry).await), (1, first.clone()));

    // With an update, in the same step; or when nothing changes.
    let second = updated(&registry, "two", "r2", true).await;
    assert_eq!((second.changed, second.published.as_ref().map(number)), (true, Some(2)));
    let again = updated(&registry, "two", "r3", true).await;
    assert_eq!((again.changed, again.published), (false, second.published));
    assert_eq!(updated(&registry, "three", "r4", false).await.published, None);
    for (id, expected) in [("r4", 3), ("r4", 3)] {
        let found = registry.publish_version(&arn("m"), Some(id), &Publish::default(), None, at(3)).await;
        assert_eq!(found.as_ref().map(number), Ok(expected));
    }
    let other = registry.publish_version(&arn("m"), Some("r2"), &Publish::default(), None, at(3)).await;
    assert!(matches!(other, Ok(Published::OtherRevision(current)) if current.id == "r4"));

    for (number, id, time) in [(1, "r1", 3), (2, "r2", 2), (3, "r4", 3)] {
        let found = version(&registry, number).await.unwrap();
        assert_eq!((found.revision.id.as_str(), found.created_at), (id, at(time)));
    }
    assert_eq!((version(&registry, 0).await, version(&registry, 4).await), (None, None));

    // As many as may be: an update that wants one more changes nothing.
    let refused = updated(&registry, "four", "r5", true).await;
    assert_eq!((refused.changed, refused.published), (false, Some(Published::TooMany)));
    assert_eq!(refused.state_machine.current.id, "r4");
    assert!(updated(&registry, "four", "r6", false).await.changed);
    assert_eq!(published(&registry).await, Published::TooMany);
}

#[tokio::test]
async fn the_first_revision_is_called_initial() {
    let (registry, _) = registry(1).await;
    let publish = Some(Publish { description: Some("d".into()) });
    let machine = created(&registry, NewStateMachine { publish, ..new("m", "one", "r1") }).await;
    assert_eq!(machine.published().map(|version| version.number), Some(1));
    let ids = [("INITIAL", true), ("r1", false)];
    for (id, expected) in ids {
        let found = registry.publish_version(&arn("m"), Some(id), &Publish::default(), None, at(3)).await;
        assert_eq!(matches!(found, Ok(Published::Version(_))), expected, "{id}");
    }
    let first = version(&registry, 1).await.unwrap();
    assert_eq!((first.description.as_deref(), first.created_at), (Some("d"), at(1)));
    // Creating it again says the same about its version.
    assert!(!new("m", "one", "r2").is_again(&machine));
    let publish = Some(Publish { description: Some("d".into()) });
    assert!(NewStateMachine { publish, ..new("m", "one", "r2") }.is_again(&machine));
    assert!(
        !NewStateMachine { publish: Some(Publish::default()), ..new("m", "one", "r2") }.is_again(&machine)
    );
}

#[tokio::test]
async fn numbers_are_never_used_again() {
    let (registry, _) = registry(1).await;
    created(&registry, new("m", "one", "r1")).await;
    let delete = async |number| registry.delete_version(&arn("m"), number).await.unwrap();
    assert_eq!(number(&published(&registry).await), 1);
    assert_eq!(delete(1).await, VersionDeleted::Gone);
    assert_eq!((version(&registry, 1).await, listed(&registry, None, 9).await), (None, (vec![], false)));
    assert_eq!(number(&published(&registry).await), 2, "the same revision, another version");
    updated(&registry, "two", "r2", true).await;
    updated(&registry, "three", "r3", true).await;
    assert_eq!(listed(&registry, None, 9).await, (vec![4, 3, 2], false));
    assert_eq!(delete(3).await, VersionDeleted::Gone);
    assert_eq!(delete(3).await, VersionDeleted::Gone);
    assert_eq!(delete(9).await, VersionDeleted::Gone);
    assert_eq!(listed(&registry, None, 9).await, (vec![4, 2], false));

    // Whatever has the name afterwards counts from 1, and has none of these.
    assert_eq!(registry.delete_state_machine(&arn("m")).await, Ok(true));
    assert_eq!(registry.list_versions(&arn("m"), None, 9).await, Ok(None));
    created(&registry, new("m", "one", "r9")).await;
    assert_eq!(listed(&registry, None, 9).await, (vec![], false));
    assert_eq!((number(&published(&registry).await), version(&registry, 2).await), (1, None));
}

#[tokio::test]
async fn versions_are_listed_newest_first_page_by_page() {
    let (registry, _) = registry(1).await;
    created(&registry, new("m", "d0", "r0")).await;
    for n in 1..=12 {
        let change = Change {
            definition: Some(format!("d{n}").into()),
            publish: Some(Publish::default()),
            ..Change::default()
        };
        let id = format!("r{n}").into();
        registry.update_state_machine(&arn("m"), &change, &id, None, at(n)).await.unwrap();
    }
    for gone in [4, 5, 11] {
        registry.delete_version(&arn("m"), gone).await.unwrap();
    }
    let all = [12, 10, 9, 8, 7, 6, 3, 2, 1];
    for limit in 1..=10 {
        let (mut seen, mut before) = (Vec::new(), None);
        loop {
            let (page, more) = listed(&registry, before, limit).await;
            before = page.last().copied();
            seen.extend(page);
            if !more {
                break;
            }
        }
        assert_eq!(seen, all, "{limit}");
    }
}

#[tokio::test]
async fn aliases() {
    let (registry, _) = registry(1).await;
    let create = async |alias: &Alias| registry.create_alias(&arn("m"), alias, Some(2)).await.unwrap();
    assert_eq!(create(&alias("a", &[(1, 100)])).await, AliasOutcome::Missing);
    created(&registry, new("m", "one", "r1")).await;
    assert_eq!(create(&alias("a", &[(1, 100)])).await, AliasOutcome::Missing);
    published(&registry).await;
    updated(&registry, "two", "r2", true).await;
    let first = alias("a", &[(1, 70), (2, 30)]);
    assert_eq!(create(&first).await, AliasOutcome::Done(first.clone()));
    assert_eq!(create(&alias("a", &[(1, 100)])).await, AliasOutcome::Exists(first.clone()));
    assert_eq!(create(&alias("b", &[(3, 100)])).await, AliasOutcome::Missing);
    assert!(matches!(create(&alias("b", &[(2, 100)])).await, AliasOutcome::Done(_)));
    assert_eq!(create(&alias("c", &[(2, 100)])).await, AliasOutcome::TooMany);

    let delete = async |number| registry.delete_version(&arn("m"), number).await.unwrap();
    assert_eq!(delete(1).await, VersionDeleted::Referenced(vec!["a".into()]));
    assert_eq!(delete(2).await, VersionDeleted::Referenced(vec!["a".into(), "b".into()]));

    let update = async |name: &str, change: &AliasChange| {
        registry.update_alias(&arn("m"), name, change, at(5)).await.unwrap()
    };
    assert_eq!(update("x", &AliasChange::default()).await, AliasOutcome::Missing);
    assert_eq!(update("a", &AliasChange::default()).await, AliasOutcome::Done(first.clone()), "not changed");
    let to =
        |version| AliasChange { routes: Some(vec![Route { version, weight: 100 }]), ..Default::default() };
    assert_eq!(update("a", &to(3)).await, AliasOutcome::Missing);
    let AliasOutcome::Done(second) = update("a", &to(2)).await else { panic!() };
    assert_eq!((second.created_at, second.updated_at, second.heaviest()), (at(4), at(5), 2));
    let described = AliasChange { description: Some("d".into()), routes: None };
    assert!(
        matches!(update("a", &described).await, AliasOutcome::Done(alias) if alias.routes == second.routes)
    );

    assert_eq!(delete(1).await, VersionDeleted::Gone);
    assert_eq!(registry.delete_alias(&arn("m"), "a").await, Ok(true));
    assert_eq!(registry.delete_alias(&arn("m"), "a").await, Ok(false));
    assert_eq!(delete(2).await, VersionDeleted::Referenced(vec!["b".into()]));
    // An update of the definition keeps them; a deletion does not.
    updated(&registry, "three", "r3", false).await;
    let machine = registry.state_machine(&arn("m")).await.unwrap().unwrap();
    assert_eq!(machine.aliases.iter().map(|alias| alias.name.as_str()).collect::<Vec<_>>(), ["b"]);
    registry.delete_state_machine(&arn("m")).await.unwrap();
    created(&registry, new("m", "one", "r9")).await;
    assert_eq!(registry.state_machine(&arn("m")).await.unwrap().unwrap().aliases, []);
}

#[tokio::test]
async fn more_aliases_than_a_row_holds_are_refused() {
    let (registry, _) = registry(1).await;
    created(&registry, new("m", "one", "r1")).await;
    published(&registry).await;
    let mut outcome = None;
    for n in 0..1_000 {
        let mut alias = alias(&format!("a{n}"), &[(1, 100)]);
        alias.description = Some("\u{10000}".repeat(256).into());
        outcome = Some(registry.create_alias(&arn("m"), &alias, None).await.unwrap());
        if outcome == Some(AliasOutcome::TooMany) {
            break;
        }
    }
    assert_eq!(outcome, Some(AliasOutcome::TooMany));
    let machine = registry.state_machine(&arn("m")).await.unwrap().unwrap();
    assert!(machine.aliases.len() > 300, "{}", machine.aliases.len());
}

/// Writers race, and many writes that were applied do not say so. No two versions of a revision,
/// none that is lost, no alias that leads to nothing.
#[tokio::test(start_paused = true)]
async fn publishers_that_race() {
    for seed in 0..20 {
        let clock = Arc::new(Virtual::default());
        let rates = Rates { delayed: 0.5, unknown_applied: 0.3, ..Rates::NONE };
        let faults = Faults::new(seed, Rates { delay_max: Duration::from_secs(2), ..rates }, clock.clone());
        let table = faulty::Table::new(Arc::new(Table::new(clock)), faults.clone());
        let home = Home::new("aws", "us-east-1", "123456789012");
        let store = Store::open(Arc::new(table), Arc::new(Blobs::new()), Config::new(home)).await.unwrap();
        let registry = Registry::new(store);
        created(&registry, new("m", "one", "r1")).await;
        let mut writers = tokio::task::JoinSet::new();
        for n in 0..4_u64 {
            let publisher = registry.clone();
            writers.spawn(async move {
                let registry = publisher;
                let change = Change {
                    definition: Some(format!("d{n}").into()),
                    publish: Some(Publish::default()),
                    ..Change::default()
                };
                let id = format!("u{n}").into();
                let done = registry.update_state_machine(&arn("m"), &change, &id, None, at(2)).await.unwrap();
                let made = number(&done.unwrap().published.unwrap());
                let name = format!("a{n}");
                let outcome = registry.create_alias(&arn("m"), &alias(&name, &[(made, 100)]), None).await;
                assert!(!matches!(outcome, Ok(AliasOutcome::TooMany) | Err(_)), "{outcome:?}");
            });
            let deleter = registry.clone();
            writers.spawn(async move {
                let registry = deleter;
                registry.publish_version(&arn("m"), None, &Publish::default(), None, at(3)).await.unwrap();
                registry.delete_version(&arn("m"), n + 1).await.unwrap();
            });
        }
        while let Some(done) = writers.join_next().await {
            done.unwrap();
        }
        let machine = registry.state_machine(&arn("m")).await.unwrap().unwrap();
        let versions = registry.list_versions(&arn("m"), None, 100).await.unwrap().unwrap().rows;
        assert_eq!(versions.len() as u64, machine.versions.count(), "seed {seed}");
        assert!(versions.is_sorted_by(|a, b| a.number > b.number), "seed {seed}");
        for found in &versions {
            assert_eq!(registry.version(&machine, found.number).await.unwrap().as_ref(), Some(found));
        }
        for route in machine.aliases.iter().flat_map(|alias| &alias.routes) {
            assert!(machine.versions.has(route.version), "seed {seed}");
        }
        assert!(faults.struck(Fault::UnknownApplied) > 0, "seed {seed}");
    }
}
