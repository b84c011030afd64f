//! The Registry's own certificate authority, and how the next one takes its place: trust first.
//!
//! A rotation publishes the next authority beside the one that signs, waits until clients had the time to take it,
//! signs with it from then on, and lets the previous one go when nothing that it signed can be in use any more. All of
//! it follows from what the Secrets hold and from the time, so an operator that was interrupted goes on where it was.

mod request;
mod rotation;
mod stored;
mod told;

use jiff::Timestamp;

use super::certificates::KeyPair;
pub use request::{requested, requests};
pub use rotation::{Periods, Seen, Spread, advance, may_switch, next_step};
pub use stored::{data, read};
pub use told::{finding, status};

/// What Secret `NAME-ca` holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// Signs the serving certificate. Its key is empty when it was lost: then it is only trusted.
    pub signing: KeyPair,
    /// The last rotation, if there was one.
    pub rotation: Option<Rotation>,
    /// The value of the annotation that was heeded last.
    pub request: Option<String>,
}

/// How far a rotation is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// What happens now.
    pub phase: Phase,
    /// Since when, in whole seconds.
    pub since: Timestamp,
}

/// What happens in a rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Both authorities are published, and the old one still signs.
    Trusting {
        /// Signs next.
        next: KeyPair,
    },
    /// The new one signs, and both are published.
    Serving {
        /// The certificates of those that signed before, PEM. Their keys are gone.
        previous: String,
    },
    /// Nothing: it is over.
    Done,
}

impl Authority {
    /// The authorities that clients must trust, PEM. The one that signs comes first, for clients that read no further.
    pub fn bundle(&self) -> String {
        let signing = &self.signing.certificate;
        match self.phase() {
            Some(Phase::Trusting { next }) => joined(signing, &next.certificate),
            Some(Phase::Serving { previous }) => joined(signing, previous),
            Some(Phase::Done) | None => signing.clone(),
        }
    }

    /// What happens in the rotation, if there was one.
    pub fn phase(&self) -> Option<&Phase> {
        self.rotation.as_ref().map(|rotation| &rotation.phase)
    }

    /// Whether it can no longer sign, because its key was lost.
    pub fn is_lost(&self) -> bool {
        self.signing.key.is_empty()
    }

    /// The authority with a key to sign with: if that was lost, the next one takes over at once.
    pub fn able_to_sign(self, now: Timestamp) -> Self {
        if self.is_lost() { self.switched(now) } else { self }
    }

    /// Signs with the next authority from now on. The key of the one before is forgotten.
    fn switched(self, now: Timestamp) -> Self {
        match self.rotation {
            Some(Rotation { phase: Phase::Trusting { next }, .. }) => {
                let phase = Phase::Serving { previous: self.signing.certificate };
                Self { signing: next, rotation: Some(Rotation::new(phase, now)), request: self.request }
            }
            _ => self,
        }
    }
}

impl Rotation {
    /// A phase that begins now.
    fn new(phase: Phase, now: Timestamp) -> Self {
        Self { phase, since: Timestamp::from_second(now.as_second()).unwrap_or(now) }
    }
}

fn joined(first: &str, second: &str) -> String {
    let end = if first.ends_with('\n') { "" } else { "\n" };
    format!("{first}{end}{second}")
}
