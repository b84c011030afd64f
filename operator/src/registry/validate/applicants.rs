//! The RegistryAccesses that refer to a Registry, and which of them it consents to.

use std::{collections::BTreeMap, time::Duration};

use berth_crds::{Reason, Registry, RegistryAccess, annotation::ROTATE};
use jiff::Timestamp;
use kube::ResourceExt;

use super::{
    Finding,
    consent::{Labels, Rights, Surroundings, consent, user_name},
    room::ration,
};
use crate::registry::{accounts::Terms, build::access_rules::Rule, observe::GuardedAccess};

/// A RegistryAccess, as the Registry sees it.
#[derive(Debug, Clone)]
pub struct Applicant {
    /// The name that it logs in with.
    pub user: String,
    /// Which object it is.
    pub uid: String,
    /// Since when it exists.
    pub since: Option<Timestamp>,
    /// Its rights, or why it has none.
    pub rights: Result<Rights, Finding>,
    /// How old its password gets; `None` if it wants none.
    life: Option<Duration>,
    request: Option<String>,
}

impl Applicant {
    /// Its namespace, which the name of the user begins with.
    pub fn namespace(&self) -> &str {
        self.user.split('.').next().unwrap_or_default()
    }

    /// When its password is replaced; `None` if it has none.
    pub fn terms(&self) -> Option<Terms<'_>> {
        Some(Terms { life: self.life?, by_itself: true, request: self.request.as_deref() })
    }
}

pub(super) fn validate(
    registry: &Registry,
    accesses: &[GuardedAccess],
    namespaces: &BTreeMap<String, Labels>,
    users: &[String],
    now: Timestamp,
) -> Vec<Applicant> {
    let mut applicants: Vec<Applicant> = accesses
        .iter()
        .map(|access| match &access.0 {
            Ok(access) => {
                let labels = access.namespace().and_then(|namespace| namespaces.get(&namespace));
                applicant(registry, access, Surroundings { labels, users, now })
            }
            // Its account is not lost for that.
            Err(unreadable) => Applicant {
                user: format!("{}.{}", access.namespace().unwrap_or_default(), access.name_any()),
                uid: access.uid().unwrap_or_default(),
                since: access.creation_timestamp().map(|time| time.0),
                rights: Err(Finding::bad(Reason::InvalidSpec, unreadable.error.clone())),
                life: None,
                request: None,
            },
        })
        .collect();
    applicants.sort_by(|one, other| one.user.cmp(&other.user));
    ration(&mut applicants);
    applicants
}

fn applicant(registry: &Registry, access: &RegistryAccess, around: Surroundings<'_>) -> Applicant {
    let secret = &access.spec.secret;
    Applicant {
        user: user_name(access),
        uid: access.uid().unwrap_or_default(),
        since: access.creation_timestamp().map(|time| time.0),
        rights: consent(registry, access, around),
        life: secret.create.then(|| hours(&secret.rotate_every)),
        request: access.annotations().get(ROTATE).cloned(),
    }
}

/// The schema lets only whole hours through.
fn hours(text: &str) -> Duration {
    let hours = text.strip_suffix('h').and_then(|hours| hours.parse().ok());
    Duration::from_hours(hours.unwrap_or(720))
}

/// The rules of those that the Registry consents to.
pub fn granted(applicants: &[Applicant]) -> Vec<Rule> {
    let rights = applicants.iter().filter_map(|applicant| applicant.rights.as_ref().ok());
    rights.flat_map(|rights| rights.rules.clone()).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use kube::core::DeserializeGuard;

    use super::*;
    use crate::fixtures::{access, registry};

    /// One that has rights, since so many seconds.
    pub(in super::super) fn applicant(namespace: &str, name: &str, since: i64) -> Applicant {
        let asked = format!("{{allow: [{{repositories: [{namespace}/**]}}]}}");
        let registry = registry("{access: {allowed: {from: All}}}");
        let around = Surroundings { labels: None, users: &[], now: Timestamp::UNIX_EPOCH };
        let since = Timestamp::from_second(since).ok();
        Applicant { since, ..super::applicant(&registry, &access(namespace, name, &asked), around) }
    }

    fn applicants(spec: &str, accesses: &[GuardedAccess]) -> Vec<Applicant> {
        validate(&registry(spec), accesses, &BTreeMap::new(), &[], Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn one_that_cannot_be_read_takes_no_rights_from_the_others() {
        let mut unreadable =
            serde_json::to_value(access("team-b", "ci", "{allow: [{repositories: [x]}]}")).unwrap();
        unreadable["spec"]["allow"] = "everything".into();
        let asked = "{allow: [{repositories: [team-a/**]}]}";
        let accesses = [
            serde_json::from_value(unreadable).unwrap(),
            DeserializeGuard(Ok(access("team-a", "ci", asked))),
        ];
        let applicants = applicants("{access: {allowed: {from: All}}}", &accesses);
        assert!(applicants[0].rights.is_ok() && applicants[1].rights.is_err());
        assert_eq!(applicants[1].user, "team-b.ci");
        assert_eq!(granted(&applicants).len(), 1);
    }

    #[test]
    fn without_a_secret_there_is_no_password_to_replace() {
        let of =
            |spec: &str| applicants("{}", &[DeserializeGuard(Ok(access("default", "ci", spec)))]).remove(0);
        let with = of("{allow: [{repositories: [x]}], secret: {rotateEvery: 48h}}");
        assert_eq!(with.terms().map(|terms| terms.life), Some(Duration::from_hours(48)));
        assert!(of("{allow: [{repositories: [x]}], secret: {create: false}}").terms().is_none());
    }
}
