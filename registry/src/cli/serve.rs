//! `registry serve`: puts the parts together and serves until a signal comes.

mod collecting;
mod signals;
mod unmapping;
mod upload_purging;

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use anyhow::Context;
use berth_registry::{
    api::{self, Api},
    auth::Auth,
    config::{self, Config, Debug, Loaded, Options, Storage},
    health::Health,
    metrics::{Exposition, Measured, Metrics},
    mirror::Mirrors,
    notifications::{self, Notifications},
    reconfiguration::{Live, Reconfiguration, rules, upload_purging},
    reloading::{InForce, POLL_INTERVAL, Refresh, Reloading, follow},
    repository::Registry,
    server::Server,
    telemetry::{self, Traces},
};
use berth_storage::{Filesystem, Memory, ObjectStore};
use futures::stream;
use tokio::sync::watch;

use super::{bucket, heap};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Configuration file; without one, the file that `REGISTRY_CONFIGURATION_PATH` names is read, and without that,
    /// ./data is served on port 5000
    config: Option<PathBuf>,
    /// Folder to keep the images in (storage.filesystem.rootdirectory)
    #[arg(long, value_name = "DIR")]
    root: Option<String>,
    /// Address to listen on, such as :5000 or 127.0.0.1:5000 (http.addr)
    #[arg(long)]
    addr: Option<String>,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let options = Options { root: arguments.root.clone(), addr: arguments.addr.clone() };
    let loaded = super::load_config(arguments.config.as_ref(), &options)?;
    heap::keep();
    super::runtime()?.block_on(serve(loaded, options))?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(loaded: Loaded, options: Options) -> anyhow::Result<()> {
    let config = &loaded.config;
    let log = telemetry::start(&config.log);
    warn_of(&loaded);
    let traces = traces();
    let (ends, hangups) = (signals::ends()?, signals::hangups()?);
    let metrics = Metrics::default();
    let rules = rules(config);
    let limit = rules.max_manifest_size;
    bucket::make(&config.storage).await?;
    let store = Measured::new(open_store(&config.storage)?, driver(&config.storage), &metrics);
    let store: Arc<dyn ObjectStore> = Arc::new(store);
    let source = notifications::address_of(&config.http.listen);
    let notifications = Notifications::start(&config.notifications, &store, source, metrics.notifications())?;
    let registry = Registry::new(Arc::clone(&store), rules);
    follow_read_only_switch(&registry).await;
    let auth = open_auth(config)?;
    follow_keys_of_tokens(&auth, store).await;
    let server = Server::bind(&config.http).await?;
    let health = Health::new(&config.health, &registry, driver(&config.storage));
    tokio::spawn(health.clone().watch());
    let mirrors = start_mirrors(config, &registry, &metrics)?;
    let api = Api::new(registry.clone(), auth.clone(), limit, &config.http)
        .with_limits(config.limits)
        .with_mirrors(mirrors.clone())
        .with_redirect(config.redirect.clone())
        .with_health(health.clone())
        .with_metrics(metrics.clone())
        .with_notifications(notifications.clone())
        .with_traces(traces.clone());
    let (upload_purging, purging) = watch::channel(upload_purging(config));
    tokio::spawn(upload_purging::purge(registry.clone(), purging));
    if let Some(schedule) = config.collection.filter(|_| !config.rules.read_only) {
        tokio::spawn(collecting::collect(registry.clone(), schedule));
    }
    let live = Live {
        log,
        registry: registry.clone(),
        mirrors: mirrors.clone(),
        api: api.clone(),
        auth: auth.clone(),
        upload_purging,
    };
    let followed = followed(&loaded, options, &server, &auth, live)?;
    if let Some(debug) = &config.debug {
        start_debug(debug, &metrics, registry, health, InForce::of(Arc::clone(&followed))).await?;
    }
    tokio::spawn(follow(followed, POLL_INTERVAL, hangups));
    announce(loaded.file.as_ref(), config, &server)?;
    tokio::spawn(unmapping::unmap_code_at_rest(server.rest()));
    server.run(api::service(api), ends).await;
    notifications.stop().await;
    if let Some(traces) = traces {
        tokio::task::spawn_blocking(move || traces.finish()).await?;
    }
    Ok(())
}

/// Looks at the read-only switch before the first request, and follows it from then on.
async fn follow_read_only_switch(registry: &Registry) {
    if let Err(error) = registry.read_only_switch().await {
        let error: &dyn std::error::Error = &error;
        tracing::warn!(error, "the read-only switch cannot be looked at yet");
    }
    tokio::spawn(registry.clone().follow_read_only_switch());
}

/// Looks at the keys of our own tokens before the first request, and follows them from then on.
async fn follow_keys_of_tokens(auth: &Auth, store: Arc<dyn ObjectStore>) {
    if let Err(error) = auth.look_for_keys(&*store).await {
        let error: &dyn std::error::Error = &error;
        tracing::warn!(error, "the keys of tokens cannot be looked at yet");
    }
    tokio::spawn(auth.clone().follow_keys(store));
}

/// Where spans of requests go, if the environment asks for them. Images are served without them, too.
fn traces() -> Option<Traces> {
    Traces::from_environment(|name| std::env::var(name).ok()).unwrap_or_else(|error| {
        let error: &dyn std::error::Error = &error;
        tracing::error!(error, "there are no traces, although the OTEL_* variables ask for them");
        None
    })
}

