//! Which tags of a repository are copied, and which follow others.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use berth_oci::{Digest, RepositoryName, Tag};

use super::referrers::stands_for_referrers;
use crate::repository::{TagPattern, subject_digits};

/// The tags that are wanted: all of them, or those that a pattern stands for.
#[derive(Debug, Default)]
pub(super) struct Tags {
    patterns: Vec<TagPattern>,
    followers: Mutex<HashMap<(RepositoryName, String), Vec<Tag>>>,
}

impl Tags {
    pub(super) fn new(patterns: Vec<TagPattern>) -> Self {
        Self { patterns, followers: Mutex::default() }
    }

    /// Those of the tags of a repository that are wanted for themselves. Where not all are, signatures that clients keep under
    /// tags wait for their images.
    pub(super) fn select(&self, name: &RepositoryName, tags: Vec<Tag>) -> Vec<Tag> {
        let mut selected = Vec::new();
        for tag in tags.into_iter().filter(|tag| !stands_for_referrers(tag)) {
            let subject = subject_digits(&tag).filter(|_| !self.patterns.is_empty()).map(str::to_owned);
            match subject {
                Some(subject) => self.followers().entry((name.clone(), subject)).or_default().push(tag),
                None if self.is_wanted(&tag) => selected.push(tag),
                None => {}
            }
        }
        selected
    }

    /// The tags that follow an image, each for the first who asks.
    pub(super) fn following(&self, name: &RepositoryName, image: &Digest) -> Vec<Tag> {
        let digits: String = image.hex().chars().take(64).collect();
        self.followers().remove(&(name.clone(), digits)).unwrap_or_default()
    }

    fn is_wanted(&self, tag: &Tag) -> bool {
        self.patterns.is_empty() || self.patterns.iter().any(|pattern| pattern.matches(tag))
    }

    fn followers(&self) -> std::sync::MutexGuard<'_, HashMap<(RepositoryName, String), Vec<Tag>>> {
        self.followers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(names: &[&str]) -> Vec<Tag> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn signatures_under_tags_follow_the_images_that_are_wanted() {
        let digits = "a".repeat(64);
        let signature = format!("sha256-{digits}.sig");
        let all = tags(&["1.0", "2.0", &signature, &format!("sha256-{digits}")]);
        let (app, image) = ("app".parse().unwrap(), format!("sha256:{digits}").parse().unwrap());
        let some = Tags::new(vec!["1.*".parse().unwrap()]);
        assert_eq!(some.select(&app, all.clone()), tags(&["1.0"]));
        assert!(some.following(&"other".parse().unwrap(), &image).is_empty());
        assert_eq!(some.following(&app, &image), tags(&[&signature]));
        assert!(some.following(&app, &image).is_empty(), "once is enough");
        // Where everything is wanted, nothing has to wait.
        assert_eq!(Tags::default().select(&app, all), tags(&["1.0", "2.0", &signature]));
    }
}
