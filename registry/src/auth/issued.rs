//! Who gets which of our own tokens, and for how long they stay good.

use std::{net::IpAddr, sync::Arc};

use berth_oci::RepositoryName;
use berth_storage::ObjectStore;

use super::{
    Action, Auth, Bearer, Identity, InvalidToken, Passwords, Refusal,
    issuing::{Holder, Issued, ScopeTooLong, asked, granted},
    token::{Access, CATALOG, REGISTRY, REPOSITORY, is_service_account},
};

/// What a client asks for.
#[derive(Clone, Copy, Debug)]
pub struct TokenRequest<'a> {
    /// The values of all parameters `scope`.
    pub scopes: &'a [&'a str],
    /// Whether a refresh token is wanted.
    pub offline: bool,
}

impl Auth {
    /// For which service this server gives tokens; `None` when it gives none.
    pub fn gives_tokens_for(&self) -> Option<&str> {
        self.tokens.as_ref().map(|tokens| tokens.service())
    }

    /// Whoever shows a refresh token.
    pub fn authenticate_refresh(&self, token: &str) -> Result<Holder, Refusal> {
        let tokens = self.tokens.as_ref().ok_or(Refusal::Wrong)?;
        let bearer = tokens.verify_refresh(token).and_then(|bearer| self.still_good(bearer));
        let bearer = bearer.map_err(|_| Refusal::Wrong)?;
        let identity = Identity::User(Arc::clone(&bearer.subject));
        Ok(Holder { identity, password: bearer.password.clone(), until: None })
    }

    /// Checks the password of whoever asks for a token; without one, it is for nobody in particular.
    pub async fn authenticate_for_token(
        &self,
        credentials: Option<(&str, &str)>,
        address: Option<IpAddr>,
    ) -> Result<Holder, Refusal> {
        let Some((user, password)) = credentials else {
            return Ok(Holder { identity: Identity::Anonymous, password: None, until: None });
        };
        if let Some(accounts) = self.service_accounts_for(user) {
            let account = accounts.authenticate(password, address).await?;
            let identity = Identity::User(Arc::clone(&account.user));
            return Ok(Holder { identity, password: None, until: Some(account.end) });
        }
        let passwords = self.passwords.as_ref().ok_or(Refusal::Wrong)?;
        let name = passwords.verify_named(user, password, address).await?;
        Ok(Holder { identity: Identity::User(user.into()), password: Some(name), until: None })
    }

    /// A token with those rights of the wanted ones that its holder has; `None` while there is no key to sign it.
    pub fn issue(&self, holder: &Holder, request: TokenRequest<'_>) -> Result<Option<Issued>, ScopeTooLong> {
        let user = holder.identity.user();
        let access = granted(asked(request.scopes.iter().copied())?, |access, action| {
            self.rights(user, access, action)
        });
        Ok(self.tokens.as_ref().and_then(|tokens| tokens.issue(holder, &access, request.offline)))
    }

    /// The actions that are granted to who asks for one of them; `*` asks for all.
    fn rights(&self, user: Option<&str>, access: &Access, wanted: &str) -> Vec<String> {
        match (access.r#type.as_str(), access.name.as_str()) {
            (REPOSITORY, name) => {
                let Ok(name) = name.parse::<RepositoryName>() else { return Vec::new() };
                let actions = [Action::Pull, Action::Push, Action::Delete];
                let is_wanted = |action: &Action| wanted == "*" || wanted == action.to_string();
                let allowed = |action: &Action| self.may(user, *action, &name);
                actions.iter().filter(|one| is_wanted(one) && allowed(one)).map(ToString::to_string).collect()
            }
            (REGISTRY, CATALOG) if wanted == "*" && user.is_some() => vec![wanted.to_owned()],
            (REGISTRY, "*") if wanted == "administer" && user.is_some_and(|user| self.may_manage(user)) => {
                vec![wanted.to_owned()]
            }
            _ => Vec::new(),
        }
    }

