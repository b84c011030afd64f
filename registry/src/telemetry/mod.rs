//! Logs: set up once, written to standard error, one line an event in the shape that the configuration asks for.
//! Traces of requests, where the environment asks for them, are in `traces`.

mod collector;
mod line;
mod traces;

use std::io;

use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{
    Layer as _, Registry, filter::Targets, layer::SubscriberExt as _, reload, util::SubscriberInitExt as _,
};

use crate::config::Log;
use line::Line;

pub use traces::{Error as TracesError, RequestSpan, Traces};

/// The target of the lines that tell of requests.
pub const ACCESS: &str = "access";

/// Changes what is logged while the process runs.
#[derive(Clone, Debug)]
pub struct Control(reload::Handle<Targets, Registry>);

impl Control {
    /// Logs from another level on, and requests or no requests. Format and fields stay as they are.
    pub fn set(&self, log: &Log) {
        // It fails only if this process logs by another call of `start`.
        let _ = self.0.reload(filter(log));
    }
}

/// Begins to log. Only the first call of a process counts, so that tests may start several servers.
pub fn start(log: &Log) -> Control {
    let (filter, control) = reload::Layer::new(filter(log));
    let output = tracing_subscriber::fmt::layer()
        .event_format(Line::new(log.format, log.fields.clone()))
        .with_writer(io::stderr)
        .with_filter(filter);
    // It fails only if logging was started before.
    let _ = tracing_subscriber::registry().with(output).try_init();
    Control(control)
}

/// Our own lines from the configured level on; those of the libraries below only when something is wrong,
/// unless everything is asked for.
fn filter(log: &Log) -> Targets {
    let libraries = if log.level == Level::TRACE { Level::TRACE } else { log.level.min(Level::WARN) };
    // It warns of each client that names an address in place of a host, which harms nobody.
    let tls = if log.level == Level::TRACE { Level::TRACE } else { Level::ERROR };
    let access = if log.access_log { LevelFilter::from(log.level) } else { LevelFilter::OFF };
    Targets::new()
        .with_default(libraries)
        .with_target("rustls", tls)
        .with_target("berth", log.level)
        .with_target("registry", log.level)
        .with_target(ACCESS, access)
}
