//! How a run is told: as a table, as JSON, and beside another run.

mod columns;
mod compare;
mod json;
mod table;

pub(crate) use compare::compare;
pub(crate) use json::Report;
pub(crate) use table::table;
