//! What a Registry tells about the rotation of its authority.

use berth_crds::{
    Reason,
    annotation::ROTATE_CA,
    rotation::{CaRotation, RotationPhase},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{Authority, Periods, Phase};
use crate::registry::validate::Finding;

/// For the condition `TLSReady`, while a rotation is running.
pub fn finding(authority: &Authority, request: Option<&str>, periods: Periods) -> Option<Finding> {
    let rotation = authority.rotation.as_ref()?;
    let end = rotation.end(periods)?;
    let message = match rotation.phase {
        Phase::Trusting { .. } if authority.is_lost() => format!(
            "the key of the certificate authority was lost; a new authority is published beside it in ca.crt, and \
             signs from {end} on"
        ),
        Phase::Trusting { .. } => format!(
            "the next certificate authority is published beside the present one in ca.crt, and signs from {end} on"
        ),
        _ => format!(
            "the new certificate authority signs; the previous one stays in ca.crt beside it until {end}"
        ),
    };
    let reason = if authority.is_lost() { Reason::AuthorityLost } else { Reason::RotatingCa };
    Some(Finding::good(reason, format!("{message}{}", waiting(authority, request))))
}

fn waiting(authority: &Authority, request: Option<&str>) -> String {
    match request {
        Some(request) if authority.request.as_deref() != Some(request) => {
            format!("; then follows the rotation that {ROTATE_CA} asks for")
        }
        _ => String::new(),
    }
}

/// For `status.tls.rotation`.
pub fn status(authority: &Authority) -> Option<CaRotation> {
    let rotation = authority.rotation.as_ref()?;
    let phase = match rotation.phase {
        Phase::Trusting { .. } => RotationPhase::Trusting,
        Phase::Serving { .. } => RotationPhase::Serving,
        Phase::Done => RotationPhase::Done,
    };
    Some(CaRotation { phase, since: Time(rotation.since), request: authority.request.clone() })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::registry::{
        authority::Rotation,
        certificates::{self, KeyPair},
    };

    fn since() -> Timestamp {
        "2026-03-01T00:00:00Z".parse().unwrap()
    }

    fn in_phase(phase: Phase) -> Authority {
        let signing = certificates::issue_authority("hub", None, since()).unwrap();
        Authority { signing, rotation: Some(Rotation::new(phase, since())), request: Some("1".to_owned()) }
    }

    fn told(authority: &Authority) -> Option<String> {
        let periods = Periods { trust: Duration::from_hours(1), grace: Duration::from_hours(24) };
        finding(authority, Some("1"), periods)
            .map(|finding| format!("{}: {}", finding.reason, finding.message))
    }

    #[test]
    fn a_rotation_tells_when_its_phase_ends() {
        let next = KeyPair { certificate: String::new(), key: String::new() };
        let trusting = told(&in_phase(Phase::Trusting { next })).unwrap();
        assert!(trusting.starts_with("RotatingCA: ") && trusting.ends_with("from 2026-03-01T01:00:00Z on"));
        let serving = told(&in_phase(Phase::Serving { previous: String::new() })).unwrap();
        assert!(serving.ends_with("until 2026-03-02T00:00:00Z"), "{serving}");
        assert_eq!(told(&in_phase(Phase::Done)), None);
    }

    #[test]
    fn the_status_shows_the_phase_and_the_request_that_was_heeded() {
        let shown = status(&in_phase(Phase::Done)).unwrap();
        assert_eq!((shown.phase, shown.since.0), (RotationPhase::Done, since()));
        assert_eq!(shown.request.as_deref(), Some("1"));
        assert_eq!(status(&Authority { rotation: None, ..in_phase(Phase::Done) }), None);
    }
}
