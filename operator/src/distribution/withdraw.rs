//! What a Registry left in other namespaces, taken back when it is deleted.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Resource, runtime::controller::Action};
use tracing::warn;

use super::{
    Context, finalizer,
    fulfil::{self, Outcome, Wish},
    observe,
    owner::Owner,
    refuse_silence,
    report::{self, Report},
    selection::Selection,
};
use crate::registry::{Error, Guarded};

/// A Registry that is deleted is held back this long for what cannot be taken back, and then let go: the passwords in what is
/// left open nothing any more.
const FAREWELL: Duration = Duration::from_mins(10);

/// Takes back what a Registry left that is being deleted, and then lets it go.
pub(super) async fn withdraw(context: &Context, registry: &Guarded) -> Result<Action, Error> {
    let meta = registry.meta();
    if !finalizer::is_on(meta) {
        return Ok(Action::await_change());
    }
    let owner = Owner::of(meta);
    let outcome = take_back(context, &owner).await;
    let is_done = outcome.as_ref().is_ok_and(|outcome| outcome.refused.is_empty());
    if !is_done && !is_overdue(meta, Timestamp::now()) {
        let outcome = outcome?;
        if let Ok(registry) = &registry.0 {
            let report = Report::of(&Selection::default(), &owner.original(), &outcome);
            report::report(context, registry, report).await?;
        }
        return refuse_silence(&outcome).map(|()| Action::await_change());
    }
    if !is_done {
        let (registry, namespace) = (&owner.name, &owner.namespace);
        warn!(registry, namespace, ?outcome, "pull Secrets are left behind; the Registry is let go");
    }
    finalizer::take_off(&context.client, meta).await?;
    Ok(Action::await_change())
}

async fn take_back(context: &Context, owner: &Owner) -> Result<Outcome, kube::Error> {
    let traces = observe::traces(&context.client, &context.reach, owner, &[]).await?;
    let nowhere = BTreeSet::new();
    let wish = Wish { owner, namespaces: &nowhere, secret_name: "", accounts: &[] };
    fulfil::fulfil(context, &wish, None, &traces).await
}

fn is_overdue(registry: &ObjectMeta, now: Timestamp) -> bool {
    let since = registry.deletion_timestamp.as_ref().map(|at| now.duration_since(at.0).unsigned_abs());
    since.is_some_and(|since| since > FAREWELL)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;

    #[test]
    fn a_deleted_registry_is_let_go_after_ten_minutes() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let deleted = ObjectMeta { deletion_timestamp: Some(Time(at(1000))), ..ObjectMeta::default() };
        assert!(!is_overdue(&deleted, at(1000 + 600)));
        assert!(is_overdue(&deleted, at(1000 + 601)));
        assert!(!is_overdue(&ObjectMeta::default(), at(5000)));
    }
}
