//! When an event is given up: the endpoint has refused it alone, again and again, and for a long time.

use std::time::Duration;

use hyper::StatusCode;
use tokio::time::Instant;

/// How often an event must be refused before it is given up,
const ATTEMPTS: u32 = 10;
/// and for how long.
const PATIENCE: Duration = Duration::from_mins(10);

/// Whether a status says that the request is at fault, and not the endpoint's moment.
pub(super) fn is_refusal(status: StatusCode) -> bool {
    let passing = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
    status.is_client_error() && !passing.contains(&status)
}

/// The refusals of one event.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    count: u32,
    since: Option<Instant>,
}

impl Refusals {
    /// Counts a refusal; `true` when the event shall be given up.
    pub(super) fn refused(&mut self, now: Instant) -> bool {
        let since = *self.since.get_or_insert(now);
        self.count = self.count.saturating_add(1);
        self.count >= ATTEMPTS && now.duration_since(since) >= PATIENCE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endpoint_is_not_blamed_for_a_bad_moment() {
        for status in [400, 401, 404, 413, 422] {
            assert!(is_refusal(StatusCode::from_u16(status).unwrap()), "{status}");
        }
        for status in [200, 302, 408, 429, 500, 503] {
            assert!(!is_refusal(StatusCode::from_u16(status).unwrap()), "{status}");
        }
    }

    #[test]
    fn an_event_is_given_up_after_many_refusals_over_a_long_time() {
        let start = Instant::now();
        let mut hurried = Refusals::default();
        assert!((0..1000).all(|_| !hurried.refused(start)), "a thousand refusals at once are one bad moment");
        assert!(hurried.refused(start + PATIENCE));

        let mut rare = Refusals::default();
        let times = (0..ATTEMPTS - 1).map(|number| start + PATIENCE * number);
        assert!(times.into_iter().all(|time| !rare.refused(time)), "a few refusals are too few");
        assert!(rare.refused(start + PATIENCE * ATTEMPTS));
    }
}
