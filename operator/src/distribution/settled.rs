//! What was found or made right, so that nothing is read or written again while it stays as it is.
//!
//! A Secret or ServiceAccount counts as unchanged while its uid and version are those that were last seen, and as little is
//! remembered of it: nothing of its content.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::backoff::RegistryKey;

/// What was settled, by Registry.
#[derive(Debug, Default)]
pub(super) struct Settled(Mutex<HashMap<RegistryKey, HashMap<Place, State>>>);

/// An object by kind, namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) kind: Kind,
    pub(super) namespace: String,
    pub(super) name: String,
}

/// What is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Kind {
    Secret,
    ServiceAccount,
}

#[derive(Debug, PartialEq, Eq)]
struct State {
    uid: Option<String>,
    version: Option<String>,
    wish: String,
}

impl Place {
    pub(super) fn of(kind: Kind, object: &ObjectMeta) -> Self {
        Self {
            kind,
            namespace: object.namespace.clone().unwrap_or_default(),
            name: object.name.clone().unwrap_or_default(),
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:?} {} in {}", self.kind, self.name, self.namespace)
    }
}

impl Settled {
    /// Whether an object is as it was when this wish was last fulfilled.
    pub(super) fn holds(
        &self,
        registry: &RegistryKey,
        place: &Place,
        object: &ObjectMeta,
        wish: &str,
    ) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.get(registry).and_then(|places| places.get(place));
        known.is_some_and(|known| *known == State::of(object, wish))
    }

    /// Takes note that an object fulfils a wish.
    pub(super) fn remember(&self, registry: &RegistryKey, place: Place, object: &ObjectMeta, wish: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(registry.clone()).or_default().insert(place, State::of(object, wish));
    }

    /// Forgets the objects of a Registry that are not worth remembering any more.
    pub(super) fn retain(&self, registry: &RegistryKey, worth: impl Fn(&Place) -> bool) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(places) = all.get_mut(registry) {
            places.retain(|place, _| worth(place));
        }
    }

    /// Forgets a Registry that is gone.
    pub(super) fn forget(&self, registry: &RegistryKey) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(registry);
    }
}

impl State {
    fn of(object: &ObjectMeta, wish: &str) -> Self {
        Self { uid: object.uid.clone(), version: object.resource_version.clone(), wish: wish.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(version: &str) -> ObjectMeta {
        ObjectMeta {
            name: Some("hub-pull".to_owned()),
            namespace: Some("team-a".to_owned()),
            uid: Some("7".to_owned()),
            resource_version: Some(version.to_owned()),
            ..ObjectMeta::default()
        }
    }

    #[test]
    fn a_change_of_the_object_or_of_the_wish_unsettles_it() {
        let settled = Settled::default();
        let hub = ("default".to_owned(), "hub".to_owned());
        let place = Place::of(Kind::Secret, &object("1"));
        assert!(!settled.holds(&hub, &place, &object("1"), "a"));
        settled.remember(&hub, place.clone(), &object("1"), "a");
        assert!(settled.holds(&hub, &place, &object("1"), "a"));
        assert!(!settled.holds(&hub, &place, &object("2"), "a"));
        assert!(!settled.holds(&hub, &place, &object("1"), "b"));

        settled.retain(&hub, |_| false);
        assert!(!settled.holds(&hub, &place, &object("1"), "a"));
    }
}
