//! Which images a copy is about, and the names that they get.

use anyhow::{Context, bail, ensure};
use berth_oci::{Reference, RepositoryName, RepositoryPattern, Tag};
use berth_registry::copying::{Place, Wanted};

use super::{Arguments, Location};
use crate::cli::image_name::ImageName;

/// What the arguments name, and what of the source matches their patterns.
pub(super) async fn wanted(arguments: &Arguments, source: &Place) -> anyhow::Result<Vec<Wanted>> {
    let target = image(&arguments.destination);
    if let Some(named) = image(&arguments.source) {
        ensure!(
            arguments.repositories.is_empty(),
            "SRC names a repository already: name its registry alone, or leave --repository out"
        );
        ensure!(
            arguments.tags.is_empty() || named.reference.is_none(),
            "SRC names an image already: name its repository alone, or leave --tag out"
        );
        return Ok(vec![one(named, target)?]);
    }
    let prefix = match target {
        Some(ImageName { reference: Some(_), .. }) => bail!("DST names one image, and SRC does not"),
        target => target.map(|target| &target.repository),
    };
    let mut wanted = Vec::new();
    for name in names(&arguments.repositories, source).await? {
        let to = match prefix {
            Some(prefix) => format!("{prefix}/{name}").parse()?,
            None => name.clone(),
        };
        wanted.push(Wanted { from: name, to, reference: None, tag: None });
    }
    ensure!(!wanted.is_empty(), "no repository of {} is to be copied", arguments.source);
    Ok(wanted)
}

fn image(location: &Location) -> Option<&ImageName> {
    match location {
        Location::Registry { image, .. } => image.as_ref(),
        Location::Config(_) | Location::Folder(_) => None,
    }
}

/// One repository or image under a name of its own.
fn one(named: &ImageName, target: Option<&ImageName>) -> anyhow::Result<Wanted> {
    let to = target.map_or(&named.repository, |target| &target.repository).clone();
    let tag = match target.and_then(|target| target.reference.as_ref()) {
        None => None,
        Some(Reference::Digest(_)) => bail!("a digest follows from the content: DST takes a tag"),
        Some(Reference::Tag(tag)) => {
            ensure!(named.reference.is_some(), "DST names one image, and SRC a repository: name a tag of it");
            Some(Tag::clone(tag))
        }
    };
    Ok(Wanted { from: named.repository.clone(), to, reference: named.reference.clone(), tag })
}

/// The repositories that match. Names without `*` are not looked for: many registries do not list what they have.
async fn names(patterns: &[String], source: &Place) -> anyhow::Result<Vec<RepositoryName>> {
    let (open, plain): (Vec<_>, Vec<_>) = patterns.iter().partition(|pattern| pattern.contains('*'));
    let mut names: Vec<RepositoryName> = plain.iter().map(|name| name.parse()).collect::<Result<_, _>>()?;
    let open: Vec<RepositoryPattern> =
        open.iter().map(|pattern| pattern.parse()).collect::<Result<_, _>>()?;
    if patterns.is_empty() || !open.is_empty() {
        let listed = source.repositories().await;
        let listed =
            listed.context("the source does not list its repositories: name them with --repository")?;
        let is_wanted =
            |name: &RepositoryName| patterns.is_empty() || open.iter().any(|pattern| pattern.matches(name));
        names.extend(listed.into_iter().filter(is_wanted));
    }
    names.sort();
    names.dedup();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renamed(named: &str, target: Option<&str>) -> anyhow::Result<(String, Option<String>)> {
        let (named, target) = (named.parse()?, target.map(str::parse).transpose()?);
        let wanted = one(&named, target.as_ref())?;
        Ok((wanted.to.to_string(), wanted.tag.map(|tag| tag.to_string())))
    }

    #[test]
    fn one_image_may_get_another_name() {
        let name = |to: &str, tag: Option<&str>| (to.to_owned(), tag.map(str::to_owned));
        assert_eq!(renamed("app:1", None).unwrap(), name("app", None));
        assert_eq!(renamed("app:1", Some("team/app")).unwrap(), name("team/app", None));
        assert_eq!(renamed("app:1", Some("b:2")).unwrap(), name("b", Some("2")));
        assert_eq!(renamed("app", Some("b")).unwrap(), name("b", None));
    }

    #[test]
    fn names_that_do_not_go_together_are_refused() {
        let digest = format!("app@sha256:{}", "a".repeat(64));
        assert!(renamed("app:1", Some(&digest)).unwrap_err().to_string().contains("takes a tag"));
        assert!(renamed("app", Some("b:2")).unwrap_err().to_string().contains("name a tag of it"));
    }
}
