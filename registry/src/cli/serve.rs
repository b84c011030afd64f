//! `registry serve`: puts the parts together and serves until a signal comes.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use anyhow::Context;
use berth_registry::{
    api::{self, Api},
    auth::Auth,
    config::{Config, Debug, Loaded, Options, Storage, UploadPurging},
    metrics::{Exposition, Measured, Metrics},
    reloading::POLL_INTERVAL,
    repository::{self, Registry, Rules},
    server::Server,
    telemetry,
};
use berth_storage::{Filesystem, Memory, ObjectStore};
use futures::{Stream, StreamExt, stream};
use tokio::signal::unix::{SignalKind, signal};

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
    super::runtime()?.block_on(serve(loaded))?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(loaded: Loaded) -> anyhow::Result<()> {
    let config = loaded.config;
    telemetry::start(&config.log);
    for warning in loaded.warnings {
        tracing::warn!("{warning}");
    }
    for variable in loaded.ignored_variables {
        tracing::warn!("environment variable {variable} is no setting of this server");
    }
    let signals = signals()?;
    let rules = rules(&config);
    let metrics = Metrics::default();
    let store = Measured::new(open_store(&config.storage), driver(&config.storage), &metrics);
    let registry = Registry::new(Arc::new(store), rules);
    let auth = Auth::open(&config)?;
    let server = Server::bind(&config.http).await?;
    start_background(&config, &registry, &auth, &server);
    if let Some(debug) = &config.debug {
        start_debug(debug, &metrics, registry.clone()).await?;
    }
    announce(loaded.file, &config, &server)?;
    let api = Api::new(registry, auth, rules.max_manifest_size, &config.http).with_metrics(metrics);
    server.run(api::router(api), signals).await;
    Ok(())
}

/// What a configuration allows.
pub(super) fn rules(config: &Config) -> Rules {
    Rules {
        delete_enabled: config.rules.delete_enabled,
        read_only: config.rules.read_only,
        ..Rules::default()
    }
}

/// The store that a configuration names.
pub(super) fn open_store(storage: &Storage) -> Arc<dyn ObjectStore> {
    match storage {
        Storage::Filesystem { root } => Arc::new(Filesystem::new(root)),
        Storage::Memory => Arc::new(Memory::new()),
    }
}

/// The name of a kind of storage in the metrics.
fn driver(storage: &Storage) -> &'static str {
    match storage {
        Storage::Filesystem { .. } => "filesystem",
        Storage::Memory => "inmemory",
    }
}

/// Serves the debug address until the process ends, so that metrics can be read while requests in flight finish.
async fn start_debug(debug: &Debug, metrics: &Metrics, registry: Registry) -> anyhow::Result<()> {
    let server = Server::bind_debug(debug).await?;
    let address = server.address().context("the debug address that is listened on is unknown")?;
    tracing::info!("listening on {address} for metrics and health (http.debug.addr)");
    let exposition = Exposition::new(metrics, registry);
    let service = api::debug_router(exposition, debug.metrics_path.as_deref());
    tokio::spawn(server.run(service, stream::pending()));
    Ok(())
}

/// Starts what goes on beside the requests: following files, and removing forgotten uploads.
fn start_background(config: &Config, registry: &Registry, auth: &Auth, server: &Server) {
    tokio::spawn(auth.clone().follow_files(POLL_INTERVAL));
    if let Some(files) = server.tls_files() {
        tokio::spawn(files.follow(POLL_INTERVAL));
    }
    if let Some(purging) = config.upload_purging.filter(|_| !config.rules.read_only) {
        tokio::spawn(purge_uploads(registry.clone(), purging));
    }
}

async fn purge_uploads(registry: Registry, purging: UploadPurging) {
    let mut ticks = tokio::time::interval(purging.interval);
    loop {
        ticks.tick().await;
        let purged = if purging.dry_run {
            tell_abandoned_uploads(&registry, &purging).await
        } else {
            registry.purge_uploads(purging.age).await
        };
        match purged {
            Ok(0) => {}
            Ok(uploads) => tracing::info!(uploads, "forgotten uploads were removed"),
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "forgotten uploads could not be removed");
            }
        }
    }
}

/// Logs what would be removed without `dryrun`; nothing is.
async fn tell_abandoned_uploads(registry: &Registry, purging: &UploadPurging) -> repository::Result<u64> {
    for (repository, upload) in registry.abandoned_uploads(purging.age).await? {
        tracing::info!(%repository, %upload, "this upload is forgotten; it stays because of `uploadpurging.dryrun`");
    }
    Ok(0)
}

fn announce(file: Option<PathBuf>, config: &Config, server: &Server) -> anyhow::Result<()> {
    let address = server.address().context("the address that is listened on is unknown")?;
    let storage = match &config.storage {
        Storage::Filesystem { root } => std::path::absolute(root)?.display().to_string(),
        Storage::Memory => "memory".to_owned(),
    };
    let protocol = if config.http.tls.is_some() { "HTTPS" } else { "HTTP" };
    let host = config.http.host.as_deref().and_then(host_name).unwrap_or("localhost");
    let hint =
        address.port().map_or_else(String::new, |port| format!("; to push: docker push {host}:{port}/app"));
    let file = file.map_or_else(|| "built-in defaults".to_owned(), |file| file.display().to_string());
    let password = config.htpasswd.as_ref().map_or("none", |_| "htpasswd");
    tracing::info!(
        configuration = file,
        storage,
        authentication = password,
        version = env!("CARGO_PKG_VERSION"),
        "listening on {address} for {protocol}{hint}"
    );
    Ok(())
}

/// The name in a URL, without scheme and port.
fn host_name(url: &str) -> Option<&str> {
    url.split_once("://")?.1.split(':').next()
}

/// One item for each signal that asks the server to end.
fn signals() -> anyhow::Result<impl Stream<Item = ()>> {
    let stream_of = |kind| -> anyhow::Result<_> {
        let signal = signal(kind).context("cannot wait for signals")?;
        Ok(stream::unfold(signal, |mut signal| async move { signal.recv().await.map(|()| ((), signal)) })
            .boxed())
    };
    Ok(stream::select(stream_of(SignalKind::terminate())?, stream_of(SignalKind::interrupt())?))
}
