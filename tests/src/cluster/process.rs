//! Long-running programs: started with a log and a process id file, ended by that id and never by name.
//!
//! The file holds the start time as well, so that a number which the system gave to another program since is left alone.

use super::{State, wait};
use anyhow::{Context, Result, ensure};
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// A loaded machine takes long to do anything for the first time.
const PATIENCE: Duration = Duration::from_mins(2);

/// A program that this state folder's cluster consists of.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    name: String,
    log: PathBuf,
    pid: u32,
    started: String,
}

impl Process {
    /// Starts a program in a process group of its own, so that Ctrl-C in a terminal does not reach it.
    pub(crate) fn start(state: &State, name: &str, command: &mut Command) -> Result<Self> {
        let log = state.log(name);
        let output = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {name}: {}", command.get_program().display()))?;
        let pid = child.id();
        reap_in_background(child);
        let started = start_time(pid).with_context(|| format!("{name} ended at once\n{}", tail(&log)))?;
        // A line, because the guard reads it as one.
        fs::write(state.processes().join(name), format!("{pid} {started}\n"))?;
        Ok(Self { name: name.to_owned(), log, pid, started })
    }

    /// The processes of a state folder that still run, the youngest first.
    pub(crate) fn all(state: &State) -> Result<Vec<Self>> {
        let mut processes = Vec::new();
        for entry in fs::read_dir(state.processes())? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let content = fs::read_to_string(entry.path())?;
            let Some((pid, started)) = content.trim_end().split_once(' ') else {
                continue;
            };
            let process =
                Self { log: state.log(&name), name, pid: pid.parse()?, started: started.to_owned() };
            if process.runs() {
                processes.push((entry.metadata()?.modified()?, process));
            }
        }
        processes.sort_by_key(|(modified, _)| std::cmp::Reverse(*modified));
        Ok(processes.into_iter().map(|(_, process)| process).collect())
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    pub(crate) fn runs(&self) -> bool {
        start_time(self.pid).is_some_and(|started| started == self.started)
    }

    /// Repeats `attempt` until it succeeds, for as long as the process runs; its log is part of the error.
    pub(crate) fn wait_for<T>(&self, what: &str, mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
        let answer = wait::until(what, PATIENCE, || if self.runs() { attempt().map(Some) } else { Ok(None) });
        let log = || format!("what {} said last:\n{}", self.name, tail(&self.log));
        answer.with_context(log)?.with_context(|| format!("{} has ended", self.name)).with_context(log)
    }

    /// Ends the process at once: nothing that it could still save is ever read again.
    pub(crate) fn stop(&self) -> Result<()> {
        if self.runs() {
            Command::new("kill").arg("-KILL").arg(self.pid.to_string()).stderr(Stdio::null()).status()?;
        }
        wait::until("a process to end", Duration::from_secs(10), || {
            ensure!(!self.runs(), "{} (process {}) does not end", self.name, self.pid);
            Ok(())
        })
    }
}

/// The end of a log file, for an error message.
pub(crate) fn tail(log: &Path) -> String {
    let content = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&content);
    let lines: Vec<&str> = text.lines().collect();
    let last = lines[lines.len().saturating_sub(20)..].join("\n");
    format!("--- the end of {}\n{last}\n---", log.display())
}

/// When the process started, in the kernel's ticks, or `None` if it has ended (`proc_pid_stat(5)`, field 22).
fn start_time(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ended = matches!(fields.first(), Some(&("Z" | "X")));
    if ended { None } else { fields.get(19).map(|&ticks| ticks.to_owned()) }
}

/// Without this an ended child stays a zombie for as long as we run.
fn reap_in_background(mut child: Child) {
    thread::spawn(move || child.wait());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper(state: &State) -> Process {
        Process::start(state, "sleeper", Command::new("sleep").arg("600")).unwrap()
    }

    #[test]
    fn a_process_is_found_by_its_state_folder_until_it_is_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path()).unwrap();
        let started = sleeper(&state);
        let found = Process::all(&state).unwrap();
        assert_eq!(found.iter().map(Process::pid).collect::<Vec<_>>(), [started.pid()]);
        started.stop().unwrap();
        assert!(Process::all(&state).unwrap().is_empty());
    }

    #[test]
    fn a_number_that_another_process_has_by_now_is_not_ours() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path()).unwrap();
        let started = sleeper(&state);
        let other = Process { started: "1".to_owned(), ..started.clone() };
        other.stop().unwrap();
        assert!(started.runs());
        started.stop().unwrap();
    }

    #[test]
    fn waiting_for_a_process_that_ended_fails_at_once_and_shows_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path()).unwrap();
        let ended = Process { name: "ended".into(), log: state.log("ended"), pid: 0, started: String::new() };
        fs::write(state.log("ended"), "the disk is full").unwrap();
        let error = ended.wait_for("nothing", || Ok(())).unwrap_err();
        assert!(error.to_string().contains("the disk is full"), "{error}");
    }
}
