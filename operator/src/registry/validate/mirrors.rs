//! The mirrors of `spec.mirrors`, as the registry reads them.
//!
//! One whose login or authorities are not there goes on with those of before; one that never had them is left out until it has.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use berth_crds::{Reason, mirrors::Mirror};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use serde_json::{Value, json};

use super::{
    Finding,
    authorities::{from_config_map, from_secret},
};
use crate::{
    metadata::Identity,
    registry::{
        build::{CONFIG_FILE, MIRRORS_DIRECTORY, Objects},
        credentials::text,
        observe::Observed,
    },
};

/// The names that Docker Hub has in logins of Docker, beside that of its images.
const DOCKER_HUB: [&str; 4] = [
    "https://index.docker.io/v1/",
    "index.docker.io",
    "registry-1.docker.io",
    "https://registry-1.docker.io",
];

/// What is mirrored.
#[derive(Debug, Clone, Default)]
pub struct Mirrors {
    /// The section of the registry's configuration; it holds no secret.
    pub section: Vec<Value>,
    /// The passwords, by the names of their files in the Secret `NAME-mirrors`.
    pub files: BTreeMap<String, String>,
    /// For the condition `MirrorsReady`, where there are mirrors.
    pub finding: Option<Finding>,
}

impl Mirrors {
    /// The key of the section in the registry's configuration.
    pub const SECTION: &str = "mirrors";
}

/// How the registry reaches an upstream.
struct Access {
    login: Option<Login>,
    /// Who vouches for it, PEM.
    authorities: Option<String>,
}

/// Who the registry is for an upstream.
struct Login {
    user: String,
    password: String,
}

pub(super) fn validate(identity: &Identity, mirrors: &[Mirror], observed: &Observed) -> Mirrors {
    let mut judged = Mirrors::default();
    let mut problem = None;
    for mirror in mirrors {
        let access = match access(mirror, observed) {
            Ok(access) => Some(access),
            Err(finding) => {
                let before = access_of_before(identity, mirror, observed);
                problem.get_or_insert_with(|| told(finding, mirror, before.is_some()));
                before
            }
        };
        if let Some(access) = access {
            judged.add(mirror, access);
        }
    }
    let good = || {
        let names: Vec<String> =
            mirrors.iter().map(|mirror| format!("{} below {}", mirror.upstream, mirror.prefix())).collect();
        Finding::good(Reason::Configured, format!("images are mirrored of {}", names.join(", ")))
    };
    judged.finding = (!mirrors.is_empty()).then(|| problem.unwrap_or_else(good));
    judged
}

fn told(mut finding: Finding, mirror: &Mirror, goes_on: bool) -> Finding {
    let meanwhile = if goes_on { "it is mirrored as before" } else { "it is not mirrored" };
    finding.message = format!("{}; until then, {meanwhile}: {}", finding.message, mirror.upstream);
    finding
}

impl Mirrors {
    fn add(&mut self, mirror: &Mirror, Access { login, authorities }: Access) {
        let mut section = json!({"upstream": mirror.upstream, "prefix": mirror.prefix()});
        let limit = mirror.limit.as_ref().map(|limit| format!("{limit}B"));
        let settings = [
            ("remoteurl", mirror.url.clone()),
            ("ttl", mirror.ttl.clone()),
            ("keep", mirror.keep.clone()),
            ("limit", limit),
            // Not a file: so they come with the rest of the settings, at once.
            ("ca", authorities),
        ];
        for (key, value) in settings {
            if let Some(value) = value {
                section[key] = json!(value);
            }
        }
        if mirror.offline {
            section["offline"] = json!(true);
        }
        if let Some(Login { user, password }) = login {
            section["username"] = json!(user);
            section["passwordfile"] = json!(format!("{MIRRORS_DIRECTORY}/{}", file(mirror)));
            self.files.insert(file(mirror), password);
        }
        self.section.push(section);
    }
}

/// The file of a mirror's password; a key of a Secret has no colon.
fn file(mirror: &Mirror) -> String {
    mirror.upstream.replace(':', "_")
}

fn access(mirror: &Mirror, observed: &Observed) -> Result<Access, Finding> {
    Ok(Access { login: login(mirror, observed)?, authorities: authorities(mirror, observed)? })
}

fn login(mirror: &Mirror, observed: &Observed) -> Result<Option<Login>, Finding> {
    let Some(name) = &mirror.secret_name else { return Ok(None) };
    let secret = observed.mirrored.secrets.get(name).ok_or_else(|| not_found(name))?;
    let plain = || {
        let (user, password) = (text(secret, "username")?, text(secret, "password")?);
        Some(Login { user: user.trim().to_owned(), password: password.trim_end_matches('\n').to_owned() })
    };
    let of_docker = || of_docker(&text(secret, ".dockerconfigjson")?, &mirror.upstream);
    let login =
        of_docker().or_else(plain).filter(|login| !login.user.is_empty() && !login.password.is_empty());
    login.map(Some).ok_or_else(|| unusable(name, &mirror.upstream))
}

