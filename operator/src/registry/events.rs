//! Events: one for each condition that turned, so that `kubectl describe` tells the story of a Registry or a RegistryAccess.

use berth_crds::{ConditionType, Reason};
use k8s_openapi::{api::core::v1::ObjectReference, apimachinery::pkg::apis::meta::v1::Condition};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use tracing::warn;

use crate::metadata::OPERATOR;

/// The longest note that the API server takes, in bytes.
const NOTE_LIMIT: usize = 1024;

/// As whom an operator publishes Events.
pub(crate) fn reporter() -> Reporter {
    // The name of the pod tells two operators apart; it is the host name, which nothing has to resolve.
    let instance = std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty());
    Reporter { controller: OPERATOR.to_owned(), instance }
}

/// Publishes an Event for each condition that changed from `before` to `after`. A failure is logged only: the
/// conditions tell the same.
pub(crate) async fn publish(
    recorder: &Recorder,
    about: &ObjectReference,
    before: &[Condition],
    after: &[Condition],
) {
    for event in events(before, after) {
        if let Err(error) = recorder.publish(&event, about).await {
            warn!(
                error = &error as &dyn std::error::Error,
                reason = event.reason,
                "an Event could not be published"
            );
        }
    }
}

fn events(before: &[Condition], after: &[Condition]) -> Vec<Event> {
    after.iter().filter(|condition| is_news(before, condition)).map(event).collect()
}

/// Whether a condition turned, and no other tells the same: `Ready` tells of `Available` and `Progressing`, and the
/// other parts of `Ready` tell of themselves. `Reloaded` turns twice with every change, which its time tells as well.
fn is_news(before: &[Condition], condition: &Condition) -> bool {
    let told = [ConditionType::Available, ConditionType::Progressing, ConditionType::Reloaded];
    let told_by_part = [Reason::StorageNotReady, Reason::TlsNotReady, Reason::AccessNotReady];
    let same = |old: &Condition| {
        old.type_ == condition.type_ && old.status == condition.status && old.reason == condition.reason
    };
    condition.status != "Unknown"
        && !told.iter().any(|about| about.as_str() == condition.type_)
        && !told_by_part.iter().any(|reason| reason.to_string() == condition.reason)
        && !before.iter().any(same)
}

fn event(condition: &Condition) -> Event {
    Event {
        type_: if is_warning(condition) { EventType::Warning } else { EventType::Normal },
        reason: condition.reason.clone(),
        note: Some(shortened(&format!("{}: {}", condition.type_, condition.message))),
        action: "Reconcile".to_owned(),
        secondary: None,
    }
}

/// Bad news, but not what passes by itself or was asked for; and good news that will not stay good.
fn is_warning(condition: &Condition) -> bool {
    let is = |reasons: &[Reason]| reasons.iter().any(|reason| reason.to_string() == condition.reason);
    if condition.status == "True" {
        is(&[Reason::PlainHttp, Reason::ExpiringSoon, Reason::ResizeUnsupported, Reason::AuthorityLost])
    } else {
        !is(&[Reason::Pending, Reason::Progressing, Reason::Propagating, Reason::Stopped])
    }
}

fn shortened(note: &str) -> String {
    let end = note.floor_char_boundary(NOTE_LIMIT);
    note[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::registry::status::{State, Truth, with_times};

    fn condition(about: ConditionType, truth: Truth, reason: Reason, message: &str) -> Condition {
        let state = State { about, truth, reason, message: message.to_owned() };
        with_times(vec![state], Some(1), &[], Timestamp::UNIX_EPOCH).remove(0)
    }

    #[test]
    fn a_condition_that_turned_is_told_once() {
        let bad = condition(ConditionType::TlsReady, Truth::False, Reason::Expired, "renew it");
        let told = events(&[], std::slice::from_ref(&bad));
        assert_eq!(told[0].reason, "Expired");
        assert_eq!(told[0].note.as_deref(), Some("TLSReady: renew it"));
        assert_eq!(told[0].type_, EventType::Warning);
        assert!(events(std::slice::from_ref(&bad), std::slice::from_ref(&bad)).is_empty());
    }

    #[test]
    fn another_message_alone_is_no_news() {
        let before = condition(ConditionType::Ready, Truth::True, Reason::Ready, "a");
        let after = condition(ConditionType::Ready, Truth::True, Reason::Ready, "b");
        assert!(events(&[before], &[after]).is_empty());
    }

    #[test]
    fn what_passes_by_itself_is_no_warning() {
        let pending = condition(ConditionType::StorageReady, Truth::False, Reason::Pending, "wait");
        assert_eq!(events(&[], &[pending])[0].type_, EventType::Normal);
    }

    #[test]
    fn plain_http_is_a_warning() {
        let plain = condition(ConditionType::TlsReady, Truth::True, Reason::PlainHttp, "plain");
        assert_eq!(events(&[], &[plain])[0].type_, EventType::Warning);
    }

    #[test]
    fn a_long_note_is_cut_between_characters() {
        assert_eq!(shortened(&"é".repeat(1000)).len(), 1024);
    }
}
