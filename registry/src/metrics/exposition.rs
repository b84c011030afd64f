//! The page that a collector reads: in the text format of Prometheus, or as `OpenMetrics`.

use std::fmt;

use prometheus_client::{encoding::text, registry::Registry as Names};

use super::{Metrics, process::Process, state::State};
use crate::repository::Registry;

/// How the page is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' own, version 0.0.4.
    Prometheus,
    /// `OpenMetrics` 1.0.
    OpenMetrics,
}

impl Format {
    /// The format that the header `Accept` asks for; Prometheus' own unless it names the other.
    pub fn accepted(accept: &str) -> Self {
        let named =
            |part: &str| part.split(';').next().is_some_and(|t| t.trim() == "application/openmetrics-text");
        if accept.split(',').any(named) { Self::OpenMetrics } else { Self::Prometheus }
    }

    /// The media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// All metrics under their names.
#[derive(Debug)]
pub struct Exposition {
    names: Names,
    state: State,
}

impl Exposition {
    /// Names what `metrics` count, and what `registry` and the process can be asked for.
    pub fn new(metrics: &Metrics, registry: Registry) -> Self {
        let mut names = Names::default();
        metrics.requests.register(&mut names);
        metrics.storage.register(&mut names);
        metrics.notifications.register(&mut names);
        metrics.mirrors.register(&mut names);
        let state = State::new(registry);
        names.register_collector(Box::new(state.clone()));
        names.register_collector(Box::new(Process));
        Self { names, state }
    }

    /// Writes the page.
    pub async fn render(&self, format: Format) -> Result<String, fmt::Error> {
        self.state.refresh().await;
        let mut page = String::new();
        text::encode(&mut page, &self.names)?;
        Ok(match format {
            Format::OpenMetrics => page,
            Format::Prometheus => plain(&page),
        })
    }
}

/// Turns `OpenMetrics` into the older format, in which a counter's description has the name of its samples, and units
/// and the mark of the end are unknown.
fn plain(page: &str) -> String {
    let lines = page.split_inclusive('\n').filter(|line| !line.starts_with("# UNIT ") && *line != "# EOF\n");
    let lines: Vec<&str> = lines.collect();
    let mut plain = String::with_capacity(page.len());
    for (number, line) in lines.iter().enumerate() {
        // `# HELP name …` stands directly above `# TYPE name counter`.
        let kind = if line.starts_with("# HELP ") { lines.get(number + 1) } else { Some(line) };
        match (kind.and_then(|kind| counter(kind)), line.strip_prefix("# ")) {
            (Some(name), Some(rest)) => {
                plain.push_str("# ");
                plain.push_str(&rest.replacen(name, &format!("{name}_total"), 1));
            }
            _ => plain.push_str(line),
        }
    }
    plain
}

/// The name in `# TYPE name counter`.
fn counter(line: &str) -> Option<&str> {
    line.strip_prefix("# TYPE ")?.strip_suffix(" counter\n")
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, sync::Arc, time::Duration};

    use berth_storage::Filesystem;
    use hyper::{Method, StatusCode};

    use super::*;
    use crate::{
        metrics::{Authentication, Handler, Measured, Outcome},
        repository::Rules,
    };

    /// A page on which every family has a sample.
    async fn page(format: Format) -> String {
        let metrics = Metrics::default();
        let outcome = Outcome {
            status: Some(StatusCode::CREATED),
            duration: Duration::from_millis(5),
            received: 5,
            sent: 0,
            authentication: Some(Authentication::Succeeded),
        };
        metrics.requests().begin(Handler::Manifest, &Method::PUT).end(&outcome);
        let pulled = Outcome { status: Some(StatusCode::OK), ..outcome };
        metrics.requests().begin(Handler::Manifest, &Method::GET).end(&pulled);
        metrics.notifications().queued("ci", 2);
        metrics.notifications().answered("ci", StatusCode::OK, true, 1);
        metrics.notifications().pending("ci", 1);
        let folder = tempfile::tempdir().unwrap();
        let store = Measured::new(Arc::new(Filesystem::new(folder.path())), "filesystem", &metrics);
        let registry = Registry::new(Arc::new(store), Rules::default());
        registry.check().await.unwrap();
        Exposition::new(&metrics, registry).render(format).await.unwrap()
    }

    /// The name of each sample's family.
    fn families(page: &str) -> BTreeSet<&str> {
        let samples = page.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        samples.filter_map(|line| line.split(['{', ' ']).next()).collect()
    }

