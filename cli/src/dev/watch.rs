//! Changes of definitions.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

/// An editor writes a file in several steps; a change is over when nothing follows for so long.
const QUIET: Duration = Duration::from_millis(150);

/// A checkout changes files for as long as this at most, before they are looked at.
const PATIENCE: Duration = Duration::from_secs(2);

/// Tells when something changed in folders.
pub struct Watch {
    watcher: RecommendedWatcher,
    watched: BTreeSet<PathBuf>,
    changes: mpsc::Receiver<()>,
}

impl Watch {
    /// Watches nothing yet.
    pub fn new() -> notify::Result<Watch> {
        // One place: a change that was not looked at yet stands for all that follow.
        let (sender, changes) = mpsc::channel(1);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let is_change = event.is_ok_and(|event| !matches!(event.kind, EventKind::Access(_)));
            if is_change {
                let _ = sender.try_send(());
            }
        })?;
        Ok(Watch { watcher, watched: BTreeSet::new(), changes })
    }

    /// Watches the folders of these files, and these folders, and nothing else. Whether there are
    /// new ones: what changed in them before must be looked for.
    pub fn follow(&mut self, files: &BTreeSet<PathBuf>, folders: &BTreeSet<PathBuf>) -> bool {
        // An editor replaces a file rather than writing it: the folder sees both.
        let parents = files.iter().map(|file| match file.parent() {
            Some(parent) if parent != Path::new("") => parent.to_owned(),
            _ => PathBuf::from("."),
        });
        let wanted: BTreeSet<PathBuf> = parents.chain(folders.iter().cloned()).collect();
        for folder in self.watched.difference(&wanted) {
            // One that is gone is no longer watched anyway.
            let _ = self.watcher.unwatch(folder);
        }
        let mut has_new = false;
        let mut watched = BTreeSet::new();
        for folder in wanted {
            if !self.watched.contains(&folder) {
                if let Err(error) = self.watcher.watch(&folder, RecursiveMode::NonRecursive) {
                    tracing::warn!(folder = %folder.display(), %error, "changes are not seen");
                    continue;
                }
                has_new = true;
            }
            watched.insert(folder);
        }
        self.watched = watched;
        has_new
    }

    /// Ends when something has changed and is quiet again.
    pub async fn changed(&mut self) {
        if self.changes.recv().await.is_none() {
            // The watcher is gone: nothing will change any more.
            std::future::pending::<()>().await;
        }
        let patience = tokio::time::Instant::now() + PATIENCE;
        while tokio::time::Instant::now() < patience {
            match tokio::time::timeout(QUIET, self.changes.recv()).await {
                Ok(Some(())) => {}
                Ok(None) | Err(_) => break,
            }
        }
    }
}
