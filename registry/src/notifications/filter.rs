//! Which events an endpoint is told of.

use std::collections::HashSet;

use super::event::Event;
use crate::config::Endpoint;

/// What an endpoint does not want to know.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    media_types: HashSet<String>,
    actions: HashSet<String>,
}

impl Filter {
    /// As the endpoint is configured.
    pub(super) fn of(endpoint: &Endpoint) -> Self {
        Self {
            media_types: endpoint.ignored_media_types.iter().cloned().collect(),
            actions: endpoint.ignored_actions.iter().cloned().collect(),
        }
    }

    /// Whether the endpoint is told of the event.
    pub(super) fn lets_pass(&self, event: &Event) -> bool {
        let media_type = event.target.media_type.as_ref();
        !self.actions.contains(event.action.as_str())
            && !media_type.is_some_and(|media_type| self.media_types.contains(media_type.as_str()))
    }
}