    fn of_kind<'a>(page: &'a str, kind: &str) -> Vec<&'a str> {
        page.lines()
            .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(kind))
            .map(str::trim)
            .collect()
    }

    #[tokio::test]
    async fn the_names_of_distribution_are_kept() {
        let page = page(Format::Prometheus).await;
        for sample in [
            "registry_http_in_flight_requests{handler=\"manifest\"} 0",
            "registry_http_requests_total{handler=\"manifest\",method=\"put\",code=\"201\"} 1",
            "registry_http_request_duration_seconds_bucket{le=\"0.005\",handler=\"manifest\",method=\"put\"} 1",
            "registry_http_request_size_bytes_sum{handler=\"manifest\"} 10.0",
            "registry_http_response_size_bytes_count{handler=\"manifest\"} 2",
            "registry_storage_action_seconds_count{driver=\"filesystem\",action=\"Stat\"} 1",
            "registry_notifications_events_total{type=\"Events\",endpoint=\"ci\"} 2",
            "registry_notifications_pending_total{endpoint=\"ci\"} 1",
            "registry_notifications_status_total{code=\"200 OK\",endpoint=\"ci\"} 1",
        ] {
            assert!(page.lines().any(|line| line == sample), "{sample} is missing in\n{page}");
        }
    }

    #[tokio::test]
    async fn every_sample_is_documented_and_named_after_its_kind() {
        let page = page(Format::Prometheus).await;
        let counters = of_kind(&page, " counter");
        assert!(counters.iter().all(|name| name.ends_with("_total")), "{counters:?}");
        let units = ["_seconds", "_bytes"];
        let histograms = of_kind(&page, " histogram");
        assert!(
            histograms.iter().all(|name| units.iter().any(|unit| name.ends_with(unit))),
            "{histograms:?}"
        );
        for family in families(&page) {
            let stem = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| family.strip_suffix(suffix));
            let name = stem.filter(|stem| histograms.contains(stem)).unwrap_or(family);
            for word in ["HELP", "TYPE"] {
                let described =
                    page.lines().filter(|line| line.starts_with(&format!("# {word} {name} "))).count();
                assert_eq!(described, 1, "# {word} {name}");
            }
            assert!(
                name.starts_with("registry_")
                    || name.starts_with("berth_registry_")
                    || name.starts_with("process_")
            );
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}");
        }
    }

    #[tokio::test]
    async fn the_process_the_disk_and_the_garbage_collection_are_told_of() {
        let page = page(Format::Prometheus).await;
        let found = families(&page);
        for name in [
            "process_cpu_seconds_total",
            "process_resident_memory_bytes",
            "process_open_fds",
            "process_max_fds",
            "process_start_time_seconds",
            "berth_registry_build_info",
            "berth_registry_storage_free_bytes",
            "berth_registry_storage_size_bytes",
            "berth_registry_storage_reserve_bytes",
            "berth_registry_storage_low",
            "berth_registry_garbage_collection_runs_total",
            "berth_registry_garbage_collection_seconds_total",
            "berth_registry_garbage_collection_marked_total",
            "berth_registry_garbage_collection_spared_total",
            "berth_registry_garbage_collection_rescued_total",
            "berth_registry_garbage_collection_deleted_total",
            "berth_registry_garbage_collection_freed_bytes_total",
            "berth_registry_garbage_collection_lease",
        ] {
            assert!(found.contains(name), "{name} is missing in {found:?}");
        }
    }

    #[tokio::test]
    async fn open_metrics_ends_with_its_mark_and_the_older_format_has_none() {
        let open = page(Format::OpenMetrics).await;
        assert!(open.ends_with("# EOF\n"));
        assert!(open.contains("# TYPE registry_http_requests counter\n"));
        let plain = page(Format::Prometheus).await;
        assert!(!plain.contains("# EOF") && !plain.contains("# UNIT"));
        assert!(plain.contains("# TYPE registry_http_requests_total counter\n"));
    }

    #[test]
    fn the_format_is_the_one_that_the_collector_names() {
        let prometheus =
            "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
        assert_eq!(Format::accepted(prometheus), Format::OpenMetrics);
        assert_eq!(Format::accepted("*/*"), Format::Prometheus);
        assert_eq!(Format::accepted(""), Format::Prometheus);
    }
}
