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
