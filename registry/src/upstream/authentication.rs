//! Answers what another registry asks for: with a user and a password, or with a token that is got for them or for an identity
//! token.
//!
//! What a registry wants is remembered from its first question, so that later requests bring it along unasked. Tokens are
//! kept by what they allow until shortly before their end, and requests that need the same one get it once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use hyper::{StatusCode, Uri, header::HeaderValue};
use tokio::{sync::Mutex as AsyncMutex, time::Instant};

use super::{
    Error, Result,
    challenge::{Challenge, TokenSource},
    connections::{Connections, is_https, server},
    credentials::{Asker, Login},
    refusal::{self, read_document},
    scope::Scope,
    token_request::{Answer, Question, Token, no_place},
};

/// Tokens that have ended are dropped when there are more than these.
const MANY_TOKENS: usize = 256;

/// Shows a registry what it asks for.
#[derive(Debug)]
pub(super) struct Authentication {
    asker: Asker,
    /// Whether the registry itself is reached by TLS: then its tokens are, too.
    is_https: bool,
    asked: Mutex<Option<Challenge>>,
    tokens: Mutex<HashMap<Scope, Slot>>,
}

/// A place for a token, which those who need the same one wait for.
type Slot = Arc<AsyncMutex<Option<Token>>>;

impl Authentication {
    pub(super) fn new(asker: Asker, is_https: bool) -> Self {
        Self { asker, is_https, asked: Mutex::default(), tokens: Mutex::default() }
    }

