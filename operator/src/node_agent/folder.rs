//! A folder in which a container runtime looks for what it should know of each registry: one folder a name.
//!
//! What the agent makes carries a marker, and nothing else is written to or removed. Files are replaced by renaming, so that a
//! runtime, which reads them at each pull, finds the old or the new ones whole.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use tracing::info;

use super::{
    file::{content, remove, replace},
    obstacle::Obstacle,
};

/// The file that says who made a folder.
const MARKER: &str = ".managed-by";

/// What a runtime should find under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The spellings of the folder that the runtime looks for, that which comes first in front.
    pub(super) folders: Vec<String>,
    /// The files in it, in the order in which they are written.
    pub(super) files: Vec<(&'static str, String)>,
}

/// One such folder of folders.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    root: PathBuf,
    owner: String,
}

impl Folder {
    /// The folder at `root`, in which `owner` marks what is its own.
    pub(super) fn new(root: &Path, owner: &str) -> Self {
        Self { root: root.to_owned(), owner: format!("berth node agent {owner}\n") }
    }

    /// Makes what is wanted, and leaves it as it is where it is right already.
    pub(super) fn write(&self, wanted: &Wanted) -> Result<(), Obstacle> {
        for name in &wanted.folders {
            let place = self.root.join(name);
            if self.is_foreign(&place).map_err(|error| Obstacle::Unwritable(place.clone(), error))? {
                return Err(Obstacle::Foreign(place));
            }
        }
        let Some(name) = wanted.folders.first() else { return Ok(()) };
        let place = self.root.join(name);
        self.fill(&place, &wanted.files).map_err(|error| Obstacle::Unwritable(place, error))
    }

