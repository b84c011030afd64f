//! Lists of another registry: its repositories, their tags, and what refers to an image.

use std::collections::HashSet;

use berth_oci::{Descriptor, Digest, Reference, RepositoryName, Tag};
use hyper::{
    Method, StatusCode, Uri,
    header::{ACCEPT, CONTENT_TYPE, HeaderValue},
};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    EVERY_MANIFEST, Error, Result, Upstream, connections::server, exchange::Question, link,
    refusal::read_document, scope::Scope,
};

/// How many entries a page has at most, if the registry does not want fewer.
const PAGE: usize = 1000;

/// How many pages are read: a registry that leads on for ever ends there.
const MOST_PAGES: usize = 100_000;

#[derive(Deserialize)]
struct Tags {
    // Distribution writes an empty list as `null`.
    tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Repositories {
    repositories: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Referrers {
    manifests: Option<Vec<Descriptor>>,
}

impl Upstream {
    /// The tags of a repository.
    pub async fn tags(&self, repository: &RepositoryName) -> Result<Vec<Tag>> {
        let path = format!("{}/tags/list?n={PAGE}", self.name_of(repository));
        let what = format!("the repository {repository}");
        let mut tags = Vec::new();
        let take = |page: Tags| page.tags.unwrap_or_default();
        self.pages(&path, &self.pull_scope(repository), &what, |page| tags.extend(take(page))).await?;
        // What is no tag by the specification cannot be asked for either.
        Ok(tags.iter().filter_map(|tag| tag.parse().ok()).collect())
    }

    /// The repositories that the user sees. Many public registries do not tell.
    pub async fn catalog(&self) -> Result<Vec<RepositoryName>> {
        let path = format!("_catalog?n={PAGE}");
        let mut names = Vec::new();
        let take = |page: Repositories| page.repositories.unwrap_or_default();
        self.pages(&path, &Scope::catalog(), "a list of its repositories", |page| names.extend(take(page)))
            .await?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// What refers to a manifest as its subject: by the API, or by the tag that stands for it where there is none.
    pub async fn referrers(&self, repository: &RepositoryName, subject: &Digest) -> Result<Vec<Descriptor>> {
        let path = format!("{}/referrers/{subject}", self.name_of(repository));
        let mut found = Vec::new();
        let take = |page: Referrers| page.manifests.unwrap_or_default();
        let listed = self
            .pages(&path, &self.pull_scope(repository), "a list of referrers", |page| {
                found.extend(take(page));
            })
            .await;
        match listed {
            Ok(()) => Ok(found),
            // A registry that does not know the question gives an answer of its own kind.
            Err(Error::NotFound { .. } | Error::Invalid { .. }) => {
                self.tagged_referrers(repository, subject).await
            }
            Err(error) => Err(error),
        }
    }

    /// What the tag lists that stands for the API of referrers (distribution specification, "Referrers Tag Schema").
    pub async fn tagged_referrers(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
    ) -> Result<Vec<Descriptor>> {
        let Some(tag) = referrers_tag(subject) else { return Ok(Vec::new()) };
        let index = match self.manifest(repository, &Reference::Tag(tag), EVERY_MANIFEST).await {
            Err(Error::NotFound { .. }) => return Ok(Vec::new()),
            index => index?,
        };
        let index: Referrers = serde_json::from_slice(&index.bytes)
            .map_err(|error| self.invalid(format!("its list of referrers cannot be read: {error}")))?;
        Ok(index.manifests.unwrap_or_default())
    }

    /// Gives one page after the other to `take`.
    async fn pages<T: DeserializeOwned>(
        &self,
        path: &str,
        scope: &Scope,
        what: &str,
        mut take: impl FnMut(T),
    ) -> Result<()> {
        let (mut uri, mut seen) = (self.endpoint(path)?, HashSet::new());
        for _ in 0..MOST_PAGES {
            let question = Question::new(Method::GET, uri.clone(), scope).with_header(
                ACCEPT,
                HeaderValue::from_static("application/json, application/vnd.oci.image.index.v1+json"),
            );
            let answer = self.exchange().expect(question, &[StatusCode::OK], what).await?;
            let kind =
                answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
            if !(kind.is_empty() || kind.contains("json")) {
                return Err(self.invalid(format!("it sends {what} as {kind}")));
            }
            let next = link::next(answer.headers()).map(str::to_owned);
            take(read_document(server(&uri), answer, self.exchange().connections.silence()).await?);
            let Some(next) = next else { return Ok(()) };
            // Behind a proxy, some registries name themselves by another scheme or host: only the path counts.
            let next =
                next.parse::<Uri>().ok().and_then(|next| next.path_and_query().map(ToString::to_string));
            let next = next.ok_or_else(|| self.invalid(format!("it does not tell where {what} goes on")))?;
            if !seen.insert(next.clone()) {
                return Err(self.invalid(format!("{what} leads back to a page that it had before")));
            }
            uri = self.exchange().address.at(&next)?;
        }
        Err(self.invalid(format!("{what} has more than {MOST_PAGES} pages")))
    }
}

/// The tag that stands for the API of referrers where there is none.
pub fn referrers_tag(subject: &Digest) -> Option<Tag> {
    // Of longer digests, only what fits into a tag (distribution specification).
    let tag = format!("{}-{}", subject.algorithm(), subject.hex().get(..64)?);
    tag.parse().ok()
}

#[cfg(test)]
mod tests {
    use berth_oci::MediaType;

    use super::super::testing::{Server, reply};
    use super::*;

    const JSON: (&str, &str) = ("content-type", "application/json");

    fn app() -> RepositoryName {
        "app".parse().unwrap()
    }

    fn digest() -> Digest {
        format!("sha256:{}", "a".repeat(64)).parse().unwrap()
    }

    fn index() -> String {
        format!(
            r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{}","size":2}}]}}"#,
            digest()
        )
    }

    #[tokio::test]
    async fn a_list_is_read_page_by_page() {
        let server = Server::start(|seen| match seen.line.as_str() {
            "GET /v2/app/tags/list?n=1000" => {
                // Behind a proxy, it does not know its own name.
                let next = ("link", r#"<http://inside:5000/v2/app/tags/list?n=2&last=b>; rel="next""#);
                reply(200, &[JSON, next], r#"{"name":"app","tags":["a","b"]}"#)
            }
            "GET /v2/app/tags/list?n=2&last=b" => reply(200, &[JSON], r#"{"name":"app","tags":["c","!"]}"#),
            _ => reply(404, &[], ""),
        })
        .await;
        let tags = server.anonymous().tags(&app()).await.unwrap();
        assert_eq!(tags.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a", "b", "c"]);
    }

    #[tokio::test]
    async fn an_empty_list_may_be_null() {
        let server = Server::start(|_| reply(200, &[JSON], r#"{"repositories":null,"tags":null}"#)).await;
        let hub = server.anonymous();
        assert!(hub.tags(&app()).await.unwrap().is_empty() && hub.catalog().await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn pages_in_a_circle_end() {
        let server = Server::start(|_| {
            let next = ("link", r#"</v2/_catalog?last=a>; rel="next""#);
            reply(200, &[JSON, next], r#"{"repositories":["a"]}"#)
        })
        .await;
        assert!(matches!(server.anonymous().catalog().await, Err(Error::Invalid { .. })));
        assert_eq!(server.lines().len(), 2);
    }

    #[tokio::test]
    async fn referrers_come_from_the_api_or_from_their_tag() {
        let with_api =
            Server::start(|_| reply(200, &[("content-type", MediaType::OCI_INDEX)], index())).await;
        assert_eq!(with_api.anonymous().referrers(&app(), &digest()).await.unwrap().len(), 1);
        assert_eq!(with_api.lines().len(), 1);

        let tag = format!("sha256-{}", "a".repeat(64));
        let without = Server::start(move |seen| {
            if seen.line.ends_with(&tag) {
                reply(200, &[("content-type", MediaType::OCI_INDEX)], index())
            } else {
                reply(404, &[("content-type", "text/plain")], "404 page not found")
            }
        })
        .await;
        assert_eq!(without.anonymous().referrers(&app(), &digest()).await.unwrap().len(), 1);

        let nothing = Server::start(|_| reply(404, &[], "")).await;
        assert!(nothing.anonymous().referrers(&app(), &digest()).await.unwrap().is_empty());
    }
}
