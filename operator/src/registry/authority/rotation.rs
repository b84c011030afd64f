//! The steps of a rotation. Each is decided by what is stored and what is seen, and by the time.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;

use super::{Authority, Phase, Rotation, stored};
use crate::{
    nodes::Known,
    registry::{
        certificates::{self, CertificateError, KeyPair, days},
        chain,
        credentials::text,
    },
};

/// An authority is replaced by one with a new key when it has less than this left.
const ROTATION_MARGIN: Duration = days(365);

/// An authority that could not be replaced until it has less than this left is prolonged meanwhile: it gets a new
/// certificate for the same key, which needs no trust that is not there.
const PROLONGATION_MARGIN: Duration = days(180);

/// How much longer than others nodes are waited for.
const NODES_PATIENCE: Duration = days(1);

/// How often it is looked whether a node has answered that is waited for.
const NODES_RETRY: Duration = Duration::from_secs(10);

/// How exactly it is written down when a phase began. It is written again for as long as something is refused, and each
/// write causes another look.
const PRECISION: Duration = Duration::from_mins(1);

/// How long the phases of a rotation last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Periods {
    /// From the publication of the next authority until it signs. The kubelet brings a changed ConfigMap to pods within
    /// about two minutes; the rest is for what copies the authority elsewhere.
    pub trust: Duration,
    /// From the first certificate of the new authority until the previous one leaves. Every replica serves the new
    /// certificate within minutes; the rest is for a node that is cut off and comes back.
    pub grace: Duration,
}

/// What the next step depends on.
#[derive(Debug)]
pub struct Seen<'a> {
    /// The name of the Registry.
    pub name: &'a str,
    /// The value of the annotation that asks for a rotation.
    pub request: Option<&'a str>,
    /// Secret `NAME-ca`.
    pub stored: Option<&'a Secret>,
    /// Secret `NAME-tls`.
    pub serving: Option<&'a Secret>,
    /// What clients are told to trust so far, in each of the places where they look.
    pub published: Vec<Option<String>>,
    /// What nodes know, where they are told.
    pub nodes: Option<&'a Known>,
}

/// What tells whether those who have to trust the next authority do.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// Since when it is published everywhere.
    pub since: Timestamp,
    /// How long those who follow it are given.
    pub trust: Duration,
    /// How many nodes have not acknowledged it.
    pub unaware_nodes: usize,
}

/// Whether the next authority may sign. A node that does not answer for a day longer is cut off: its agent takes the authority over
/// within seconds when it comes back, and until then no pod is started there.
pub fn may_switch(spread: &Spread, now: Timestamp) -> bool {
    let due = spread.since + spread.trust;
    now >= due && (spread.unaware_nodes == 0 || now >= due + NODES_PATIENCE)
}

/// The authority after whatever is to be done with it now.
pub fn advance(seen: &Seen<'_>, periods: Periods, now: Timestamp) -> Result<Authority, CertificateError> {
    let Some(authority) = seen.stored.and_then(stored::read) else {
        return replacement(seen, now);
    };
    let authority = prolonged(begun(authority, seen, now)?, now)?;
    Ok(stepped(authority, seen, periods, now))
}

/// How long it is until the next step.
pub fn next_step(authority: &Authority, periods: Periods, now: Timestamp) -> Option<Duration> {
    let rotation = authority.rotation.as_ref()?;
    let left = Duration::try_from(rotation.end(periods)?.duration_since(now)).unwrap_or_default();
    // What is over by the clock waits for nodes.
    let waits = left.is_zero() && matches!(rotation.phase, Phase::Trusting { .. });
    Some(if waits { NODES_RETRY } else { left })
}

fn spread(since: Timestamp, seen: &Seen<'_>, bundle: &str, periods: Periods) -> Spread {
    let unaware = |nodes: &Known| match nodes.authorities.as_deref() {
        Some(told) if told == bundle => nodes.unaware,
        // None of them has been told.
        _ => nodes.unaware.max(1),
    };
    Spread { since, trust: periods.trust, unaware_nodes: seen.nodes.map_or(0, unaware) }
}

