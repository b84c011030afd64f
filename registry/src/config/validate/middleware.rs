//! `middleware`: code that Distribution loads by name, and that this server does not have.

use crate::config::{error::Error, settings::Settings};

const INSTEAD: &str = "this server has no middleware; remove the item, or write `disabled: true` in it";

/// Refuses middleware that somebody relies on; what is disabled may stay in the file.
pub(super) fn refuse(settings: &Settings) -> Result<(), Error> {
    let kinds = ["middleware.registry", "middleware.repository", "middleware.storage"];
    for item in kinds.iter().flat_map(|kind| settings.items(kind)) {
        if !item.flag("disabled")? {
            return Err(item.refused(INSTEAD));
        }
    }
    Ok(())
}
