//! What is measured of a server, and how it is told in few numbers.

pub(crate) mod process;
mod row;
mod summary;

pub(crate) use process::Cost;
pub(crate) use row::{Definition, Results, Row, Sample, Unit};
pub(crate) use summary::{Summary, float};
