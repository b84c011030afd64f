//! Where the operator looks, and how it reads metadata there.

use std::fmt::Debug;

use k8s_openapi::{api::core::v1::Namespace, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{Api, Client, Resource, api::ListParams, core::NamespaceResourceScope};
use serde::de::DeserializeOwned;

use crate::registry::Scope;

/// How many objects are asked for at a time.
const PAGE: u32 = 500;

/// The namespaces that can be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// All of them.
    Everywhere,
    /// These alone.
    Within(Vec<String>),
}

impl Reach {
    /// What an operator of these scopes can see.
    pub(super) fn of(scopes: &[Scope]) -> Self {
        match scopes.iter().cloned().collect::<Option<Vec<String>>>() {
            Some(namespaces) => Self::Within(namespaces),
            None => Self::Everywhere,
        }
    }

    /// The API of a kind in each place that has to be asked.
    pub(super) fn apis<K>(&self, client: &Client) -> Vec<Api<K>>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        match self {
            Self::Everywhere => vec![Api::all(client.clone())],
            Self::Within(namespaces) => {
                namespaces.iter().map(|namespace| Api::namespaced(client.clone(), namespace)).collect()
            }
        }
    }

    /// The metadata of the objects of a kind.
    pub(super) async fn list<K>(
        &self,
        client: &Client,
        parameters: &ListParams,
    ) -> Result<Vec<ObjectMeta>, kube::Error>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        let mut found = Vec::new();
        for api in self.apis::<K>(client) {
            found.extend(pages(&api, parameters).await?);
        }
        Ok(found)
    }

    /// The metadata of the namespaces themselves. Those that are named are read by name, which takes no more rights.
    pub(super) async fn namespaces(&self, client: &Client) -> Result<Vec<ObjectMeta>, kube::Error> {
        let api: Api<Namespace> = Api::all(client.clone());
        let Self::Within(names) = self else { return pages(&api, &ListParams::default()).await };
        let mut found = Vec::new();
        for name in names {
            found.extend(api.get_metadata_opt(name).await?.map(|namespace| namespace.metadata));
        }
        Ok(found)
    }
}

async fn pages<K>(api: &Api<K>, parameters: &ListParams) -> Result<Vec<ObjectMeta>, kube::Error>
where
    K: Clone + Debug + DeserializeOwned,
{
    let mut parameters = parameters.clone().limit(PAGE);
    let mut found = Vec::new();
    loop {
        let page = api.list_metadata(&parameters).await?;
        found.extend(
            page.items.into_iter().map(|object| ObjectMeta { managed_fields: None, ..object.metadata }),
        );
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => parameters = parameters.continue_token(&token),
            None => return Ok(found),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        sync::{Arc, Mutex},
    };

    use hyper::{Request, Response};
    use k8s_openapi::api::core::v1::Secret;
    use kube::client::Body;
    use serde_json::json;
    use tower::service_fn;

    use super::*;

    #[test]
    fn an_operator_of_all_namespaces_sees_them_all() {
        assert_eq!(Reach::of(&[None]), Reach::Everywhere);
        let two = [Some("a".to_owned()), Some("b".to_owned())];
        assert_eq!(Reach::of(&two), Reach::Within(vec!["a".to_owned(), "b".to_owned()]));
    }

    /// A client of an API server that has two pages of everything, and what it was asked for.
    fn two_pages() -> (Client, Arc<Mutex<Vec<String>>>) {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&asked);
        let answer = service_fn(move |request: Request<Body>| {
            let asked = request.uri().to_string();
            let more = if asked.contains("continue=") { "" } else { "more" };
            let object = json!({"metadata": {"name": "a", "managedFields": [{}]}});
            let page = json!({"metadata": {"continue": more}, "items": [object]});
            let body = if asked.contains('?') { page } else { object };
            kept.lock().unwrap().push(asked);
            async move { Ok::<_, Infallible>(Response::new(Body::from(body.to_string().into_bytes()))) }
        });
        (Client::new(answer, "default"), asked)
    }

    #[tokio::test]
    async fn lists_are_read_to_their_last_page_without_what_is_of_no_use() {
        let (client, asked) = two_pages();
        let found = Reach::Everywhere.list::<Secret>(&client, &ListParams::default()).await.unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].managed_fields, None);
        let asked = asked.lock().unwrap();
        assert!(asked[0].starts_with("/api/v1/secrets?") && asked[0].contains("limit=500"), "{asked:?}");
        assert!(asked[1].contains("continue=more"), "{asked:?}");
    }

    #[tokio::test]
    async fn an_operator_of_some_namespaces_asks_for_nothing_else() {
        let (client, asked) = two_pages();
        let reach = Reach::Within(vec!["a".to_owned()]);
        reach.list::<Secret>(&client, &ListParams::default()).await.unwrap();
        assert_eq!(reach.namespaces(&client).await.unwrap().len(), 1);
        let asked = asked.lock().unwrap();
        assert!(asked[0].starts_with("/api/v1/namespaces/a/secrets?"), "{asked:?}");
        assert_eq!(asked[2], "/api/v1/namespaces/a");
    }
}
