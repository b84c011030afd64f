//! Below which names of a folder there is an object, such as the link of a tag below the tag.
//!
//! That is looked up for each name that is told. Only for a whole list of many names it is remembered, for a second or for some
//! times as long as it took: a store that removes such an object and not the folder of the name changes the times of the folder of
//! all names ([`delete`](super::write::delete)), which is read again then. So what is missed for that time is what an operator, or
//! Distribution when it is killed in the middle of a deletion, has removed from within a folder. Names that lacked the object
//! are looked up each time, since it may come without any change of the folder of all names.

use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, FileType, OFlags, statat};

use super::listed::{Folder, open};
use super::write::is_absent;
use crate::{Names, Wanted};

/// How many names are looked up each time.
const FEW: usize = 256;

/// For how long it is remembered of more, at least.
const REMEMBERED_FOR: Duration = Duration::from_secs(1);

/// How many times as long it is remembered as it took to look, so that looking at very many takes little of all time.
const REMEMBERED_TIMES: u32 = 8;

/// What was found when all names were looked up.
#[derive(Debug, Default)]
pub(super) struct Looks(Mutex<Option<Look>>);

#[derive(Debug)]
struct Look {
    leading_to: String,
    until: Instant,
    /// The places of the names below which nothing was.
    lacking: Vec<usize>,
}

impl Look {
    fn is_fresh(&self, leading_to: &str) -> bool {
        self.leading_to == leading_to && Instant::now() < self.until
    }
}

impl Folder {
    /// The wanted names, if nothing has to be looked up for them.
    pub(super) fn at_once(&self, wanted: &Wanted<'_>) -> Option<Names> {
        let Some(leading_to) = wanted.leading_to else {
            return Some(self.names.after(wanted.after).slice(0..wanted.at_most.unwrap_or(usize::MAX)));
        };
        let look = self.looks.0.try_lock().ok()?;
        let is_known = look.as_ref().is_some_and(|look| look.is_fresh(leading_to) && look.lacking.is_empty());
        (is_known && self.is_whole(wanted)).then(|| self.names.clone())
    }

    /// The wanted names, whatever it takes.
    pub(super) fn page(&self, path: &Path, wanted: &Wanted<'_>) -> io::Result<Names> {
        let Some(leading_to) = wanted.leading_to else {
            return Ok(self.at_once(wanted).unwrap_or_default());
        };
        let Some(looker) = Looker::at(path, leading_to)? else { return Ok(Names::default()) };
        if self.is_whole(wanted) {
            return self.all(&looker);
        }
        looker.first(&self.names.after(wanted.after), wanted.at_most)
    }

    /// Whether all of the names are wanted, and many.
    fn is_whole(&self, wanted: &Wanted<'_>) -> bool {
        let count = self.names.len();
        count > FEW && wanted.after.is_none() && wanted.at_most.is_none_or(|most| most >= count)
    }

    /// All names that lead to the object. Whoever else wants them meanwhile waits for what is found.
    fn all(&self, looker: &Looker<'_>) -> io::Result<Names> {
        let mut look = self.looks.lock();
        let fresh = look.take().filter(|look| look.is_fresh(looker.leading_to));
        let begun = Instant::now();
        let (until, places) = match fresh {
            Some(Look { until, lacking, .. }) => (Some(until), lacking),
            None => (None, (0..self.names.len()).collect()),
        };
        let lacking = looker.lacking(&self.names, places)?;
        let leading = without(&self.names, &lacking);
        let until =
            until.unwrap_or_else(|| Instant::now() + REMEMBERED_FOR.max(begun.elapsed() * REMEMBERED_TIMES));
        *look = Some(Look { leading_to: looker.leading_to.to_owned(), until, lacking });
        Ok(leading)
    }
}

impl Looks {
    fn lock(&self) -> MutexGuard<'_, Option<Look>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The names but those at these places, which are in order.
fn without(names: &Names, places: &[usize]) -> Names {
    if places.is_empty() {
        return names.clone();
    }
    let mut places = places.iter().peekable();
    let kept = names.iter().enumerate().filter(|(place, _)| places.next_if_eq(&place).is_none());
    kept.map(|(_, name)| name).collect()
}

/// Looks for an object below the names of an open folder, which takes a third of the time that it takes by the whole path.
struct Looker<'a> {
    folder: OwnedFd,
    leading_to: &'a str,
}

impl<'a> Looker<'a> {
    /// Of the folder at `path`, if it is there.
    fn at(path: &Path, leading_to: &'a str) -> io::Result<Option<Self>> {
        Ok(open(path, OFlags::PATH)?.map(|folder| Self { folder, leading_to }))
    }

    /// Whether the name leads to the object. The text is used again for the next one.
    fn finds(&self, name: &str, path: &mut String) -> io::Result<bool> {
        path.clear();
        path.extend([name, "/", self.leading_to]);
        match statat(&self.folder, path.as_str(), AtFlags::empty()).map_err(io::Error::from) {
            Err(error) if is_absent(&error) => Ok(false),
            found => Ok(FileType::from_raw_mode(found?.st_mode).is_file()),
        }
    }

    /// Those of the places whose names do not lead to the object.
    fn lacking(&self, names: &Names, mut places: Vec<usize>) -> io::Result<Vec<usize>> {
        let (mut path, mut failure) = (String::new(), None);
        places.retain(|place| {
            let found = names.get(*place).map_or(Ok(false), |name| self.finds(name, &mut path));
            !found.unwrap_or_else(|error| {
                failure = Some(error);
                false
            })
        });
        failure.map_or(Ok(places), Err)
    }