    /// What to show unasked, by what the registry has asked for before.
    pub(super) async fn unasked(
        &self,
        connections: &Connections,
        scope: &Scope,
    ) -> Result<Option<HeaderValue>> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match asked {
            None => Ok(None),
            Some(Challenge::Basic) => self.basic().await,
            Some(Challenge::Bearer(source)) => {
                // What it wanted for another request says nothing of this one.
                let source = TokenSource { scope: None, ..source };
                self.token(connections, &source, scope).await.map(Some)
            }
        }
    }

    /// What to show when the registry has refused `shown`; `None` when nothing else can be shown.
    pub(super) async fn answer(
        &self,
        connections: &Connections,
        challenge: Challenge,
        scope: &Scope,
        shown: Option<&HeaderValue>,
    ) -> Result<Option<HeaderValue>> {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(challenge.clone());
        let answer = match &challenge {
            Challenge::Basic => {
                if shown.is_some() {
                    self.asker.forget().await;
                }
                self.basic().await?
            }
            Challenge::Bearer(source) => {
                if shown.is_some() {
                    self.slot(scope).lock().await.take();
                }
                Some(self.token(connections, source, scope).await?)
            }
        };
        Ok(answer.filter(|answer| Some(answer) != shown))
    }

    async fn basic(&self) -> Result<Option<HeaderValue>> {
        match self.asker.login().await? {
            Some(Login::Password(user)) => user.header().map(Some),
            // An identity token is for places that give tokens.
            Some(Login::IdentityToken(_)) | None => Ok(None),
        }
    }

    fn slot(&self, scope: &Scope) -> Slot {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if tokens.len() > MANY_TOKENS {
            let now = Instant::now();
            let is_good = |slot: &mut Slot| {
                // Whoever holds a slot is about to fill it.
                slot.try_lock().map_or(true, |token| token.as_ref().is_some_and(|token| token.end > now))
            };
            tokens.retain(|_, slot| is_good(slot));
        }
        Arc::clone(tokens.entry(scope.clone()).or_default())
    }

    /// A token that allows `scope`, or what the registry says that it needs for that.
    async fn token(
        &self,
        connections: &Connections,
        source: &TokenSource,
        scope: &Scope,
    ) -> Result<HeaderValue> {
        let slot = self.slot(scope);
        let mut token = slot.lock().await;
        if let Some(token) = &*token
            && token.end > Instant::now()
        {
            return Ok(token.header.clone());
        }
        let wanted = source.scope.as_deref().map_or_else(|| scope.clone(), Scope::named);
        let got = self.fetch(connections, source, &wanted).await?;
        Ok(token.insert(got).header.clone())
    }

    async fn fetch(&self, connections: &Connections, source: &TokenSource, scope: &Scope) -> Result<Token> {
        let place = self.place(source)?;
        let question = match self.asker.login().await? {
            None => Question::of_user(&place, source, scope, None)?,
            Some(Login::Password(user)) => Question::of_user(&place, source, scope, Some(&user))?,
            Some(Login::IdentityToken(token)) => Question::of_identity(place, source, scope, &token),
        };
        let Question { method, uri, headers, content } = question;
        let asked_at = Instant::now();
        let answer = connections.send(&method, &uri, headers, content).await?;
        if answer.status() == StatusCode::UNAUTHORIZED {
            self.asker.forget().await;
        }
        if answer.status() != StatusCode::OK {
            return Err(refusal::of(server(&uri), answer, "a token", connections.silence()).await);
        }
        let answer: Answer = read_document(server(&uri), answer, connections.silence()).await?;
        answer.token(asked_at).ok_or_else(|| Error::Invalid {
            server: server(&uri),
            reason: "its answer to the request for a token holds none".to_owned(),
        })
    }

    /// Where tokens are given.
    fn place(&self, source: &TokenSource) -> Result<Uri> {
        let realm: Uri = source.realm.parse().map_err(|_| no_place(&Uri::default()))?;
        if realm.authority().is_none() {
            return Err(no_place(&realm));
        }
        if self.is_https && !is_https(&realm) {
            let reason = "it gives tokens without TLS, where a password could be read".to_owned();
            return Err(Error::Invalid { server: server(&realm), reason });
        }
        Ok(realm)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;

    use super::super::{
        Credentials, Settings, Upstream,
        testing::{Reply, Seen, Server, reply},
    };
    use super::*;

    const BASIC_ANN: &str = "Basic YW5uOmdlaGVpbQ==";

    fn app() -> berth_oci::RepositoryName {
        "team/app".parse().unwrap()
    }

    fn ask(question: &str) -> Reply {
        reply(401, &[("www-authenticate", question)], "{}")
    }

    fn tags() -> Reply {
        reply(200, &[("content-type", "application/json")], r#"{"tags":["1"]}"#)
    }

    /// A registry that gives tokens itself, with these properties.
    fn with_tokens(seen: &Seen, token: &str) -> Reply {
        if seen.line.starts_with("GET /token") {
            return reply(200, &[], format!(r#"{{"token":"t{}"{token}}}"#, seen.line.len()));
        }
        match seen.authorization() {
            Some(shown) if shown.starts_with("Bearer ") => tags(),
            _ => {
                ask(&format!(r#"Bearer realm="http://{}/token",service="hub""#, seen.header("host").unwrap()))
            }
        }
    }

    #[tokio::test]
    async fn a_password_is_shown_when_it_is_asked_for_and_from_then_on() {
        let server = Server::start(|seen| match seen.authorization() {
            Some(BASIC_ANN) => tags(),
            _ => ask("Basic realm=hub"),
        })
        .await;
        let hub = server.for_ann();
        hub.tags(&app()).await.unwrap();
        hub.tags(&app()).await.unwrap();
        let shown: Vec<_> =
            server.seen().iter().map(|seen| seen.authorization().map(str::to_owned)).collect();
        assert_eq!(shown, [None, Some(BASIC_ANN.to_owned()), Some(BASIC_ANN.to_owned())]);
    }

    #[tokio::test]
    async fn who_has_no_password_is_told_that_one_is_needed() {
        let server = Server::start(|_| ask("Basic realm=hub")).await;
        for hub in [server.anonymous(), server.for_ann()] {
            assert!(matches!(hub.tags(&app()).await, Err(Error::Unauthorized { .. })));
        }
        // Nobody was asked twice for nothing.
        assert_eq!(server.lines().len(), 3);
    }

    #[tokio::test]
    async fn a_token_is_got_for_the_user_and_used_until_its_end() {
        let server = Server::start(|seen| with_tokens(seen, r#","expires_in":300"#)).await;
        let hub = server.for_ann();
        hub.tags(&app()).await.unwrap();
        hub.tags(&app()).await.unwrap();
        let token = "GET /token?service=hub&scope=repository%3Ateam%2Fapp%3Apull&account=ann";
        let list = "GET /v2/team/app/tags/list?n=1000";
        assert_eq!(server.lines(), [list, token, list, list]);
        assert_eq!(server.seen()[1].authorization(), Some(BASIC_ANN));
        // Another repository needs another token, which is got before anything is refused.
        hub.tags(&"other".parse().unwrap()).await.unwrap();
        assert!(server.lines()[4].starts_with("GET /token"), "{:?}", server.lines());
        assert_eq!(server.lines().len(), 6);
    }

    #[tokio::test]
    async fn a_token_for_nobody_in_particular_is_asked_for_without_a_password() {
        let server = Server::start(|seen| with_tokens(seen, "")).await;
        server.anonymous().tags(&app()).await.unwrap();
        assert_eq!(server.seen()[1].authorization(), None);
    }

    #[tokio::test]
    async fn an_identity_token_is_exchanged_and_never_shown_to_the_registry() {
        let server = Server::start(|seen| match seen.line.as_str() {
            "POST /token" => reply(200, &[], r#"{"access_token":"short","expires_in":300}"#),
            _ => with_tokens(seen, ""),
        })
        .await;
        let credentials = Credentials::IdentityToken("ge heim".to_owned());
        let settings = Settings { credentials, ..Settings::new(server.url().parse().unwrap()) };
        let hub = Upstream::new(settings).unwrap();
        hub.tags(&app()).await.unwrap();
        hub.tags(&app()).await.unwrap();
        let seen = server.seen();
        let list = "GET /v2/team/app/tags/list?n=1000";
        assert_eq!(server.lines(), [list, "POST /token", list, list]);
        assert_eq!(
            seen[1].body.as_ref(),
            b"grant_type=refresh_token&service=hub&client_id=berth&scope=repository%3Ateam%2Fapp%3Apull&refresh_token=ge+heim"
        );
        assert_eq!(seen[1].header("content-type"), Some("application/x-www-form-urlencoded"));
        assert_eq!((seen[1].authorization(), seen[2].authorization()), (None, Some("Bearer short")));
    }

    #[tokio::test]
    async fn a_registry_that_wants_a_password_is_shown_no_identity_token() {
        let server = Server::start(|_| ask("Basic realm=hub")).await;
        let credentials = Credentials::IdentityToken("geheim".to_owned());
        let settings = Settings { credentials, ..Settings::new(server.url().parse().unwrap()) };
        let refused = Upstream::new(settings).unwrap().tags(&app()).await;
        assert!(matches!(refused, Err(Error::Unauthorized { .. })), "{refused:?}");
        assert_eq!(server.lines().len(), 1);
    }

    #[tokio::test]
    async fn a_token_that_has_ended_is_replaced_before_it_is_shown() {
        let server = Server::start(|seen| with_tokens(seen, r#","expires_in":0"#)).await;
        let hub = server.for_ann();
        hub.tags(&app()).await.unwrap();
        hub.tags(&app()).await.unwrap();
        let tokens = server.lines().iter().filter(|line| line.starts_with("GET /token")).count();
        assert_eq!((tokens, server.lines().len()), (2, 5));
    }

    #[tokio::test]
    async fn a_token_that_is_refused_is_replaced_once_with_what_the_registry_names() {
        let refusals = AtomicUsize::new(0);
        let server = Server::start(move |seen| {
            let is_list = seen.line.starts_with("GET /v2/");
            if is_list && seen.authorization().is_some() && refusals.fetch_add(1, Ordering::Relaxed) == 1 {
                let host = seen.header("host").unwrap();
                return ask(&format!(r#"Bearer realm="http://{host}/token",scope="a:b:c d:e:f""#));
            }
            with_tokens(seen, "")
        })
        .await;
        let hub = server.for_ann();
        hub.tags(&app()).await.unwrap();
        hub.tags(&app()).await.unwrap();
        assert!(
            server.lines().contains(&"GET /token?scope=a%3Ab%3Ac&scope=d%3Ae%3Af&account=ann".to_owned())
        );
    }

    #[tokio::test]
    async fn many_who_need_the_same_token_get_it_once() {
        let server = Server::start(|seen| with_tokens(seen, "")).await;
        let hub = server.for_ann();
        let app = app();
        for answer in join_all((0..16).map(|_| hub.tags(&app))).await {
            answer.unwrap();
        }
        let tokens = server.lines().iter().filter(|line| line.starts_with("GET /token")).count();
        assert_eq!(tokens, 1);
    }

    #[tokio::test]
    async fn a_password_goes_to_no_place_without_tls_from_a_registry_with_it() {
        let asker = Asker::new(Credentials::Anonymous, String::new());
        let authentication = Authentication::new(asker, true);
        let at = |realm: &str| TokenSource { realm: realm.to_owned(), service: None, scope: None };
        let address = |realm| {
            let place = authentication.place(&at(realm))?;
            Question::of_user(&place, &at(realm), &Scope::pull("app"), None).map(|question| question.uri)
        };
        assert!(address("http://tokens.example.com/token").is_err());
        assert!(address("/token").is_err());
        let with_query = address("https://tokens.example.com/t?a=b").unwrap().to_string();
        assert_eq!(with_query, "https://tokens.example.com/t?a=b&scope=repository%3Aapp%3Apull");
    }

    #[tokio::test]
    async fn no_failure_shows_a_secret() {
        let server = Server::start(|seen| match seen.authorization() {
            Some(_) => reply(500, &[], "geheim"),
            None => ask("Basic realm=hub"),
        })
        .await;
        let hub = server.for_ann();
        let error = hub.tags(&app()).await.unwrap_err();
        assert!(matches!(error, Error::Unavailable { .. }), "{error}");
        assert!(!format!("{error} {error:?} {hub:?}").contains("geheim"));
    }

    #[tokio::test]
    async fn a_registry_that_cannot_be_reached_is_told_from_one_that_refuses() {
        let nobody = Settings::new("http://127.0.0.1:1".parse().unwrap());
        let error = Upstream::new(nobody).unwrap().tags(&app()).await.unwrap_err();
        assert!(error.is_temporary() && error.to_string().contains("cannot be reached"), "{error}");
        let server =
            Server::start(|_| reply(429, &[("retry-after", "7"), ("ratelimit-remaining", "0;w=60")], ""))
                .await;
        let hub = server.anonymous();
        let error = hub.tags(&app()).await.unwrap_err();
        assert!(
            matches!(error, Error::RateLimited { retry_after: Some(wait), .. } if wait.as_secs() == 7),
            "{error}"
        );
        assert_eq!(hub.rate_limit().unwrap().remaining, Some(0));
    }
}
