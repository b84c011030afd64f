//! The folder `registries.conf.d`, in which CRI-O and Podman are told of mirrors: one file a name.
//!
//! What the agent makes says so in its first line, and nothing else is written to or removed. A file that is read later replaces what
//! one before says of the same name: so a name is left alone that any other file of theirs speaks of.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use toml::{Table, Value};
use tracing::info;

use super::{
    file::{content, remove, replace},
    obstacle::Obstacle,
};
use crate::nodes::Entry;

/// What the names of the agent's files begin and end with.
const BEGINNING: &str = "50-berth-";
const ENDING: &str = ".conf";

/// The file beside the folder that is read before those in it.
const MAIN: &str = "registries.conf";

/// Docker Hub, which the runtimes know by the name of its images.
const DOCKER_HUB: (&str, &str) = ("docker.io", "https://registry-1.docker.io");

/// One such folder.
#[derive(Debug, Clone)]
pub(super) struct DropIns {
    root: PathBuf,
    marker: String,
}

impl DropIns {
    /// The folder at `root`, in which `owner` marks what is its own.
    pub(super) fn new(root: &Path, owner: &str) -> Self {
        let marker = format!("# berth node agent {owner}, which removes this file when the Registry goes\n");
        Self { root: root.to_owned(), marker }
    }

    /// Where it is.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Tells the runtimes of an entry, and returns the name of the file that does.
    pub(super) fn write(&self, entry: &Entry) -> Result<String, Obstacle> {
        let name = format!("{BEGINNING}{}{ENDING}", entry.host.replace(':', "_"));
        let place = self.root.join(&name);
        let unwritable = |error| Obstacle::Unwritable(place.clone(), error);
        if place.exists() && !self.is_marked(&place).map_err(unwritable)? {
            return Err(Obstacle::Foreign(place));
        }
        if let Some(file) = self.speaks_of(&entry.host).map_err(unwritable)? {
            return Err(Obstacle::Spoken { file, name: entry.host.clone() });
        }
        fs::create_dir_all(&self.root).map_err(unwritable)?;
        if replace(&self.root, &name, &(self.marker.clone() + &section(entry))).map_err(unwritable)? {
            info!(file = %place.display(), "written");
        }
        Ok(name)
    }

    /// Removes what the agent made, but for the files of these names.
    pub(super) fn remove_all_but(&self, kept: &BTreeSet<String>) -> io::Result<()> {
        for file in self.files()? {
            let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if !kept.contains(name) && self.is_marked(&file)? && remove(&self.root, name)? {
                info!(file = %file.display(), "removed");
            }
        }
        Ok(())
    }

    /// A file of somebody else that tells the runtimes of a name.
    fn speaks_of(&self, host: &str) -> io::Result<Option<PathBuf>> {
        let main = self.root.parent().map(|folder| folder.join(MAIN));
        for file in main.into_iter().chain(self.files()?) {
            let Some(text) = content(&file)? else { continue };
            if !text.starts_with(&self.marker) && names(&text).any(|name| name == host) {
                return Ok(Some(file));
            }
        }
        Ok(None)
    }

    fn is_marked(&self, file: &Path) -> io::Result<bool> {
        Ok(content(file)?.is_some_and(|text| text.starts_with(&self.marker)))
    }

    /// All files that the runtimes read here.
    fn files(&self) -> io::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(&self.root) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let files = entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
        Ok(files.into_iter().filter(|file| file.to_string_lossy().ends_with(ENDING)).collect())
    }
}

/// The names that a file of registries speaks of. One that cannot be read speaks of none; the runtimes refuse to work with it.
fn names(text: &str) -> impl Iterator<Item = String> {
    let table = text.parse::<Table>().unwrap_or_default();
    let registries = table.get("registry").and_then(Value::as_array).cloned().unwrap_or_default();
    registries.into_iter().filter_map(|registry| {
        let name = registry.get("prefix").or_else(|| registry.get("location"))?;
        name.as_str().map(str::to_owned)
    })
}

/// What the runtimes are told: to ask the registry's addresses first, and then whom the name leads to.
fn section(entry: &Entry) -> String {
    let Entry { host, endpoints, fallback, path } = entry;
    let origin = fallback.as_deref().filter(|url| (host.as_str(), *url) != DOCKER_HUB);
    let origin = origin.map_or_else(|| format!("location = \"{host}\"\n"), |url| place(url, None));
    let mirror = |endpoint: &String| format!("\n[[registry.mirror]]\n{}", place(endpoint, path.as_deref()));
    let mirrors: String = endpoints.iter().map(mirror).collect();
    format!("[[registry]]\nprefix = \"{host}\"\n{origin}{mirrors}")
}

