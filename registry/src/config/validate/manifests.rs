//! `validation`: what manifests may refer to.

use regex::{Regex, RegexSet};

use crate::config::{ImageLayers, IndexPlatforms, Platform, Validation, error::Error, settings::Settings};

/// As in Distribution, `disabled` takes the whole section away, unless `enabled`, its older name, is written too.
pub(super) fn validation(settings: &Settings) -> Result<Validation, Error> {
    let validation = Validation {
        urls_allow: patterns(settings, "manifests.urls.allow")?,
        urls_deny: patterns(settings, "manifests.urls.deny")?,
        image_layers: image_layers(settings)?,
        index_platforms: index_platforms(&settings.below("manifests.indexes"))?,
    };
    let disabled = settings.flag("disabled")? && !settings.flag("enabled")?;
    // Whether layers are there, Distribution looks in any case.
    let nothing = Validation {
        image_layers: validation.image_layers,
        index_platforms: IndexPlatforms::None,
        ..Validation::default()
    };
    Ok(if disabled { nothing } else { validation })
}

fn patterns(settings: &Settings, key: &str) -> Result<RegexSet, Error> {
    const EXPECTED: &str = "a regular expression, such as ^https?://([^/]+\\.)*example\\.com/";
    const TOGETHER: &str = "fewer or smaller regular expressions: together they need too much memory";
    let items = settings.list(key)?;
    if let Some(item) = items.iter().find(|item| Regex::new(item.text).is_err()) {
        return Err(item.unexpected(EXPECTED));
    }
    RegexSet::new(items.iter().map(|item| item.text)).map_err(|_| settings.unexpected(key, TOGETHER))
}

fn image_layers(settings: &Settings) -> Result<ImageLayers, Error> {
    settings.require("manifests.images.layers", "one of all, none", |text| match text {
        "all" => Some(ImageLayers::All),
        "none" => Some(ImageLayers::None),
        _ => None,
    })
}

fn index_platforms(settings: &Settings) -> Result<IndexPlatforms, Error> {
    let list = settings.items("platformlist").iter().map(platform).collect::<Result<Vec<_>, _>>()?;
    let mode = settings.require("platforms", "one of all, none, list", |text| match text {
        "all" => Some(IndexPlatforms::All),
        "none" => Some(IndexPlatforms::None),
        "list" => Some(IndexPlatforms::List(Vec::new())),
        _ => None,
    })?;
    match mode {
        IndexPlatforms::List(_) if list.is_empty() => {
            Err(settings.missing("platformlist", "`platforms: list` needs a list of architecture and os"))
        }
        IndexPlatforms::List(_) => Ok(IndexPlatforms::List(list)),
        mode => Ok(mode),
    }
}

fn platform(settings: &Settings) -> Result<Platform, Error> {
    let word = |text: &str| Some(text.to_owned());
    Ok(Platform {
        architecture: settings.require("architecture", "a processor, such as amd64", word)?,
        os: settings.require("os", "an operating system, such as linux", word)?,
    })
}
