//! A disk of its own, whose power can be cut: a file system in a file, in a mount namespace that nobody else sees.

use anyhow::{Context, Result, ensure};
use berth_tests::cluster::wait;
use berth_tests::command::succeed;
use berth_tests::programs::packaged;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Gives the file `$1` to a loop device for as long as standard input is open, in a mount namespace of its own.
const HOLD: &str = "device=$(losetup --find --show \"$1\") && exec 3<\"$device\" && losetup --detach \"$device\" \
                    && echo \"$device\" && exec cat";

/// Kinds of file systems.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Ext4,
    Xfs,
}

impl Kind {
    fn make(self) -> Result<(Command, u64)> {
        let mut make = Command::new(packaged(match self {
            Self::Ext4 => "mkfs.ext4",
            Self::Xfs => "mkfs.xfs",
        })?);
        make.arg("-q");
        // XFS takes no less.
        Ok((make, if matches!(self, Self::Ext4) { 192 << 20 } else { 320 << 20 }))
    }
}

/// The disk, which is gone when it is dropped.
#[derive(Debug)]
pub(crate) struct Disk {
    folder: TempDir,
    device: String,
    holder: Child,
}

impl Disk {
    /// A new disk, not mounted yet.
    pub(crate) fn new(kind: Kind) -> Result<Self> {
        let folder = TempDir::new()?;
        let image = folder.path().join("image");
        fs::create_dir(folder.path().join("mounted"))?;
        let (mut make, size) = kind.make()?;
        File::create(&image)?.set_len(size)?;
        succeed(make.arg(&image))?;
        let mut hold = Command::new("unshare");
        hold.args(["--mount", "sh", "-c", HOLD, "sh"]).arg(&image);
        let mut holder = hold.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut device = String::new();
        BufReader::new(holder.stdout.take().context("no output")?).read_line(&mut device)?;
        ensure!(!device.is_empty(), "there is no loop device for a disk; see `losetup`");
        Ok(Self { folder, device: device.trim().to_owned(), holder })
    }

    /// Where it is mounted, for those in its namespace.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("mounted")
    }

    /// The same place for everybody else.
    pub(crate) fn outside(&self) -> PathBuf {
        let root = Path::new("/proc").join(self.holder.id().to_string()).join("root");
        root.join(self.path().strip_prefix("/").unwrap_or(&self.path()))
    }

    /// A program that runs where the disk is.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut enter = Command::new("nsenter");
        enter.args(["--target", &self.holder.id().to_string(), "--mount", "--"]).arg(program);
        enter
    }

    /// Mounts it, and brings it into order after a failure of power.
    pub(crate) fn mount(&self) -> Result<()> {
        succeed(self.command("mount").arg(&self.device).arg(self.path())).map(drop)
    }

    /// Unmounts it. A program that another test is just starting may hold what it has inherited for a moment.
    pub(crate) fn unmount(&self) -> Result<()> {
        wait::until("the disk to be let go", Duration::from_secs(30), || {
            succeed(self.command("umount").arg(self.path())).map(drop)
        })
    }

    /// Cuts the power: from now on nothing reaches the disk, and what has not reached it is lost.
    pub(crate) fn cut(&self) -> Result<()> {
        let xfs_io = packaged("xfs_io")?;
        succeed(self.command(xfs_io).args(["-x", "-c", "shutdown"]).arg(self.path())).map(drop)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // With its input it ends, and with it the mount and the device.
        drop(self.holder.stdin.take());
        let _ended = self.holder.wait();
    }
}
