//! `Reloaded`: whether what was last written has reached every replica.

use berth_crds::Reason;

use super::truth::Truth;
use crate::registry::loaded::{LiveFiles, Loaded, Replica};

/// Whether every replica says that it has loaded these files.
pub(super) fn reloaded(files: &LiveFiles, loaded: &Loaded) -> (Truth, Reason, String) {
    let replicas = &loaded.replicas;
    if replicas.is_empty() {
        let message = "no replica runs; the next one reads what is there when it starts".to_owned();
        return (Truth::Unknown, Reason::NoReplicas, message);
    }
    let missing: Vec<&Replica> = replicas.iter().filter(|replica| !files.are_in(replica)).collect();
    let have = format!("{} of {} replicas", replicas.len() - missing.len(), replicas.len());
    let unasked = unasked(&missing);
    if missing.is_empty() {
        let message =
            format!("{have} use the users, rights, certificate and settings that were written last");
        (Truth::True, Reason::Acknowledged, message)
    } else if missing.iter().any(|replica| replica.files.is_ok()) {
        let follow = "the others follow, at the latest after two minutes";
        let message = format!("{have} use what was written last; {follow}{unasked}");
        (Truth::False, Reason::Propagating, message)
    } else {
        (Truth::Unknown, Reason::ReplicaUnreachable, format!("{have} use what was written last{unasked}"))
    }
}

/// Those that could not be asked, and why not.
fn unasked(missing: &[&Replica]) -> String {
    let told = missing.iter().filter_map(|replica| {
        let why = replica.files.as_ref().err()?;
        Some(format!("; the pod {} {why}", replica.name))
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::loaded::{
        Unasked,
        tests::{Told, loaded},
    };

    const OLD: Told<'static> = Ok(&[("/users", "sha256:1")]);
    const NEW: Told<'static> = Ok(&[("/users", "sha256:2")]);

    fn told(replicas: &[Told<'_>]) -> (Truth, Reason, String) {
        reloaded(&LiveFiles::of_one("/users", "sha256:2"), &loaded(replicas))
    }

    #[test]
    fn it_is_true_only_when_every_replica_says_so() {
        assert_eq!(told(&[NEW, NEW]).0, Truth::True);
        let (truth, reason, message) = told(&[NEW, OLD]);
        assert_eq!((truth, reason), (Truth::False, Reason::Propagating));
        assert!(message.starts_with("1 of 2 replicas use what was written last"), "{message}");
    }

    #[test]
    fn a_replica_that_cannot_be_asked_is_named_and_not_guessed_about() {
        let (truth, reason, message) = told(&[NEW, Err(Unasked::NoAnswer)]);
        assert_eq!((truth, reason), (Truth::Unknown, Reason::ReplicaUnreachable));
        let told_of = "1 of 2 replicas use what was written last; the pod hub-1 does not answer on port 5001";
        assert_eq!(message, told_of);
        let (truth, _, message) = told(&[OLD, Err(Unasked::NotStarted)]);
        assert!(truth == Truth::False && message.ends_with("; the pod hub-1 has not started"), "{message}");
    }

    #[test]
    fn without_a_replica_nothing_is_known() {
        assert_eq!(told(&[]).1, Reason::NoReplicas);
    }
}
