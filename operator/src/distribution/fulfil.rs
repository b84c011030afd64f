//! The writes, in an order in which a Pod never refers to a Secret that is not there: copies are made, ServiceAccounts are
//! changed, and superfluous copies are removed.

use std::collections::BTreeSet;

use futures::{FutureExt, StreamExt, TryFutureExt, TryStreamExt, future::BoxFuture, stream};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{
    Context,
    copy::{self, Template},
    observe::Traces,
    owner::Owner,
    service_account,
    settled::{Kind, Place},
    written::Written,
};
use crate::backoff::RegistryKey;

/// How many objects of a Registry are written at the same time.
const CONCURRENCY: usize = 8;

type Write<'a> = BoxFuture<'a, Result<Written, kube::Error>>;

/// Where a Registry wants its Secret, and who is to use it.
#[derive(Debug)]
pub(super) struct Wish<'a> {
    pub(super) owner: &'a Owner,
    pub(super) namespaces: &'a BTreeSet<String>,
    pub(super) secret_name: &'a str,
    pub(super) accounts: &'a [String],
}

/// What became of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Namespaces that have the Secret.
    pub(super) in_place: BTreeSet<String>,
    /// Namespaces where a Secret of somebody else has its name.
    pub(super) taken: BTreeSet<String>,
    /// What the API server refused.
    pub(super) refused: Vec<(Place, String)>,
}

impl Wish<'_> {
    /// Whether the Secret of this namespace is the original.
    fn is_original(&self, namespace: &str) -> bool {
        namespace == self.owner.namespace && self.secret_name == self.owner.original()
    }

    /// Whether anything has to be taken back when the Registry goes.
    pub(super) fn leaves_traces(&self) -> bool {
        let copies = self.namespaces.iter().any(|namespace| !self.is_original(namespace));
        copies || (!self.accounts.is_empty() && !self.namespaces.is_empty())
    }

    fn wants_copy(&self, place: &Place) -> bool {
        place.name == self.secret_name
            && self.namespaces.contains(&place.namespace)
            && !self.is_original(&place.namespace)
    }

    fn wants_entry(&self, place: &Place, outcome: &Outcome) -> bool {
        self.accounts.contains(&place.name) && outcome.in_place.contains(&place.namespace)
    }

    fn key(&self) -> RegistryKey {
        (self.owner.namespace.clone(), self.owner.name.clone())
    }
}

/// Makes everything as wished. Without a template, no copy is wanted.
pub(super) async fn fulfil(
    context: &Context,
    wish: &Wish<'_>,
    template: Option<&Template>,
    traces: &Traces,
) -> Result<Outcome, kube::Error> {
    let mut outcome = Outcome::default();
    outcome.in_place.extend(wish.namespaces.iter().filter(|namespace| wish.is_original(namespace)).cloned());
    if let Some(template) = template {
        bring_copies(context, wish, template, traces, &mut outcome).await?;
    }
    revise_accounts(context, wish, traces, &mut outcome).await?;
    remove_copies(context, wish, traces, &mut outcome).await?;
    context.settled.retain(&wish.key(), |place| match place.kind {
        Kind::Secret => wish.wants_copy(place),
        Kind::ServiceAccount => wish.wants_entry(place, &outcome),
    });
    Ok(outcome)
}

async fn bring_copies(
    context: &Context,
    wish: &Wish<'_>,
    template: &Template,
    traces: &Traces,
    outcome: &mut Outcome,
) -> Result<(), kube::Error> {
    let places = wish.namespaces.iter().map(|namespace| Place {
        kind: Kind::Secret,
        namespace: namespace.clone(),
        name: wish.secret_name.to_owned(),
    });
    let mut writes = Vec::new();
    for place in places.filter(|place| wish.wants_copy(place)) {
        match traces.copies.get(&place) {
            Some(copy) if context.settled.holds(&wish.key(), &place, copy, template.digest()) => {
                outcome.in_place.insert(place.namespace);
            }
            _ => {
                let write = copy::bring(&context.client, place.clone(), template).boxed();
                writes.push((place, write));
            }
        }
    }
    for (place, written) in at_once(writes).await? {
        match written {
            Written::Done(copy) => {
                outcome.in_place.insert(place.namespace.clone());
                context.settled.remember(&wish.key(), place, &copy, template.digest());
            }
            Written::Taken => drop(outcome.taken.insert(place.namespace)),
            Written::Refused(message) => outcome.refused.push((place, message)),
            Written::Gone => {}
        }
    }
    Ok(())
}