/// Tells what of the configuration has no effect.
fn warn_of(loaded: &Loaded) {
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    for variable in &loaded.ignored_variables {
        tracing::warn!("environment variable {variable} is no setting of this server");
    }
}

/// Opens the mirrors and lets them do what they do by themselves.
fn start_mirrors(config: &Config, registry: &Registry, metrics: &Metrics) -> anyhow::Result<Mirrors> {
    let mirrors = Mirrors::open(&config.mirrors, metrics.mirrors())
        .context("the mirrors of other registries cannot be set up")?;
    mirrors.attend(registry);
    if config.collection.is_none() {
        mirrors.collect_garbage(registry);
    }
    Ok(mirrors)
}

/// Opens the files of users and rights; when there is no password file yet, says how to make one.
fn open_auth(config: &Config) -> anyhow::Result<Auth> {
    let opened = Auth::open(config);
    let missing = config.htpasswd.as_ref().map(|htpasswd| &htpasswd.path).filter(|path| !path.exists());
    match missing {
        Some(path) => opened.with_context(|| {
            let path = path.display();
            format!(
                "there is no password file; make one with `registry htpasswd -Bbn USER PASSWORD > {path}`"
            )
        }),
        None => Ok(opened?),
    }
}

/// The store that a configuration names.
pub(super) fn open_store(storage: &Storage) -> anyhow::Result<Arc<dyn ObjectStore>> {
    Ok(match storage {
        Storage::Filesystem { root } => Arc::new(Filesystem::new(root)),
        Storage::S3(settings) => Arc::new(bucket::open(settings)?),
        Storage::Memory => Arc::new(Memory::new()),
    })
}

/// The name of a kind of storage in the metrics.
fn driver(storage: &Storage) -> &'static str {
    match storage {
        Storage::Filesystem { .. } => "filesystem",
        Storage::S3(_) => "s3aws",
        Storage::Memory => "inmemory",
    }
}

/// Serves the debug address until the process ends, so that metrics can be read while requests in flight finish.
async fn start_debug(
    debug: &Debug,
    metrics: &Metrics,
    registry: Registry,
    health: Health,
    in_force: InForce,
) -> anyhow::Result<()> {
    let server = Server::bind_debug(debug).await?;
    let address = server.address().context("the debug address that is listened on is unknown")?;
    tracing::info!("listening on {address} for metrics and health (http.debug.addr)");
    let metrics = debug.metrics_path.clone().map(|path| (path, Exposition::new(metrics, registry)));
    tokio::spawn(server.run(api::debug_router(health, metrics, in_force), stream::pending()));
    Ok(())
}

/// Everything that is read again when its files change.
fn followed(
    loaded: &Loaded,
    options: Options,
    server: &Server,
    auth: &Auth,
    live: Live,
) -> anyhow::Result<Arc<[Arc<dyn Refresh>]>> {
    let mut followed = auth.files();
    if let Some(files) = server.tls_files() {
        followed.push(files);
    }
    if let Some(path) = &loaded.file {
        let file = open_configuration(path.clone(), options)?;
        followed.push(Arc::new(Reconfiguration::new(file, loaded.config.clone(), live)));
    }
    Ok(followed.into())
}

/// The configuration file, with the variables and options of this process laid over it whenever it is read.
fn open_configuration(path: PathBuf, options: Options) -> anyhow::Result<Reloading<Loaded>> {
    let paths = vec![path.clone()];
    let file = Reloading::open("the configuration", paths, move |contents| {
        let text = std::str::from_utf8(&contents[0])?;
        let loaded = config::load_text(&path, text, super::variables(), &options)?;
        // What cannot be in force must not be told to be.
        Mirrors::check(&loaded.config.mirrors)?;
        Ok(loaded)
    })?;
    Ok(file)
}

fn announce(file: Option<&PathBuf>, config: &Config, server: &Server) -> anyhow::Result<()> {
    let address = server.address().context("the address that is listened on is unknown")?;
    let storage = match &config.storage {
        Storage::Filesystem { root } => std::path::absolute(root)?.display().to_string(),
        Storage::S3(settings) => format!("s3://{}/{}", settings.bucket, settings.root),
        Storage::Memory => "memory".to_owned(),
    };
    let protocol = if config.http.tls.is_some() { "HTTPS" } else { "HTTP" };
    let host = config.http.host.as_deref().and_then(host_name).unwrap_or("localhost");
    let hint =
        address.port().map_or_else(String::new, |port| format!("; to push: docker push {host}:{port}/app"));
    let file = file.map_or_else(|| "built-in defaults".to_owned(), |file| file.display().to_string());
    let authentication = match (&config.token, &config.htpasswd, &config.own_tokens) {
        (Some(_), ..) => "token",
        (None, Some(_), Some(_)) => "htpasswd with tokens",
        (None, Some(_), None) => "htpasswd",
        (None, None, _) => "none",
    };
    tracing::info!(
        configuration = file,
        storage,
        authentication,
        version = env!("CARGO_PKG_VERSION"),
        "listening on {address} for {protocol}{hint}"
    );
    Ok(())
}

/// The name in a URL, without scheme and port.
fn host_name(url: &str) -> Option<&str> {
    url.split_once("://")?.1.split(':').next()
}
