//! What becomes of a RegistryAccess, from what was observed. Pure.

use berth_crds::{Reason, RegistryAccess};
use jiff::Timestamp;
use kube::ResourceExt;

use super::observe::Observed;
use crate::registry::{
    accounts::{Accounts, Credential},
    credentials::text,
    observe::registry_of,
    validate::{
        self, Finding,
        consent::{Surroundings, consent, user_name},
        users_stored,
    },
};

/// What is known of a RegistryAccess.
#[derive(Debug)]
pub(super) struct Judged {
    /// The name that it logs in with.
    pub(super) user: String,
    /// The names of the Registry in image references, that of `status.host` first; none without a Registry.
    pub(super) hosts: Vec<String>,
    /// The password to hand out, and the authority to trust. `None` leaves the Secret as it is.
    pub(super) login: Option<(Credential, Option<String>)>,
    /// When the rights end.
    pub(super) until: Option<Timestamp>,
    /// For the condition `Ready`.
    pub(super) finding: Finding,
}

pub(super) fn judge(access: &RegistryAccess, observed: &Observed, now: Timestamp) -> Judged {
    let user = user_name(access);
    let nothing =
        |finding| Judged { user: user.clone(), hosts: Vec::new(), login: None, until: None, finding };
    let Some(registry) = &observed.registry else {
        let (namespace, name) = registry_of(access);
        return nothing(Finding::bad(
            Reason::RegistryNotFound,
            format!(
                "there is no Registry {name} in the namespace {namespace}, or this operator does not look there"
            ),
        ));
    };
    let hosts = validate::hosts_of(registry);
    let users = observed.auth.as_ref().map(users_stored).unwrap_or_default();
    let around = Surroundings { labels: observed.labels.as_ref(), users: &users, now };
    let rights = match consent(registry, access, around) {
        Ok(rights) => rights,
        Err(finding) => return Judged { hosts, ..nothing(finding) },
    };
    let accounts = Accounts::stored(observed.accounts.as_ref());
    let account = accounts.get(&user).filter(|account| account.belongs_to(&access.uid().unwrap_or_default()));
    let current = account.and_then(|account| account.current()).cloned();
    let ca = observed.certificate.as_ref().and_then(|certificate| text(certificate, "ca.crt"));
    let has_password = current.is_some() || !access.spec.secret.create;
    let finding = if has_password && account.is_some_and(|account| account.knows(&rights.rules)) {
        Finding::good(Reason::Acknowledged, "the rights are in force at every replica")
    } else {
        Finding::bad(Reason::Propagating, "the rights are on their way to the replicas")
    };
    Judged { user, hosts, login: current.map(|current| (current, ca)), until: rights.until, finding }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixtures::{access, registry},
        registry::credentials::tests::secret,
    };

    const ASKED: &str = "{allow: [{repositories: [default/**]}]}";

    fn judged(accounts: Option<&str>) -> Judged {
        let observed = Observed {
            registry: Some(registry("{}")),
            accounts: accounts.map(|accounts| secret([("accounts.json", accounts)])),
            certificate: Some(secret([("ca.crt", "CA")])),
            ..Observed::default()
        };
        judge(&access("default", "ci", ASKED), &observed, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_registry_that_is_not_there_is_named() {
        let judged = judge(&access("team-a", "ci", ASKED), &Observed::default(), Timestamp::UNIX_EPOCH);
        assert_eq!(judged.finding.reason, Reason::RegistryNotFound);
        assert!(judged.finding.message.contains("Registry hub in the namespace default"));
    }

    #[test]
    fn nothing_is_ready_before_every_replica_knows_the_rights() {
        assert_eq!(judged(None).finding.reason, Reason::Propagating);
        let current = r#""current": {"password": "p", "since": "2026-03-01T00:00:00Z"}"#;
        let other =
            format!(r#"{{"default.ci": {{"uid": "default-ci", {current}, "acknowledged": "of before"}}}}"#);
        let judged_of_other = judged(Some(&other));
        assert_eq!(judged_of_other.finding.reason, Reason::Propagating);
        assert!(judged_of_other.login.is_some(), "the password is good already");
        let stranger = format!(r#"{{"default.ci": {{"uid": "of another", {current}}}}}"#);
        assert!(judged(Some(&stranger)).login.is_none(), "the password of a namesake that is gone");
    }

    #[test]
    fn without_consent_the_secret_stays_as_it_is() {
        let observed = Observed { registry: Some(registry("{}")), ..Observed::default() };
        let judged = judge(&access("team-a", "ci", ASKED), &observed, Timestamp::UNIX_EPOCH);
        assert_eq!(judged.finding.reason, Reason::NotAllowedByRegistry);
        assert!(judged.login.is_none());
        assert_eq!(judged.hosts, ["hub.default.svc"]);
    }
}
