//! How long a Registry needs nothing, although nobody tells when that ends: certificates come of age, and passwords too.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    accounts::Accounts,
    authority::Periods,
    cert_manager,
    issue::{self, Certificates},
    validate::Validated,
};

/// It is looked at again after at most this long, and for a certificate's sake at least this much later.
const LONGEST: Duration = Duration::from_hours(12);
const SHORTEST: Duration = Duration::from_hours(1);

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
    renewal.min(step).min(cert_manager::next_look(validated))
}
