//! The way from the top of the configuration to one of its values: `notifications.endpoints[0].url`.

use std::fmt;

/// One step down.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// Into a mapping.
    Name(String),
    /// Into a list, counted from 0.
    Index(usize),
}

/// The steps from the top; none for the whole file. A path sorts before all that it leads to.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KeyPath(Vec<Step>);

impl KeyPath {
    /// The path that dotted names spell.
    pub(super) fn of(names: &str) -> Self {
        Self::default().join(names)
    }

    /// The path to what dotted names lead to from here.
    pub(super) fn join(&self, names: &str) -> Self {
        names.split('.').fold(self.clone(), |path, name| path.name(name))
    }

    /// The path to the value of this name, which may contain dots.
    pub(super) fn name(&self, name: &str) -> Self {
        self.then(Step::Name(name.to_owned()))
    }

    /// The path to this item of a list.
    pub(super) fn item(&self, index: usize) -> Self {
        self.then(Step::Index(index))
    }

    fn then(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// The steps from the top.
    pub(super) fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The path without its last step; `None` at the top.
    pub(super) fn parent(&self) -> Option<Self> {
        let (_, parents) = self.0.split_last()?;
        Some(Self(parents.to_vec()))
    }

    /// The path as the table of keys spells it: `[]` for any item of a list.
    pub(super) fn pattern(&self) -> String {
        self.spell(|_| "[]".to_owned())
    }

    fn spell(&self, index: impl Fn(usize) -> String) -> String {
        let mut text = String::new();
        for step in &self.0 {
            match step {
                Step::Index(at) => text.push_str(&index(*at)),
                Step::Name(name) => {
                    if !text.is_empty() {
                        text.push('.');
                    }
                    text.push_str(name);
                }
            }
        }
        text
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.spell(|at| format!("[{at}]")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_spelt_with_dots_and_brackets() {
        let path = KeyPath::of("notifications.endpoints").item(10).name("url");
        assert_eq!(path.to_string(), "notifications.endpoints[10].url");
        assert_eq!(path.pattern(), "notifications.endpoints[].url");
    }

    #[test]
    fn items_sort_by_number_and_after_their_list() {
        let list = KeyPath::of("health.tcp");
        let mut paths = [list.item(10).name("addr"), list.item(2).name("addr"), list.clone()];
        paths.sort();
        assert_eq!(paths, [list.clone(), list.item(2).name("addr"), list.item(10).name("addr")]);
    }
}
