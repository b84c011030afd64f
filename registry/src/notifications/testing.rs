//! Events for the tests of this module.

use std::sync::Arc;

use jiff::Timestamp;

use super::event::{Action, ActorRecord, Event, RequestRecord, SourceRecord, Target};
/// A push with this id.
pub(super) fn push(id: &str) -> Arc<Event> {
    event(id, Action::Push)
}

/// A pull with this id.
pub(super) fn pull(id: &str) -> Arc<Event> {
    event(id, Action::Pull)
}

fn event(id: &str, action: Action) -> Arc<Event> {
    Arc::new(Event {
        id: id.to_owned(),
        timestamp: Timestamp::UNIX_EPOCH,
        action,
        target: Target::repository("app".parse().unwrap()),
        request: RequestRecord {
            id: "request".to_owned(),
            addr: None,
            host: None,
            method: "PUT".to_owned(),
            user_agent: String::new(),
        },
        actor: ActorRecord::default(),
        source: SourceRecord { addr: "node:5000".to_owned(), instance_id: "instance".to_owned() },
    })
}
