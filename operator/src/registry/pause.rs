//! A Registry that is paused by its annotation: its objects stay as they are, and it says so.

use berth_crds::{ConditionType, Reason, Registry, RegistryStatus, annotation::PAUSED};
use jiff::Timestamp;
use kube::{Resource, ResourceExt};

use super::share::without_others;
use super::status::{State, Truth, with_times};

/// Whether the operator is to leave everything of this Registry as it is.
pub(crate) fn is_paused(registry: &impl ResourceExt) -> bool {
    registry.annotations().get(PAUSED).is_some_and(|value| value == "true")
}

/// A number that changes when a Registry is paused or resumed.
#[expect(clippy::unnecessary_wraps, reason = "a predicate may have no answer")]
pub(crate) fn turns(registry: &impl ResourceExt) -> Option<u64> {
    Some(u64::from(is_paused(registry)))
}

/// What was last reported, and that the Registry is paused. The spec may be newer than what is reported.
pub(super) fn status(registry: &Registry, now: Timestamp) -> RegistryStatus {
    let mut status = registry.status.clone().map(without_others).unwrap_or_default();
    let state = State {
        about: ConditionType::Paused,
        truth: Truth::True,
        reason: Reason::Paused,
        message: format!("nothing is changed until the annotation {PAUSED} is removed"),
    };
    let paused = with_times(vec![state], registry.meta().generation, &status.conditions, now);
    status.conditions.retain(|condition| condition.type_ != ConditionType::Paused.as_str());
    status.conditions.extend(paused);
    status
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    fn annotated(value: &str) -> Registry {
        let mut registry = fixtures::registry("{}");
        registry.annotations_mut().insert(PAUSED.to_owned(), value.to_owned());
        registry
    }

    #[test]
    fn only_the_word_true_pauses() {
        assert!(is_paused(&annotated("true")));
        assert!(!is_paused(&annotated("false")));
        assert!(!is_paused(&fixtures::registry("{}")));
        assert_ne!(turns(&annotated("true")), turns(&annotated("")));
    }

    #[test]
    fn what_was_reported_before_stays_and_the_pause_is_told_once() {
        let mut registry = annotated("true");
        let at = |second| Timestamp::from_second(second).unwrap();
        let ready = State {
            about: ConditionType::Ready,
            truth: Truth::True,
            reason: Reason::Ready,
            message: "pushes and pulls work".to_owned(),
        };
        registry.status = Some(RegistryStatus {
            host: Some("hub.default.svc".to_owned()),
            conditions: with_times(vec![ready], Some(1), &[], at(10)),
            ..RegistryStatus::default()
        });
        let paused = status(&registry, at(20));
        assert_eq!(paused.host.as_deref(), Some("hub.default.svc"));
        let types: Vec<_> = paused.conditions.iter().map(|condition| condition.type_.as_str()).collect();
        assert_eq!(types, ["Ready", "Paused"]);

        registry.status = Some(paused.clone());
        assert_eq!(status(&registry, at(30)), paused, "a second look is no news");
    }
}