fn of_docker(config: &str, upstream: &str) -> Option<Login> {
    let config: Value = serde_json::from_str(config).ok()?;
    let auths = config["auths"].as_object()?;
    let more: &[&str] = if upstream == "docker.io" { &DOCKER_HUB } else { &[] };
    let (plain, secure) = (upstream.to_owned(), format!("https://{upstream}"));
    let names = [plain.as_str(), secure.as_str()].into_iter().chain(more.iter().copied());
    let entry = names.into_iter().find_map(|name| auths.get(name))?;
    let field = |name| entry[name].as_str().map(str::to_owned);
    if let (Some(user), Some(password)) = (field("username"), field("password")) {
        return Some(Login { user, password });
    }
    let decoded = String::from_utf8(STANDARD.decode(entry["auth"].as_str()?).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some(Login { user: user.to_owned(), password: password.to_owned() })
}

fn authorities(mirror: &Mirror, observed: &Observed) -> Result<Option<String>, Finding> {
    match (&mirror.ca_secret_name, &mirror.ca_config_map_name) {
        (Some(name), _) => {
            from_secret("spec.mirrors[].caSecretName", name, observed.mirrored.secrets.get(name)).map(Some)
        }
        (None, Some(name)) => {
            let config_map = observed.mirrored.config_maps.get(name);
            from_config_map("spec.mirrors[].caConfigMapName", name, config_map).map(Some)
        }
        (None, None) => Ok(None),
    }
}

/// What the registry has been given for an upstream, if that was all that it needs.
fn access_of_before(identity: &Identity, mirror: &Mirror, observed: &Observed) -> Option<Access> {
    let ids = Objects::ids(identity);
    let section = section_of_before(&ids.config.name, mirror, observed)?;
    let secret: Option<Secret> = observed.children.get(&ids.mirrors.name);
    let user = section["username"].as_str().map(str::to_owned);
    let password = secret.and_then(|secret| text(&secret, &file(mirror)));
    let login = user.zip(password).map(|(user, password)| Login { user, password });
    let authorities = section["ca"].as_str().map(str::to_owned);
    let needs_authorities = mirror.ca_secret_name.is_some() || mirror.ca_config_map_name.is_some();
    let is_whole =
        (login.is_some() || mirror.secret_name.is_none()) && (authorities.is_some() || !needs_authorities);
    is_whole.then_some(Access { login, authorities })
}

fn section_of_before(config_map: &str, mirror: &Mirror, observed: &Observed) -> Option<Value> {
    let config: ConfigMap = observed.children.get(config_map)?;
    let config: Value = serde_json::from_str(config.data?.get(CONFIG_FILE)?).ok()?;
    let before = config[Mirrors::SECTION].as_array()?;
    before.iter().find(|before| before["upstream"] == mirror.upstream.as_str()).cloned()
}

fn not_found(name: &str) -> Finding {
    let message = format!(
        "Secret {name} of spec.mirrors[].secretName does not exist: create it with `kubectl create secret generic {name} \
         --type=kubernetes.io/basic-auth --from-literal=username=… --from-literal=password=…`, or remove the field"
    );
    Finding::bad(Reason::SecretNotFound, message)
}

fn unusable(name: &str, upstream: &str) -> Finding {
    let message = format!(
        "Secret {name} of spec.mirrors[].secretName has neither the keys username and password, nor a .dockerconfigjson with an \
         entry for {upstream}: store the login under one of these"
    );
    Finding::bad(Reason::InvalidSecret, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        children::{ChildId, Kind},
        fixtures,
        registry::{certificates, credentials::tests::secret, mirrored::Mirrored},
    };

    fn judged(yaml: &str, observed: &Observed) -> Mirrors {
        let mirrors: Vec<Mirror> = serde_yaml::from_str(yaml).unwrap();
        validate(&Identity::of(&fixtures::registry("{}")), &mirrors, observed)
    }

    fn with_secret(secret: Secret) -> Observed {
        let secrets = [("login".to_owned(), secret)].into();
        Observed { mirrored: Mirrored { secrets, ..Mirrored::default() }, ..Observed::default() }
    }

    const HUB: &str = "[{upstream: docker.io, secretName: login}]";

    #[test]
    fn mirrors_are_written_as_the_registry_reads_them() {
        let mirrors = judged(
            "[{upstream: docker.io}, {upstream: 'r.example:5000', prefix: team/r, url: 'http://r:5000', ttl: 10m, keep: 720h, \
              limit: 50Gi}]",
            &Observed::default(),
        );
        assert_eq!(
            mirrors.section,
            [
                json!({"upstream": "docker.io", "prefix": "docker.io"}),
                json!({
                    "upstream": "r.example:5000", "prefix": "team/r", "remoteurl": "http://r:5000", "ttl": "10m",
                    "keep": "720h", "limit": "50GiB",
                }),
            ]
        );
        assert!(mirrors.files.is_empty());
        let told = mirrors.finding.unwrap();
        assert!(told.good);
        assert_eq!(
            told.message,
            "images are mirrored of docker.io below docker.io, r.example:5000 below team/r"
        );
        assert!(judged("[]", &Observed::default()).finding.is_none());
    }

    #[test]
    fn a_password_is_in_a_file_and_nowhere_else() {
        let mirrors = judged(HUB, &with_secret(secret([("username", "u"), ("password", "hunter2\n")])));
        assert_eq!(mirrors.files, [("docker.io".to_owned(), "hunter2".to_owned())].into());
        assert_eq!(mirrors.section[0]["username"], "u");
        assert_eq!(mirrors.section[0]["passwordfile"], "/etc/berth/mirrors/docker.io");
        assert!(!json!(mirrors.section).to_string().contains("hunter2"));
        assert!(!mirrors.finding.unwrap().message.contains("hunter2"));
    }

    #[test]
    fn a_login_of_docker_is_found_under_the_names_that_docker_writes() {
        for name in ["https://index.docker.io/v1/", "docker.io"] {
            let config = json!({"auths": {name: {"auth": STANDARD.encode("u:p:q")}}}).to_string();
            let mirrors = judged(HUB, &with_secret(secret([(".dockerconfigjson", config.as_str())])));
            assert_eq!(mirrors.files["docker.io"], "p:q", "{name}");
        }
        let other = json!({"auths": {"quay.io": {"username": "u", "password": "p"}}}).to_string();
        let mirrors = judged(HUB, &with_secret(secret([(".dockerconfigjson", other.as_str())])));
        assert_eq!(mirrors.finding.unwrap().reason, Reason::InvalidSecret);
    }

    #[test]
    fn without_its_secret_an_upstream_is_left_out_and_the_others_are_mirrored() {
        let mirrors = judged("[{upstream: a, secretName: login}, {upstream: b}]", &Observed::default());
        assert_eq!(mirrors.section, [json!({"upstream": "b", "prefix": "b"})]);
        let told = mirrors.finding.unwrap();
        assert_eq!(told.reason, Reason::SecretNotFound);
        assert!(told.message.ends_with("until then, it is not mirrored: a"), "{}", told.message);
    }

    #[test]
    fn a_login_that_was_good_stays_until_the_secret_is_back() {
        let before = judged(HUB, &with_secret(secret([("username", "u"), ("password", "p")])));
        let mut observed = Observed::default();
        let config = json!({"mirrors": before.section}).to_string();
        for (kind, name, object) in [
            (Kind::ConfigMap, "hub-config", json!({"kind": "ConfigMap", "data": {"config.yml": config}})),
            (Kind::Secret, "hub-mirrors", json!({"kind": "Secret", "data": {"docker.io": "cA=="}})),
        ] {
            let mut object = object;
            (object["apiVersion"], object["metadata"]) = (json!("v1"), json!({"name": name}));
            observed
                .children
                .insert(ChildId::new(kind, name.to_owned()), serde_json::from_value(object).unwrap());
        }
        let now = judged(HUB, &observed);
        assert_eq!((now.section, now.files), (before.section, before.files));
        assert!(!now.finding.unwrap().good);
    }

    #[test]
    fn authorities_come_with_the_settings_and_stay_when_their_place_is_gone() {
        let pem = certificates::issue_authority("test", None, jiff::Timestamp::now()).unwrap().certificate;
        let yaml = "[{upstream: a, caConfigMapName: ca, offline: true}]";
        let config_map =
            ConfigMap { data: Some([("ca.crt".to_owned(), pem.clone())].into()), ..ConfigMap::default() };
        let mut observed = Observed {
            mirrored: Mirrored { config_maps: [("ca".to_owned(), config_map)].into(), ..Mirrored::default() },
            ..Observed::default()
        };
        let there = judged(yaml, &observed);
        assert_eq!(there.section, [json!({"upstream": "a", "prefix": "a", "ca": pem, "offline": true})]);
        assert!(there.finding.unwrap().good);

        observed.mirrored.config_maps.clear();
        let never = judged(yaml, &observed);
        assert_eq!((never.section.len(), never.finding.unwrap().reason), (0, Reason::AuthorityNotFound));
        let written = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "hub-config"},
            "data": {"config.yml": json!({"mirrors": there.section}).to_string()},
        });
        let id = ChildId::new(Kind::ConfigMap, "hub-config".to_owned());
        observed.children.insert(id, serde_json::from_value(written).unwrap());
        let gone = judged(yaml, &observed);
        assert_eq!(gone.section, there.section);
        assert!(gone.finding.unwrap().message.ends_with("until then, it is mirrored as before: a"));
    }

    #[test]
    fn what_is_no_certificate_vouches_for_nobody() {
        let mirrors =
            judged("[{upstream: a, caSecretName: login}]", &with_secret(secret([("ca.crt", "no")])));
        assert_eq!(mirrors.finding.unwrap().reason, Reason::InvalidAuthority);
    }
}
