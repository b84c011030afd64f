//! Names in byte order, all in one piece of memory: a list of ten thousand is passed on as it is kept.

use std::ops::Range;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// Names in byte order, none of them twice. Cheap to clone and to cut.
#[derive(Clone, Debug)]
pub struct Names {
    list: Arc<List>,
    range: Range<usize>,
}

#[derive(Debug, Default)]
struct List {
    text: Box<str>,
    /// Where each name ends in the text; the next one begins there.
    ends: Box<[usize]>,
}

impl List {
    /// Where the name at this place begins, or would begin if there were one.
    fn start(&self, place: usize) -> usize {
        place.checked_sub(1).map_or(0, |before| self.ends[before])
    }

    fn name(&self, place: usize) -> &str {
        &self.text[self.start(place)..self.ends[place]]
    }
}

/// Which names are asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// Only names that come after this one, which need not be there.
    pub after: Option<&'a str>,
    /// No more than so many; all of them without it.
    pub at_most: Option<usize>,
    /// Only names that lead to an object by these further components, one or two of them.
    pub leading_to: Option<&'a str>,
}

/// The same, for a thread of its own.
#[derive(Debug)]
pub(crate) struct OwnedWanted {
    after: Option<String>,
    at_most: Option<usize>,
    leading_to: Option<String>,
}

impl From<Wanted<'_>> for OwnedWanted {
    fn from(Wanted { after, at_most, leading_to }: Wanted<'_>) -> Self {
        Self { after: after.map(str::to_owned), at_most, leading_to: leading_to.map(str::to_owned) }
    }
}

impl OwnedWanted {
    pub(crate) fn borrow(&self) -> Wanted<'_> {
        Wanted { after: self.after.as_deref(), at_most: self.at_most, leading_to: self.leading_to.as_deref() }
    }
}

impl Default for Names {
    fn default() -> Self {
        Self { list: Arc::default(), range: 0..0 }
    }
}

impl Names {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }

    /// The name at this place.
    pub fn get(&self, place: usize) -> Option<&str> {
        Some(self.list.name(self.range.clone().nth(place)?))
    }

    /// Takes the first name away.
    pub fn take_first(&mut self) -> Option<&str> {
        Some(self.list.name(self.range.next()?))
    }

    /// The last name.
    pub fn last(&self) -> Option<&str> {
        self.get(self.len().checked_sub(1)?)
    }

    /// The names one after the other.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let mut start = self.list.start(self.range.start);
        let ends = self.list.ends[self.range.clone()].iter();
        ends.map(move |end| &self.list.text[std::mem::replace(&mut start, *end)..*end])
    }

    /// How long they are in all, in bytes.
    pub fn length(&self) -> usize {
        self.list.start(self.range.end) - self.list.start(self.range.start)
    }

    /// Those at the places of the range, cut to those that there are.
    #[must_use]
    pub fn slice(&self, places: Range<usize>) -> Self {
        let at = |place: usize| self.range.start + place.min(self.len());
        Self { list: Arc::clone(&self.list), range: at(places.start)..at(places.end.max(places.start)) }
    }

    /// Those that come after `last`.
    #[must_use]
    pub fn after(&self, last: Option<&str>) -> Self {
        let Some(last) = last else { return self.clone() };
        let (mut first, mut end) = (0, self.len());
        while first < end {
            let middle = first.midpoint(end);
            if self.get(middle).is_some_and(|name| name <= last) { first = middle + 1 } else { end = middle }
        }
        self.slice(first..self.len())
    }

    /// How much memory all of the list takes, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.list.text.len() + size_of_val(&*self.list.ends)
    }
}

/// The names come in byte order.
impl<T: AsRef<str>> FromIterator<T> for Names {
    fn from_iter<I: IntoIterator<Item = T>>(names: I) -> Self {
        let (mut text, mut ends) = (String::new(), Vec::new());
        for name in names {
            text.push_str(name.as_ref());
            ends.push(text.len());
        }
        let range = 0..ends.len();
        Self { list: Arc::new(List { text: text.into(), ends: ends.into() }), range }
    }
}

impl PartialEq for Names {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Names {}

impl Serialize for Names {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        ["a", "bb", "c", "dd", "e"].into_iter().collect()
    }

    fn told(names: &Names) -> Vec<&str> {
        names.iter().collect()
    }

    #[test]
    fn names_are_cut_wherever_somebody_wants() {
        let names = names();
        assert_eq!(told(&names.after(None)), ["a", "bb", "c", "dd", "e"]);
        assert_eq!(told(&names.after(Some("b"))), ["bb", "c", "dd", "e"]);
        assert_eq!(told(&names.after(Some("bb"))), ["c", "dd", "e"]);
        assert_eq!(told(&names.after(Some("bb")).slice(1..2)), ["dd"]);
        assert_eq!(told(&names.after(Some("bb")).after(Some("d")).slice(0..9)), ["dd", "e"]);
        assert!(names.after(Some("e")).is_empty());
        assert_eq!(names.slice(1..3).last(), Some("c"));
        assert_eq!(names.slice(1..3).get(2), None);
        assert_eq!(names.slice(1..4).length(), 5);
        assert_eq!(names.slice(5..9).length(), 0);
        assert_eq!(names.slice(7..9).last(), None);
    }

    #[test]
    fn names_are_taken_away_from_the_first_on() {
        let (all, mut few) = (names(), names().slice(1..3));
        assert_eq!(few.take_first(), Some("bb"));
        assert_eq!(told(&few), ["c"]);
        assert_eq!(few.take_first(), Some("c"));
        assert_eq!((few.take_first(), all.len()), (None, 5));
    }

    #[test]
    fn names_are_written_as_a_list() {
        assert_eq!(serde_json::to_string(&names().slice(1..3)).unwrap(), r#"["bb","c"]"#);
        assert_eq!(serde_json::to_string(&Names::default()).unwrap(), "[]");
    }
}
