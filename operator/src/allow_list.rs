//! Names that whoever installs the operator permits: the namespaces that Registries of others may write to, and the hosts that
//! nodes may be led by.

/// Names, in which `*` stands for any characters. What is a Registry's own needs no entry.
#[derive(Clone, Debug, Default)]
pub struct AllowList(Vec<String>);

impl AllowList {
    /// The list with these entries. An environment variable that is set to nothing gives none.
    pub fn new(entries: &[String]) -> Self {
        Self(entries.iter().filter(|entry| !entry.is_empty()).cloned().collect())
    }

    /// Whether nothing is permitted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a name is permitted.
    pub fn permits(&self, name: &str) -> bool {
        self.0.iter().any(|entry| matches(entry, name))
    }
}

/// Whether a name is that of a pattern, in which `*` stands for any characters.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(left) = name.strip_prefix(start) else { return false };
    let ends = left.char_indices().map(|(at, _)| at).chain([left.len()]);
    ends.into_iter().any(|at| matches(rest, &left[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[&str]) -> AllowList {
        AllowList::new(&entries.iter().map(|&entry| entry.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn an_empty_list_permits_nothing() {
        assert!(list(&[]).is_empty() && list(&[""]).is_empty());
        assert!(!list(&[""]).permits("default"));
    }

    #[test]
    fn a_name_permits_that_namespace_alone() {
        let list = list(&["team-a", "ci"]);
        assert!(list.permits("team-a") && list.permits("ci"));
        assert!(!list.permits("team-ab") && !list.permits("team"));
    }

    #[test]
    fn a_star_stands_for_any_characters() {
        assert!(list(&["*"]).permits("anything"));
        assert!(list(&["team-*"]).permits("team-") && list(&["team-*"]).permits("team-a"));
        assert!(list(&["*-prod"]).permits("shop-prod") && !list(&["*-prod"]).permits("shop-prod-2"));
        assert!(list(&["a*-*z"]).permits("ab-c-yz") && !list(&["a*-*z"]).permits("abz"));
    }
}
