//! What a token says, once its signature is known to be right.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;

use super::{InvalidToken, grants::Access};

/// How far the clocks of issuer and registry may be apart; as in Distribution.
const LEEWAY: Duration = Duration::from_mins(1);

/// The claims that matter here.
#[derive(Debug, Deserialize)]
pub(super) struct Claims {
    iss: Option<String>,
    /// Whom it speaks for; nobody in particular, when it is empty.
    pub(super) sub: Option<String>,
    #[serde(default)]
    aud: Audience,
    /// In seconds since 1970; RFC 7519 allows fractions.
    exp: Option<f64>,
    nbf: Option<f64>,
    pub(super) access: Option<Vec<Access>>,
    /// In our own tokens: which password the user had.
    pub(super) password: Option<String>,
}

/// One name or several.
#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
    #[default]
    Nobody,
}

impl Claims {
    /// Whether the token is by this issuer, for one of these services, and good at the moment. Returns until when it is.
    pub(super) fn check(
        &self,
        issuer: &str,
        services: &[String],
        now: SystemTime,
    ) -> Result<SystemTime, InvalidToken> {
        if self.iss.as_deref() != Some(issuer) {
            return Err(InvalidToken::Issuer);
        }
        let is_meant = match &self.aud {
            Audience::One(name) => services.contains(name),
            Audience::Several(names) => names.iter().any(|name| services.contains(name)),
            Audience::Nobody => false,
        };
        if !is_meant {
            return Err(InvalidToken::Audience);
        }
        let end = self.exp.and_then(time).ok_or(InvalidToken::Expired)?;
        if now >= end + LEEWAY {
            return Err(InvalidToken::Expired);
        }
        if self.nbf.is_some_and(|begin| time(begin).is_none_or(|begin| now + LEEWAY < begin)) {
            return Err(InvalidToken::NotYet);
        }
        Ok(end)
    }
}

/// A point in time, within the centuries that a clock can show.
fn time(seconds: f64) -> Option<SystemTime> {
    const LAST: f64 = 253_402_300_799.0;
    (0.0..=LAST).contains(&seconds).then(|| UNIX_EPOCH + Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check(claims: Value) -> Result<SystemTime, InvalidToken> {
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        serde_json::from_value::<Claims>(claims).unwrap().check("issuer", &["registry".to_owned()], now)
    }

    fn claims(change: &str, value: Value) -> Value {
        let mut claims = json!({ "iss": "issuer", "aud": "registry", "exp": 1_000_300 });
        claims[change] = value;
        claims
    }

    #[test]
    fn issuer_and_audience_have_to_be_these() {
        assert!(check(claims("aud", json!(["other", "registry"]))).is_ok());
        assert_eq!(check(claims("iss", json!("other"))), Err(InvalidToken::Issuer));
        assert_eq!(check(claims("iss", json!(null))), Err(InvalidToken::Issuer));
        for audience in [json!("other"), json!([]), json!(null)] {
            assert_eq!(check(claims("aud", audience)), Err(InvalidToken::Audience));
        }
    }

    #[test]
    fn a_token_is_good_between_its_times_with_a_minute_around_them() {
        let end = UNIX_EPOCH + Duration::from_secs(1_000_300);
        assert_eq!(check(claims("nbf", json!(1_000_060))), Ok(end));
        assert_eq!(check(claims("nbf", json!(1_000_061))), Err(InvalidToken::NotYet));
        assert!(check(claims("exp", json!(999_940.5))).is_ok());
        for end in [json!(999_940), json!(0), json!(-1), json!(1e300), json!(null)] {
            assert_eq!(check(claims("exp", end)), Err(InvalidToken::Expired));
        }
        assert_eq!(check(claims("nbf", json!(1e300))), Err(InvalidToken::NotYet));
    }
}
