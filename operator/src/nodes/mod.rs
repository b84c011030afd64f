//! The nodes of the cluster, as operator and node agents speak of them: what nodes are told of each Registry, what they report, and
//! how many have taken that over. It stands below both, and decides nothing.

mod listing;
mod node_report;
mod objects;
mod roll_call;
mod spread;

pub use listing::{Entry, Listing, key, listings, registry_of, revision};
pub use node_report::{NodeReport, Problem, ProblemKind};
pub use objects::Objects;
pub use roll_call::{RollCall, Tally};
pub use spread::{Known, known};
