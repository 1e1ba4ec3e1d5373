//! The clock of a store: time that passes faster is ahead of the system's, and must not go back
//! when the server starts again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use model::timestamp::Timestamp;
use ports::{Clock, Scaled, SystemClock};

use crate::dev::settings::StoreSettings;

/// How often the time is noted.
const NOTED: Duration = Duration::from_secs(10);

/// The file of the data folder that has the time.
const FILE: &str = "clock";

/// A clock, and where its time is noted.
#[derive(Clone)]
pub struct StoreClock {
    clock: Arc<dyn Clock>,
    file: Option<PathBuf>,
    /// How far ahead the time is noted, so that a crash does not take it back: milliseconds.
    ahead_millis: i64,
}

impl StoreClock {
    /// The clock of a store, `scale` times as fast as the system's.
    pub fn new(store: &StoreSettings, scale: f64) -> Result<StoreClock, String> {
        let file = match store {
            StoreSettings::Memory => None,
            StoreSettings::Folder(folder) => Some(folder.join(FILE)),
        };
        let noted = file.as_deref().map(read).transpose()?.flatten();
        let now = SystemClock.now();
        let begin = noted.map_or(now, |noted| noted.max(now));
        if scale == 1.0 && begin == now {
            // As always: nothing is ahead, and nothing need be noted.
            return Ok(StoreClock { clock: Arc::new(SystemClock), file: None, ahead_millis: 0 });
        }
        let clock = Scaled::starting_at(begin, scale).map_err(|error| error.to_string())?;
        let ahead_millis = (2.0 * NOTED.as_millis() as f64 * scale) as i64;
        Ok(StoreClock { clock: Arc::new(clock), file, ahead_millis })
    }

    /// The clock.
    pub fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    /// Notes the time again and again. Never ends.
    pub async fn keep(&self) {
        loop {
            self.write(self.clock.now().plus_millis(self.ahead_millis));
            tokio::time::sleep(NOTED).await;
        }
    }

    /// Notes the time as it is, at the end.
    pub fn note(&self) {
        self.write(self.clock.now());
    }

    fn write(&self, at: Timestamp) {
        let Some(file) = &self.file else { return };
        // Renamed into place: half a number would be another time.
        let new = file.with_extension("new");
        let written =
            std::fs::write(&new, at.millis().to_string()).and_then(|()| std::fs::rename(&new, file));
        if let Err(error) = written {
            tracing::warn!(%error, file = %file.display(), "the time of the store could not be noted");
        }
    }
}

fn read(file: &Path) -> Result<Option<Timestamp>, String> {
    match std::fs::read_to_string(file) {
        Ok(text) => match text.trim().parse() {
            Ok(millis) => Ok(Some(Timestamp::from_millis(millis))),
            Err(_) => Err(format!(
                "`{}` has no time in it: remove it, or choose another --data folder",
                file.display()
            )),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("cannot read `{}`: {error}", file.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_does_not_go_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = StoreSettings::Folder(folder.path().to_owned());
        let plain = StoreClock::new(&store, 1.0).expect("a clock");
        plain.note();
        assert!(!folder.path().join(FILE).exists(), "the system's time is not noted");

        let fast = StoreClock::new(&store, 1_000.0).expect("a clock");
        let ahead = fast.clock().now().plus_millis(3_600_000);
        fast.write(ahead);
        let again = StoreClock::new(&store, 1.0).expect("a clock");
        assert!(again.clock().now() >= ahead);
        again.note();
        let later = StoreClock::new(&store, 1.0).expect("a clock");
        assert!(later.clock().now() >= ahead);
    }

    #[test]
    fn a_file_without_a_time_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(FILE), "soon").expect("it is written");
        let error = StoreClock::new(&StoreSettings::Folder(folder.path().to_owned()), 1.0).err();
        assert!(error.expect("it is refused").contains("has no time in it"));
    }
}
