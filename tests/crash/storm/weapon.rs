//! Ends of a process, and failures of its storage, at a system call that is chosen beforehand: `strace` holds the process
//! there. What is tested has no part in it.

use fastrand::Rng;
use std::ffi::OsStr;
use std::process::Command;

/// The calls that change a storage, those that tell of it, and those that answer; of each so many at most are let pass, in each
/// thread.
const CALLS: [(&str, u32); 17] = [
    ("fsync", 40),
    ("fdatasync", 14),
    ("rename", 6),
    ("renameat2", 12),
    ("linkat", 2),
    ("unlink", 14),
    ("mkdir", 20),
    ("rmdir", 10),
    ("write", 50),
    ("writev", 14),
    ("openat,openat2", 70),
    ("close", 70),
    ("flock", 10),
    ("utimensat", 4),
    ("getdents64", 12),
    ("statx", 30),
    ("fsync,fdatasync,rename,renameat2,unlink", 60),
];

/// What may fail, and how.
const FAILURES: [(&str, &str); 16] = [
    ("fsync", "EIO"),
    ("fsync", "ENOSPC"),
    ("fdatasync", "EIO"),
    ("fdatasync", "ENOSPC"),
    ("rename", "EIO"),
    ("rename", "ENOSPC"),
    ("renameat2", "EIO"),
    ("renameat2", "ENOSPC"),
    ("linkat", "ENOSPC"),
    ("linkat", "EIO"),
    ("unlink", "EIO"),
    ("mkdir", "ENOSPC"),
    ("mkdir", "EIO"),
    ("utimensat", "EIO"),
    ("getdents64", "EIO"),
    ("openat", "EIO"),
];

/// Calls that each request makes many of.
const READS: [&str; 2] = ["openat", "getdents64"];

/// What happens to a server.
#[derive(Debug, Clone)]
pub(crate) enum Weapon {
    /// It is killed from outside, whatever it does.
    Kill,
    /// It is killed when it makes such a call for so many times; the call is not made.
    KillAt(&'static str, u32),
    /// Such a call fails when it is made for so many times, and again after as many.
    Fail(&'static str, &'static str, u32),
}

impl Weapon {
    /// Any of them.
    pub(crate) fn any(random: &mut Rng) -> Self {
        match random.u8(..20) {
            0..=2 => Self::Kill,
            3..=15 => {
                let (call, most) = CALLS[random.usize(..CALLS.len())];
                // Rather one of the first, since what comes late may not come at all.
                Self::KillAt(call, random.u32(1..=most).min(random.u32(1..=most)))
            }
            _ => {
                let (call, error) = FAILURES[random.usize(..FAILURES.len())];
                Self::Fail(call, error, random.u32(if READS.contains(&call) { 20..60 } else { 5..30 }))
            }
        }
    }

    /// The calls at which it strikes, or how it does.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Kill => "from outside".to_owned(),
            Self::KillAt(calls, _) if calls.contains(',') => {
                "at any call that changes the storage".to_owned()
            }
            Self::KillAt(call, _) => format!("at {call}"),
            Self::Fail(call, error, _) => format!("{error} of {call}"),
        }
    }

    /// Whether it makes a server so slow that it is better looked through by another one.
    pub(crate) fn is_slow(&self) -> bool {
        matches!(self, Self::KillAt(..))
    }

    /// The program, which meets its fate. It is the process that is started; `strace` is a child of it.
    pub(crate) fn aim(&self, program: &OsStr) -> Command {
        let (calls, injection) = match self {
            Self::Kill => return Command::new(program),
            Self::KillAt(calls, number) => (calls, format!("signal=SIGKILL:when={number}")),
            Self::Fail(calls, error, number) => (calls, format!("error={error}:when={number}+{number}")),
        };
        let mut strace = Command::new("strace");
        strace.args(["-D", "--follow-forks", "--quiet=all", "--output=/dev/null"]);
        if !self.is_slow() {
            // What is only let fail need not be held at other calls.
            strace.arg("--seccomp-bpf");
        }
        strace.args([&format!("--trace={calls}"), &format!("--inject={calls}:{injection}")]);
        strace.arg(program);
        strace
    }
}
