//! The read-only switch of the whole registry: an object in the storage, which every server that shares it follows, and
//! which stays over restarts.
//!
//! A registry is read-only while the object is there, and while the configuration of a server says so.

use std::sync::atomic::Ordering;
use std::time::Duration;

use berth_storage::PutCondition;
use jiff::{Timestamp, Unit};
use serde::{Deserialize, Serialize};

use super::{Registry, Result, layout};

/// How often a server looks at the switch.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The switch, when it is on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadOnlySwitch {
    /// When it was switched on, in whole seconds.
    pub since: Option<Timestamp>,
    /// By which user.
    pub by: Option<String>,
}

impl Registry {
    /// Whether every change is refused at the moment.
    pub fn is_read_only(&self) -> bool {
        self.rules().read_only
    }

    /// Refuses every change from now on, here at once and at other servers within seconds. What has begun goes on.
    pub async fn switch_read_only(&self, by: Option<&str>) -> Result<()> {
        let now = Timestamp::try_from(self.state.clock.now()).ok();
        let since = now.map(|now| now.round(Unit::Second).unwrap_or(now));
        let switch = ReadOnlySwitch { since, by: by.map(str::to_owned) };
        // A document of a text and a time can always be written.
        let content = serde_json::to_vec(&switch).unwrap_or_default();
        self.state.store.put(&layout::read_only_switch(), content.into(), PutCondition::Always).await?;
        self.note_switch(true);
        Ok(())
    }

    /// Allows again what the configuration allows.
    pub async fn switch_writable(&self) -> Result<()> {
        self.state.store.delete(&layout::read_only_switch()).await?;
        self.note_switch(false);
        Ok(())
    }

    /// Looks at the switch, and follows it; `None` when it is off. One that cannot be read is on.
    pub async fn read_only_switch(&self) -> Result<Option<ReadOnlySwitch>> {
        let content = self.state.read(&layout::read_only_switch()).await?;
        self.note_switch(content.is_some());
        Ok(content.map(|(_, content)| serde_json::from_slice(&content).unwrap_or_default()))
    }

    /// Follows the switch for as long as the future is polled. While the storage does not answer, it stays as it was.
    pub async fn follow_read_only_switch(self) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        loop {
            looks.tick().await;
            if let Err(error) = self.read_only_switch().await {
                tracing::debug!(%error, "the read-only switch cannot be looked at");
            }
        }
    }

    fn note_switch(&self, is_on: bool) {
        match (self.state.read_only.swap(is_on, Ordering::Relaxed), is_on) {
            (false, true) => tracing::warn!("the registry was switched to read-only: changes are refused"),
            (true, false) => tracing::info!("the registry was switched back: changes are taken in"),
            _ => {}
        }
    }
}
