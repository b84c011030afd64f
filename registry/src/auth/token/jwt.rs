//! The form of a token: a header, claims and a signature, each in base 64, with dots between them (RFC 7519, RFC 7515).
//!
//! Only the header is looked into here. What the claims say is nobody's word before the signature is known to be right.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use rustls::pki_types::CertificateDer;
use serde::Deserialize;
use serde_json::Value;

use super::{Algorithm, InvalidToken, jwk::Jwk};

/// The longest token that is looked at, in bytes. A certificate takes two thousand of them, and an entry of its rights a
/// hundred.
pub(super) const LONGEST: usize = 16 << 10;
/// A chain longer than this is no chain of a token.
const LONGEST_CHAIN: usize = 4;

/// A token, taken apart.
#[derive(Debug)]
pub(super) struct Jwt<'a> {
    pub(super) header: Header,
    /// What is signed.
    pub(super) message: &'a str,
    pub(super) signature: Vec<u8>,
    claims: &'a str,
}

/// What a token says of its signature.
#[derive(Debug, Deserialize)]
pub(super) struct Header {
    alg: String,
    pub(super) kid: Option<String>,
    pub(super) jwk: Option<Jwk>,
    x5c: Option<Vec<String>>,
    /// Extensions that have to be understood; none is.
    crit: Option<Value>,
    #[serde(skip)]
    pub(super) chain: Vec<CertificateDer<'static>>,
}

impl<'a> Jwt<'a> {
    /// Takes a token apart.
    pub(super) fn parse(token: &'a str) -> Result<Self, InvalidToken> {
        if token.len() > LONGEST {
            return Err(InvalidToken::TooLong);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(InvalidToken::Malformed)?;
        let (header, claims) = message.split_once('.').ok_or(InvalidToken::Malformed)?;
        let mut header: Header = document(header)?;
        if header.crit.is_some() {
            return Err(InvalidToken::Malformed);
        }
        header.chain = chain(header.x5c.as_deref().unwrap_or_default())?;
        Ok(Self { header, message, signature: decode(signature)?, claims })
    }

    /// The claims. Whoever asks has verified the signature.
    pub(super) fn claims<T: for<'de> Deserialize<'de>>(&self) -> Result<T, InvalidToken> {
        document(self.claims)
    }
}

impl Header {
    /// The algorithm that the token names, if it is one of a signature by a key pair.
    pub(super) fn algorithm(&self) -> Result<Algorithm, InvalidToken> {
        self.alg.parse().map_err(|_| InvalidToken::Algorithm)
    }
}

/// The certificates of `x5c`, that of the key first.
pub(super) fn chain(texts: &[String]) -> Result<Vec<CertificateDer<'static>>, InvalidToken> {
    if texts.len() > LONGEST_CHAIN {
        return Err(InvalidToken::Malformed);
    }
    let certificate = |text: &String| STANDARD.decode(text).map(CertificateDer::from);
    texts.iter().map(certificate).collect::<Result<_, _>>().map_err(|_| InvalidToken::Malformed)
}

/// Reads a part of a token, which is JSON in UTF-8 from end to end (RFC 7519, section 7.2). Of members that `T` does not have,
/// reading a `T` alone would not see that.
fn document<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, InvalidToken> {
    let document = decode(text)?;
    let whole: serde_json::Result<Value> = serde_json::from_slice(&document);
    whole.and_then(|_| serde_json::from_slice(&document)).map_err(|_| InvalidToken::Malformed)
}

fn decode(text: &str) -> Result<Vec<u8>, InvalidToken> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidToken::Malformed)
}

#[cfg(test)]
mod tests {
    use serde::de::IgnoredAny;

    use super::*;

    fn token(header: &str) -> String {
        format!("{}.e30.AA", URL_SAFE_NO_PAD.encode(header))
    }

    fn refusal(token: &str) -> InvalidToken {
        Jwt::parse(token).unwrap_err()
    }

    #[test]
    fn three_parts_come_apart() {
        let text = token(r#"{"alg":"EdDSA","kid":"a","typ":"JWT"}"#);
        let jwt = Jwt::parse(&text).unwrap();
        assert_eq!(jwt.header.algorithm(), Ok(Algorithm::EdDsa));
        assert_eq!(jwt.header.kid.as_deref(), Some("a"));
        assert_eq!(jwt.message, text.strip_suffix(".AA").unwrap());
        assert_eq!(jwt.signature, [0]);
        assert_eq!(jwt.claims::<Value>(), Ok(serde_json::json!({})));
    }

    #[test]
    fn what_is_not_of_three_parts_or_not_base_64_is_refused() {
        let padded = format!("{}=", token(r#"{"alg":"EdDSA"}"#));
        for text in ["", ".", "..", "a.b", "e30.e30.AA", "%.e30.AA", "e30.e30.AA.AA", &padded] {
            assert_eq!(refusal(text), InvalidToken::Malformed, "{text}");
        }
    }

    #[test]
    fn members_that_nobody_asks_for_are_text_as_well() {
        for claims in [&b"{\"uid\":\"\xa6\"}"[..], br#"{"uid":"\ud800"}"#, br#"{"uid":1e999}"#] {
            let text = format!(
                "{}.{}.AA",
                URL_SAFE_NO_PAD.encode(r#"{"alg":"EdDSA"}"#),
                URL_SAFE_NO_PAD.encode(claims)
            );
            let read = Jwt::parse(&text).unwrap().claims::<IgnoredAny>();
            assert_eq!(read, Err(InvalidToken::Malformed), "{claims:?}");
        }
    }

    #[test]
    fn a_token_that_is_too_long_is_not_looked_at() {
        assert_eq!(refusal(&"a".repeat(LONGEST + 1)), InvalidToken::TooLong);
    }

    #[test]
    fn no_token_names_an_algorithm_without_a_key_pair() {
        for name in ["none", "HS256", "RS257"] {
            let text = token(&format!(r#"{{"alg":"{name}"}}"#));
            assert_eq!(Jwt::parse(&text).unwrap().header.algorithm(), Err(InvalidToken::Algorithm));
        }
    }

    #[test]
    fn what_has_to_be_understood_and_is_not_is_refused() {
        assert_eq!(refusal(&token(r#"{"alg":"EdDSA","crit":["b64"],"b64":false}"#)), InvalidToken::Malformed);
        assert_eq!(refusal(&token(r#"{"alg":"EdDSA","alg":"ES256"}"#)), InvalidToken::Malformed);
        let long = token(r#"{"alg":"ES256","x5c":["","","","",""]}"#);
        assert_eq!(refusal(&long), InvalidToken::Malformed);
    }
}
