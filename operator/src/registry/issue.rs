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
        access_rules::{Subjects, access_rules},
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
        anonymous_pull: validated.spec.access.anonymous_pull,
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
mod tests {
    use k8s_openapi::ByteString;
    use kube::{api::DynamicObject, core::DeserializeGuard};
    use serde_json::json;

    use super::{certificates::days, *};
    use crate::{
        children::Kind,
        fixtures::{access, registry, settings, validated},
        registry::{
            accounts::KEY,
            observe::Observed,
            validate::{self, USERS},
        },
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
            ("hub-accounts", vec![(KEY, &issued.accounts.document())]),
            (
                "hub-auth",
                vec![
                    ("htpasswd", &issued.auth.htpasswd),
                    (ACCESS_RULES, &issued.auth.access_rules),
                    (USERS, &issued.auth.users),
                ],
            ),
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
        let first =
            issue(&validated("{}"), &Children::default(), &Loaded::default(), periods(), now()).unwrap();
        let second =
            issue(&validated("{}"), &stored(&first), &Loaded::default(), periods(), now() + days(1)).unwrap();
        assert_eq!(first.admin, second.admin);
        assert_eq!(first.pull, second.pull);
        assert_eq!(first.auth, second.auth);
        assert_eq!(serving(&first), serving(&second));
        assert_eq!(first.certificates.ca(), second.certificates.ca());
    }

    #[test]
    fn a_serving_certificate_is_renewed_after_two_thirds_of_its_life() {
        let first =
            issue(&validated("{}"), &Children::default(), &Loaded::default(), periods(), now()).unwrap();
        let before =
            issue(&validated("{}"), &stored(&first), &Loaded::default(), periods(), now() + days(59))
                .unwrap();
        let after = issue(&validated("{}"), &stored(&first), &Loaded::default(), periods(), now() + days(61))
            .unwrap();
        assert_eq!(serving(&first), serving(&before));
        assert_ne!(serving(&first), serving(&after));
        assert_eq!(first.certificates.ca(), after.certificates.ca());
        assert_eq!(next_look(&first.certificates, now()), Some(days(60)));
    }

    #[test]
    fn another_name_in_the_spec_gives_another_certificate_of_the_same_authority() {
        let first =
            issue(&validated("{}"), &Children::default(), &Loaded::default(), periods(), now()).unwrap();
        let second = issue(
            &validated("{tls: {sans: [hub.example]}}"),
            &stored(&first),
            &Loaded::default(),
            periods(),
            now(),
        )
        .unwrap();
        assert!(certificates::is_valid_for(&serving(&second).certificate, "hub.example"));
        assert_eq!(first.certificates.ca(), second.certificates.ca());
    }

    #[test]
    fn a_lost_authority_stays_trusted_beside_the_next_one_while_its_certificate_is_served() {
        let first =
            issue(&validated("{}"), &Children::default(), &Loaded::default(), periods(), now()).unwrap();
        let mut children = stored(&first);
        children.remove(&ChildId::new(Kind::Secret, "hub-ca".to_owned()));
        let second = issue(&validated("{}"), &children, &Loaded::default(), periods(), now()).unwrap();
        assert_eq!(serving(&first), serving(&second));
        let (old, both) = (first.certificates.ca().unwrap(), second.certificates.ca().unwrap());
        assert!(both.starts_with(old) && both.len() > old.len());
    }

    #[test]
    fn the_next_look_is_for_the_next_step_of_a_rotation() {
        let rotating = validated("{}");
        let first = issue(&rotating, &Children::default(), &Loaded::default(), periods(), now()).unwrap();
        assert_eq!(next_step(&first.certificates, periods(), now()), None);
        let mut children = stored(&first);
        children.remove(&ChildId::new(Kind::Secret, "hub-ca".to_owned()));
        let second = issue(&rotating, &children, &Loaded::default(), periods(), now()).unwrap();
        assert_eq!(next_step(&second.certificates, periods(), now()), Some(periods().trust));
    }

    #[test]
    fn lost_accounts_take_the_passwords_of_the_generated_users_over() {
        let first =
            issue(&validated("{}"), &Children::default(), &Loaded::default(), periods(), now()).unwrap();
        let mut children = stored(&first);
        children.remove(&ChildId::new(Kind::Secret, "hub-accounts".to_owned()));
        assert_eq!(
            issue(&validated("{}"), &children, &Loaded::default(), periods(), now()).unwrap().auth,
            first.auth
        );
    }

