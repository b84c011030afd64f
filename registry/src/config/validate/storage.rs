//! `storage`: where objects are kept, and what may be done to them.

use super::s3;
use crate::config::{Rules, Storage, UploadPurging, error::Error, settings::Settings};

pub(super) fn storage(settings: &Settings) -> Result<Storage, Error> {
    let chosen = settings.chosen("storage", &["filesystem", "inmemory", "s3", "s3aws"]);
    match chosen.as_slice() {
        [] | ["filesystem"] => {
            let root =
                settings.require("storage.filesystem.rootdirectory", "a folder", |text| Some(text.into()))?;
            Ok(Storage::Filesystem { root })
        }
        ["inmemory"] => Ok(Storage::Memory),
        [name @ ("s3" | "s3aws")] => {
            Ok(Storage::S3(Box::new(s3::settings(&settings.below("storage").below(name))?)))
        }
        _ => Err(settings.ambiguous("storage", &chosen)),
    }
}

pub(super) fn rules(settings: &Settings) -> Result<Rules, Error> {
    Ok(Rules {
        delete_enabled: settings.flag("storage.delete.enabled")?,
        read_only: settings.flag("storage.maintenance.readonly.enabled")?,
    })
}

pub(super) fn upload_purging(settings: &Settings) -> Result<Option<UploadPurging>, Error> {
    let settings = settings.below("storage.maintenance.uploadpurging");
    let purging = UploadPurging {
        age: settings.duration("age")?,
        interval: settings.positive_duration("interval")?,
        dry_run: settings.flag("dryrun")?,
    };
    Ok(settings.flag("enabled")?.then_some(purging))
}
