//! Whether containerd reads the folder that the agent writes, as far as its configuration tells.
//!
//! Of which release the running containerd is cannot be seen. What it does without the setting can be told where its
//! configuration is of a version that only older releases need; where nothing can be told, nothing is.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use toml::{Table, Value};

use crate::allow_list;

/// What reads `config_path`, in the three versions of the configuration.
const PLUGINS: [&str; 3] = ["cri", "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images"];

/// Where newer releases look if they are told nothing else.
const DEFAULTS: [&str; 2] = ["/etc/containerd/certs.d", "/etc/docker/certs.d"];

/// How deep files are followed that import others.
const DEPTH: usize = 4;

/// What is wrong, in words that say what to do.
pub(super) fn problem(config: &Path, hosts: &Path) -> Option<String> {
    let mut found = Found::default();
    found.read(config, DEPTH);
    let (hosts_text, config_text) = (hosts.display(), config.display());
    let told = |message: String| {
        Some(format!(
            "{message}: set config_path = \"{hosts_text}\" in {config_text} and restart containerd once"
        ))
    };
    match found.config_path {
        Some(paths) if paths.split(':').any(|path| Path::new(path) == hosts) => None,
        Some(paths) => told(format!("containerd reads {paths}, and not {hosts_text}")),
        None if found.version? >= 3 && DEFAULTS.iter().any(|default| Path::new(default) == hosts) => None,
        None if found.something_unseen => None,
        None => told("containerd reads no folder of registries, because its config_path is unset".to_owned()),
    }
}

#[derive(Debug, Default)]
struct Found {
    /// That of the first file.
    version: Option<i64>,
    config_path: Option<String>,
    something_unseen: bool,
}

impl Found {
    /// Reads a file and those that it imports, which count more.
    fn read(&mut self, file: &Path, depth: usize) {
        let Some(config) = fs::read_to_string(file).ok().and_then(|text| text.parse::<Table>().ok()) else {
            self.something_unseen = true;
            return;
        };
        self.version.get_or_insert_with(|| config.get("version").and_then(Value::as_integer).unwrap_or(1));
        if let Some(path) = config_path(&config) {
            self.config_path = Some(path.to_owned());
        }
        let imports = config.get("imports").and_then(Value::as_array);
        for import in imports.into_iter().flatten().filter_map(Value::as_str) {
            self.import(&file.parent().unwrap_or(file).join(import), depth);
        }
    }

    fn import(&mut self, pattern: &Path, depth: usize) {
        match matching(pattern) {
            Ok(files) if depth > 0 => files.iter().for_each(|file| self.read(file, depth - 1)),
            _ => self.something_unseen = true,
        }
    }
}

fn config_path(config: &Table) -> Option<&str> {
    let plugins = config.get("plugins")?;
    let of = |plugin| plugins.get(plugin)?.get("registry")?.get("config_path")?.as_str();
    PLUGINS.into_iter().filter_map(of).find(|path| !path.is_empty())
}

/// The files of a path whose last part may have a star.
fn matching(pattern: &Path) -> io::Result<Vec<PathBuf>> {
    let name = pattern.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let folder = pattern.parent().filter(|_| name.contains('*'));
    let Some(folder) = folder else { return Ok(vec![pattern.to_owned()]) };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let file = entry?.path();
        if file
            .file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|found| allow_list::matches(name, found))
        {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTS: &str = "/etc/containerd/certs.d";

    fn told(files: &[(&str, &str)]) -> Option<String> {
        let folder =
            std::env::temp_dir().join(format!("berth-containerd-{:016x}", getrandom::u64().unwrap()));
        fs::create_dir_all(folder.join("conf.d")).unwrap();
        for (name, text) in files {
            fs::write(folder.join(name), text).unwrap();
        }
        let told = problem(&folder.join("config.toml"), Path::new(HOSTS));
        fs::remove_dir_all(folder).unwrap();
        told
    }

    fn second(path: &str) -> String {
        format!("version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".registry]\nconfig_path = \"{path}\"\n")
    }

    #[test]
    fn a_containerd_that_reads_the_folder_is_good() {
        assert_eq!(told(&[("config.toml", &second(HOSTS))]), None);
        assert_eq!(told(&[("config.toml", &second("/etc/containerd/certs.d:/etc/docker/certs.d"))]), None);
        let third = "version = 3\n[plugins.'io.containerd.cri.v1.images'.registry]\nconfig_path = '/etc/containerd/certs.d/'\n";
        assert_eq!(told(&[("config.toml", third)]), None);
    }

    #[test]
    fn one_that_reads_no_folder_is_told_what_to_set() {
        let unset = told(&[("config.toml", &second(""))]).unwrap();
        assert!(
            unset.contains("config_path is unset: set config_path = \"/etc/containerd/certs.d\""),
            "{unset}"
        );
        assert!(told(&[("config.toml", "version = 2\n")]).is_some());
        assert!(
            told(&[("config.toml", "disabled_plugins = []\n")]).is_some(),
            "without a version it is the first"
        );
    }

    #[test]
    fn one_that_reads_another_folder_is_told_so() {
        let other = told(&[("config.toml", &second("/etc/registries"))]).unwrap();
        assert!(other.starts_with("containerd reads /etc/registries, and not"), "{other}");
    }

    #[test]
    fn newer_releases_need_no_setting() {
        assert_eq!(told(&[("config.toml", "version = 3\n")]), None);
    }

    #[test]
    fn an_imported_file_counts() {
        let main = "version = 2\nimports = [\"conf.d/*.toml\"]\n";
        assert_eq!(told(&[("config.toml", main), ("conf.d/registry.toml", &second(HOSTS))]), None);
        assert!(told(&[("config.toml", main), ("conf.d/registry.yaml", &second(HOSTS))]).is_some());
    }

    #[test]
    fn where_nothing_can_be_told_nothing_is() {
        assert_eq!(told(&[]), None, "there may be no file at all");
        assert_eq!(told(&[("config.toml", "version = 2\nimports = [\"/elsewhere/a.toml\"]\n")]), None);
        assert_eq!(told(&[("config.toml", "not = = toml")]), None);
    }
}
