//! Makes what is random or signed: passwords, htpasswd entries, certificates. Each is made once and then kept for as
//! long as it is right, so that a reconciliation without a reason changes nothing.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};

use super::{
    accounts::{Accounts, InForce},
    authority::{self, Authority, Periods, Seen},
    build::{
        ACCESS_RULES, AUTH_DIRECTORY, Objects,
        access_rules::{Subjects, access_rules, open_to_all},
        collector,
    },
    certificates::{self, CertificateError, KeyPair, SERVING_LIFETIME},
    chain,
    credentials::{ADMIN, PULL, Password, text},
    htpasswd,
    loaded::Loaded,
    validate::{Applicant, Certificate, Validated, granted},
};
use crate::{
    children::{ChildId, Children},
    digest::sha256_hex,
    metadata::Identity,
};

/// The secrets of a Registry.
#[derive(Debug)]
pub struct Issued {
    /// Of the user `admin`.
    pub admin: Password,
    /// Of the user `pull`.
    pub pull: Password,
    /// Of all users.
    pub accounts: Accounts,
    /// What the registry reads to tell users apart.
    pub auth: Auth,
    /// The certificates.
    pub certificates: Certificates,
}

/// The files that the registry reads to tell users apart.
#[derive(Debug, PartialEq, Eq)]
pub struct Auth {
    /// Who has which password.
    pub htpasswd: String,
    /// Who may do what.
    pub access_rules: String,
    /// The lines of `htpasswd` that are neither generated nor those of a RegistryAccess.
    pub users: String,
}

/// The certificates of a Registry.
#[derive(Debug)]
pub enum Certificates {
    /// Plain HTTP.
    None,
    /// Those that are there stay.
    AsIs {
        /// The certificate authority that clients trust, PEM.
        ca: Option<String>,
    },
    /// The operator's own.
    Own {
        /// The certificate authority.
        authority: Authority,
        /// The authorities that clients trust, PEM.
        bundle: String,
        /// Signed by one of them.
        serving: KeyPair,
    },
    /// The user's.
    Provided {
        /// The serving certificate.
        serving: KeyPair,
        /// The certificate authority that clients trust, PEM.
        ca: Option<String>,
    },
}

