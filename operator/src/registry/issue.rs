//! Makes what is random or signed: passwords, htpasswd entries, certificates. Each is made once and then kept for as
//! long as it is right, so that a reconciliation without a reason changes nothing.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};

use super::{
    authority::{self, Authority, Periods, Seen},
    build::Objects,
    certificates::{self, CertificateError, KeyPair, SERVING_LIFETIME},
    chain,
    credentials::{ADMIN, PULL, Password, text},
    htpasswd,
    validate::{Certificate, Validated},
};
use crate::{
    children::{ChildId, Children},
    metadata::Identity,
};

/// The secrets of a Registry.
#[derive(Debug)]
pub struct Issued {
    /// Of the user `admin`.
    pub admin: Password,
    /// Of the user `pull`.
    pub pull: Password,
    /// The users file of the registry.
    pub htpasswd: String,
    /// The certificates.
    pub certificates: Certificates,
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
    periods: Periods,
    now: Timestamp,
) -> Result<Issued, IssueError> {
    let ids = Objects::ids(&validated.identity);
    let secret = |id: &ChildId| children.get::<Secret>(&id.name);
    let admin = Password::kept_or_new(secret(&ids.admin).as_ref())?;
    let pull = Password::kept_or_new(secret(&ids.pull).as_ref())?;
    let file = secret(&ids.auth).and_then(|auth| text(&auth, "htpasswd")).unwrap_or_default();
    let htpasswd = users(&file, &admin, &pull, validated.access.users.as_deref())?;
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
            };
            own(&validated.identity, names, &seen, periods, now)?
        }
    };
    Ok(Issued { admin, pull, htpasswd, certificates })
}

