//! Code that nobody needs now does not stay in the memory of a server that rests.
//!
//! Code is mapped from the file of the program when it is first run, and with each page of it the kernel maps what it has read
//! together with that, which may be a megabyte. A start runs a little of everything: what reads the command line, the
//! configuration, certificates. So nearly all code is mapped after it, and counts as memory of the process, also for whoever
//! looks for one that takes too much. Once it is unmapped, only what is run comes back, from the kernel's cache and in less
//! than a millisecond in all; the kernel can forget the rest when it needs room. While somebody is connected, nothing is unmapped.
//! What else of the file can only be read, such as texts and the tables of panics, goes the same way.

use std::{fs, io, ops::Range, path::Path, time::Duration};

use berth_registry::server::Rest;
use rustix::mm::{Advice, madvise};
use tokio::time::{sleep, timeout};

use crate::cli::heap;

/// How long to see whether somebody else comes, and whether the tasks that a start begins have had their first turn.
const MOMENT: Duration = Duration::from_millis(10);

/// How long code stays mapped at least, so that clients who come and go one by one do not wait for it each time.
const PAUSE: Duration = Duration::from_millis(100);

/// How often a server that goes on resting is looked after: what works at times, such as a collection of garbage, needs code, too.
const AGAIN: Duration = Duration::from_secs(30);

/// Unmaps the code, and gives free memory back, a moment after the start, whenever the last client has left, and now and then.
pub(super) async fn unmap_code_at_rest(rest: Rest) {
    loop {
        sleep(MOMENT).await;
        if rest.is_now() {
            heap::give_back();
            unmap_code().unwrap_or_else(|error| {
                tracing::debug!(%error, "the code that nobody needs now stays mapped");
            });
            sleep(PAUSE).await;
        }
        // Whether another rest has begun or this one is long is all the same.
        let _ = timeout(AGAIN, rest.begun()).await;
    }
}

fn unmap_code() -> io::Result<()> {
    let program = fs::read_link("/proc/self/exe")?;
    let mappings = fs::read_to_string("/proc/self/maps")?;
    mappings.lines().filter_map(|mapping| unchanging(&program, mapping)).try_for_each(unmap)
}

/// The addresses of a mapping, if it is one of what never changes of the program: its code, which may be run and not be written, or
/// what the file begins with, which may only be read. What follows the code may be one to be read only that was written to before:
/// the addresses that a start has put in.
fn unchanging(program: &Path, mapping: &str) -> Option<Range<usize>> {
    let (words, file) = mapping.split_at_checked(mapping.find('/')?)?;
    let mut words = words.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let (may, offset) = (words.next()?, words.next()?);
    let begins_the_file = offset.bytes().all(|digit| digit == b'0');
    if !(may == "r-xp" || may == "r--p" && begins_the_file) || Path::new(file) != program {
        return None;
    }
    Some(usize::from_str_radix(start, 16).ok()?..usize::from_str_radix(end, 16).ok()?)
}

#[expect(unsafe_code, reason = "that a mapping is one of unchanged code, nobody but the kernel can know")]
fn unmap(code: Range<usize>) -> io::Result<()> {
    let start = std::ptr::without_provenance_mut(code.start);
    // SAFETY: the kernel has just told that this is a mapping of a file, private and not to be written. Nobody has written to it
    // before either: the program is linked so that relocations are in data alone (`-z text`, the linker's default), and no file
    // begins with data. Its pages
    // are those of the file, then, and whoever reads or runs them next gets the same bytes. Nothing is unmapped for good, and
    // threads that run in it meanwhile wait for their page at most.
    unsafe { madvise(start, code.len(), Advice::LinuxDontNeed) }?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_never_changes_of_the_program_itself_is_unmapped() {
        let unmapped = |mapping| unchanging(Path::new("/bin/registry"), mapping);
        for line in [
            "5581-5584 r-xp 00002000 fd:00 1234      /bin/registry",
            "5581-5584 r--p 00000000 fd:00 1234      /bin/registry",
        ] {
            assert_eq!(unmapped(line), Some(0x5581..0x5584), "{line}");
        }
        for other in [
            "5581-5584 r--p 00002000 fd:00 1234      /bin/registry",
            "5581-5584 rw-p 00002000 fd:00 1234      /bin/registry",
            "5581-5584 rwxp 00002000 fd:00 1234      /bin/registry",
            "5581-5584 r-xs 00002000 fd:00 1234      /bin/registry",
            "5581-5584 r-xp 00002000 fd:00 1234      /bin/registry (deleted)",
            "5581-5584 r-xp 00002000 fd:00 1234      /lib/libc.so",
            "5581-5584 r-xp 00000000 00:00 0         [vdso]",
            "5581-5584 rw-p 00000000 00:00 0 ",
            "",
        ] {
            assert_eq!(unmapped(other), None, "{other}");
        }
    }

    #[test]
    fn a_program_runs_on_when_its_code_was_unmapped() {
        let threads: Vec<_> =
            (0..4).map(|_| std::thread::spawn(|| (0..100).try_for_each(|_| unmap_code()))).collect();
        for thread in threads {
            thread.join().unwrap().unwrap();
        }
    }
}
