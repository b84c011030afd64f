//! What a client wants to be true at the moment of its change (RFC 9110, sections 13.1.1 and 13.1.2): so that it does
//! not overwrite what somebody else has pushed meanwhile.

use berth_oci::{Digest, Reference};

use super::{Error, Result};

/// What the name that is pushed to or deleted must point at, or must not. The default asks for nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Precondition {
    /// It must point at one of these (`If-Match`).
    pub if_match: Option<Targets>,
    /// It must point at none of these (`If-None-Match`).
    pub if_none_match: Option<Targets>,
    /// It must point at this or at nothing.
    pub only_at: Option<Digest>,
}

/// What a name may point at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Targets {
    /// Anything (`*`).
    Any,
    /// One of these manifests.
    OneOf(Vec<Digest>),
}

impl Targets {
    fn include(&self, current: Option<&Digest>) -> bool {
        match self {
            Self::Any => current.is_some(),
            Self::OneOf(digests) => current.is_some_and(|current| digests.contains(current)),
        }
    }
}

impl Precondition {
    /// Whether nothing is asked for.
    pub(super) fn is_empty(&self) -> bool {
        self.if_match.is_none() && self.if_none_match.is_none() && self.only_at.is_none()
    }

    /// Refuses the change unless it holds for what `reference` points at now.
    pub(super) fn require(&self, reference: &Reference, current: Option<Digest>) -> Result<()> {
        let matches = self.if_match.as_ref().is_none_or(|targets| targets.include(current.as_ref()));
        let collides = self.if_none_match.as_ref().is_some_and(|targets| targets.include(current.as_ref()));
        let is_elsewhere = self.only_at.is_some() && current.is_some() && current != self.only_at;
        if matches && !collides && !is_elsewhere {
            return Ok(());
        }
        Err(Error::PreconditionFailed { reference: reference.clone(), current: current.map(Box::new) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(precondition: &Precondition, current: Option<u8>) -> bool {
        let current = current.map(|number| Digest::sha256([number; 32]));
        precondition.require(&"latest".parse().unwrap(), current).is_ok()
    }

    fn one(number: u8) -> Targets {
        Targets::OneOf(vec![Digest::sha256([number; 32])])
    }

    #[test]
    fn nothing_is_asked_for_by_default() {
        assert!(holds(&Precondition::default(), None) && holds(&Precondition::default(), Some(1)));
    }

    #[test]
    fn a_match_needs_the_very_manifest() {
        let first = Precondition { if_match: Some(one(1)), if_none_match: None, ..Precondition::default() };
        assert!(holds(&first, Some(1)) && !holds(&first, Some(2)) && !holds(&first, None));
        let any =
            Precondition { if_match: Some(Targets::Any), if_none_match: None, ..Precondition::default() };
        assert!(holds(&any, Some(2)) && !holds(&any, None));
    }

    #[test]
    fn a_name_that_must_be_new_must_point_at_nothing() {
        let new = Precondition { if_none_match: Some(Targets::Any), ..Precondition::default() };
        assert!(holds(&new, None) && !holds(&new, Some(1)));
        let other = Precondition { if_none_match: Some(one(1)), ..Precondition::default() };
        assert!(holds(&other, None) && holds(&other, Some(2)) && !holds(&other, Some(1)));
    }

    #[test]
    fn a_name_that_may_be_at_one_place_only_is_there_or_nowhere() {
        let only = Precondition { only_at: Some(Digest::sha256([1; 32])), ..Precondition::default() };
        assert!(holds(&only, None) && holds(&only, Some(1)) && !holds(&only, Some(2)));
    }
}
