//! Which mirrors there are. A new configuration brings others while the registry runs: those that it leaves as they were go on,
//! and what is under way for the others ends as it began.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use berth_oci::RepositoryName;
use tokio::sync::Notify;

use super::Mirror;
use crate::{config, metrics, upstream};

/// All mirrors of a registry. Cheap to clone; what is put in force is in force for all clones.
#[derive(Clone, Debug, Default)]
pub struct Mirrors {
    table: Arc<RwLock<Table>>,
    metrics: metrics::Mirrors,
    /// Told when one has parted with something.
    pub(super) garbage: Arc<Notify>,
}

/// The mirrors of one configuration.
type Table = Arc<[Arc<Mirror>]>;

impl Mirrors {
    /// The mirrors that the configuration names. No upstream is asked yet.
    pub fn open(mirrors: &[config::Mirror], metrics: &metrics::Mirrors) -> upstream::Result<Self> {
        let opened = Self { metrics: metrics.clone(), ..Self::default() };
        opened.set(mirrors)?;
        Ok(opened)
    }

    /// Finds whether these could be opened.
    pub fn check(mirrors: &[config::Mirror]) -> upstream::Result<()> {
        Self::default().set(mirrors)
    }

    /// Puts these in force instead of those of before, or none of them.
    pub fn set(&self, mirrors: &[config::Mirror]) -> upstream::Result<()> {
        let before = self.current();
        let after =
            mirrors.iter().map(|mirror| self.succeed(&before, mirror)).collect::<upstream::Result<_>>()?;
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = after;
        Ok(())
    }

    /// The mirror that was there already, or one that takes the place of that of the same upstream and joins its flights.
    fn succeed(&self, before: &Table, mirror: &config::Mirror) -> upstream::Result<Arc<Mirror>> {
        if let Some(same) = before.iter().find(|before| before.configured == *mirror) {
            return Ok(Arc::clone(same));
        }
        let mut opened = Mirror::open(mirror, self.metrics.clone())?;
        if let Some(older) = before.iter().find(|before| before.upstream() == opened.upstream()) {
            opened.flights = Arc::clone(&older.flights);
        }
        Ok(Arc::new(opened))
    }

    /// Those that are in force now.
    pub(super) fn current(&self) -> Table {
        Arc::clone(&self.table())
    }

    fn table(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.table().is_empty()
    }

    /// The mirror that a repository here belongs to.
    pub fn of(&self, name: &RepositoryName) -> Option<Arc<Mirror>> {
        let length = |mirror: &&Arc<Mirror>| mirror.names.prefix().map_or(0, |prefix| prefix.as_str().len());
        let belongs = |mirror: &&Arc<Mirror>| mirror.names.at_upstream(name).is_some();
        self.table().iter().filter(belongs).max_by_key(length).cloned()
    }

    /// The mirror below whose prefix nobody may push this.
    pub fn keeping_out(&self, name: &RepositoryName) -> Option<Arc<Mirror>> {
        let is_prefix = |mirror: &&Arc<Mirror>| mirror.names.prefix() == Some(name);
        self.of(name).or_else(|| self.table().iter().find(is_prefix).cloned())
    }

    /// The name here of a repository that clients call `name` and say to be of the registry `upstream`; `None` when that is not
    /// mirrored, and the name is one of this registry itself.
    pub fn name_here(&self, upstream: &str, name: &RepositoryName) -> Option<RepositoryName> {
        let upstream = upstream.to_ascii_lowercase();
        self.table().iter().find(|mirror| mirror.names.upstream() == upstream)?.names.here(name)
    }

    /// The name under which the repository is stored: Docker Hub knows some by a shorter one, too.
    pub fn stored_name(&self, name: &RepositoryName) -> RepositoryName {
        self.of(name).and_then(|mirror| mirror.names.here(name)).unwrap_or_else(|| name.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{http_client::Authorities, mirror::testing::configured};

    fn mirror(upstream: &str, prefix: &str) -> config::Mirror {
        configured(upstream, prefix, "http://127.0.0.1:1")
    }

    fn of(mirrors: &Mirrors, name: &str) -> Option<Arc<Mirror>> {
        mirrors.of(&name.parse().unwrap())
    }

    #[test]
    fn other_mirrors_are_in_force_for_all_clones_at_once() {
        let mirrors = Mirrors::default();
        let clone = mirrors.clone();
        mirrors.set(&[mirror("quay.io", "quay")]).unwrap();
        assert!(of(&clone, "quay/a").is_some() && of(&clone, "hub/a").is_none());
        mirrors.set(&[mirror("docker.io", "hub")]).unwrap();
        assert!(of(&clone, "quay/a").is_none() && of(&clone, "hub/a").is_some());
        mirrors.set(&[]).unwrap();
        assert!(clone.is_empty());
    }

    #[test]
    fn a_mirror_that_is_left_as_it_was_goes_on() {
        let mirrors = Mirrors::default();
        mirrors.set(&[mirror("quay.io", "quay")]).unwrap();
        let before = of(&mirrors, "quay/a").unwrap();
        mirrors.set(&[mirror("docker.io", "hub"), mirror("quay.io", "quay")]).unwrap();
        assert!(Arc::ptr_eq(&before, &of(&mirrors, "quay/a").unwrap()));
    }

    #[test]
    fn a_mirror_with_other_settings_joins_the_flights_of_before() {
        let mirrors = Mirrors::default();
        mirrors.set(&[mirror("quay.io", "quay")]).unwrap();
        let before = of(&mirrors, "quay/a").unwrap();
        mirrors.set(&[config::Mirror { offline: true, ..mirror("quay.io", "quay") }]).unwrap();
        let after = of(&mirrors, "quay/a").unwrap();
        assert!(after.offline && !before.offline);
        assert!(Arc::ptr_eq(&before.flights, &after.flights));
    }

    #[test]
    fn mirrors_that_cannot_be_opened_leave_those_of_before_in_force() {
        let mirrors = Mirrors::default();
        mirrors.set(&[mirror("quay.io", "quay")]).unwrap();
        let broken = config::Mirror {
            ca: Some(Authorities::File("/nonexistent".into())),
            ..mirror("docker.io", "hub")
        };
        assert!(mirrors.set(std::slice::from_ref(&broken)).is_err() && Mirrors::check(&[broken]).is_err());
        assert!(of(&mirrors, "quay/a").is_some());
    }
}