async fn revise_accounts(
    context: &Context,
    wish: &Wish<'_>,
    traces: &Traces,
    outcome: &mut Outcome,
) -> Result<(), kube::Error> {
    let mark = wish.owner.mark();
    let is_marked = |account: &ObjectMeta| account.labels.iter().flatten().any(|(key, _)| *key == mark);
    let mut writes = Vec::new();
    for (place, account) in &traces.accounts {
        let wanted = wish.wants_entry(place, outcome);
        let settled = context.settled.holds(&wish.key(), place, account, wish.secret_name);
        // Where the Secret could not be written just now, the ServiceAccount stays as it is.
        let undecided = wish.namespaces.contains(&place.namespace)
            && !outcome.in_place.contains(&place.namespace)
            && !outcome.taken.contains(&place.namespace);
        if !undecided && ((wanted && !settled) || (!wanted && is_marked(account))) {
            let secret = wanted.then_some(wish.secret_name);
            let write = service_account::revise(&context.client, place.clone(), &mark, secret).boxed();
            writes.push(((place.clone(), wanted), write));
        }
    }
    for ((place, wanted), written) in at_once(writes).await? {
        match written {
            Written::Done(account) if wanted => {
                context.settled.remember(&wish.key(), place, &account, wish.secret_name);
            }
            Written::Refused(message) => outcome.refused.push((place, message)),
            _ => {}
        }
    }
    Ok(())
}

async fn remove_copies(
    context: &Context,
    wish: &Wish<'_>,
    traces: &Traces,
    outcome: &mut Outcome,
) -> Result<(), kube::Error> {
    let mut removals = Vec::new();
    for place in traces.copies.keys().filter(|place| !wish.wants_copy(place)) {
        let removal = copy::remove(&context.client, place.clone(), wish.owner).boxed();
        removals.push((place.clone(), removal));
    }
    for (place, removed) in at_once(removals).await? {
        if let Written::Refused(message) = removed {
            outcome.refused.push((place, message));
        }
    }
    Ok(())
}

/// Writes several objects at the same time.
async fn at_once<T>(writes: Vec<(T, Write<'_>)>) -> Result<Vec<(T, Written)>, kube::Error> {
    let mut named = Vec::new();
    for (name, write) in writes {
        named.push(write.map_ok(|written| (name, written)));
    }
    stream::iter(named).buffer_unordered(CONCURRENCY).try_collect().await
}

#[cfg(test)]
mod tests {
    use kube::Resource;

    use super::*;
    use crate::fixtures;

    fn leaves_traces(namespaces: &[&str], secret_name: &str, accounts: &[&str]) -> bool {
        let owner = Owner::of(fixtures::registry("{}").meta());
        let namespaces = namespaces.iter().map(|&name| name.to_owned()).collect();
        let accounts: Vec<String> = accounts.iter().map(|&name| name.to_owned()).collect();
        Wish { owner: &owner, namespaces: &namespaces, secret_name, accounts: &accounts }.leaves_traces()
    }

    #[test]
    fn the_original_needs_nobody_to_take_it_back() {
        assert!(!leaves_traces(&["default"], "hub-pull", &[]));
        assert!(!leaves_traces(&[], "hub-pull", &["default"]));
    }

    #[test]
    fn a_copy_or_a_service_account_has_to_be_taken_back() {
        assert!(leaves_traces(&["default"], "registry", &[]));
        assert!(leaves_traces(&["default", "team-a"], "hub-pull", &[]));
        assert!(leaves_traces(&["default"], "hub-pull", &["default"]));
    }
}
