//! A new configuration in a running server: what takes effect at once, and what needs a restart.

use std::{path::Path, sync::Arc};

use berth_oci::Platform;
use tokio::sync::watch;

use crate::{
    api::Api,
    auth::Auth,
    config::{self, Config, Http, ImageLayers, IndexPlatforms, Loaded, Log, UploadPurging},
    mirror::Mirrors,
    reloading::{FileDigest, Refresh, Reloading},
    repository::{LayerUrls, Mirrored, Registry, RequiredContent, RequiredImages, Rules},
    telemetry,
};

/// The parts of a running server that can take a new configuration.
#[derive(Debug)]
pub struct Live {
    /// The level of the log, and whether requests are logged.
    pub log: telemetry::Control,
    /// What clients may do.
    pub registry: Registry,
    /// Which other registries are mirrored.
    pub mirrors: Mirrors,
    /// The outside of answers.
    pub api: Api,
    /// Who comes in.
    pub auth: Auth,
    /// How forgotten uploads are removed.
    pub upload_purging: watch::Sender<Option<UploadPurging>>,
}

/// The configuration of a running server, which follows its file.
#[derive(Debug)]
pub struct Reconfiguration {
    file: Arc<Reloading<Loaded>>,
    /// The configuration that the server was started with.
    started: Config,
    live: Live,
}

impl Reconfiguration {
    /// Brings what changes in `file` into `live` parts that were `started` with this configuration, and what has changed in it
    /// while they started.
    pub fn new(file: Reloading<Loaded>, started: Config, live: Live) -> Self {
        live.apply(&file.current().config, &started);
        Self { file: Arc::new(file), started, live }
    }
}

impl Refresh for Reconfiguration {
    fn refresh(&self) -> bool {
        let before = self.file.current();
        let changed = self.file.refresh();
        let now = self.file.current();
        if !Arc::ptr_eq(&before, &now) {
            self.live.apply(&now.config, &self.started);
            for warning in &now.warnings {
                tracing::warn!("{warning}");
            }
        }
        changed
    }

    fn digests(&self) -> Vec<FileDigest> {
        self.file.digests()
    }
}

impl Live {
    /// Puts everything in force that does not need a restart, and names the rest.
    fn apply(&self, new: &Config, started: &Config) {
        self.log.set(&new.log);
        self.registry.set_rules(rules(new));
        self.mirror(new);
        self.api.set_answers(&Http { prefix: started.http.prefix.clone(), ..new.http.clone() });
        self.api.set_redirect(new.redirect.clone());
        self.auth.set_audiences(new.service_accounts.as_ref());
        self.upload_purging.send_replace(upload_purging(new));
        let keys = keys_that_need_a_restart(started, new);
        if !keys.is_empty() {
            tracing::warn!("changed, and in force after a restart only: {}", keys.join(", "));
        }
    }

    /// Changes what is mirrored. That it can be, was found when the configuration was read.
    fn mirror(&self, new: &Config) {
        if let Err(error) = self.mirrors.set(&new.mirrors) {
            let error: &dyn std::error::Error = &error;
            tracing::error!(error, "the mirrors of before stay in force");
        }
        self.mirrors.attend(&self.registry);
    }
}

/// What clients may do.
pub fn rules(config: &Config) -> Rules {
    Rules {
        delete_enabled: config.rules.delete_enabled,
        read_only: config.rules.read_only,
        layer_urls: LayerUrls {
            allow: config.validation.urls_allow.clone(),
            deny: config.validation.urls_deny.clone(),
        },
        required_content: RequiredContent {
            images: required_images(&config.validation.index_platforms),
            may_lack_layers: config.validation.image_layers == ImageLayers::None,
        },
        reserve: config.reserve,
        trash_window: config.trash_window,
        retention: config.retention.clone().into(),
        mirrored: mirrored(config),
        ..Rules::default()
    }
}

fn mirrored(config: &Config) -> Mirrored {
    Mirrored {
        everything: config.mirrors.iter().any(|mirror| mirror.prefix.is_none()),
        prefixes: config.mirrors.iter().filter_map(|mirror| mirror.prefix.clone()).collect(),
    }
}

fn required_images(index_platforms: &IndexPlatforms) -> RequiredImages {
    let platforms = match index_platforms {
        IndexPlatforms::All => return RequiredImages::All,
        IndexPlatforms::None => &[][..],
        IndexPlatforms::List(platforms) => platforms,
    };
    let platform = |platform: &config::Platform| Platform {
        architecture: platform.architecture.clone(),
        os: platform.os.clone(),
        os_version: None,
        os_features: None,
        variant: None,
    };
    RequiredImages::For(platforms.iter().map(platform).collect())
}