    /// The first of the names that lead to the object.
    fn first(&self, names: &Names, at_most: Option<usize>) -> io::Result<Names> {
        let at_most = at_most.unwrap_or(usize::MAX);
        let (mut path, mut found, mut looked_at) = (String::new(), Vec::new(), 0);
        for name in names.iter() {
            if found.len() == at_most {
                break;
            }
            looked_at += 1;
            if self.finds(name, &mut path)? {
                found.push(name);
            }
        }
        // Mostly nothing is lacking, and what is told is a part of what is known.
        Ok(if found.len() == looked_at { names.slice(0..looked_at) } else { found.into_iter().collect() })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::super::folder::Folders;
    use super::super::listed::Listed;
    use super::super::write::delete;
    use super::*;
    use crate::Key;

    const LINK: &str = "current/link";
    const MANY: usize = FEW + 44;
    const ALL: Wanted<'_> = Wanted { after: None, at_most: None, leading_to: Some(LINK) };

    /// A folder of many tags, of which one has no link, as it was read once.
    struct Tags {
        root: tempfile::TempDir,
        folder: Arc<Folder>,
    }

    impl Tags {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            for number in 0..MANY {
                fs::create_dir_all(at(root.path(), number, "index")).unwrap();
                fs::create_dir_all(at(root.path(), number, "current")).unwrap();
                fs::write(at(root.path(), number, LINK), "x").unwrap();
            }
            fs::remove_file(at(root.path(), 7, LINK)).unwrap();
            let folder = Listed::default().read(&Key::default(), root.path()).unwrap().unwrap();
            Self { root, folder }
        }

        fn at(&self, number: usize, path: &str) -> PathBuf {
            at(self.root.path(), number, path)
        }

        fn names(&self, wanted: Wanted<'_>) -> Names {
            self.folder
                .at_once(&wanted)
                .unwrap_or_else(|| self.folder.page(self.root.path(), &wanted).unwrap())
        }

        fn all(&self) -> Names {
            self.names(ALL)
        }

        fn is_remembered(&self) -> bool {
            self.folder.looks.lock().as_ref().is_some_and(|look| look.is_fresh(LINK))
        }
    }

    fn at(root: &Path, number: usize, path: &str) -> PathBuf {
        root.join(format!("{number:03}")).join(path)
    }

    fn expected(lacking: &[usize]) -> Names {
        let numbers = (0..MANY).filter(|number| !lacking.contains(number));
        numbers.map(|number| format!("{number:03}")).collect()
    }

    #[test]
    fn names_that_lead_nowhere_are_not_told() {
        let tags = Tags::new();
        assert_eq!(tags.all(), expected(&[7]));
        assert_eq!(tags.all(), expected(&[7]));
        let page = |after, at_most| Wanted { after, at_most: Some(at_most), leading_to: Some(LINK) };
        assert_eq!(tags.names(page(None, 9)), expected(&[7]).slice(0..9));
        assert_eq!(tags.names(page(Some("005"), 3)), expected(&[7]).slice(6..9));
        assert_eq!(tags.names(page(Some("298"), 3)), expected(&[7]).after(Some("298")));
        assert_eq!(tags.names(Wanted { at_most: Some(8), ..Wanted::default() }), expected(&[]).slice(0..8));
    }

    #[test]
    fn what_comes_below_a_name_that_led_nowhere_is_seen_at_once() {
        let tags = Tags::new();
        assert_eq!(tags.all(), expected(&[7]));
        fs::write(tags.at(7, LINK), "x").unwrap();
        assert_eq!(tags.all(), expected(&[]));
    }

    #[test]
    fn what_a_store_deletes_is_seen_at_once_whatever_stays_of_the_folder() {
        let (tags, listed) = (Tags::new(), Listed::default());
        fs::write(tags.at(9, "current/other"), "x").unwrap();
        let names = || {
            let known = listed.known(&Key::default(), tags.root.path());
            let read = || listed.read(&Key::default(), tags.root.path()).unwrap().unwrap();
            let folder = known.unwrap_or_else(read);
            folder.page(tags.root.path(), &ALL).unwrap()
        };
        let mut deleted = vec![7];
        for (number, staying) in [(8, "index"), (9, "current")] {
            while listed.known(&Key::default(), tags.root.path()).is_none() {
                listed.read(&Key::default(), tags.root.path()).unwrap();
            }
            assert_eq!(names(), expected(&deleted));
            delete(&Folders::below(tags.root.path().to_owned()), &tags.at(number, LINK)).unwrap();
            assert!(tags.at(number, staying).exists());
            deleted.push(number);
            assert_eq!(names(), expected(&deleted));
        }
    }

    #[test]
    fn what_somebody_else_takes_from_within_a_folder_is_seen_a_second_later() {
        let tags = Tags::new();
        assert_eq!(tags.all(), expected(&[7]));
        fs::remove_file(tags.at(8, LINK)).unwrap();
        while tags.is_remembered() {
            std::thread::yield_now();
        }
        assert_eq!(tags.all(), expected(&[7, 8]));
    }

    #[test]
    fn a_part_of_the_names_is_looked_up_each_time() {
        let tags = Tags::new();
        let page = Wanted { after: None, at_most: Some(100), leading_to: Some(LINK) };
        assert_eq!(tags.all(), expected(&[7]));
        fs::remove_file(tags.at(8, LINK)).unwrap();
        assert_eq!(tags.names(page), expected(&[7, 8]).slice(0..100));
    }

    #[test]
    fn a_failure_is_told_and_nothing_is_remembered_of_it() {
        let tags = Tags::new();
        let too_long = "x".repeat(300);
        let wanted = Wanted { leading_to: Some(&too_long), ..Wanted::default() };
        assert!(tags.folder.at_once(&wanted).is_none());
        tags.folder.page(tags.root.path(), &wanted).unwrap_err();
        assert_eq!(tags.all(), expected(&[7]));
    }
}
