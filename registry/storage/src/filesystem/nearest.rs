//! The first names of a folder, however many it has, in one piece of memory.
//!
//! A folder may be read by any thread, and each has memory of its own. A piece for each name would come from there and leave holes,
//! which only the same thread fills again: in the end each would keep room for a large folder. One large piece comes from the
//! kernel and goes back to it.

use std::ops::Range;

use crate::Names;

/// The first of the names that were added.
#[derive(Debug)]
pub(super) struct Nearest {
    /// How many are wanted.
    most: usize,
    text: String,
    /// Where the names are in the text, those that are wanted and a few more.
    places: Vec<Range<usize>>,
    /// As many as are wanted come before this one.
    behind: Option<String>,
    /// How many were left out.
    left: usize,
}

impl Nearest {
    /// None so far, and so many at most.
    pub(super) fn of(most: usize) -> Self {
        Self { most, text: String::new(), places: Vec::new(), behind: None, left: 0 }
    }

    /// Adds a name, unless enough come before it.
    pub(super) fn add(&mut self, name: &str) {
        if self.behind.as_deref().is_some_and(|behind| name >= behind) {
            self.left += 1;
            return;
        }
        let start = self.text.len();
        self.text.push_str(name);
        self.places.push(start..self.text.len());
        // To cut costs as much as there is, and so is done when a part of that has come.
        if self.places.len() > self.most + self.most / 4 {
            self.cut();
        }
    }

    /// The names, and how many others come after them.
    pub(super) fn into_names(mut self) -> (Names, usize) {
        self.cut();
        let text = &self.text;
        self.places.sort_unstable_by(|one, other| text[one.clone()].cmp(&text[other.clone()]));
        (self.places.into_iter().map(|place| &text[place]).collect(), self.left)
    }

    /// Leaves out what is more than wanted.
    fn cut(&mut self) {
        let Some(surplus) = self.places.len().checked_sub(self.most).filter(|surplus| *surplus > 0) else {
            return;
        };
        let all = std::mem::take(&mut self.text);
        let in_order = |one: &Range<usize>, other: &Range<usize>| all[one.clone()].cmp(&all[other.clone()]);
        let (_, behind, _) = self.places.select_nth_unstable_by(self.most, in_order);
        self.behind = Some(all[behind.clone()].to_owned());
        self.left += surplus;
        self.places.truncate(self.most);
        for place in &mut self.places {
            let start = self.text.len();
            self.text.push_str(&all[place.clone()]);
            *place = start..self.text.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_names_are_kept_in_whichever_order_they_come() {
        let names: Vec<_> = (0..1000).map(|number| format!("{number:03}")).collect();
        let orders: [fn(usize) -> usize; 3] = [|place| place, |place| 999 - place, |place| place * 7 % 1000];
        for order in orders {
            for most in [0, 1, 2, 10, 999, 1000, 1001] {
                let mut nearest = Nearest::of(most);
                (0..1000).for_each(|place| nearest.add(&names[order(place)]));
                assert!(nearest.places.len() <= most + most / 4);
                let (kept, left) = nearest.into_names();
                assert!(kept.iter().eq(&names[..most.min(1000)]), "{most} of them");
                assert_eq!(kept.len() + left, 1000);
            }
        }
    }
}
