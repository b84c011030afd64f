//! A row of the table: one operation, and what each server made of it.

use serde::{Deserialize, Serialize};

/// What a row measures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Definition {
    /// What is done, and with how many connections.
    pub(crate) operation: String,
    /// What is counted.
    pub(crate) unit: Unit,
    /// The name of the server, or of the limit, that the others are held against.
    pub(crate) reference: String,
}

/// What is counted in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Unit {
    /// Requests a second.
    Requests,
    /// Images a second.
    Images,
    /// Mebibytes a second.
    Throughput,
    /// Milliseconds: the fewer the better.
    Milliseconds,
    /// Mebibytes of memory: the fewer the better.
    Memory,
}

impl Unit {
    /// Its name in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Requests => "/s",
            Self::Images => "images/s",
            Self::Throughput => "MiB/s",
            Self::Milliseconds => "ms",
            Self::Memory => "MiB",
        }
    }

    /// Whether fewer is better.
    pub(crate) fn is_a_cost(self) -> bool {
        matches!(self, Self::Milliseconds | Self::Memory)
    }
}

/// What was measured once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sample {
    /// In the unit of the row.
    pub(crate) value: f64,
    /// CPU seconds per GiB where the row counts bytes, else per 1000 operations.
    pub(crate) cpu: Option<f64>,
    /// The most memory that was resident, in MiB.
    pub(crate) peak: Option<f64>,
    /// The median of the latencies, in milliseconds.
    pub(crate) p50: Option<f64>,
    /// What one in a hundred exceeded.
    pub(crate) p99: Option<f64>,
}

/// What one server made of it, round by round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Results {
    /// The name of the server or of the limit.
    pub(crate) server: String,
    /// One for each round that succeeded.
    pub(crate) samples: Vec<Sample>,
    /// Why a round did not.
    pub(crate) failure: Option<String>,
}

/// An operation and its results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    /// The operation.
    #[serde(flatten)]
    pub(crate) definition: Definition,
    /// In the order in which they are measured.
    pub(crate) results: Vec<Results>,
}

impl Definition {
    pub(crate) fn new(operation: impl Into<String>, unit: Unit, reference: &str) -> Self {
        Self { operation: operation.into(), unit, reference: reference.to_owned() }
    }
}

impl Row {
    /// What a server made of it.
    pub(crate) fn of(&self, server: &str) -> Option<&Results> {
        self.results.iter().find(|results| results.server == server)
    }

    /// The same, made if there is none yet.
    pub(crate) fn of_mut(&mut self, server: &str) -> &mut Results {
        let position = self.results.iter().position(|results| results.server == server);
        let position = position.unwrap_or(self.results.len());
        if position == self.results.len() {
            self.results.push(Results { server: server.to_owned(), samples: Vec::new(), failure: None });
        }
        &mut self.results[position]
    }
}
