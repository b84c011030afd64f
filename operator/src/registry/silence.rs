//! How long a Registry needs nothing, although nobody tells when that ends: certificates come of age, and passwords too.

use std::time::Duration;

use berth_crds::{Reason, RegistryStatus};
use jiff::Timestamp;

use super::{
    accounts::Accounts,
    authority::Periods,
    issue::{self, Certificates},
    validate::Validated,
};
use crate::{apis::UNSERVED_RETRY, lag};

/// It is looked at again after at most this long, and for a certificate's sake at least this much later.
const LONGEST: Duration = Duration::from_hours(12);
const SHORTEST: Duration = Duration::from_hours(1);

/// How often a certificate of cert-manager is looked at that does not come, and how often one that came: its objects are not
/// watched, because its API may come and go. What it stores is a Secret, and those are.
const IMPATIENCE: Duration = UNSERVED_RETRY;
const PATIENCE: Duration = Duration::from_mins(10);

/// The next step of a replacement is waited for at least this long.
const SHORTEST_STEP: Duration = Duration::from_secs(1);

/// For how long nothing has to be looked at, unless something changes.
pub(super) fn silence(
    validated: &Validated,
    certificates: &Certificates,
    accounts: &Accounts,
    periods: Periods,
) -> Duration {
    let now = Timestamp::now();
    let steps =
        [issue::next_step(certificates, periods, now), accounts.next_look(&validated.applicants, now)];
    let step = steps.into_iter().flatten().min().unwrap_or(LONGEST).max(SHORTEST_STEP);
    let renewal = issue::next_look(certificates, now).unwrap_or(LONGEST).clamp(SHORTEST, LONGEST);
    renewal.min(step).min(requested(validated)).min(unserved(validated))
}

/// How long until a copy begins to lag.
pub(super) fn turn_of_copies(validated: &Validated, status: &RegistryStatus) -> Duration {
    let copies = validated.spec.replication.as_ref().zip(status.replication.as_ref());
    let turn = copies.and_then(|(spec, status)| lag::next_turn(spec, &status.copies, Timestamp::now()));
    // A moment later, so that it does.
    turn.map_or(Duration::MAX, |turn| turn + SHORTEST_STEP)
}

/// How long a Registry whose certificate comes from cert-manager may go without a look.
fn requested(validated: &Validated) -> Duration {
    if validated.spec.tls.issuer_ref.is_none() {
        return Duration::MAX;
    }
    match validated.tls.finding.reason {
        Reason::CertificatePending | Reason::IssuerApiNotFound => IMPATIENCE,
        _ => PATIENCE,
    }
}

/// How long one that waits for an API may.
fn unserved(validated: &Validated) -> Duration {
    if validated.exposure.waits_for_api() { UNSERVED_RETRY } else { Duration::MAX }
}
