//! Which of the APIs that not every cluster has are served by this one.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use kube::Client;

use crate::children::Kind;

/// What is served is believed for so long.
const MEMORY: Duration = Duration::from_mins(10);

/// Whoever waits for an API that is not served looks again after this long.
pub const UNSERVED_RETRY: Duration = Duration::from_secs(20);

/// Of the kinds that not every cluster has, those that are served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Served(BTreeSet<Kind>);

impl Served {
    /// Whether objects of this kind can exist.
    pub fn has(&self, kind: Kind) -> bool {
        !Kind::OPTIONAL.contains(&kind) || self.0.contains(&kind)
    }
}

impl FromIterator<Kind> for Served {
    fn from_iter<I: IntoIterator<Item = Kind>>(kinds: I) -> Self {
        Self(kinds.into_iter().collect())
    }
}

/// What the API server said last about the optional kinds.
#[derive(Debug, Default)]
pub struct ServedApis(Mutex<Option<(Instant, Served)>>);

impl ServedApis {
    /// What is served, as the API server says now or said not long ago.
    pub async fn served(&self, client: &Client) -> Result<Served, kube::Error> {
        if let Some(known) = self.known() {
            return Ok(known);
        }
        let served = discover(client).await?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), served.clone()));
        Ok(served)
    }

    /// Asks again next time.
    pub fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn known(&self) -> Option<Served> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, served) = known.as_ref()?;
        // What is missing may be installed at any moment, and somebody waits for it then.
        let complete = Kind::OPTIONAL.iter().all(|kind| served.has(*kind));
        let memory = if complete { MEMORY } else { UNSERVED_RETRY / 2 };
        (since.elapsed() < memory).then(|| served.clone())
    }
}

async fn discover(client: &Client) -> Result<Served, kube::Error> {
    let mut served = BTreeSet::new();
    for version in optional_versions(client).await? {
        let list = client.list_api_group_resources(&version).await?;
        let plurals: BTreeSet<String> = list.resources.into_iter().map(|resource| resource.name).collect();
        served.extend(Kind::OPTIONAL.into_iter().filter(|kind| {
            let resource = kind.api_resource();
            resource.api_version == version && plurals.contains(&resource.plural)
        }));
    }
    Ok(Served(served))
}

/// The versions of the optional kinds that the API server has. One that it does not have must not be asked about: the answer
/// is not an error that can be told from others.
async fn optional_versions(client: &Client) -> Result<BTreeSet<String>, kube::Error> {
    let groups = client.list_api_groups().await?.groups;
    let known: BTreeSet<String> =
        groups.into_iter().flat_map(|group| group.versions).map(|version| version.group_version).collect();
    let optional = Kind::OPTIONAL.iter().map(|kind| kind.api_resource().api_version);
    Ok(optional.filter(|version| known.contains(version)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_cluster_has_is_served() {
        let served = Served::default();
        assert!(served.has(Kind::Service) && served.has(Kind::Ingress));
        assert!(!served.has(Kind::HTTPRoute));
        assert!([Kind::HTTPRoute].into_iter().collect::<Served>().has(Kind::HTTPRoute));
    }

    #[test]
    fn what_was_said_is_believed_until_it_is_forgotten() {
        let apis = ServedApis::default();
        let all: Served = Kind::OPTIONAL.into_iter().collect();
        *apis.0.lock().unwrap() = Some((Instant::now(), all.clone()));
        assert_eq!(apis.known(), Some(all));
        apis.forget();
        assert_eq!(apis.known(), None);
    }
}
