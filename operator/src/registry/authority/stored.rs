//! The authority as Secret `NAME-ca` holds it. Only the operator reads that.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;

use super::{Authority, Phase, Rotation};
use crate::registry::{
    certificates::{self, KeyPair},
    credentials::text,
};

const PHASE: &str = "phase";
const SINCE: &str = "since";
const REQUEST: &str = "request";
const NEXT_CERTIFICATE: &str = "next.crt";
const NEXT_KEY: &str = "next.key";
const PREVIOUS: &str = "previous.crt";

/// The keys of the Secret and their values.
pub fn data(authority: &Authority) -> [(&'static str, Option<String>); 8] {
    let Authority { signing, rotation, request } = authority;
    let (next, previous) = match authority.phase() {
        Some(Phase::Trusting { next }) => (Some(next.clone()), None),
        Some(Phase::Serving { previous }) => (None, Some(previous.clone())),
        Some(Phase::Done) | None => (None, None),
    };
    let (next_certificate, next_key) = next.map(|next| (next.certificate, next.key)).unzip();
    [
        ("tls.crt", Some(signing.certificate.clone())),
        ("tls.key", Some(signing.key.clone())),
        (NEXT_CERTIFICATE, next_certificate),
        (NEXT_KEY, next_key),
        (PREVIOUS, previous),
        (PHASE, rotation.as_ref().map(|rotation| rotation.phase.word().to_owned())),
        (SINCE, rotation.as_ref().map(|rotation| rotation.since.to_string())),
        (REQUEST, request.clone()),
    ]
}

/// The authority that a Secret holds, unless what signs in it is damaged or gone.
pub fn read(secret: &Secret) -> Option<Authority> {
    let rotation = rotation(secret);
    let signing = KeyPair { certificate: text(secret, "tls.crt")?, key: text(secret, "tls.key")? };
    let trusting = matches!(&rotation, Some(Rotation { phase: Phase::Trusting { .. }, .. }));
    let only_trusted =
        trusting && signing.key.is_empty() && certificates::inspect(&signing.certificate).is_ok();
    (only_trusted || certificates::check_pair(&signing).is_ok()).then(|| Authority {
        signing,
        rotation,
        request: text(secret, REQUEST),
    })
}

/// A rotation of which something is damaged counts as none: another begins when there is still a reason for it.
fn rotation(secret: &Secret) -> Option<Rotation> {
    let since: Timestamp = text(secret, SINCE)?.parse().ok()?;
    let phase = match text(secret, PHASE)?.as_str() {
        "Trusting" => Phase::Trusting { next: next(secret)? },
        "Serving" => Phase::Serving { previous: previous(secret)? },
        "Done" => Phase::Done,
        _ => return None,
    };
    Some(Rotation { phase, since })
}

fn next(secret: &Secret) -> Option<KeyPair> {
    let pair = KeyPair { certificate: text(secret, NEXT_CERTIFICATE)?, key: text(secret, NEXT_KEY)? };
    certificates::check_pair(&pair).is_ok().then_some(pair)
}

fn previous(secret: &Secret) -> Option<String> {
    text(secret, PREVIOUS).filter(|previous| certificates::inspect(previous).is_ok())
}

impl Phase {
    /// In a word.
    fn word(&self) -> &'static str {
        match self {
            Self::Trusting { .. } => "Trusting",
            Self::Serving { .. } => "Serving",
            Self::Done => "Done",
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use k8s_openapi::ByteString;

    use super::*;

    fn now() -> Timestamp {
        "2026-03-01T00:00:00Z".parse().unwrap()
    }

    /// The Secret as it is after an authority was applied.
    pub(in crate::registry::authority) fn secret(authority: &Authority) -> Secret {
        let entry =
            |(key, value): (&str, Option<String>)| Some((key.to_owned(), ByteString(value?.into_bytes())));
        let data: BTreeMap<_, _> = data(authority).into_iter().filter_map(entry).collect();
        Secret { data: Some(data), ..Secret::default() }
    }

    fn pair(name: &str) -> KeyPair {
        certificates::issue_authority(name, None, now()).unwrap()
    }

    fn in_phase(phase: Phase) -> Authority {
        let request = Some("1".to_owned());
        Authority { signing: pair("hub"), rotation: Some(Rotation::new(phase, now())), request }
    }

    #[test]
    fn what_is_stored_is_read_again_in_every_phase() {
        for phase in [
            Phase::Trusting { next: pair("next") },
            Phase::Serving { previous: pair("before").certificate },
            Phase::Done,
        ] {
            let authority = in_phase(phase);
            assert_eq!(read(&secret(&authority)), Some(authority));
        }
        let plain = Authority { signing: pair("hub"), rotation: None, request: None };
        assert_eq!(read(&secret(&plain)), Some(plain));
    }

    #[test]
    fn an_authority_without_its_key_is_only_read_while_the_next_one_is_there() {
        let lost = |phase| {
            let authority = in_phase(phase);
            Authority { signing: KeyPair { key: String::new(), ..authority.signing.clone() }, ..authority }
        };
        assert!(read(&secret(&lost(Phase::Trusting { next: pair("next") }))).is_some());
        assert_eq!(read(&secret(&lost(Phase::Done))), None);
    }

    #[test]
    fn a_damaged_rotation_counts_as_none() {
        let mut damaged = secret(&in_phase(Phase::Trusting { next: pair("next") }));
        damaged.data.as_mut().unwrap().insert(NEXT_KEY.to_owned(), ByteString(b"junk".to_vec()));
        assert_eq!(read(&damaged).unwrap().rotation, None);
        let mut undated = secret(&in_phase(Phase::Done));
        undated.data.as_mut().unwrap().remove(SINCE);
        assert_eq!(read(&undated).unwrap().rotation, None);
    }
}
