//! Ends a cluster's processes when the program that started them ends, however it ends.
//!
//! A test binary keeps its cluster in a static, which is never dropped, and it can be killed. So a shell waits for the
//! end of a pipe that only the test binary holds open, and then ends what the process id files name.

use super::State;
use anyhow::{Context, Result};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// $1 is the state folder. Its network and its cgroups have the same name.
const SCRIPT: &str = r#"
read -r _
for file in "$1"/processes/*; do
    read -r pid started <"$file" || continue
    [ "$(cut -d ' ' -f 22 "/proc/$pid/stat" 2>/dev/null)" = "$started" ] && kill -KILL "$pid"
done
network=$(cat "$1/network" 2>/dev/null) && {
    ip netns delete "$network"
    attempts=20
    while folders=$(find /sys/fs/cgroup -maxdepth 2 -name "$network") && [ "$folders" ] && [ "$attempts" -gt 0 ]; do
        find $folders -depth -type d -exec rmdir {} +
        attempts=$((attempts - 1))
        sleep 0.5
    done
}
rm -rf "$1"
"#;

/// Held for as long as the cluster is needed.
#[derive(Debug)]
pub(crate) struct Guard {
    shell: Child,
}

impl Guard {
    /// Watches over the processes of a temporary state folder.
    pub(crate) fn watch(state: &State) -> Result<Self> {
        let shell = Command::new("sh")
            .args(["-c", SCRIPT, "guard"])
            .arg(state.root())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("cannot start sh")?;
        Ok(Self { shell })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // It ends by itself; a failure to wait for it changes nothing.
        let _ended = self.shell.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::super::process::Process;
    use super::*;

    #[test]
    fn processes_and_their_folder_go_with_the_guard() {
        let state = State::temporary().unwrap();
        let guard = Guard::watch(&state).unwrap();
        let process = Process::start(&state, "sleeper", Command::new("sleep").arg("600")).unwrap();
        drop(guard);
        assert!(!process.runs());
        assert!(!state.root().exists());
    }
}
