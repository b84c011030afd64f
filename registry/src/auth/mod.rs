//! Who a client is and what it may do: passwords of an htpasswd file and tokens of ServiceAccounts, with access rules and our
//! own tokens, or tokens of somebody else.
//!
//! Nothing here knows HTTP: `api::authenticate` reads the credentials of a request, `api::authorize` asks for a right.

mod access_rules;
mod expiring;
mod htpasswd;
mod issued;
mod issuing;
mod keyed_hash;
mod lane;
mod passwords;
mod recognized;
mod remembered;
mod service_accounts;
mod throttle;
mod token;
mod turns;

use std::{net::IpAddr, path::PathBuf, sync::Arc, time::SystemTime};

use berth_oci::RepositoryName;

pub use access_rules::{AccessRules, Action};
pub use htpasswd::{InvalidEntry, PasswordFile, entry};
pub use issued::TokenRequest;
pub use issuing::{Holder, Issued, ScopeTooLong};
pub use passwords::{Passwords, Refusal};
pub use service_accounts::SERVICE_ACCOUNT;
pub use token::{Algorithm, Bearer, InvalidToken, UnknownAlgorithm};

use self::{issuing::TokenService, service_accounts::ServiceAccounts, token::Issuer};
use crate::{
    config::{self, Config, Htpasswd, TokenRealm},
    reloading::{LoadError, Refresh, Reloading},
};

/// Who sent a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// Nobody was asked: the server has no authentication.
    Anonymous,
    /// A user whose password was right, or a ServiceAccount.
    User(Arc<str>),
    /// Whoever has shown a good token.
    Bearer(Arc<Bearer>),
}

impl Identity {
    /// The name for log lines.
    pub fn name(&self) -> &str {
        self.user().unwrap_or("-")
    }

    /// The user, if it is known who it is.
    pub fn user(&self) -> Option<&str> {
        match self {
            Self::Anonymous => None,
            Self::User(name) => Some(name),
            Self::Bearer(bearer) => Some(&*bearer.subject).filter(|subject| !subject.is_empty()),
        }
    }
}

/// What a client has to show to come in.
#[derive(Clone, Copy, Debug)]
pub enum Demand<'a> {
    /// A password.
    Password {
        /// What clients show when they ask for it.
        realm: &'a str,
    },
    /// A token.
    Token {
        /// Where clients get it.
        realm: &'a TokenRealm,
        /// For whom it has to be.
        service: &'a str,
    },
    /// A token of ours, or unasked a password.
    OwnToken {
        /// For whom it has to be.
        service: &'a str,
        /// What clients show when they ask for a password.
        realm: &'a str,
    },
}

/// The server's authentication and authorization, as configured.
#[derive(Clone, Debug, Default)]
pub struct Auth {
    realm: Option<String>,
    passwords: Option<Arc<Passwords>>,
    rules: Option<Arc<Reloading<AccessRules>>>,
    service_accounts: Option<Arc<ServiceAccounts>>,
    issuer: Option<Arc<Issuer>>,
    tokens: Option<Arc<TokenService>>,
}

impl Auth {
    /// Opens the files that the configuration names.
    pub fn open(config: &Config) -> Result<Self, LoadError> {
        let issuer = config.token.clone().map(Issuer::open).transpose()?.map(Arc::new);
        let Some(htpasswd) = &config.htpasswd else {
            return Ok(Self { issuer, ..Self::default() });
        };
        let reserved = config.service_accounts.as_ref().map(|_| SERVICE_ACCOUNT);
        Ok(Self {
            realm: Some(htpasswd.realm.clone()),
            passwords: Some(Arc::new(Passwords::new(open_passwords(htpasswd, reserved)?))),
            rules: config.access_rules.clone().map(open_rules).transpose()?.map(Arc::new),
            service_accounts: config
                .service_accounts
                .clone()
                .map(ServiceAccounts::open)
                .transpose()?
                .map(Arc::new),
            issuer,
            tokens: config.own_tokens.clone().map(TokenService::open).transpose()?.map(Arc::new),
        })
    }

