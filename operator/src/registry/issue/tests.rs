//! What is issued, kept and renewed, told by the day.

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
    let Certificates::Own { authority, bundle, serving } = &issued.certificates else { panic!("{issued:?}") };
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
    let first = issue(&validated("{}"), &Children::default(), &Loaded::default(), periods(), now()).unwrap();
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
    let first = issue(&validated("{}"), &Children::default(), &Loaded::default(), periods(), now()).unwrap();
    let before =
        issue(&validated("{}"), &stored(&first), &Loaded::default(), periods(), now() + days(59)).unwrap();
    let after =
        issue(&validated("{}"), &stored(&first), &Loaded::default(), periods(), now() + days(61)).unwrap();
    assert_eq!(serving(&first), serving(&before));
    assert_ne!(serving(&first), serving(&after));
    assert_eq!(first.certificates.ca(), after.certificates.ca());
    assert_eq!(next_look(&first.certificates, now()), Some(days(60)));
}

#[test]
fn another_name_in_the_spec_gives_another_certificate_of_the_same_authority() {
    let first = issue(&validated("{}"), &Children::default(), &Loaded::default(), periods(), now()).unwrap();
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
    let first = issue(&validated("{}"), &Children::default(), &Loaded::default(), periods(), now()).unwrap();
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
    let first = issue(&validated("{}"), &Children::default(), &Loaded::default(), periods(), now()).unwrap();
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
    let first = issue(&validated("{}"), &Children::default(), &Loaded::default(), periods(), now()).unwrap();
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
    assert_eq!(first.auth, second.auth, "the next password has become the current one, and its line stays");
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
