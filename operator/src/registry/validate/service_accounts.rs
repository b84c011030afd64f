//! Whether ServiceAccounts log in with their tokens, and whose tokens are good.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use serde_json::Value;

use super::Finding;
use crate::{
    metadata::Identity,
    registry::{
        build::{CONFIG_FILE, JWKS_KEY, Objects},
        credentials::text,
        observe::Observed,
    },
    token_issuer::{TokenIssuer, Unpublished},
};

/// The ServiceAccounts that log in.
#[derive(Debug)]
pub struct ServiceAccounts {
    /// Whose tokens are good; with `None`, no token is.
    pub issuer: Option<Arc<TokenIssuer>>,
    /// What a user should know, for the condition `AccessReady`.
    problem: Option<String>,
}

/// Judges by what the API server publishes; nothing was asked where no tokens are wanted.
pub(super) fn validate(identity: &Identity, observed: &Observed) -> ServiceAccounts {
    match &observed.token_issuer {
        None => ServiceAccounts { issuer: None, problem: None },
        Some(Ok(issuer)) => ServiceAccounts { issuer: Some(Arc::clone(issuer)), problem: None },
        Some(Err(unpublished)) => kept(identity, observed, unpublished),
    }
}

/// What works goes on working: while nothing can be read, what the registry has been given stays.
fn kept(identity: &Identity, observed: &Observed, unpublished: &Unpublished) -> ServiceAccounts {
    match given(identity, observed) {
        Some(issuer) => ServiceAccounts {
            issuer: Some(Arc::new(issuer)),
            problem: Some(format!(
                "the keys that verify tokens of ServiceAccounts stay as they were: {unpublished}"
            )),
        },
        None => ServiceAccounts {
            issuer: None,
            problem: Some(format!(
                "ServiceAccounts cannot log in with their tokens: {unpublished}; let the operator read what is published, \
                 or set spec.access.serviceAccountTokens to false"
            )),
        },
    }
}

fn given(identity: &Identity, observed: &Observed) -> Option<TokenIssuer> {
    let ids = Objects::ids(identity);
    let config: ConfigMap = observed.children.get(&ids.config.name)?;
    let config: Value = serde_json::from_str(config.data?.get(CONFIG_FILE)?).ok()?;
    let issuer = config["serviceaccounts"]["issuer"].as_str()?.to_owned();
    let jwks = text(&observed.children.get::<Secret>(&ids.auth.name)?, JWKS_KEY)?;
    Some(TokenIssuer { issuer, jwks })
}

impl ServiceAccounts {
    /// Adds what a user should know to what was found out about the users.
    pub(super) fn remark(&self, mut finding: Finding) -> Finding {
        if let Some(problem) = &self.problem {
            finding.message = format!("{}; {problem}", finding.message);
        }
        finding
    }
}

#[cfg(test)]
mod tests {
    use berth_crds::Reason;
    use k8s_openapi::ByteString;
    use serde_json::json;

    use super::*;
    use crate::{
        children::{ChildId, Children, Kind},
        fixtures,
    };

    fn refused() -> Observed {
        let refused = Unpublished::Refused("/openid/v1/jwks", 403);
        Observed { token_issuer: Some(Err(refused)), ..Observed::default() }
    }

    fn judged(observed: &Observed) -> (Option<Arc<TokenIssuer>>, String) {
        let accounts = validate(&Identity::of(&fixtures::registry("{}")), observed);
        let finding = accounts.remark(Finding::good(Reason::Configured, "the users are admin and pull"));
        assert!(finding.good);
        (accounts.issuer, finding.message)
    }

    #[test]
    fn keys_that_are_not_published_are_told_and_everything_else_works() {
        let (issuer, told) = judged(&refused());
        assert_eq!(issuer, None);
        assert_eq!(
            told,
            "the users are admin and pull; ServiceAccounts cannot log in with their tokens: the API server answers 403 to \
             GET /openid/v1/jwks; let the operator read what is published, or set spec.access.serviceAccountTokens to false"
        );
    }

    #[test]
    fn what_the_registry_was_given_stays_while_nothing_can_be_read() {
        let mut children = Children::default();
        let config = json!({"serviceaccounts": {"issuer": "https://kubernetes.default.svc"}}).to_string();
        for (kind, name, object) in [
            (Kind::ConfigMap, "hub-config", json!({"kind": "ConfigMap", "data": {CONFIG_FILE: config}})),
            (
                Kind::Secret,
                "hub-auth",
                json!({"kind": "Secret", "data": {JWKS_KEY: ByteString(b"{}".to_vec())}}),
            ),
        ] {
            let mut object = object;
            (object["apiVersion"], object["metadata"]) = (json!("v1"), json!({"name": name}));
            children.insert(ChildId::new(kind, name.to_owned()), serde_json::from_value(object).unwrap());
        }
        let (issuer, told) = judged(&Observed { children, ..refused() });
        let expected = TokenIssuer { issuer: "https://kubernetes.default.svc".into(), jwks: "{}".into() };
        assert_eq!(issuer.as_deref(), Some(&expected));
        assert!(told.contains("stay as they were: the API server answers 403"), "{told}");
    }

    #[test]
    fn where_no_tokens_are_wanted_nothing_is_told() {
        assert_eq!(judged(&Observed::default()), (None, "the users are admin and pull".to_owned()));
    }
}
