//! The machine that the node's programs believe to be on: process ids, mounts and network of its own.
//!
//! When its first process ends, the kernel ends all containers and takes away all mounts with it.

use super::State;
use super::network::Network;
use super::process::Process;
use anyhow::{Context, Result, ensure};
use std::ffi::OsStr;
use std::fs;
use std::process::Command;

/// The name of the machine's first process.
const FIRST: &str = "machine";

/// What the first process does: it prepares the mounts, and then adopts and reaps what others leave behind.
///
/// The kubelet wants kernel settings that are the whole machine's; it finds files with these values in their place.
const SCRIPT: &str = r#"set -e
mount --make-rshared /
for folder in /run /var/log /var/lib/cni; do
    mkdir -p "$folder"
    mount -t tmpfs tmpfs "$folder"
done
setting() {
    mkdir -p "$STATE/config/settings"
    printf '%s\n' "$2" >"$STATE/config/settings/$1"
    mount --bind "$STATE/config/settings/$1" "/proc/sys/$(echo "$1" | tr . /)"
}
setting vm.overcommit_memory 1
setting vm.panic_on_oom 0
setting kernel.panic 10
setting kernel.panic_on_oops 1
setting kernel.keys.root_maxkeys 1000000
setting kernel.keys.root_maxbytes 25000000
touch "$STATE/machine-is-ready"
while true; do
    sleep 3600 &
    wait
done
"#;

/// A running machine.
#[derive(Debug)]
pub(crate) struct Machine {
    process: Process,
}

impl Machine {
    /// Starts the machine in a network.
    pub(crate) fn start(state: &State, network: &Network) -> Result<Self> {
        let script = state.write("config/machine.sh", SCRIPT)?;
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net={}", network.namespace().display()))
            .args(["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "bash"])
            .arg(script)
            .env("STATE", state.root());
        let process = Process::start(state, FIRST, &mut command)?;
        process.wait_for("the machine's mounts", || {
            ensure!(state.path("machine-is-ready").exists(), "the machine is not ready");
            Ok(())
        })?;
        Ok(Self { process })
    }

    /// The machine that runs in a state folder.
    pub(crate) fn of(state: &State) -> Result<Self> {
        let process = Process::all(state)?.into_iter().find(|process| process.name() == FIRST);
        Ok(Self { process: process.context("this cluster has no node")? })
    }

    /// A command that runs on the machine.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Result<Command> {
        let first = self.first_process()?;
        let mut command = Command::new("nsenter");
        command.args(["--target", &first, "--mount", "--pid", "--net", "--"]).arg(program);
        Ok(command)
    }

    /// `unshare` itself stays outside; its only child is the first process inside.
    fn first_process(&self) -> Result<String> {
        let pid = self.process.pid();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
        let first = children.split_whitespace().next();
        first.map(str::to_owned).context("the node has ended")
    }
}
