//! The answers that are ready, for whoever may have them: to the question whether this is a registry, and to the pulls that were
//! answered before (`prepared`). Nothing is waited for.

use std::sync::Arc;

use axum::{
    http::request::Parts,
    response::{IntoResponse, Response},
};

use super::{
    Api,
    authenticate::{identify_at_once, refuse_token},
    authorize::{Pull, permit},
    direct::{BLOB, MANIFEST, VERSION, as_asked, is_pull},
    exchange::Exchange,
    prepared::{Content, Prepared},
    respond::Version,
};
use crate::{
    auth::{Action, Identity},
    metrics::Handler,
    server::Arrival,
};

/// The answer to a pull, if it is ready for whoever sends the request and if that is known as well. The request is told of its
/// arrival only if somebody asks.
pub(super) fn at_once(
    api: &Api,
    parts: &mut Parts,
    arrival: Arrival<'_>,
    exchange: &mut Exchange,
) -> Option<Response> {
    if !is_pull(api, parts) || !api.health.is_well() {
        return None;
    }
    let ready = Ready::at(api, parts.uri.path())?;
    let identity = identify_at_once(api, parts)?;
    let (handler, route) = ready.route();
    exchange.found(api, handler, route);
    let identity = match identity {
        Ok(identity) => identity,
        Err(refused) => {
            arrival.tell(parts);
            return Some(refuse_token(api, parts, refused).into_response());
        }
    };
    let answered = ready.answer(api, &identity, parts, arrival)?;
    exchange.identify(&identity);
    Some(answered)
}

/// An answer that nobody has to look for.
enum Ready {
    Version,
    Prepared(Arc<Prepared>),
}

impl Ready {
    fn at(api: &Api, path: &str) -> Option<Self> {
        if path == VERSION.1 { Some(Self::Version) } else { api.prepared.at(path).map(Self::Prepared) }
    }

    fn route(&self) -> (Handler, &'static str) {
        match self {
            Self::Version => VERSION,
            Self::Prepared(prepared) => match prepared.content {
                Content::Manifest(_) => MANIFEST,
                Content::Blob(_) => BLOB,
            },
        }
    }

    /// The answer, for whoever may have it.
    fn answer(self, api: &Api, identity: &Identity, parts: &Parts, arrival: Arrival<'_>) -> Option<Response> {
        let prepared = match self {
            Self::Version => return Some(as_asked(parts, Version.into_response())),
            Self::Prepared(prepared) => prepared,
        };
        let pull = permit(api, identity, &prepared.name, &[Action::Pull]).map(Pull).ok()?;
        prepared.answer(api, &pull, parts, arrival)
    }
}
