//! Which tags of a repository go, decided from their names and times alone.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::Arc;

use berth_oci::{RepositoryName, Tag};
use jiff::Timestamp;

use super::rule::{Keep, RetentionRule};
use super::versions::{kept, version_of};

/// A tag, and when it was last pushed or pulled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Used {
    pub(super) tag: Tag,
    pub(super) last: Timestamp,
}

/// The tags that go, each with the reason, which many have in common.
pub(super) fn judge<'a>(
    repository: &RepositoryName,
    tags: &'a [Used],
    rules: &[RetentionRule],
    now: Timestamp,
) -> Vec<(&'a Used, Arc<str>)> {
    let (mut selected, mut kept) = (Vec::new(), HashSet::new());
    for (number, rule) in (1..).zip(rules).filter(|(_, rule)| rule.applies_to(repository)) {
        let mut of_rule: Vec<_> = tags.iter().filter(|used| rule.selects(&used.tag)).collect();
        // Of tags that were used in the same moment, the one with the highest name counts as the latest.
        of_rule.sort_by_key(|used| Reverse((used.last, &used.tag)));
        kept.extend(kept_by(&rule.keep, &of_rule, now));
        selected.push((number, rule, of_rule.into_iter().map(|used| &used.tag).collect::<HashSet<_>>()));
    }
    let reasons = |tag: &Tag| {
        let of_tag = selected.iter().filter(|(_, _, tags)| tags.contains(tag));
        of_tag.map(|(number, rule, _)| format!("rule {number} keeps {}", rule.keep)).collect::<Vec<_>>()
    };
    let mut told = HashSet::new();
    let outgoing = tags.iter().filter(|used| !kept.contains(&used.tag));
    let outgoing = outgoing.map(|used| (used, reasons(&used.tag)));
    outgoing
        .filter(|(_, reasons)| !reasons.is_empty())
        .map(|(used, reasons)| (used, shared(&mut told, &reasons.join("; "))))
        .collect()
}

/// The text, as it was told before.
fn shared(told: &mut HashSet<Arc<str>>, text: &str) -> Arc<str> {
    if let Some(known) = told.get(text) {
        return Arc::clone(known);
    }
    let text: Arc<str> = text.into();
    told.insert(Arc::clone(&text));
    text
}

/// What a rule keeps of the tags that it selects, of which the latest come first.
fn kept_by(keep: &Keep, selected: &[&Used], now: Timestamp) -> HashSet<Tag> {
    let last = selected.iter().take(keep.last.unwrap_or_default().max(1));
    let oldest = keep.newer_than().map(|age| now.checked_sub(age).unwrap_or(Timestamp::MIN));
    let newer = selected.iter().filter(|used| oldest.is_some_and(|oldest| used.last >= oldest));
    let versions =
        keep.semver.map(|limits| kept(selected.iter().filter_map(|used| version_of(&used.tag)), limits));
    let is_kept_version = |used: &&&Used| {
        versions.as_ref().zip(version_of(&used.tag)).is_some_and(|(kept, version)| kept.contains(&version))
    };
    let versions = selected.iter().filter(is_kept_version);
    last.chain(newer).chain(versions).map(|used| used.tag.clone()).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::repository::retention::rule::VersionLimits;

    const HOUR: u64 = 3600;

    /// Tags with the number of hours since they were last used.
    fn tags(of: &[(&str, u64)]) -> Vec<Used> {
        let last = |hours: u64| now() - Duration::from_secs(hours * HOUR);
        of.iter().map(|(tag, hours)| Used { tag: tag.parse().unwrap(), last: last(*hours) }).collect()
    }

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    fn rule(repositories: &str, tags: &str, keep: Keep) -> RetentionRule {
        RetentionRule::new(&[repositories.to_owned()], &[tags.to_owned()], keep).unwrap()
    }

    fn gone(tags: &[Used], rules: &[RetentionRule]) -> Vec<String> {
        let judged = judge(&"team/app".parse().unwrap(), tags, rules, now());
        judged.into_iter().map(|(used, _)| used.tag.to_string()).collect()
    }

    fn last(number: usize) -> Keep {
        Keep { last: Some(number), ..Keep::default() }
    }

    fn newer_than(hours: u64) -> Keep {
        Keep { newer_than_seconds: Some(hours * HOUR), ..Keep::default() }
    }

    #[test]
    fn what_was_used_last_is_kept_whatever_its_name() {
        let tags = tags(&[("a", 3), ("b", 1), ("c", 2)]);
        assert_eq!(gone(&tags, &[rule("**", "*", last(2))]), ["a"]);
    }

    #[test]
    fn a_tag_that_no_rule_selects_stays() {
        let tags = tags(&[("pr-1", 900), ("pr-2", 800), ("main", 1000)]);
        assert_eq!(gone(&tags, &[rule("team/*", "pr-*", last(1))]), ["pr-1"]);
        assert_eq!(gone(&tags, &[rule("other", "*", last(1))]), [""; 0]);
    }

    #[test]
    fn a_tag_stays_that_any_rule_keeps() {
        let tags = tags(&[("v1", 50), ("v2", 40), ("v3", 1)]);
        let rules = [rule("**", "v*", last(1)), rule("**", "v*", newer_than(45))];
        assert_eq!(gone(&tags, &rules), ["v1"]);
        let both = Keep { last: Some(1), ..newer_than(45) };
        assert_eq!(gone(&tags, &[rule("**", "v*", both)]), ["v1"]);
    }

    #[test]
    fn no_rule_takes_the_last_tag_that_it_selects() {
        let tags = tags(&[("v1", 500), ("v2", 400)]);
        assert_eq!(gone(&tags, &[rule("**", "*", newer_than(1))]), ["v1"]);
        assert_eq!(gone(&tags, &[rule("**", "*", last(0))]), ["v1"]);
    }

    #[test]
    fn versions_are_kept_by_their_order_and_not_by_their_age() {
        let tags = tags(&[("1.9.0", 1), ("1.10.0", 9), ("2.0.0", 900), ("latest", 900)]);
        let semver = Some(VersionLimits { majors: None, minors: Some(1), patches: Some(1) });
        // The one that was used last is kept as well.
        assert_eq!(gone(&tags, &[rule("**", "*", Keep { semver, ..Keep::default() })]), [""; 0]);
        let tags = [tags, self::tags(&[("1.8.0", 2)])].concat();
        assert_eq!(gone(&tags, &[rule("**", "*", Keep { semver, ..Keep::default() })]), ["1.8.0"]);
    }

    #[test]
    fn a_reason_names_the_rules_that_did_not_keep_it() {
        let tags = tags(&[("a", 3), ("b", 1)]);
        let rules = [rule("other", "*", last(1)), rule("**", "*", Keep { last: Some(1), ..newer_than(2) })];
        let judged = judge(&"team/app".parse().unwrap(), &tags, &rules, now());
        assert_eq!(&*judged[0].1, "rule 2 keeps the last 1, and what was used within 2 hours");
    }
}