/// Where a URL leads, and what stands there before the names.
fn place(url: &str, path: Option<&str>) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let path = path.map(|path| format!("/{path}")).unwrap_or_default();
    let insecure = if scheme == "http" { "insecure = true\n" } else { "" };
    format!("location = \"{rest}{path}\"\n{insecure}")
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Node(PathBuf);

    impl Node {
        fn new() -> Self {
            let root =
                std::env::temp_dir().join(format!("berth-drop-ins-{:016x}", getrandom::u64().unwrap()));
            fs::create_dir_all(root.join("registries.conf.d")).unwrap();
            Self(root)
        }

        fn drop_ins(&self) -> DropIns {
            DropIns::new(&self.0.join("registries.conf.d"), "berth-system/berth-node-agent")
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.0.join(name), text).unwrap();
        }

        fn names(&self) -> Vec<String> {
            let name = |file: PathBuf| file.file_name().unwrap().to_str().unwrap().to_owned();
            let mut names: Vec<_> = self.drop_ins().files().unwrap().into_iter().map(name).collect();
            names.sort();
            names
        }
    }

    impl Drop for Node {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    fn entry(host: &str, endpoint: &str, fallback: Option<&str>, path: Option<&str>) -> Entry {
        Entry {
            host: host.to_owned(),
            endpoints: vec![endpoint.to_owned()],
            fallback: fallback.map(str::to_owned),
            path: path.map(str::to_owned),
        }
    }

    fn hub() -> Entry {
        entry("docker.io", "https://10.96.0.7", Some("https://registry-1.docker.io"), Some("docker.io"))
    }

    #[test]
    fn a_mirror_is_asked_below_its_prefix_before_the_upstream() {
        assert_eq!(
            section(&hub()),
            "[[registry]]\nprefix = \"docker.io\"\nlocation = \"docker.io\"\n\n\
             [[registry.mirror]]\nlocation = \"10.96.0.7/docker.io\"\n"
        );
    }

    #[test]
    fn an_upstream_that_answers_elsewhere_is_asked_there() {
        let told =
            section(&entry("hub.a", "https://10.96.0.7:5000", Some("http://10.0.0.1:80"), Some("hub")));
        assert_eq!(
            told,
            "[[registry]]\nprefix = \"hub.a\"\nlocation = \"10.0.0.1:80\"\ninsecure = true\n\n\
             [[registry.mirror]]\nlocation = \"10.96.0.7:5000/hub\"\n"
        );
    }

    #[test]
    fn a_file_is_written_once_and_goes_when_it_is_not_wanted_any_more() {
        let node = Node::new();
        let name = node.drop_ins().write(&hub()).unwrap();
        assert_eq!(name, "50-berth-docker.io.conf");
        let written = || fs::metadata(node.drop_ins().root.join(&name)).unwrap().modified().unwrap();
        let before = written();
        node.drop_ins().write(&hub()).unwrap();
        assert_eq!(written(), before);
        node.drop_ins().remove_all_but(&BTreeSet::from([name.clone()])).unwrap();
        assert_eq!(node.names(), [name]);
        node.drop_ins().remove_all_but(&BTreeSet::new()).unwrap();
        assert!(node.names().is_empty());
    }

    #[test]
    fn a_name_that_another_file_speaks_of_is_left_alone() {
        let theirs = "[[registry]]\nlocation = \"docker.io\"\n";
        for file in
            ["registries.conf", "registries.conf.d/10-site.conf", "registries.conf.d/50-berth-docker.io.conf"]
        {
            let node = Node::new();
            node.write(file, theirs);
            let told = node.drop_ins().write(&hub()).unwrap_err();
            assert!(told.to_string().contains(&node.0.join(file).display().to_string()), "{told}");
            node.drop_ins().remove_all_but(&BTreeSet::new()).unwrap();
            assert_eq!(fs::read_to_string(node.0.join(file)).unwrap(), theirs);
        }
    }

    #[test]
    fn a_file_about_others_is_in_nobodys_way() {
        let node = Node::new();
        node.write("registries.conf", "unqualified-search-registries = [\"docker.io\"]\n");
        node.write(
            "registries.conf.d/10-site.conf",
            "[[registry]]\nprefix = \"quay.io\"\nlocation = \"docker.io\"\n",
        );
        node.write("registries.conf.d/notes", "[[registry]]\nlocation = \"docker.io\"\n");
        node.drop_ins().write(&hub()).unwrap();
    }

    #[test]
    fn what_another_installation_made_is_somebody_elses() {
        let node = Node::new();
        DropIns::new(&node.drop_ins().root, "other/agent").write(&hub()).unwrap();
        assert!(node.drop_ins().write(&hub()).is_err());
        node.drop_ins().remove_all_but(&BTreeSet::new()).unwrap();
        assert_eq!(node.names().len(), 1);
    }
}