    /// The bearer of a token of ours, while its user has the password that it was given for, alone or beside others.
    pub(super) fn still_good(&self, bearer: Arc<Bearer>) -> Result<Arc<Bearer>, InvalidToken> {
        if bearer.subject.is_empty() {
            return Ok(bearer);
        }
        if is_service_account(&bearer.subject) {
            // It lasts no longer than the token that it was given for. That one cannot be taken back either.
            return if self.service_accounts.is_some() { Ok(bearer) } else { Err(InvalidToken::Revoked) };
        }
        let has = |passwords: &Arc<Passwords>| {
            bearer.password.as_deref().is_some_and(|name| passwords.has_named(&bearer.subject, name))
        };
        if self.passwords.as_ref().is_some_and(has) { Ok(bearer) } else { Err(InvalidToken::Revoked) }
    }

    /// Looks at the keys of our own tokens in the storage, or makes the first one.
    pub async fn look_for_keys(&self, store: &dyn ObjectStore) -> berth_storage::Result<()> {
        match &self.tokens {
            Some(tokens) => tokens.look(store).await,
            None => Ok(()),
        }
    }

    /// Follows the keys in the storage for as long as the future is polled.
    pub async fn follow_keys(self, store: Arc<dyn ObjectStore>) {
        if let Some(tokens) = &self.tokens {
            tokens.follow(&*store).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use berth_storage::Memory;

    use super::*;
    use crate::{
        auth::entry,
        config::{self, Options},
    };

    const RULES: &str = "rules:
  - {users: [bob], repositories: ['team/**'], actions: [pull, push, administer]}
  - {users: ['*'], anonymous: true, repositories: ['public/**'], actions: [pull]}
";

    /// A folder with passwords and rules, and the storage, which servers share.
    struct Site {
        folder: tempfile::TempDir,
        store: Memory,
    }

    impl Site {
        fn new() -> Self {
            let site = Self { folder: tempfile::tempdir().unwrap(), store: Memory::new() };
            site.write("htpasswd", &entry("bob", "secret", 4).unwrap());
            site.write("access.yml", RULES);
            site
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn write(&self, name: &str, text: &str) {
            std::fs::write(self.path(name), text).unwrap();
        }

        async fn server(&self) -> Auth {
            self.server_with([]).await
        }

        async fn server_with<const N: usize>(&self, more: [(&str, String); N]) -> Auth {
            let variables = [
                ("AUTH_HTPASSWD_REALM", "Berth".to_owned()),
                ("AUTH_HTPASSWD_PATH", self.path("htpasswd").display().to_string()),
                ("ACCESS_PATH", self.path("access.yml").display().to_string()),
                ("TOKENS_ENABLED", "true".to_owned()),
            ];
            let variables = variables.into_iter().chain(more);
            let variables = variables.map(|(name, value)| (format!("REGISTRY_{name}"), value));
            let config = config::load(None, variables, &Options::default()).unwrap().config;
            let auth = Auth::open(&config).unwrap();
            auth.look_for_keys(&self.store).await.unwrap();
            auth
        }
    }

    #[tokio::test]
    async fn tokens_of_overlapping_passwords_are_good_until_their_own_password_goes() {
        let site = Site::new();
        let (old, new) = (entry("bob", "secret", 4).unwrap(), entry("bob", "next", 4).unwrap());
        site.write("htpasswd", &format!("{old}\n{new}\n"));
        let auth = site.server_with([("AUTH_HTPASSWD_OVERLAP", "true".to_owned())]).await;
        let before = issue(&auth, Some("secret"), &[]).await;
        let after = issue(&auth, Some("next"), &[]).await;
        for issued in [&before, &after] {
            assert!(auth.authenticate_bearer(&issued.token).is_ok());
            assert!(auth.authenticate_refresh(issued.refresh_token.as_ref().unwrap()).is_ok());
        }
        site.write("htpasswd", &new);
        refresh(&auth);
        assert_eq!(auth.authenticate_bearer(&before.token), Err(InvalidToken::Revoked));
        assert!(auth.authenticate_bearer(&after.token).is_ok());
        assert!(auth.authenticate_refresh(&before.refresh_token.unwrap()).is_err());
        assert!(auth.authenticate_refresh(&after.refresh_token.unwrap()).is_ok());
    }

    async fn issue(auth: &Auth, password: Option<&str>, scopes: &[&str]) -> Issued {
        let shown = password.map(|password| ("bob", password));
        let holder = auth.authenticate_for_token(shown, None).await.unwrap();
        auth.issue(&holder, TokenRequest { scopes, offline: true }).unwrap().unwrap()
    }

    fn refresh(auth: &Auth) {
        for file in auth.files() {
            file.refresh();
        }
    }

    #[tokio::test]
    async fn a_token_of_one_server_is_good_on_another_that_shares_its_storage() {
        let site = Site::new();
        let (one, other) = (site.server().await, site.server().await);
        let issued = issue(&one, Some("secret"), &["repository:team/app:pull"]).await;
        let identity = other.authenticate_bearer(&issued.token).unwrap();
        assert_eq!(identity.user(), Some("bob"));
        let app = "team/app".parse().unwrap();
        assert!(other.authorize(&identity, Action::Pull, &app));
        assert!(!other.authorize(&identity, Action::Push, &app));
        assert!(other.authenticate_refresh(&issued.refresh_token.unwrap()).is_ok());
        let stranger = Site::new().server().await;
        assert_eq!(stranger.authenticate_bearer(&issued.token), Err(InvalidToken::Key));
    }

    #[tokio::test]
    async fn a_user_who_is_removed_or_has_another_password_loses_all_tokens_when_the_file_is_read() {
        for after in [entry("bob", "another", 4).unwrap(), entry("eve", "secret", 4).unwrap()] {
            let site = Site::new();
            let auth = site.server().await;
            let issued = issue(&auth, Some("secret"), &["repository:team/app:pull"]).await;
            assert!(auth.authenticate_bearer(&issued.token).is_ok());
            site.write("htpasswd", &after);
            refresh(&auth);
            assert_eq!(auth.authenticate_bearer(&issued.token), Err(InvalidToken::Revoked));
            let refresh_token = issued.refresh_token.unwrap();
            assert_eq!(auth.authenticate_refresh(&refresh_token).unwrap_err(), Refusal::Wrong);
        }
    }

    #[tokio::test]
    async fn rules_that_have_become_stricter_hold_for_tokens_that_were_given_before() {
        let site = Site::new();
        let auth = site.server().await;
        let issued = issue(&auth, Some("secret"), &["repository:team/app:pull,push"]).await;
        let app = "team/app".parse().unwrap();
        let may_push = || {
            let identity = auth.authenticate_bearer(&issued.token).unwrap();
            auth.authorize(&identity, Action::Push, &app)
        };
        assert!(may_push());
        site.write("access.yml", "rules: [{users: [bob], repositories: ['team/**'], actions: [pull]}]\n");
        refresh(&auth);
        assert!(!may_push());
    }

    #[tokio::test]
    async fn what_the_rules_do_not_allow_is_left_out() {
        let auth = Site::new().server().await;
        let scopes = ["repository:team/app:* repository:public/app:pull,push", "registry:catalog:*"];
        let identity =
            async |password| auth.authenticate_bearer(&issue(&auth, password, &scopes).await.token).unwrap();
        let (bob, nobody) = (identity(Some("secret")).await, identity(None).await);
        let (team, public) = ("team/app".parse().unwrap(), "public/app".parse().unwrap());
        assert!(auth.authorize(&bob, Action::Push, &team) && !auth.authorize(&bob, Action::Delete, &team));
        assert!(auth.may_list(&bob) && !auth.may_list(&nobody));
        assert!(auth.authorize(&nobody, Action::Pull, &public));
        assert!(!auth.authorize(&nobody, Action::Push, &public));
        assert!(!auth.authorize(&nobody, Action::Pull, &team));
        assert!(!auth.may_administer(&bob) && !auth.may_administer(&nobody));
    }

    #[tokio::test]
    async fn a_refresh_token_opens_nothing_itself_and_an_access_token_refreshes_nothing() {
        let auth = Site::new().server().await;
        let issued = issue(&auth, Some("secret"), &[]).await;
        let refresh_token = issued.refresh_token.unwrap();
        assert_eq!(auth.authenticate_bearer(&refresh_token), Err(InvalidToken::Audience));
        assert_eq!(auth.authenticate_refresh(&issued.token).unwrap_err(), Refusal::Wrong);
        let anonymous = issue(&auth, None, &[]).await;
        assert_eq!(anonymous.refresh_token, None);
    }
}