    /// What clients have to show; `None` when everybody may come in.
    pub fn demand(&self) -> Option<Demand<'_>> {
        if let Some(issuer) = &self.issuer {
            let config = issuer.config();
            return Some(Demand::Token { realm: &config.realm, service: &config.service });
        }
        let realm = self.realm.as_deref()?;
        Some(match &self.tokens {
            Some(tokens) => Demand::OwnToken { service: tokens.service(), realm },
            None => Demand::Password { realm },
        })
    }

    /// Checks the password that a client at this address has sent.
    pub async fn authenticate(
        &self,
        user: &str,
        password: &str,
        address: Option<IpAddr>,
    ) -> Result<Identity, Refusal> {
        if let Some(accounts) = self.service_accounts_for(user) {
            let account = accounts.authenticate(password, address).await?;
            return Ok(Identity::User(Arc::clone(&account.user)));
        }
        let passwords = self.passwords.as_ref().ok_or(Refusal::Wrong)?;
        passwords.verify(user, password, address).await?;
        Ok(Identity::User(user.into()))
    }

    /// For whom tokens of ServiceAccounts have to be, from now on.
    pub fn set_audiences(&self, accounts: Option<&config::ServiceAccounts>) {
        if let (Some(current), Some(new)) = (&self.service_accounts, accounts) {
            current.set_audiences(&new.audiences);
        }
    }

    /// Whether ServiceAccounts come in by their tokens.
    pub fn takes_service_accounts(&self) -> bool {
        self.service_accounts.is_some()
    }

    /// What checks the passwords of this user, when they are tokens of ServiceAccounts.
    fn service_accounts_for(&self, user: &str) -> Option<&ServiceAccounts> {
        self.service_accounts.as_deref().filter(|_| user == SERVICE_ACCOUNT)
    }

    /// The user, if a password was found right before that came in the very same credentials, and nothing has changed since.
    pub fn recognize(&self, shown: &[u8]) -> Option<Identity> {
        self.passwords.as_ref()?.recognize(shown).map(Identity::User)
    }

    /// The user, if the password was found right before and nothing has changed since. The credentials that it was `shown` in
    /// are recognized from then on.
    pub fn remembered(&self, user: &str, password: &str, shown: &[u8]) -> Option<Identity> {
        let passwords = self.passwords.as_ref().filter(|_| self.service_accounts_for(user).is_none())?;
        passwords.is_remembered(user, password, shown).then(|| Identity::User(user.into()))
    }

    /// Verifies the token that a client has sent: one of ours or of an issuer, or else of a ServiceAccount.
    pub fn authenticate_bearer(&self, token: &str) -> Result<Identity, InvalidToken> {
        match (self.verify_bearer(token), &self.service_accounts) {
            (Err(InvalidToken::Key), Some(accounts)) => {
                accounts.verify(token).map(|account| Identity::User(Arc::clone(&account.user)))
            }
            (verified, _) => verified.map(Identity::Bearer),
        }
    }

    fn verify_bearer(&self, token: &str) -> Result<Arc<Bearer>, InvalidToken> {
        if let Some(tokens) = &self.tokens {
            return self.still_good(tokens.verify(token)?);
        }
        let issuer = self.issuer.as_ref().ok_or(InvalidToken::Key)?;
        issuer.verify(token, SystemTime::now())
    }

    /// Whether an identity may do something to a repository.
    pub fn authorize(&self, identity: &Identity, action: Action, repository: &RepositoryName) -> bool {
        match identity {
            Identity::Bearer(bearer) if !bearer.grants.allow(action, repository) => false,
            Identity::Bearer(_) if self.issuer.is_some() => true,
            Identity::Anonymous => true,
            _ => self.may(identity.user(), action, repository),
        }
    }

    /// Whether the rules let a user do something to a repository, or one who is not known.
    fn may(&self, user: Option<&str>, action: Action, repository: &RepositoryName) -> bool {
        match (user, &self.rules) {
            (Some(user), Some(rules)) => rules.current().allow(user, action, repository),
            (None, Some(rules)) => rules.current().allow_anonymous(action, repository),
            (user, None) => user.is_some_and(|user| !token::is_service_account(user)),
        }
    }

    /// Whether another token could allow what this one does not. Of our own, none does that the rules do not allow; only one
    /// who is not known may turn out to be somebody.
    pub fn may_ask_again(&self, identity: &Identity, wanted: Option<(Action, &RepositoryName)>) -> bool {
        let Identity::Bearer(_) = identity else { return false };
        match (identity.user(), wanted) {
            (Some(user), Some((action, repository))) if self.tokens.is_some() => {
                self.may(Some(user), action, repository)
            }
            (Some(user), None) if self.tokens.is_some() => self.may_manage(user),
            _ => true,
        }
    }

    /// Whether an identity may ask for the list of repositories.
    pub fn may_list(&self, identity: &Identity) -> bool {
        match identity {
            Identity::Bearer(bearer) => bearer.grants.allow_catalog(),
            Identity::User(_) | Identity::Anonymous => true,
        }
    }

    /// Whether an identity that may ask for the list of repositories finds this one on it.
    pub fn may_see(&self, identity: &Identity, repository: &RepositoryName) -> bool {
        match identity {
            // A token of somebody else tells no more than that the whole list may be read, as in Distribution.
            Identity::Bearer(_) if self.issuer.is_some() => true,
            Identity::Bearer(_) => self.may(identity.user(), Action::Pull, repository),
            _ => self.authorize(identity, Action::Pull, repository),
        }
    }

    /// Whether an identity may administer the whole registry; nobody may without authentication.
    pub fn may_administer(&self, identity: &Identity) -> bool {
        match identity {
            Identity::Anonymous => false,
            Identity::User(user) => self.may_manage(user),
            Identity::Bearer(bearer) => {
                bearer.grants.allow_administration()
                    && (self.issuer.is_some() || identity.user().is_some_and(|user| self.may_manage(user)))
            }
        }
    }

    fn may_manage(&self, user: &str) -> bool {
        match &self.rules {
            Some(rules) => rules.current().allow_administration(user),
            None => !token::is_service_account(user),
        }
    }

    /// The files, to be followed.
    pub fn files(&self) -> Vec<Arc<dyn Refresh>> {
        let passwords = self.passwords.iter().map(|passwords| Arc::clone(passwords.file()) as _);
        let rules = self.rules.iter().map(|rules| Arc::clone(rules) as _);
        passwords
            .chain(rules)
            .chain(self.service_accounts.iter().map(|accounts| accounts.file()))
            .chain(self.issuer.iter().map(|issuer| issuer.files()))
            .chain(self.tokens.iter().filter_map(|tokens| tokens.files()))
            .collect()
    }
}

/// The password file. The line of a `reserved` user is of no use.
fn open_passwords(
    htpasswd: &Htpasswd,
    reserved: Option<&'static str>,
) -> Result<Reloading<PasswordFile>, LoadError> {
    let overlap = htpasswd.overlap;
    let paths = vec![htpasswd.path.clone()];
    Reloading::open("the password file (auth.htpasswd.path)", paths, move |contents| {
        let file = PasswordFile::read(std::str::from_utf8(&contents[0])?, overlap)?;
        if let Some(user) = reserved.filter(|user| file.hashes_of(user).is_some()) {
            tracing::warn!(
                user,
                "the password of this user opens nothing: the name is for tokens of ServiceAccounts"
            );
        }
        Ok(file)
    })
}

fn open_rules(path: PathBuf) -> Result<Reloading<AccessRules>, LoadError> {
    Reloading::open("the file of access rules (access.path)", vec![path], |contents| {
        Ok(AccessRules::from_yaml(&contents[0])?)
    })
}
