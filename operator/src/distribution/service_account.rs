//! The entry of a ServiceAccount's `imagePullSecrets`.
//!
//! That list has one owner in the API of Kubernetes, so that server-side apply would erase the entries of others. It is read,
//! changed by one entry, and written on condition that nobody has changed it meanwhile. A label and an annotation say which
//! entry came from which Registry: nothing else is ever taken out.

use k8s_openapi::api::core::v1::{LocalObjectReference, ServiceAccount};
use kube::{
    Api, Client, ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};
use tracing::info;

use super::{
    FIELD_MANAGER,
    settled::Place,
    written::{ATTEMPTS, Written, is_conflict},
};

/// Makes the ServiceAccount use the Secret `wanted`, or none of this Registry's.
pub(super) async fn revise(
    client: &Client,
    place: Place,
    mark: &str,
    wanted: Option<&str>,
) -> Result<Written, kube::Error> {
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), &place.namespace);
    let manager = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    for _ in 0..ATTEMPTS {
        let account = match accounts.get_opt(&place.name).await {
            Ok(Some(account)) => account,
            Ok(None) => return Ok(Written::Gone),
            Err(error) => return Written::after(error),
        };
        let Some(revision) = revision(&account, mark, wanted) else {
            return Ok(Written::Done(Box::new(account.metadata)));
        };
        match accounts.patch(&place.name, &manager, &Patch::Merge(revision)).await {
            Ok(account) => {
                info!(%place, secret = wanted, "imagePullSecrets changed");
                return Ok(Written::Done(Box::new(account.metadata)));
            }
            Err(error) if is_conflict(&error) => {}
            Err(error) => return Written::after(error),
        }
    }
    Ok(Written::contended())
}

/// The merge patch that a wish needs, if any.
fn revision(account: &ServiceAccount, mark: &str, wanted: Option<&str>) -> Option<Value> {
    let entered = account.annotations().get(mark).map(String::as_str);
    let mut secrets = account.image_pull_secrets.clone().unwrap_or_default();
    if entered != wanted {
        secrets.retain(|secret| Some(secret.name.as_str()) != entered);
    }
    let missing = wanted.filter(|wanted| secrets.iter().all(|secret| secret.name != *wanted));
    secrets.extend(missing.map(|name| LocalObjectReference { name: name.to_owned() }));
    // What somebody else entered is not taken out one day.
    let entered_now = missing.or(entered.filter(|entered| Some(*entered) == wanted));
    let marked = account.labels().contains_key(mark);
    let same_list = account.image_pull_secrets.as_deref().unwrap_or_default() == secrets;
    if same_list && entered == entered_now && marked == entered_now.is_some() {
        return None;
    }
    Some(json!({
        "metadata": {
            "resourceVersion": account.metadata.resource_version,
            "labels": {mark: entered_now.map(|_| "true")},
            "annotations": {mark: entered_now},
        },
        "imagePullSecrets": secrets,
    }))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use hyper::{Method, Request, Response};
    use kube::client::Body;
    use tower::service_fn;

    use super::*;
    use crate::distribution::settled::Kind;

    const MARK: &str = "pull-secret.berth.dev/4f6c";

    fn account(secrets: &[&str], entered: Option<&str>) -> ServiceAccount {
        let secrets: Vec<Value> = secrets.iter().map(|name| json!({"name": name})).collect();
        let marks = |value: &str| json!({MARK: value});
        serde_json::from_value(json!({
            "metadata": {
                "name": "default", "resourceVersion": "9",
                "labels": entered.map(|_| marks("true")), "annotations": entered.map(marks),
            },
            "imagePullSecrets": secrets,
        }))
        .unwrap()
    }

    fn secrets(revision: &Value) -> Vec<&str> {
        let list = revision["imagePullSecrets"].as_array().unwrap();
        list.iter().map(|secret| secret["name"].as_str().unwrap()).collect()
    }

    #[test]
    fn an_entry_is_added_behind_those_of_others() {
        let revision = revision(&account(&["mirror"], None), MARK, Some("hub-pull")).unwrap();
        assert_eq!(secrets(&revision), ["mirror", "hub-pull"]);
        assert_eq!(revision["metadata"]["resourceVersion"], "9");
        assert_eq!(revision["metadata"]["annotations"], json!({MARK: "hub-pull"}));
    }

    #[test]
    fn an_entry_that_is_there_stays_and_is_not_claimed() {
        assert_eq!(revision(&account(&["hub-pull"], None), MARK, Some("hub-pull")), None);
        assert_eq!(revision(&account(&["hub-pull"], None), MARK, None), None);
    }

    #[test]
    fn only_the_entry_that_was_added_is_taken_out() {
        let revision = revision(&account(&["mirror", "hub-pull"], Some("hub-pull")), MARK, None).unwrap();
        assert_eq!(secrets(&revision), ["mirror"]);
        assert_eq!(revision["metadata"]["annotations"], json!({MARK: null}));
        assert_eq!(revision["metadata"]["labels"], json!({MARK: null}));
    }

    #[test]
    fn another_name_replaces_the_entry() {
        let revision =
            revision(&account(&["hub-pull", "mirror"], Some("hub-pull")), MARK, Some("hub")).unwrap();
        assert_eq!(secrets(&revision), ["mirror", "hub"]);
        assert_eq!(revision["metadata"]["annotations"], json!({MARK: "hub"}));
    }

    #[test]
    fn an_entry_that_somebody_removed_comes_back_and_what_is_right_is_left_alone() {
        let entered = account(&["mirror"], Some("hub-pull"));
        assert_eq!(secrets(&revision(&entered, MARK, Some("hub-pull")).unwrap()), ["mirror", "hub-pull"]);
        let right = account(&["mirror", "hub-pull"], Some("hub-pull"));
        assert_eq!(revision(&right, MARK, Some("hub-pull")), None);
    }

    /// A client of an API server on which somebody enters `late` between our first reading and our first writing. What is
    /// written is kept.
    fn contended() -> (Client, Arc<Mutex<Vec<Value>>>) {
        let written = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&written);
        let answer = service_fn(move |request: Request<Body>| {
            let kept = Arc::clone(&kept);
            async move {
                let is_read = request.method() == Method::GET;
                let body = request.into_body().collect_bytes().await?;
                let mut kept = kept.lock().unwrap();
                if !is_read {
                    kept.push(serde_json::from_slice(&body)?);
                }
                let (status, object) = match (is_read, kept.len()) {
                    (true, 0) => (200, json!(account(&["mirror"], None))),
                    (false, 1) => (409, json!({"status": "Failure", "reason": "Conflict", "code": 409})),
                    _ => (200, json!(account(&["mirror", "late"], None))),
                };
                let answer =
                    Response::builder().status(status).body(Body::from(serde_json::to_vec(&object)?));
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(answer?)
            }
        });
        (Client::new(answer, "default"), written)
    }

    #[tokio::test]
    async fn what_somebody_enters_meanwhile_is_not_erased() {
        let (client, written) = contended();
        let place =
            Place { kind: Kind::ServiceAccount, namespace: "team-a".to_owned(), name: "default".to_owned() };
        let outcome = revise(&client, place, MARK, Some("hub-pull")).await.unwrap();
        assert!(matches!(outcome, Written::Done(_)));
        let written = written.lock().unwrap();
        assert_eq!(secrets(&written[0]), ["mirror", "hub-pull"], "this one was refused");
        assert_eq!(secrets(&written[1]), ["mirror", "late", "hub-pull"]);
        assert_eq!(written.len(), 2);
    }
}