fn users(
    file: &str,
    admin: &Password,
    pull: &Password,
    others: Option<&[String]>,
) -> Result<String, IssueError> {
    let mut lines =
        vec![htpasswd::entry(file, ADMIN, admin.as_str())?, htpasswd::entry(file, PULL, pull.as_str())?];
    lines.extend(others.map_or_else(|| htpasswd::lines_of_others(file), <[String]>::to_vec));
    Ok(lines.join("\n") + "\n")
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
mod tests {
    use k8s_openapi::ByteString;
    use kube::api::DynamicObject;
    use serde_json::json;

    use super::{certificates::days, *};
    use crate::{
        children::Kind,
        fixtures::{settings, validated},
    };

    fn now() -> Timestamp {
        "2026-03-01T00:00:00Z".parse().unwrap()
    }

    fn periods() -> Periods {
        settings().rotation
    }

    /// The Secrets as they are after `issued` was applied.
    fn stored(issued: &Issued) -> Children {
        let Certificates::Own { authority, bundle, serving } = &issued.certificates else {
            panic!("{issued:?}")
        };
        let ca = bundle.as_str();
        let mut children = Children::default();
        for (name, data) in [
            ("hub-ca", vec![("tls.crt", ca), ("tls.key", &authority.signing.key)]),
            ("hub-tls", vec![("tls.crt", &serving.certificate), ("tls.key", &serving.key), ("ca.crt", ca)]),
            ("hub-admin", vec![("password", issued.admin.as_str())]),
            ("hub-pull", vec![("password", issued.pull.as_str())]),
            ("hub-auth", vec![("htpasswd", &issued.htpasswd)]),
        ] {
            children.insert(ChildId::new(Kind::Secret, name.to_owned()), secret(name, &data));
        }
        children
    }

    fn secret(name: &str, data: &[(&str, &str)]) -> DynamicObject {
        let data: serde_json::Map<_, _> = data
            .iter()
            .map(|(key, value)| ((*key).to_owned(), json!(ByteString(value.as_bytes().to_vec()))))
            .collect();
        serde_json::from_value(
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}),
        )
        .unwrap()
    }

    fn serving(issued: &Issued) -> &KeyPair {
        match &issued.certificates {
            Certificates::Own { serving, .. } => serving,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_was_issued_is_kept() {
        let first = issue(&validated("{}"), &Children::default(), periods(), now()).unwrap();
        let second = issue(&validated("{}"), &stored(&first), periods(), now() + days(1)).unwrap();
        assert_eq!(first.admin, second.admin);
        assert_eq!(first.pull, second.pull);
        assert_eq!(first.htpasswd, second.htpasswd);
        assert_eq!(serving(&first), serving(&second));
        assert_eq!(first.certificates.ca(), second.certificates.ca());
    }

    #[test]
    fn a_serving_certificate_is_renewed_after_two_thirds_of_its_life() {
        let first = issue(&validated("{}"), &Children::default(), periods(), now()).unwrap();
        let before = issue(&validated("{}"), &stored(&first), periods(), now() + days(59)).unwrap();
        let after = issue(&validated("{}"), &stored(&first), periods(), now() + days(61)).unwrap();
        assert_eq!(serving(&first), serving(&before));
        assert_ne!(serving(&first), serving(&after));
        assert_eq!(first.certificates.ca(), after.certificates.ca());
        assert_eq!(next_look(&first.certificates, now()), Some(days(60)));
    }

    #[test]
    fn another_name_in_the_spec_gives_another_certificate_of_the_same_authority() {
        let first = issue(&validated("{}"), &Children::default(), periods(), now()).unwrap();
        let second =
            issue(&validated("{tls: {sans: [hub.example]}}"), &stored(&first), periods(), now()).unwrap();
        assert!(certificates::is_valid_for(&serving(&second).certificate, "hub.example"));
        assert_eq!(first.certificates.ca(), second.certificates.ca());
    }

    #[test]
    fn a_lost_authority_stays_trusted_beside_the_next_one_while_its_certificate_is_served() {
        let first = issue(&validated("{}"), &Children::default(), periods(), now()).unwrap();
        let mut children = stored(&first);
        children.remove(&ChildId::new(Kind::Secret, "hub-ca".to_owned()));
        let second = issue(&validated("{}"), &children, periods(), now()).unwrap();
        assert_eq!(serving(&first), serving(&second));
        let (old, both) = (first.certificates.ca().unwrap(), second.certificates.ca().unwrap());
        assert!(both.starts_with(old) && both.len() > old.len());
    }

    #[test]
    fn the_next_look_is_for_the_next_step_of_a_rotation() {
        let rotating = validated("{}");
        let first = issue(&rotating, &Children::default(), periods(), now()).unwrap();
        assert_eq!(next_step(&first.certificates, periods(), now()), None);
        let mut children = stored(&first);
        children.remove(&ChildId::new(Kind::Secret, "hub-ca".to_owned()));
        let second = issue(&rotating, &children, periods(), now()).unwrap();
        assert_eq!(next_step(&second.certificates, periods(), now()), Some(periods().trust));
    }

    #[test]
    fn a_lost_users_file_is_made_again_from_the_passwords() {
        let first = issue(&validated("{}"), &Children::default(), periods(), now()).unwrap();
        let mut children = stored(&first);
        children.remove(&ChildId::new(Kind::Secret, "hub-auth".to_owned()));
        let second = issue(&validated("{}"), &children, periods(), now()).unwrap();
        let (_, hash) = second.htpasswd.lines().next().unwrap().split_once(':').unwrap();
        assert!(bcrypt::verify(first.admin.as_str(), hash).unwrap());
    }

    #[test]
    fn users_stay_while_their_secret_is_unusable() {
        let admin = Password::kept_or_new(None).unwrap();
        let file = users("", &admin, &admin, Some(&["ci:hash".to_owned()])).unwrap();
        assert_eq!(users(&file, &admin, &admin, None).unwrap(), file);
        assert!(!users(&file, &admin, &admin, Some(&[])).unwrap().contains("ci:"));
    }
}
