//! An installation that is opened when it is first needed.
//!
//! For functions that somebody waits for: what stands in the way of opening it is then an answer
//! that they get, instead of a function that does not start.

use tokio::sync::OnceCell;

use crate::installation::Installation;
use crate::settings::{Settings, SettingsError};

/// The settings, and the installation once it was opened.
pub struct Opening {
    settings: Result<Settings, SettingsError>,
    opened: OnceCell<Installation>,
}

impl Opening {
    /// Nothing is opened yet.
    pub fn new(settings: Result<Settings, SettingsError>) -> Opening {
        Opening { settings, opened: OnceCell::new() }
    }

    /// The installation; when it cannot be opened, why. It is tried again the next time.
    pub async fn installation(&self) -> Result<&Installation, String> {
        let settings = self.settings.as_ref().map_err(ToString::to_string)?;
        let open = || async { Installation::open(settings).await };
        self.opened
            .get_or_try_init(open)
            .await
            .map_err(|error| format!("the installation cannot be opened: {error}"))
    }
}
