//! `retention`: which tags are kept.

use crate::{
    config::{duration, error::Error, settings::Settings},
    repository::{InvalidRule, Keep, RetentionRule, VersionLimits},
};

pub(super) fn rules(settings: &Settings) -> Result<Vec<RetentionRule>, Error> {
    settings.items("retention.rules").iter().map(rule).collect()
}

fn rule(settings: &Settings) -> Result<RetentionRule, Error> {
    const KEEP: &str = "say what the rule keeps: last, newerthan or semver";
    const REPOSITORIES: &str =
        "names of repositories, in which * stands for any text, and ** for any components";
    const TAGS: &str =
        "names of tags, in which * stands for any text, or regular expressions between slashes";
    let texts = |key| -> Result<Vec<_>, Error> {
        Ok(settings.list(key)?.iter().map(|item| item.text.to_owned()).collect())
    };
    let keep = keep(&settings.below("keep"))?;
    RetentionRule::new(&texts("repositories")?, &texts("tags")?, keep).map_err(|error| match error {
        InvalidRule::Repositories(_) => settings.unexpected("repositories", REPOSITORIES),
        InvalidRule::Tags(_) => settings.unexpected("tags", TAGS),
        InvalidRule::KeepsNothing => settings.missing("keep", KEEP),
    })
}

fn keep(settings: &Settings) -> Result<Keep, Error> {
    const AGE: &str = "a duration such as 720h";
    let newer_than = settings.read("newerthan", AGE, duration::parse)?;
    let semver = settings.below("semver");
    let versions = VersionLimits {
        majors: number(&semver, "majors")?,
        minors: number(&semver, "minors")?,
        patches: number(&semver, "patches")?,
    };
    Ok(Keep {
        last: number(settings, "last")?,
        newer_than_seconds: newer_than.map(|age| age.as_secs()),
        semver: settings.origin("semver").map(|_| versions),
    })
}

fn number(settings: &Settings, key: &str) -> Result<Option<usize>, Error> {
    settings.read(key, "a number, such as 5", |text| text.parse().ok())
}
