//! Parts with what a mirror may not keep, again and again.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use super::{Mirror, Mirrors};
use crate::repository::{Allowance, Evicted, NotStarted, Options, Registry, Result};

/// How often it is looked whether a mirror has too much.
const INTERVAL: Duration = Duration::from_mins(10);

/// How often the garbage is collected that this makes, where nothing else is configured.
const COLLECTION_INTERVAL: Duration = Duration::from_hours(6);

impl Mirrors {
    /// Parts with what mirrors may not keep, for as long as the process lives, and collects the garbage that this makes
    /// unless that `is_collected` anyway.
    pub fn evict(&self, registry: &Registry, is_collected: bool) {
        let bounded: Vec<_> = self.iter().filter(|mirror| mirror.has_bounds()).cloned().collect();
        if !bounded.is_empty() {
            tokio::spawn(keep_evicting(bounded, registry.clone(), is_collected));
        }
    }
}

async fn keep_evicting(mirrors: Vec<Arc<Mirror>>, registry: Registry, is_collected: bool) {
    let (mut has_evicted, mut collected) = (false, None::<Instant>);
    loop {
        sleep(INTERVAL).await;
        for mirror in &mirrors {
            match mirror.evict(&registry).await {
                Ok(evicted) => has_evicted |= evicted.bytes > 0,
                Err(error) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(
                        upstream = mirror.upstream(),
                        error,
                        "a mirror could not part with anything"
                    );
                }
            }
        }
        let is_due = collected.is_none_or(|then| then.elapsed() >= COLLECTION_INTERVAL);
        if has_evicted && !is_collected && is_due {
            collected = Some(Instant::now());
            match registry.garbage_collection().start(Options::default()).await {
                Ok(_) | Err(NotStarted::AlreadyRunning(_)) => {}
                Err(NotStarted::Failed(error)) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(error, "the garbage of mirrors could not be collected");
                }
            }
        }
    }
}

impl Mirror {
    fn has_bounds(&self) -> bool {
        self.limit.is_some() || self.keep.is_some()
    }

    /// Parts with what it may not keep now.
    pub(super) async fn evict(&self, registry: &Registry) -> Result<Evicted> {
        let allowance = Allowance { bytes: self.limit, idle: self.keep };
        let evicted = registry.evict(|name| self.names.at_upstream(name).is_some(), allowance).await?;
        self.metrics.stored(self.upstream(), evicted.left);
        if evicted.bytes > 0 {
            self.metrics.evicted(self.upstream(), evicted.bytes);
            tracing::info!(
                upstream = self.upstream(),
                images = evicted.images,
                bytes = evicted.bytes,
                left = evicted.left,
                "a mirror has parted with what was pulled longest ago"
            );
        }
        Ok(evicted)
    }
}
