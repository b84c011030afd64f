//! What a user may do: a handler names the right that it needs by the type of the repository that it takes.

use axum::{extract::FromRequestParts, http::request::Parts};
use berth_oci::RepositoryName;

use super::{
    Api,
    access_record::AccessRecord,
    error::{Error, Result},
    extract::{InPath, Sender},
    mirrored,
};
use crate::{
    auth::{Action, Identity},
    repository::Repository,
};

/// A repository that the user may pull from.
pub(super) struct Pull(pub(super) Repository);

/// A repository that the user may push to, which takes the right to pull as well.
pub(super) struct Push(pub(super) Repository);

/// A repository whose content the user may delete.
pub(super) struct Delete(pub(super) Repository);

/// A user who may administer the registry.
pub(super) struct Administrator;

impl FromRequestParts<Api> for Pull {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self> {
        permitted(parts, api, &[Action::Pull]).await.map(Self)
    }
}

impl FromRequestParts<Api> for Push {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self> {
        permitted(parts, api, &[Action::Pull, Action::Push]).await.map(Self)
    }
}

impl FromRequestParts<Api> for Delete {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self> {
        permitted(parts, api, &[Action::Delete]).await.map(Self)
    }
}

impl FromRequestParts<Api> for Administrator {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self> {
        let Sender(identity) = Sender::from_request_parts(parts, api).await?;
        let needed = AccessRecord::administration();
        match identity {
            identity if api.auth.may_administer(&identity) => Ok(Self),
            Identity::Anonymous => Err(Error::denied(
                "this needs a user with the right to administer, and the registry has no authentication: \
                 configure auth.htpasswd",
                &needed,
            )),
            identity => {
                let asks_again = api.auth.may_ask_again(&identity, None);
                Err(refusal(&identity, "may not administer this registry", needed, asks_again))
            }
        }
    }
}

async fn permitted(parts: &mut Parts, api: &Api, actions: &[Action]) -> Result<Repository> {
    let InPath::<RepositoryName>(name) = InPath::from_request_parts(parts, api).await?;
    let Sender(identity) = Sender::from_request_parts(parts, api).await?;
    let repository = permit(api, &identity, &name, actions)?;
    if actions.contains(&Action::Push) {
        mirrored::keep_out(&api.mirrors, repository.name())?;
    }
    Ok(repository)
}

/// The repository, if the identity may do all of this to it.
pub(super) fn permit(
    api: &Api,
    identity: &Identity,
    name: &RepositoryName,
    actions: &[Action],
) -> Result<Repository> {
    let stored = api.mirrors.stored_name(name);
    // Rules and tokens may call it by either of its names.
    let may = |action: Action| {
        api.auth.authorize(identity, action, name) || api.auth.authorize(identity, action, &stored)
    };
    match actions.iter().find(|action| !may(**action)) {
        None => Ok(match identity.user() {
            Some(user) => api.registry.repository(stored).on_behalf_of(user),
            None => api.registry.repository(stored),
        }),
        Some(lacking) => {
            let told = format!("may not {lacking} in the repository {name}");
            let asks_again = api.auth.may_ask_again(identity, Some((*lacking, name)));
            Err(refusal(identity, &told, AccessRecord::repository(name, *lacking), asks_again))
        }
    }
}

/// What whoever lacks a right is told: that it is so, or that another token is needed, where one may help.
pub(super) fn refusal(identity: &Identity, told: &str, lacking: AccessRecord, asks_again: bool) -> Error {
    if asks_again {
        return Error::insufficient(format!("the bearer of this token {told}"), lacking);
    }
    Error::denied(format!("{} {told}", identity.name()), &lacking)
}
