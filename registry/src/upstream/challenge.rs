//! What another registry asks for before it answers (RFC 9110, section 11.6.1, and the token specification of
//! Distribution).

use hyper::{HeaderMap, header::WWW_AUTHENTICATE};

/// A question that can be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Challenge {
    /// A user with a password.
    Basic,
    /// A token.
    Bearer(TokenSource),
}

/// Where a token is given, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSource {
    /// The address of the place.
    pub realm: String,
    /// The service that the token is for.
    pub service: Option<String>,
    /// What the registry wants the token to allow.
    pub scope: Option<String>,
}

impl Challenge {
    /// The question of an answer: for a token, if there is a choice, as it tells others less.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let lines = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|line| line.to_str().ok());
        let mut questions: Vec<_> = lines.flat_map(read).collect();
        let bearer = questions.iter().position(|question| matches!(question, Self::Bearer(_)));
        (!questions.is_empty()).then(|| questions.swap_remove(bearer.unwrap_or_default()))
    }
}

/// The questions on one line that are understood.
fn read(line: &str) -> Vec<Challenge> {
    let mut questions = Vec::new();
    let mut rest = line.trim_start();
    while let Some((scheme, behind)) = word(rest) {
        let (parameters, behind) = parameters(behind);
        let value = |name: &str| {
            parameters.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, it)| it.clone())
        };
        if scheme.eq_ignore_ascii_case("basic") {
            questions.push(Challenge::Basic);
        } else if scheme.eq_ignore_ascii_case("bearer")
            && let Some(realm) = value("realm")
        {
            let (service, scope) = (value("service"), value("scope"));
            questions.push(Challenge::Bearer(TokenSource { realm, service, scope }));
        }
        rest = behind;
    }
    questions
}

/// `name=value` pairs between commas, and what stands behind the last of them: the next scheme, if any.
fn parameters(mut rest: &str) -> (Vec<(String, String)>, &str) {
    let mut all = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let Some((name, behind)) = word(rest) else { return (all, rest) };
        let Some(behind) = behind.trim_start().strip_prefix('=') else { return (all, rest) };
        let (value, behind) = value(behind.trim_start());
        all.push((name.to_owned(), value));
        rest = behind;
    }
}

fn word(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| c.is_whitespace() || c == ',' || c == '=').unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// A value, in quotes or not.
fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let (mut value, mut characters) = (String::new(), quoted.char_indices());
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(lines: &[&str]) -> Option<Challenge> {
        let line = |line: &&str| (WWW_AUTHENTICATE, line.parse().unwrap());
        Challenge::of(&lines.iter().map(line).collect())
    }

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        let (service, scope) = (service.map(str::to_owned), scope.map(str::to_owned));
        Challenge::Bearer(TokenSource { realm: realm.to_owned(), service, scope })
    }

    #[test]
    fn a_token_is_asked_for_with_its_place_and_scope() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/alpine:pull,push""#;
        let expected = bearer(
            "https://auth.docker.io/token",
            Some("registry.docker.io"),
            Some("repository:library/alpine:pull,push"),
        );
        assert_eq!(asked(&[hub]), Some(expected));
        assert_eq!(asked(&["bearer Realm = https://a/t , error=x"]), Some(bearer("https://a/t", None, None)));
        assert_eq!(asked(&[r#"Bearer realm="a\"b""#]), Some(bearer("a\"b", None, None)));
    }

    #[test]
    fn of_several_questions_the_one_for_a_token_counts() {
        let both = [r#"Basic realm="a, b", Bearer realm="https://a/t""#];
        assert_eq!(asked(&both), Some(bearer("https://a/t", None, None)));
        assert_eq!(asked(&["Basic realm=x", "Bearer realm=y"]), Some(bearer("y", None, None)));
        assert_eq!(asked(&["Negotiate", "Basic"]), Some(Challenge::Basic));
    }

    #[test]
    fn what_cannot_be_answered_is_no_question() {
        for line in ["", ",", "=", "Negotiate abc==", "Bearer", "Bearer scope=x", "\"", "Digest realm=\""] {
            assert_eq!(asked(&[line]), None, "{line}");
        }
    }
}
