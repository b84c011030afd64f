//! What the configuration may say: every key, how its value is written, and what this server does with it.
//!
//! The lines are in `table`; here they are looked up. Reading the values is left to `validate`.

#[cfg(test)]
mod page;
mod table;

pub(super) use table::{CHOICES, GO_NAMES, SECTIONS};

/// A part of the tree with the keys that stand directly in it.
#[derive(Debug)]
pub(super) struct Section {
    /// Its path, with `[]` for the items of a list; empty for the top.
    pub(super) path: &'static str,
    /// What the server does with its keys, unless a key says otherwise.
    pub(super) effect: Effect,
    pub(super) keys: &'static [Key],
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// Whether its value must not be shown.
    pub(super) secret: bool,
    /// What holds when nothing is written.
    pub(super) default: Option<&'static str>,
    effect: Option<Effect>,
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A string. A variable of the environment is taken literally.
    Text,
    /// `true` or `false`.
    Flag,
    Number,
    /// In Go's syntax.
    Duration,
    /// A list of strings.
    List,
    /// A mapping with names of the user's choice.
    Map,
}

/// What the server does with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// The server acts on it.
    Honoured,
    /// It is accepted, and a warning says why it changes nothing.
    Ignored(&'static str),
    /// The server does not start; the text says what to do instead.
    Refused(&'static str),
}

/// What a path leads to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// A part of the tree.
    Section,
    /// A list of such parts.
    SectionList,
    /// A key.
    Key(&'static Section, &'static Key),
    /// Something inside the value of a key that is a list or a map.
    Inside(&'static Key),
}

impl Key {
    /// What the server does with the key, which stands in `section`.
    pub(super) fn effect(&self, section: &Section) -> Effect {
        self.effect.unwrap_or(section.effect)
    }

    /// Whether the key has an effect of its own.
    pub(super) fn differs(&self) -> bool {
        self.effect.is_some()
    }
}

/// Finds what a path leads to; paths are spelt with `[]` for any item of a list.
pub(super) fn place(pattern: &str) -> Option<Place> {
    if is_section(pattern) {
        return Some(Place::Section);
    }
    if SECTIONS.iter().any(|section| is_list_of(pattern, section.path)) {
        return Some(Place::SectionList);
    }
    keys().find_map(|(section, key)| {
        let rest = below(pattern, section.path)?.strip_prefix(key.name)?;
        match rest.chars().next() {
            None => Some(Place::Key(section, key)),
            Some('[') if key.kind == Kind::List => Some(Place::Inside(key)),
            Some('.') if key.kind == Kind::Map => Some(Place::Inside(key)),
            Some(_) => None,
        }
    })
}

/// The section of exactly this path, if it has keys of its own or an effect.
pub(super) fn section(pattern: &str) -> Option<&'static Section> {
    SECTIONS.iter().find(|section| section.path == pattern)
}

/// All keys with their sections, in the order of the table.
pub(super) fn keys() -> impl Iterator<Item = (&'static Section, &'static Key)> {
    SECTIONS.iter().flat_map(|section| section.keys.iter().map(move |key| (section, key)))
}

/// The names that are allowed directly below a path, sorted; the empty path is the top.
pub(super) fn names_below(pattern: &str) -> Vec<&'static str> {
    let own = section(pattern).into_iter().flat_map(|section| section.keys.iter().map(|key| key.name));
    let deeper = SECTIONS.iter().filter_map(|section| below(section.path, pattern));
    let mut names: Vec<&str> = own.chain(deeper.map(first_name)).filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn is_section(pattern: &str) -> bool {
    SECTIONS.iter().any(|section| {
        section.path.strip_prefix(pattern).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

fn is_list_of(pattern: &str, section: &str) -> bool {
    section.strip_prefix(pattern).is_some_and(|rest| rest.starts_with("[]"))
}

/// What is left of a path below another; `None` when it does not lie there.
fn below<'a>(path: &'a str, group: &str) -> Option<&'a str> {
    if group.is_empty() { Some(path) } else { path.strip_prefix(group)?.strip_prefix('.') }
}

fn first_name(path: &'static str) -> &'static str {
    path.split(['.', '[']).next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_stands_twice_in_the_table() {
        let mut paths: Vec<String> =
            keys().map(|(section, key)| format!("{}.{}", section.path, key.name)).collect();
        paths.extend(SECTIONS.iter().map(|section| section.path.to_owned()));
        paths.sort_unstable();
        let all = paths.len();
        paths.dedup();
        assert_eq!(paths.len(), all);
    }

    #[test]
    fn a_path_leads_to_a_section_a_list_a_key_or_inside_one() {
        assert!(matches!(place(""), Some(Place::Section)));
        assert!(matches!(place("http.tls"), Some(Place::Section)));
        assert!(matches!(place("validation.manifests"), Some(Place::Section)));
        assert!(matches!(place("notifications.endpoints"), Some(Place::SectionList)));
        assert!(matches!(place("notifications.endpoints[]"), Some(Place::Section)));
        assert!(matches!(place("notifications.endpoints[].url"), Some(Place::Key(..))));
        assert!(matches!(place("http.tls.clientcas[]"), Some(Place::Inside(..))));
        assert!(matches!(place("http.headers.X-A"), Some(Place::Inside(..))));
    }

    #[test]
    fn what_is_in_no_line_leads_nowhere() {
        for wrong in ["storage.s3.bukcet", "http.addrx", "http.addr.x", "notifications.endpoints[].urll"] {
            assert!(place(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn names_below_a_path_are_those_of_its_keys_and_sections() {
        assert_eq!(names_below("storage.maintenance"), ["readonly", "uploadpurging"]);
        assert_eq!(names_below("health"), ["file", "http", "storagedriver", "tcp"]);
        assert!(names_below("http").contains(&"addr") && names_below("http").contains(&"tls"));
        assert!(names_below("").contains(&"version") && names_below("").contains(&"http"));
    }
}