impl Rotation {
    /// When its phase ends, if it does.
    pub(super) fn end(&self, periods: Periods) -> Option<Timestamp> {
        match self.phase {
            Phase::Trusting { .. } => Some(self.since + periods.trust),
            Phase::Serving { .. } => Some(self.since + periods.grace),
            Phase::Done => None,
        }
    }

    fn is_running(&self) -> bool {
        !matches!(self.phase, Phase::Done)
    }
}

/// The first authority, or one instead of an authority that was lost. As long as the certificate that this one signed
/// is there, clients go on trusting it, and it takes a rotation to replace it.
fn replacement(seen: &Seen<'_>, now: Timestamp) -> Result<Authority, CertificateError> {
    let request = seen.request.map(str::to_owned);
    if let Some(certificate) = seen.serving.and_then(|serving| still_trusted(serving, now)) {
        let signing = KeyPair { certificate, key: String::new() };
        let rotation = Some(Rotation::new(Phase::Trusting { next: next(seen.name, now)? }, now));
        return Ok(Authority { signing, rotation, request });
    }
    let signing = certificates::issue_authority(seen.name, None, now)?;
    let rotation = seen.request.map(|_| Rotation::new(Phase::Done, now));
    Ok(Authority { signing, rotation, request })
}

fn still_trusted(serving: &Secret, now: Timestamp) -> Option<String> {
    let (certificate, authorities) = (text(serving, "tls.crt")?, text(serving, "ca.crt")?);
    chain::verify(&certificate, &authorities, now).is_ok().then_some(authorities)
}

/// The date tells authorities of one Registry apart.
fn next(name: &str, now: Timestamp) -> Result<KeyPair, CertificateError> {
    certificates::issue_authority(&format!("{name} {}", now.strftime("%Y%m%d")), None, now)
}

/// Begins a rotation if there is a reason and none is running; a second one waits.
fn begun(mut authority: Authority, seen: &Seen<'_>, now: Timestamp) -> Result<Authority, CertificateError> {
    if authority.rotation.as_ref().is_some_and(Rotation::is_running) {
        return Ok(authority);
    }
    let asked = seen.request.is_some() && seen.request != authority.request.as_deref();
    if asked {
        authority.request = seen.request.map(str::to_owned);
    }
    if asked || !certificates::lasts(&authority.signing.certificate, ROTATION_MARGIN, now) {
        authority.rotation = Some(Rotation::new(Phase::Trusting { next: next(seen.name, now)? }, now));
    }
    Ok(authority)
}

fn prolonged(mut authority: Authority, now: Timestamp) -> Result<Authority, CertificateError> {
    if !authority.is_lost() && !certificates::lasts(&authority.signing.certificate, PROLONGATION_MARGIN, now)
    {
        authority.signing = certificates::prolong_authority(&authority.signing, now)?;
    }
    Ok(authority)
}

/// A phase counts from when what it waits for is seen to be so.
fn stepped(mut authority: Authority, seen: &Seen<'_>, periods: Periods, now: Timestamp) -> Authority {
    let bundle = authority.bundle();
    let Some(Rotation { phase, since }) = authority.rotation.clone() else { return authority };
    let begun = match &phase {
        Phase::Trusting { .. } => {
            seen.published.iter().all(|published| published.as_deref() == Some(&bundle))
        }
        Phase::Serving { .. } => is_served(&authority, seen, now),
        Phase::Done => return authority,
    };
    if !begun {
        if now >= since + PRECISION {
            authority.rotation = Some(Rotation::new(phase, now));
        }
        return authority;
    }
    match phase {
        Phase::Trusting { .. } if may_switch(&spread(since, seen, &bundle, periods), now) => {
            authority.switched(now)
        }
        Phase::Serving { .. } if now >= since + periods.grace => {
            Authority { rotation: Some(Rotation::new(Phase::Done, now)), ..authority }
        }
        _ => authority,
    }
}

fn is_served(authority: &Authority, seen: &Seen<'_>, now: Timestamp) -> bool {
    let certificate = seen.serving.and_then(|serving| text(serving, "tls.crt"));
    certificate.is_some_and(|leaf| chain::verify(&leaf, &authority.signing.certificate, now).is_ok())
}

#[cfg(test)]
mod tests;
