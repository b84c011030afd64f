//! How much room the rights of one namespace, and of all, take in a Registry's Secrets. A Secret holds 1 MiB; one that is full
//! would keep every later change from the replicas, a revocation too.

use std::collections::HashMap;

use berth_crds::Reason;
use serde_json::json;

use super::{Finding, applicants::Applicant, consent::Rights};

/// The most that the rights of all namespaces take, in bytes.
const OF_ALL: usize = 640 << 10;

/// The most that those of one namespace take.
const OF_NAMESPACE: usize = 64 << 10;

/// What the lines of one user take while its password is being replaced.
const LINES: usize = 600;

/// Takes the rights from those for which there is no room: the last to come.
pub(super) fn ration(applicants: &mut [Applicant]) {
    let mut order: Vec<&mut Applicant> = applicants.iter_mut().collect();
    order.sort_by_cached_key(|applicant| (applicant.since, applicant.user.clone()));
    let (mut of_all, mut of_namespace) = (0, HashMap::<String, usize>::new());
    for applicant in order {
        let Ok(rights) = &applicant.rights else { continue };
        let size = size(rights);
        let used = of_namespace.entry(applicant.namespace().to_owned()).or_default();
        if *used + size > OF_NAMESPACE || of_all + size > OF_ALL {
            applicant.rights = Err(Finding::bad(
                Reason::NotAllowedByRegistry,
                "there is no room for more rights: let the namespace have fewer of them, or shorter ones",
            ));
        } else {
            *used += size;
            of_all += size;
        }
    }
}

fn size(rights: &Rights) -> usize {
    LINES + format!("{:#}", json!([[rights.rules]])).len()
}

#[cfg(test)]
mod tests {
    use super::super::applicants::tests::applicant;

    use super::*;

    fn granted(applicants: &[Applicant]) -> Vec<&str> {
        applicants.iter().filter(|one| one.rights.is_ok()).map(|one| one.user.as_str()).collect()
    }

    #[test]
    fn who_comes_last_gets_nothing_and_takes_nothing_from_other_namespaces() {
        let many = (0..200).map(|number| applicant("team-a", &format!("ci-{number:03}"), number));
        let mut applicants: Vec<Applicant> = many.chain([applicant("team-b", "ci", 1000)]).collect();
        ration(&mut applicants);
        let granted = granted(&applicants);
        assert!(granted.len() > 50 && granted.len() < 110, "{}", granted.len());
        assert!(granted.contains(&"team-a.ci-000") && !granted.contains(&"team-a.ci-199"));
        assert!(granted.contains(&"team-b.ci"));
    }

    #[test]
    fn all_namespaces_together_leave_the_secrets_room() {
        let one = |namespace: i64| {
            (0..50).map(move |number| {
                applicant(&format!("team-{namespace}"), &format!("ci-{number}"), namespace)
            })
        };
        let mut applicants: Vec<Applicant> = (0..40).flat_map(one).collect();
        ration(&mut applicants);
        let rights = applicants.iter().filter_map(|one| one.rights.as_ref().ok());
        assert!(rights.map(size).sum::<usize>() <= OF_ALL);
        assert!(granted(&applicants).contains(&"team-0.ci-49"));
    }
}
