//! The credentials that `docker login`, `podman login` and Secrets of Kubernetes keep: `config.json`, or `auth.json`.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;

use super::{Credentials, DOCKER_HUB_KEY};

/// Why credentials cannot be had from a file.
#[derive(Debug, thiserror::Error)]
pub enum InvalidDockerConfig {
    /// The file cannot be read.
    #[error("cannot read {}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not what Docker writes. What stands there may be a secret, and is not told.
    #[error("{} is no configuration of Docker: write {{\"auths\": {{…}}}} as `docker login` does", .0.display())]
    Form(PathBuf),
    /// What stands there for a registry is no user with a password.
    #[error("{}: what stands there for {registry} is no user with a password", .path.display())]
    Entry {
        /// The file.
        path: PathBuf,
        /// The registry.
        registry: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    #[serde(default)]
    auths: HashMap<String, Entry>,
    #[serde(default)]
    cred_helpers: HashMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    /// As Docker writes it.
    #[serde(rename = "identitytoken")]
    identity_token: Option<String>,
}

impl Credentials {
    /// What the file says of the registry at `server`, which is a host with or without a port.
    pub fn of_docker_config(path: &Path, server: &str) -> Result<Self, InvalidDockerConfig> {
        let text = fs::read(path)
            .map_err(|source| InvalidDockerConfig::Unreadable { path: path.to_owned(), source })?;
        let document: Document =
            serde_json::from_slice(&text).map_err(|_| InvalidDockerConfig::Form(path.to_owned()))?;
        let helper = document.cred_helpers.iter().find(|(known, _)| is_for(known, server));
        if let Some((_, helper)) = helper {
            return Ok(helped(helper));
        }
        let entry = document.auths.iter().find(|(known, _)| is_for(known, server));
        match (entry, document.creds_store) {
            (Some((_, entry)), store) if !entry.is_empty() || store.is_none() => {
                let invalid =
                    || InvalidDockerConfig::Entry { path: path.to_owned(), registry: server.to_owned() };
                entry.credentials().ok_or_else(invalid)
            }
            (_, Some(store)) => Ok(helped(&store)),
            _ => Ok(Self::Anonymous),
        }
    }

    /// The file that Docker reads: in the folder that `DOCKER_CONFIG` names, or in the home folder; if it is there.
    pub fn docker_config() -> Option<PathBuf> {
        let named = std::env::var_os("DOCKER_CONFIG").map(PathBuf::from);
        let folder = named.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".docker")))?;
        Some(folder.join("config.json")).filter(|path| path.is_file())
    }
}

impl Entry {
    fn is_empty(&self) -> bool {
        let of = |text: &Option<String>| text.as_deref().unwrap_or_default().is_empty();
        of(&self.auth) && of(&self.identity_token) && self.username.is_none()
    }

    fn credentials(&self) -> Option<Credentials> {
        // The password beside one is empty.
        if let Some(token) = self.identity_token.as_ref().filter(|token| !token.is_empty()) {
            return Some(Credentials::IdentityToken(token.clone()));
        }
        if let (Some(user), Some(password)) = (&self.username, &self.password) {
            return Some(Credentials::Password { user: user.clone(), password: password.clone() });
        }
        let pair = String::from_utf8(STANDARD.decode(self.auth.as_deref()?).ok()?).ok()?;
        let (user, password) = pair.split_once(':')?;
        let password = password.trim_end_matches('\0').to_owned();
        Some(Credentials::Password { user: user.to_owned(), password })
    }
}

/// The credentials of a helper, by the name that the file gives it.
fn helped(name: &str) -> Credentials {
    Credentials::Helper { command: format!("docker-credential-{name}").into(), lifetime: None }
}

/// Whether what the file says under `key` is for the server. Keys may be addresses with a scheme and a path.
fn is_for(key: &str, server: &str) -> bool {
    let host = |name: &str| {
        let name = name.strip_prefix("https://").or_else(|| name.strip_prefix("http://")).unwrap_or(name);
        name.split('/').next().unwrap_or_default().to_ascii_lowercase()
    };
    let is_docker_hub = |name: &str| ["docker.io", "index.docker.io", "registry-1.docker.io"].contains(&name);
    let (known, server) = (host(key), host(server));
    known == server || (is_docker_hub(&server) && (key == DOCKER_HUB_KEY || is_docker_hub(&known)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, server: &str) -> Result<Credentials, InvalidDockerConfig> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        Credentials::of_docker_config(file.path(), server)
    }

    const CONFIG: &str = r#"{
        "auths": {
            "https://index.docker.io/v1/": {"auth": "YW5uOmdlaGVpbTpy"},
            "hub.example.com:5000": {"username": "bob", "password": "secret"},
            "broken.example.com": {"auth": "!"}
        },
        "credHelpers": {"123.dkr.ecr.eu-central-1.amazonaws.com": "ecr-login"}
    }"#;

    #[test]
    fn a_registry_is_found_by_its_host() {
        let user = |user: &str, password: &str| Credentials::Password {
            user: user.to_owned(),
            password: password.to_owned(),
        };
        assert_eq!(read(CONFIG, "docker.io").unwrap(), user("ann", "geheim:r"));
        assert_eq!(read(CONFIG, "registry-1.docker.io").unwrap(), user("ann", "geheim:r"));
        assert_eq!(read(CONFIG, "hub.example.com:5000").unwrap(), user("bob", "secret"));
        assert_eq!(read(CONFIG, "hub.example.com").unwrap(), Credentials::Anonymous);
        let helper = Credentials::Helper { command: "docker-credential-ecr-login".into(), lifetime: None };
        assert_eq!(read(CONFIG, "123.dkr.ecr.eu-central-1.amazonaws.com").unwrap(), helper);
    }

    #[test]
    fn a_store_of_the_desktop_is_a_helper_for_all() {
        let store = r#"{"auths": {"a.example.com": {}}, "credsStore": "desktop"}"#;
        let helper = Credentials::Helper { command: "docker-credential-desktop".into(), lifetime: None };
        assert_eq!(read(store, "a.example.com").unwrap(), helper);
    }

    #[test]
    fn an_identity_token_counts_more_than_the_empty_password_beside_it() {
        let text = r#"{"auths": {"a.example.com": {"auth": "YW5uOg==", "identitytoken": "geheim"}}}"#;
        let read = read(text, "a.example.com").unwrap();
        assert_eq!(read, Credentials::IdentityToken("geheim".to_owned()));
        assert!(!format!("{read:?}").contains("geheim"));
    }

    #[test]
    fn no_failure_shows_what_the_file_holds() {
        for text in [r#"{"auths": {"broken.example.com": {"auth": "geheim"}}}"#, r#"{"auths": "geheim"}"#] {
            let error = format!("{:?}", read(text, "broken.example.com").unwrap_err());
            assert!(!error.contains("geheim"), "{error}");
        }
    }
}
