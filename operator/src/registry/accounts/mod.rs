//! The accounts of a Registry, as Secret `NAME-accounts` remembers them: `admin`, `pull`, and one for each RegistryAccess that
//! the Registry consents to. The controller of Registries alone writes them; that of RegistryAccesses hands the passwords on.

mod rotation;

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use berth_crds::annotation::ROTATE;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use serde::{Deserialize, Serialize};
use serde_json::json;

pub use rotation::Terms;

use super::{
    build::access_rules::Rule,
    credentials::{Password, text},
    validate::Applicant,
};
use crate::digest::sha256_hex;

/// The key of the Secret.
pub const KEY: &str = "accounts.json";

/// How old the passwords of `admin` and `pull` would get if they were replaced by themselves: the grace follows from it.
const GENERATED_LIFE: Duration = Duration::from_hours(720);

/// All accounts by the names that they log in with.
#[derive(Serialize, Deserialize, Debug, Clone, Default, PartialEq)]
pub struct Accounts(BTreeMap<String, Account>);

/// One account.
#[derive(Serialize, Deserialize, Debug, Clone, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// The RegistryAccess that it belongs to. Another one of the same name does not inherit it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uid: Option<String>,
    /// In the Secret of whoever logs in; every replica knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    current: Option<Credential>,
    /// On its way to the replicas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<Password>,
    /// Still good for those who have not read the current one yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous: Option<Retired>,
    /// The digest of the rights that every replica knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    acknowledged: Option<String>,
    /// The request that the password was last replaced for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request: Option<String>,
}

/// A password and since when it is the current one.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
pub struct Credential {
    /// The password.
    pub password: Password,
    /// Since when.
    pub since: Timestamp,
}

/// A password and until when it stays good.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
struct Retired {
    password: Password,
    until: Timestamp,
}

/// What the replicas are known to have in force.
#[derive(Debug, Clone, Copy)]
pub struct InForce<'a> {
    /// The htpasswd file, if all of them have the one that is there.
    pub htpasswd: Option<&'a str>,
    /// Whether all of them have the access rules that are wanted now.
    pub rules: bool,
}

impl Accounts {
    /// The accounts in a Secret; none if they cannot be read.
    pub fn stored(secret: Option<&Secret>) -> Self {
        let document = secret.and_then(|secret| text(secret, KEY));
        document.and_then(|document| serde_json::from_str(&document).ok()).unwrap_or_default()
    }

    /// The document for the Secret.
    pub fn document(&self) -> String {
        json!(self).to_string()
    }

    /// The account of this name.
    pub fn get(&self, user: &str) -> Option<&Account> {
        self.0.get(user)
    }

    /// The generated user of this name, one step further. Its password is good at once when it is new: nothing worked before.
    pub(super) fn advance_generated(
        &mut self,
        user: &str,
        adopted: Option<Password>,
        request: Option<&str>,
        in_force: InForce<'_>,
        now: Timestamp,
    ) -> Result<Password, getrandom::Error> {
        let mut account = self.0.remove(user).unwrap_or_default();
        if account.current.is_none() {
            let password = adopted.map_or_else(Password::random, Ok)?;
            account.current = Some(Credential { password, since: rotation::whole(now) });
            account.request = request.map(str::to_owned);
        }
        let terms = Terms { life: GENERATED_LIFE, by_itself: false, request };
        let account = account.advance(user, terms, in_force, now)?;
        let password =
            account.current.as_ref().map_or_else(Password::random, |current| Ok(current.password.clone()));
        self.0.insert(user.to_owned(), account);
        password
    }

    /// The accounts of the RegistryAccesses, one step further. Those without a RegistryAccess end.
    pub(super) fn advance_applicants(
        &mut self,
        generated: &[&str],
        applicants: &[Applicant],
        in_force: InForce<'_>,
        now: Timestamp,
    ) -> Result<(), getrandom::Error> {
        let mut known = std::mem::take(&mut self.0);
        for user in generated {
            self.0.extend(known.remove_entry(*user));
        }
        for applicant in applicants {
            let account =
                known.remove(&applicant.user).filter(|account| account.uid.as_ref() == Some(&applicant.uid));
            let account = match (&applicant.rights, account) {
                (Ok(rights), account) => {
                    let new = || Account { uid: Some(applicant.uid.clone()), ..Account::default() };
                    let mut account = account.unwrap_or_else(new);
                    if in_force.rules {
                        account.acknowledged = Some(digest_of(&rights.rules));
                    }
                    match applicant.terms() {
                        Some(terms) => account.advance(&applicant.user, terms, in_force, now)?,
                        None => account.without_password(),
                    }
                }
                // It is kept for the day that the consent comes back, and opens nothing meanwhile.
                (Err(_), Some(account)) => Account { acknowledged: None, ..account },
                (Err(_), None) => continue,
            };
            self.0.insert(applicant.user.clone(), account);
        }
        Ok(())
    }

    /// Each password that is good for this user; the current one last, since some readers of such files heed only that.
    pub(super) fn passwords(&self, user: &str) -> Vec<&Password> {
        let Some(account) = self.0.get(user) else { return Vec::new() };
        let previous = account.previous.iter().map(|retired| &retired.password);
        let current = account.current.iter().map(|current| &current.password);
        previous.chain(&account.next).chain(current).collect()
    }

    /// How long until an account has to be looked at again, although nothing else happens.
    pub(super) fn next_look(&self, applicants: &[Applicant], now: Timestamp) -> Option<Duration> {
        let generated = self.0.values().filter(|account| account.uid.is_none());
        let generated = generated.filter_map(|account| account.next_look(None));
        let claimed = applicants.iter().filter_map(|applicant| {
            let account = self.0.get(&applicant.user)?;
            let rights = applicant.rights.as_ref().ok()?;
            let looks = [rights.until, account.next_look(applicant.terms())];
            looks.into_iter().flatten().min()
        });
        let at = generated.chain(claimed).min()?;
        Some(Duration::try_from(at.duration_since(now)).unwrap_or_default())
    }

    /// The request that the generated users' passwords were last replaced for.
    pub fn request(&self, user: &str) -> Option<String> {
        self.0.get(user)?.request.clone()
    }
}

impl Account {
    /// Whether it is that of the RegistryAccess with this uid.
    pub fn belongs_to(&self, uid: &str) -> bool {
        self.uid.as_deref() == Some(uid)
    }

    /// The password that every replica knows.
    pub fn current(&self) -> Option<&Credential> {
        self.current.as_ref()
    }

    /// Whether every replica knows these rights.
    pub fn knows(&self, rules: &[Rule]) -> bool {
        self.acknowledged.as_ref() == Some(&digest_of(rules))
    }

    fn without_password(self) -> Self {
        Self { current: None, next: None, previous: None, ..self }
    }
}

/// A number that changes with the request to replace passwords.
#[expect(clippy::unnecessary_wraps, reason = "a predicate may have no answer")]
pub(super) fn requests(object: &impl ResourceExt) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    object.annotations().get(ROTATE).hash(&mut hasher);
    Some(hasher.finish())
}

fn digest_of(rules: &[Rule]) -> String {
    let digest = sha256_hex(json!(rules).to_string().as_bytes());
    // Enough to tell two versions of the same rules apart.
    digest.chars().take(16).collect()
}
