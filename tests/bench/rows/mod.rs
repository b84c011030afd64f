//! The rows of the table, in its order.

mod blobs;
mod bucket;
mod collections;
mod generator;
mod limits;
mod lists;
mod load;
mod many;
mod memory;
mod mounts;
mod object_storage;
mod pushes;
mod reads;
mod starts;
mod upload;

use crate::site::Site;
use anyhow::Result;

/// Measures all rows that are wanted.
pub(crate) fn measure(site: &mut Site) -> Result<()> {
    reads::measure(site)?;
    many::measure(site)?;
    lists::measure(site)?;
    pushes::measure(site)?;
    mounts::measure(site)?;
    collections::measure(site)?;
    starts::measure(site)?;
    object_storage::measure(site)
}
