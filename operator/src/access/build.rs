//! The Secret of a RegistryAccess. Pure.

use berth_crds::RegistryAccess;
use kube::ResourceExt;
use serde_json::Value;

use super::judge::Judged;
use crate::{
    apply::Desired,
    children::{ChildId, Children, Kind},
    metadata::{ACCESS, Identity, MANAGED_BY, OPERATOR},
    registry::build::secret::{Login, login},
};

/// The name of the Secret with the password.
pub(super) fn secret_name(access: &RegistryAccess) -> String {
    access.spec.secret.name.clone().unwrap_or_else(|| format!("{}-registry", access.name_any()))
}

/// What selects the Secrets of a RegistryAccess.
pub(super) fn selector(access: &RegistryAccess) -> String {
    format!("{MANAGED_BY}={OPERATOR},{ACCESS}={}", access.name_any())
}

/// What becomes of each Secret: the one with the password, and those that had another name before.
pub(super) fn steps(
    access: &RegistryAccess,
    identity: &Identity,
    judged: &Judged,
    secrets: &Children,
) -> Vec<(ChildId, Desired<Value>)> {
    let id = ChildId::new(Kind::Secret, secret_name(access));
    let wanted = match &judged.login {
        _ if !access.spec.secret.create => Desired::Absent,
        Some(_) => secret(identity, &id, judged).map_or(Desired::AsIs, Desired::Present),
        None => Desired::AsIs,
    };
    let renamed = wanted != Desired::AsIs;
    let others = secrets.iter().map(|(other, _)| other.clone()).filter(|other| renamed && *other != id);
    let others: Vec<_> = others.map(|other| (other, Desired::Absent)).collect();
    std::iter::once((id, wanted)).chain(others).collect()
}

fn secret(identity: &Identity, id: &ChildId, judged: &Judged) -> Option<Value> {
    let (current, ca) = judged.login.as_ref()?;
    let hosts: Vec<&str> = judged.hosts.iter().map(String::as_str).collect();
    let login_with =
        Login { hosts: &hosts, user: &judged.user, password: &current.password, ca: ca.as_deref() };
    Some(login(&identity.owned(id.name.clone()), login_with))
}

#[cfg(test)]
mod tests {
    use berth_crds::Reason;
    use serde_json::json;

    use super::*;
    use crate::{
        fixtures,
        registry::{accounts::Credential, credentials::Password, validate::Finding},
    };

    fn judged(with_password: bool) -> Judged {
        let password =
            Password::held_by(Some(&crate::registry::credentials::tests::secret([("password", "p")])));
        let since = jiff::Timestamp::UNIX_EPOCH;
        let current = password.map(|password| Credential { password, since });
        Judged {
            user: "team-a.ci".to_owned(),
            hosts: vec!["hub.default.svc".to_owned()],
            login: current.filter(|_| with_password).map(|current| (current, None)),
            until: None,
            finding: Finding::good(Reason::Acknowledged, ""),
        }
    }

    fn steps_of(spec: &str, with_password: bool) -> Vec<(String, Desired<Value>)> {
        let access = fixtures::access("team-a", "ci", spec);
        let mut secrets = Children::default();
        let before = json!({"metadata": {"name": "before"}});
        secrets
            .insert(ChildId::new(Kind::Secret, "before".to_owned()), serde_json::from_value(before).unwrap());
        let steps = steps(&access, &Identity::of_access(&access), &judged(with_password), &secrets);
        steps.into_iter().map(|(id, desired)| (id.name, desired)).collect()
    }

    const ASKED: &str = "{allow: [{repositories: [x]}]}";

    #[test]
    fn the_secret_belongs_to_the_access_and_replaces_one_of_another_name() {
        let steps = steps_of(ASKED, true);
        let Desired::Present(secret) = &steps[0].1 else { panic!("{steps:?}") };
        assert_eq!(secret["metadata"]["name"], "ci-registry");
        assert_eq!(secret["metadata"]["labels"][ACCESS], "ci");
        let owner = &secret["metadata"]["ownerReferences"][0];
        assert_eq!((&owner["kind"], &owner["uid"]), (&json!("RegistryAccess"), &json!("team-a-ci")));
        assert_eq!(steps[1], ("before".to_owned(), Desired::Absent));
        assert_eq!(steps_of("{allow: [{repositories: [x]}], secret: {name: login}}", true)[0].0, "login");
    }

    #[test]
    fn without_a_password_to_hand_out_everything_stays() {
        assert_eq!(steps_of(ASKED, false), [("ci-registry".to_owned(), Desired::AsIs)]);
    }

    #[test]
    fn a_secret_that_is_not_wanted_goes() {
        let steps = steps_of("{allow: [{repositories: [x]}], secret: {create: false}}", false);
        assert!(steps.iter().all(|(_, desired)| *desired == Desired::Absent));
    }
}
