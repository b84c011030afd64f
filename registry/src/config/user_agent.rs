//! Patterns of what clients call themselves in `User-Agent`.

use std::str::FromStr;

use regex::Regex;

/// A pattern such as `containerd/*`, in which each `*` stands for any text; capitals do not matter.
#[derive(Clone, Debug)]
pub struct UserAgentPattern(Regex);

/// A text that is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a pattern of User-Agent is what the client calls itself, in which * stands for any text")]
pub struct InvalidUserAgentPattern;

impl UserAgentPattern {
    /// Whether the pattern stands for this client.
    pub fn matches(&self, user_agent: &str) -> bool {
        self.0.is_match(user_agent)
    }
}

impl PartialEq for UserAgentPattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for UserAgentPattern {}

impl FromStr for UserAgentPattern {
    type Err = InvalidUserAgentPattern;

    fn from_str(text: &str) -> Result<Self, InvalidUserAgentPattern> {
        if text.is_empty() {
            return Err(InvalidUserAgentPattern);
        }
        let literals: Vec<_> = text.split('*').map(regex::escape).collect();
        let expression = Regex::new(&format!("(?is)^{}$", literals.join(".*")));
        expression.map(Self).map_err(|_| InvalidUserAgentPattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, user_agent: &str) -> bool {
        pattern.parse::<UserAgentPattern>().unwrap().matches(user_agent)
    }

    #[test]
    fn stars_stand_for_any_text_and_everything_else_for_itself() {
        assert!(matches("containerd/*", "containerd/v1.7.2"));
        assert!(matches("*buildkit*", "BuildKit/0.12"));
        assert!(matches("docker/*(linux)", "docker/27.1 os/linux (linux)"));
        assert!(matches("*", ""));
        assert!(!matches("containerd/*", "nerdctl (containerd/v1.7.2)"));
        assert!(!matches("curl/8.0", "curl/8x0"));
    }

    #[test]
    fn nothing_is_no_pattern() {
        assert_eq!("".parse::<UserAgentPattern>(), Err(InvalidUserAgentPattern));
    }
}