/// Why something could not be made.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The operating system gave no random numbers.
    #[error("no random numbers for a password")]
    Random(#[from] getrandom::Error),
    /// A password could not be hashed.
    #[error("a password could not be hashed")]
    Hash(#[from] bcrypt::BcryptError),
    /// A certificate could not be issued.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

impl Certificates {
    /// The certificate authorities that clients must trust, PEM. None is needed for a certificate of a public one.
    pub fn ca(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Own { bundle, .. } => Some(bundle),
            Self::AsIs { ca } | Self::Provided { ca, .. } => ca.as_deref(),
        }
    }
}

/// Makes what is missing among the secrets of a Registry, and keeps the rest.
pub fn issue(
    validated: &Validated,
    children: &Children,
    loaded: &Loaded,
    periods: Periods,
    now: Timestamp,
) -> Result<Issued, IssueError> {
    let ids = Objects::ids(&validated.identity);
    let secret = |id: &ChildId| children.get::<Secret>(&id.name);
    let users = validated.access.users_now(children, &validated.identity);
    let access_rules = rules(validated, &users);
    let auth = secret(&ids.auth);
    let stored = |key| auth.as_ref().and_then(|auth| text(auth, key)).unwrap_or_default();
    let htpasswd = stored("htpasswd");
    let in_force = InForce {
        htpasswd: is_loaded(loaded, "htpasswd", &htpasswd).then_some(htpasswd.as_str()),
        rules: stored(ACCESS_RULES) == access_rules && is_loaded(loaded, ACCESS_RULES, &access_rules),
    };
    let mut accounts = Accounts::stored(secret(&ids.accounts).as_ref());
    let request = validated.rotate_request.as_deref();
    let mut generated = |user, id| {
        accounts.advance_generated(user, Password::held_by(secret(id).as_ref()), request, in_force, now)
    };
    let (admin, pull) = (generated(ADMIN, &ids.admin)?, generated(PULL, &ids.pull)?);
    accounts.advance_applicants(&[ADMIN, PULL], &validated.applicants, in_force, now)?;
    let auth = Auth {
        htpasswd: lines(&htpasswd, &accounts, &validated.applicants, &users)?,
        access_rules,
        users: joined(&users),
    };
    let authority = secret(&ids.authority);
    let serving = secret(&ids.serving_certificate);
    let certificates = match &validated.tls.certificate {
        Certificate::Disabled => Certificates::None,
        Certificate::AsIs => Certificates::AsIs { ca: serving.and_then(|serving| text(&serving, "ca.crt")) },
        Certificate::Provided { pair, authority } => {
            Certificates::Provided { serving: pair.clone(), ca: authority.clone() }
        }
        Certificate::Own { names, rotate } => {
            let seen = Seen {
                name: &validated.identity.name,
                request: rotate.as_deref(),
                stored: authority.as_ref(),
                serving: serving.as_ref(),
                published: published(&ids, children),
                nodes: validated.nodes.as_ref(),
            };
            own(&validated.identity, names, &seen, periods, now)?
        }
    };
    Ok(Issued { admin, pull, accounts, auth, certificates })
}

fn rules(validated: &Validated, users: &[String]) -> String {
    let collector = validated.service_accounts.issuer.as_ref().map(|_| collector::user(&validated.identity));
    access_rules(Subjects {
        users,
        granted: &granted(&validated.applicants),
        open: &open_to_all(&validated.spec),
        collector: collector.as_deref(),
    })
}

fn is_loaded(loaded: &Loaded, key: &str, content: &str) -> bool {
    loaded.all_have(&format!("{AUTH_DIRECTORY}/{key}"), &format!("sha256:{}", sha256_hex(content.as_bytes())))
}

/// The lines of the generated users, of those RegistryAccesses that have rights, and of the others.
fn lines(
    file: &str,
    accounts: &Accounts,
    applicants: &[Applicant],
    others: &[String],
) -> Result<String, bcrypt::BcryptError> {
    let granted = applicants.iter().filter(|one| one.rights.is_ok()).map(|one| one.user.as_str());
    let mut lines = Vec::new();
    for user in [ADMIN, PULL].into_iter().chain(granted) {
        for password in accounts.passwords(user) {
            lines.push(htpasswd::entry(file, user, password.as_str())?);
        }
    }
    lines.extend_from_slice(others);
    Ok(joined(&lines))
}

fn joined(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}

/// What clients are told to trust, in each place where they look.
fn published(ids: &Objects<ChildId>, children: &Children) -> Vec<Option<String>> {
    let config_map: Option<ConfigMap> = children.get(&ids.ca_bundle.name);
    let of_config_map = config_map.and_then(|config_map| config_map.data?.remove("ca.crt"));
    let of_secret = |id: &ChildId| text(&children.get::<Secret>(&id.name)?, "ca.crt");
    vec![of_config_map, of_secret(&ids.admin), of_secret(&ids.pull)]
}

fn own(
    identity: &Identity,
    names: &[String],
    seen: &Seen<'_>,
    periods: Periods,
    now: Timestamp,
) -> Result<Certificates, CertificateError> {
    let authority = authority::advance(seen, periods, now)?;
    let good = |pair: &KeyPair| {
        certificates::lasts(&pair.certificate, SERVING_LIFETIME / 3, now)
            && is_for(pair, names)
            && chain::verify(&pair.certificate, &authority.signing.certificate, now).is_ok()
    };
    let (authority, serving) = match seen.serving.and_then(key_pair).filter(good) {
        Some(kept) => (authority, kept),
        None => signed(identity, names, authority.able_to_sign(now), now)?,
    };
    Ok(Certificates::Own { bundle: authority.bundle(), authority, serving })
}

fn signed(
    identity: &Identity,
    names: &[String],
    authority: Authority,
    now: Timestamp,
) -> Result<(Authority, KeyPair), CertificateError> {
    let name = common_name(&format!("{}.{}", identity.name, identity.namespace));
    let serving = certificates::issue_serving(&authority.signing, &name, names, now)?;
    Ok((authority, serving))
}

/// At most 64 characters, the limit of X.520; clients look at the subject alternative names only.
fn common_name(name: &str) -> String {
    name.chars().take(64).collect()
}

/// A pair that was stored, if it can still be used.
fn key_pair(secret: &Secret) -> Option<KeyPair> {
    let pair = KeyPair { certificate: text(secret, "tls.crt")?, key: text(secret, "tls.key")? };
    certificates::check_pair(&pair).is_ok().then_some(pair)
}

fn is_for(pair: &KeyPair, names: &[String]) -> bool {
    let wanted: BTreeSet<&String> = names.iter().collect();
    certificates::inspect(&pair.certificate)
        .is_ok_and(|certificate| certificate.names.iter().collect::<BTreeSet<_>>() == wanted)
}

/// When the operator has to look at a certificate again, although nothing else happened: when its own is to be
/// renewed, and in good time before the end of the user's.
pub fn next_look(certificates: &Certificates, now: Timestamp) -> Option<Duration> {
    let (Certificates::Own { serving, .. } | Certificates::Provided { serving, .. }) = certificates else {
        return None;
    };
    let not_after = certificates::inspect(&serving.certificate).ok()?.not_after;
    let renewal = not_after - SERVING_LIFETIME / 3;
    Some(Duration::try_from(renewal.duration_since(now)).unwrap_or_default())
}

/// How long it is until the next step of a rotation.
pub fn next_step(certificates: &Certificates, periods: Periods, now: Timestamp) -> Option<Duration> {
    match certificates {
        Certificates::Own { authority, .. } => authority::next_step(authority, periods, now),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
