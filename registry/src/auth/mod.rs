//! Who a client is and what it may do: passwords of an htpasswd file, and access rules.
//!
//! Nothing here knows HTTP: `api::authenticate` reads the credentials of a request, `api::authorize` asks for a right.

mod access_rules;
mod expiring;
mod htpasswd;
mod keyed_hash;
mod lane;
mod passwords;
mod remembered;
mod throttle;
mod turns;

use std::{net::IpAddr, path::PathBuf, sync::Arc};

use berth_oci::RepositoryName;

pub use access_rules::{AccessRules, Action};
pub use htpasswd::{InvalidEntry, PasswordFile, entry};
pub use passwords::{Passwords, Refusal};

use crate::{
    config::Config,
    reloading::{LoadError, Refresh, Reloading},
};

/// Who sent a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// Nobody was asked: the server has no authentication.
    Anonymous,
    /// A user whose password was right.
    User(Arc<str>),
}

impl Identity {
    /// The name for log lines.
    pub fn name(&self) -> &str {
        match self {
            Self::Anonymous => "-",
            Self::User(name) => name,
        }
    }
}

/// The server's authentication and authorization, as configured.
#[derive(Clone, Debug, Default)]
pub struct Auth {
    realm: Option<String>,
    passwords: Option<Arc<Passwords>>,
    rules: Option<Arc<Reloading<AccessRules>>>,
}

impl Auth {
    /// Opens the files that the configuration names.
    pub fn open(config: &Config) -> Result<Self, LoadError> {
        let Some(htpasswd) = &config.htpasswd else {
            return Ok(Self::default());
        };
        Ok(Self {
            realm: Some(htpasswd.realm.clone()),
            passwords: Some(Arc::new(Passwords::new(open_passwords(htpasswd.path.clone())?))),
            rules: config.access_rules.clone().map(open_rules).transpose()?.map(Arc::new),
        })
    }

    /// The realm in which clients need a password; `None` when everybody may come in.
    pub fn realm(&self) -> Option<&str> {
        self.realm.as_deref()
    }

    /// Checks the password that a client at this address has sent.
    pub async fn authenticate(
        &self,
        user: &str,
        password: &str,
        address: Option<IpAddr>,
    ) -> Result<Identity, Refusal> {
        let passwords = self.passwords.as_ref().ok_or(Refusal::Wrong)?;
        passwords.verify(user, password, address).await?;
        Ok(Identity::User(user.into()))
    }

    /// Whether an identity may do something to a repository.
    pub fn authorize(&self, identity: &Identity, action: Action, repository: &RepositoryName) -> bool {
        match (identity, &self.rules) {
            (Identity::User(user), Some(rules)) => rules.current().allow(user, action, repository),
            _ => true,
        }
    }

    /// Whether an identity may administer the whole registry; nobody may without authentication.
    pub fn may_administer(&self, identity: &Identity) -> bool {
        match (identity, &self.rules) {
            (Identity::User(user), Some(rules)) => rules.current().allow_administration(user),
            (Identity::User(_), None) => true,
            (Identity::Anonymous, _) => false,
        }
    }

    /// The files, to be followed.
    pub fn files(&self) -> Vec<Arc<dyn Refresh>> {
        let passwords = self.passwords.iter().map(|passwords| Arc::clone(passwords.file()) as _);
        let rules = self.rules.iter().map(|rules| Arc::clone(rules) as _);
        passwords.chain(rules).collect()
    }
}

fn open_passwords(path: PathBuf) -> Result<Reloading<PasswordFile>, LoadError> {
    Reloading::open("the password file (auth.htpasswd.path)", vec![path], |contents| {
        Ok(std::str::from_utf8(&contents[0])?.parse::<PasswordFile>()?)
    })
}

fn open_rules(path: PathBuf) -> Result<Reloading<AccessRules>, LoadError> {
    Reloading::open("the file of access rules (access.path)", vec![path], |contents| {
        Ok(AccessRules::from_yaml(&contents[0])?)
    })
}