/// How forgotten uploads are removed; a server that only reads keeps them.
pub fn upload_purging(config: &Config) -> Option<UploadPurging> {
    config.upload_purging.filter(|_| !config.rules.read_only)
}

/// The keys that have other values now, of those that are looked at once.
///
/// Everything is taken apart by name, so that a new key does not compile before it is decided about.
fn keys_that_need_a_restart(started: &Config, new: &Config) -> Vec<&'static str> {
    let Config {
        log: Log { level: _, format, fields, access_log: _ },
        storage,
        redirect: _,
        rules: _,
        reserve: _,
        trash_window: _,
        retention: _,
        upload_purging: _,
        collection,
        mirrors: _,
        validation: _,
        limits,
        http:
            Http {
                listen,
                host: _,
                prefix,
                relative_urls: _,
                headers: _,
                upload_key: _,
                tls,
                http2,
                h2c,
                drain_timeout,
                drain_delay,
            },
        debug,
        health,
        notifications,
        htpasswd,
        token,
        service_accounts,
        own_tokens,
        access_rules,
    } = started;
    let keys = [
        ("log.formatter", *format != new.log.format),
        ("log.fields", *fields != new.log.fields),
        ("storage", *storage != new.storage),
        ("garbagecollection", *collection != new.collection),
        ("catalog, tags", *limits != new.limits),
        ("http.addr", *listen != new.http.listen),
        ("http.prefix", *prefix != new.http.prefix),
        ("http.tls", *tls != new.http.tls),
        ("http.http2", *http2 != new.http.http2),
        ("http.h2c", *h2c != new.http.h2c),
        ("http.draintimeout", *drain_timeout != new.http.drain_timeout),
        ("http.draindelay", *drain_delay != new.http.drain_delay),
        ("http.debug", *debug != new.debug),
        ("health", *health != new.health),
        ("notifications", *notifications != new.notifications),
        ("auth", *htpasswd != new.htpasswd || *token != new.token),
        ("serviceaccounts", tokens_of(service_accounts.as_ref()) != tokens_of(new.service_accounts.as_ref())),
        ("tokens", *own_tokens != new.own_tokens),
        ("access.path", *access_rules != new.access_rules),
    ];
    keys.into_iter().filter_map(|(key, changed)| changed.then_some(key)).collect()
}

/// What is looked at once of the tokens of ServiceAccounts: who makes them, and where the keys are.
fn tokens_of(accounts: Option<&config::ServiceAccounts>) -> Option<(&str, &Path)> {
    accounts.map(|config::ServiceAccounts { issuer, keys, audiences: _ }| (issuer.as_str(), keys.as_path()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Options;

    fn config(variables: &[(&str, &str)]) -> Config {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        config::load(None, variables, &Options::default()).unwrap().config
    }

    #[test]
    fn what_cannot_change_is_named_by_its_key() {
        let new = config(&[
            ("REGISTRY_HTTP_ADDR", ":5001"),
            ("REGISTRY_STORAGE", "inmemory"),
            ("REGISTRY_LOG_FORMATTER", "json"),
        ]);
        let keys = keys_that_need_a_restart(&config(&[]), &new);
        assert_eq!(keys, ["log.formatter", "storage", "http.addr"]);
    }

    #[test]
    fn what_changes_at_once_needs_no_restart() {
        let new = config(&[
            ("REGISTRY_LOG_LEVEL", "debug"),
            ("REGISTRY_LOG_ACCESSLOG_DISABLED", "true"),
            ("REGISTRY_STORAGE_DELETE_ENABLED", "true"),
            ("REGISTRY_STORAGE_REDIRECT_DISABLE", "false"),
            ("REGISTRY_SPACE_RESERVE", "10%"),
            ("REGISTRY_STORAGE_MAINTENANCE_READONLY_ENABLED", "true"),
            ("REGISTRY_STORAGE_MAINTENANCE_UPLOADPURGING_AGE", "1h"),
            ("REGISTRY_PROXY_REMOTEURL", "https://quay.io"),
            ("REGISTRY_HTTP_HOST", "https://hub.example.com"),
            ("REGISTRY_HTTP_HEADERS_X-Content-Type-Options", "[nosniff]"),
        ]);
        assert_eq!(keys_that_need_a_restart(&config(&[]), &new), Vec::<&str>::new());
    }

    #[test]
    fn uploads_are_kept_while_the_registry_is_read_only() {
        assert!(upload_purging(&config(&[])).is_some());
        let read_only = config(&[("REGISTRY_STORAGE_MAINTENANCE_READONLY_ENABLED", "true")]);
        assert_eq!(upload_purging(&read_only), None);
    }
}