    #[test]
    fn a_request_replaces_the_passwords_of_the_generated_users_when_the_replicas_have_the_next_ones() {
        let mut asked = validated("{}");
        let first = issue(&asked, &Children::default(), &Loaded::default(), periods(), now()).unwrap();
        asked.rotate_request = Some("1".to_owned());
        let added = issue(&asked, &stored(&first), &Loaded::default(), periods(), now()).unwrap();
        assert_eq!((&added.admin, &added.pull), (&first.admin, &first.pull));
        assert_eq!(added.auth.htpasswd.matches("admin:").count(), 2);
        let replaced = issue(&asked, &stored(&added), &Loaded::default(), periods(), now()).unwrap();
        assert!(replaced.admin != first.admin && replaced.pull != first.pull);
        assert_eq!(replaced.auth.htpasswd.matches("admin:").count(), 2, "the one before is still good");
        assert_eq!(replaced.accounts.request(ADMIN).as_deref(), Some("1"));
        let over = issue(&asked, &stored(&replaced), &Loaded::default(), periods(), now() + days(4)).unwrap();
        assert_eq!(over.auth.htpasswd.matches("admin:").count(), 1);
        assert_eq!(over.admin, replaced.admin);
    }

    #[test]
    fn a_lost_users_file_is_made_again_from_the_passwords() {
        let first =
            issue(&validated("{}"), &Children::default(), &Loaded::default(), periods(), now()).unwrap();
        let mut children = stored(&first);
        children.remove(&ChildId::new(Kind::Secret, "hub-auth".to_owned()));
        let second = issue(&validated("{}"), &children, &Loaded::default(), periods(), now()).unwrap();
        let (_, hash) = second.auth.htpasswd.lines().next().unwrap().split_once(':').unwrap();
        assert!(bcrypt::verify(first.admin.as_str(), hash).unwrap());
    }

    #[test]
    fn users_stay_while_their_secret_is_unusable() {
        let mut with_user = validated("{access: {htpasswdSecretName: team}}");
        with_user.access.users = Some(vec!["ci:hash".to_owned()]);
        let first = issue(&with_user, &Children::default(), &Loaded::default(), periods(), now()).unwrap();
        assert!(first.auth.htpasswd.ends_with("\nci:hash\n") && first.auth.access_rules.contains("\"ci\""));
        let unusable = validated("{access: {htpasswdSecretName: team}}");
        assert_eq!(unusable.access.users, None);
        let second = issue(&unusable, &stored(&first), &Loaded::default(), periods(), now()).unwrap();
        assert_eq!(first.auth, second.auth);
        let none = issue(&validated("{}"), &stored(&first), &Loaded::default(), periods(), now()).unwrap();
        assert!(!none.auth.htpasswd.contains("ci:") && none.auth.users.is_empty());
    }

    /// What comes out for the RegistryAccess `ci` of the Registry's own namespace.
    fn claimed(children: Children, spec: &str, now: Timestamp) -> Issued {
        let accesses = vec![DeserializeGuard(Ok(access("default", "ci", spec)))];
        let observed = Observed { children, accesses, ..Observed::default() };
        let validated = validate::validate(&registry("{}"), &observed, now);
        issue(&validated, &observed.children, &Loaded::default(), periods(), now).unwrap()
    }

    const ASKED: &str =
        "{allow: [{repositories: [default/**], actions: [Pull, Push]}], expireTime: '2026-03-02T00:00:00Z'}";

    #[test]
    fn an_account_is_handed_out_when_the_replicas_have_its_line_and_its_rights() {
        let first = claimed(Children::default(), ASKED, now());
        let account = first.accounts.get("default.ci").unwrap();
        assert!(account.current().is_none() && first.auth.htpasswd.contains("\ndefault.ci:"));
        let second = claimed(stored(&first), ASKED, now());
        assert!(second.accounts.get("default.ci").unwrap().current().is_some());
        assert_eq!(
            first.auth, second.auth,
            "the next password has become the current one, and its line stays"
        );
        let third = claimed(stored(&second), ASKED, now());
        assert_eq!(second.accounts, third.accounts);
    }

    #[test]
    fn an_account_without_rights_opens_nothing_and_one_without_an_object_is_forgotten() {
        let first = claimed(Children::default(), ASKED, now());
        let second = claimed(stored(&first), ASKED, now());
        let over = claimed(stored(&second), ASKED, now() + days(1));
        assert!(!over.auth.htpasswd.contains("default.ci") && !over.auth.access_rules.contains("default.ci"));
        let kept = over.accounts.get("default.ci").unwrap();
        assert_eq!(kept.current(), second.accounts.get("default.ci").unwrap().current());

        let gone = issue(&validated("{}"), &stored(&second), &Loaded::default(), periods(), now()).unwrap();
        assert!(gone.accounts.get("default.ci").is_none() && !gone.auth.htpasswd.contains("default.ci"));
    }
}