    /// Removes what the agent made, but for the folders of these names.
    pub(super) fn remove_all_but(&self, kept: &BTreeSet<String>) -> io::Result<()> {
        let entries = match fs::read_dir(&self.root) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let is_kept = entry.file_name().to_str().is_some_and(|name| kept.contains(name));
            if !is_kept && entry.file_type()?.is_dir() && self.is_marked(&entry.path())? {
                empty(&entry.path())?;
                info!(folder = %entry.path().display(), "removed");
            }
        }
        Ok(())
    }

    /// Whether something is there that the agent did not make. An empty folder is nobody's.
    fn is_foreign(&self, place: &Path) -> io::Result<bool> {
        match fs::symlink_metadata(place) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
            Ok(found) if !found.is_dir() => Ok(true),
            Ok(_) => Ok(!self.is_marked(place)? && fs::read_dir(place)?.next().is_some()),
        }
    }

    fn is_marked(&self, place: &Path) -> io::Result<bool> {
        Ok(content(&place.join(MARKER))?.is_some_and(|marker| marker == self.owner))
    }

    fn fill(&self, place: &Path, files: &[(&'static str, String)]) -> io::Result<()> {
        fs::create_dir_all(place)?;
        // The marker comes first: what is left after a crash is known as the agent's.
        let mut changed = replace(place, MARKER, &self.owner)?;
        for (name, text) in files {
            changed |= replace(place, name, text)?;
        }
        for name in [AUTHORITY, HOSTS] {
            if !files.iter().any(|(file, _)| *file == name) {
                changed |= remove(place, name)?;
            }
        }
        if changed {
            info!(folder = %place.display(), "written");
        }
        Ok(())
    }
}

/// The file of certificate authorities.
pub(super) const AUTHORITY: &str = "ca.crt";

/// The file in which containerd finds where a name leads.
pub(super) const HOSTS: &str = "hosts.toml";

/// Takes the agent's files out of a folder, the marker last, and the folder if nothing else is in it.
fn empty(place: &Path) -> io::Result<()> {
    for name in [HOSTS, AUTHORITY] {
        remove(place, name)?;
    }
    remove(place, MARKER)?;
    match fs::remove_dir(place) {
        Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Node(PathBuf);

    impl Node {
        fn new() -> Self {
            let root = std::env::temp_dir().join(format!("berth-node-{:016x}", getrandom::u64().unwrap()));
            fs::create_dir_all(&root).unwrap();
            Self(root)
        }

        fn folder(&self) -> Folder {
            Folder::new(&self.0, "berth-system/berth-node-agent")
        }

        fn files(&self, folder: &str) -> Vec<String> {
            let Ok(entries) = fs::read_dir(self.0.join(folder)) else { return Vec::new() };
            let mut names: Vec<_> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    impl Drop for Node {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    fn wanted(folders: &[&str], hosts: &str) -> Wanted {
        let folders = folders.iter().map(|&folder| folder.to_owned()).collect();
        Wanted { folders, files: vec![(AUTHORITY, "PEM".to_owned()), (HOSTS, hosts.to_owned())] }
    }

    #[test]
    fn what_is_wanted_is_there_and_stays_untouched_while_it_is_right() {
        let node = Node::new();
        node.folder().write(&wanted(&["hub"], "a")).unwrap();
        assert_eq!(node.files("hub"), [MARKER, AUTHORITY, HOSTS]);
        let written = || fs::metadata(node.0.join("hub/hosts.toml")).unwrap().modified().unwrap();
        let before = written();
        node.folder().write(&wanted(&["hub"], "a")).unwrap();
        assert_eq!(written(), before);

        node.folder().write(&wanted(&["hub"], "b")).unwrap();
        assert_eq!(fs::read_to_string(node.0.join("hub/hosts.toml")).unwrap(), "b");
    }

    #[test]
    fn what_somebody_else_made_stays_as_it_is() {
        let node = Node::new();
        fs::create_dir(node.0.join("docker.io")).unwrap();
        fs::write(node.0.join("docker.io/hosts.toml"), "theirs").unwrap();
        let told = node.folder().write(&wanted(&["docker.io"], "ours")).unwrap_err();
        assert!(matches!(&told, Obstacle::Foreign(place) if place.ends_with("docker.io")), "{told}");
        node.folder().remove_all_but(&BTreeSet::new()).unwrap();
        assert_eq!(fs::read_to_string(node.0.join("docker.io/hosts.toml")).unwrap(), "theirs");
    }

    #[test]
    fn an_entry_of_somebody_else_under_another_spelling_counts_too() {
        let node = Node::new();
        fs::create_dir(node.0.join("hub:5000")).unwrap();
        fs::write(node.0.join("hub:5000/ca.crt"), "theirs").unwrap();
        assert!(node.folder().write(&wanted(&["hub_5000_", "hub:5000"], "ours")).is_err());
        assert!(node.files("hub_5000_").is_empty());
    }

    #[test]
    fn what_another_installation_made_is_somebody_elses() {
        let node = Node::new();
        Folder::new(&node.0, "other/agent").write(&wanted(&["hub"], "theirs")).unwrap();
        assert!(node.folder().write(&wanted(&["hub"], "ours")).is_err());
        node.folder().remove_all_but(&BTreeSet::new()).unwrap();
        assert_eq!(node.files("hub").len(), 3);
    }

    #[test]
    fn what_is_not_wanted_any_more_goes() {
        let node = Node::new();
        for name in ["hub", "old"] {
            node.folder().write(&wanted(&[name], "a")).unwrap();
        }
        fs::write(node.0.join("old/notes"), "somebody's").unwrap();
        node.folder().remove_all_but(&BTreeSet::from(["hub".to_owned()])).unwrap();
        assert_eq!(node.files("hub").len(), 3);
        assert_eq!(node.files("old"), ["notes"], "what somebody put beside it stays");
    }

    #[test]
    fn what_a_crash_left_half_done_is_finished_or_removed() {
        let node = Node::new();
        node.folder().write(&wanted(&["hub"], "a")).unwrap();
        fs::write(node.0.join("hub/hosts.toml.unfinished"), "ha").unwrap();
        fs::remove_file(node.0.join("hub/hosts.toml")).unwrap();
        node.folder().remove_all_but(&BTreeSet::new()).unwrap();
        assert!(!node.0.join("hub").exists());
    }

    #[test]
    fn a_link_is_not_followed() {
        let node = Node::new();
        fs::create_dir(node.0.join("elsewhere")).unwrap();
        std::os::unix::fs::symlink(node.0.join("elsewhere"), node.0.join("hub")).unwrap();
        assert!(matches!(node.folder().write(&wanted(&["hub"], "a")), Err(Obstacle::Foreign(_))));
        assert!(node.files("elsewhere").is_empty());
    }

    #[test]
    fn an_authority_that_is_not_needed_any_more_goes() {
        let node = Node::new();
        node.folder().write(&wanted(&["hub"], "a")).unwrap();
        let public = Wanted { files: vec![(HOSTS, "b".to_owned())], ..wanted(&["hub"], "") };
        node.folder().write(&public).unwrap();
        assert_eq!(node.files("hub"), [MARKER, HOSTS]);
    }
}
