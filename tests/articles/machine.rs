//! A machine of the test's own, for commands as articles print them: with the ports 5000 and 443, with names such as
//! `registry.example.com`, with `/etc/docker` and `/srv`. It is this machine in namespaces of its own.

use anyhow::{Context, Result, ensure};
use berth_tests::cluster::wait;
use berth_tests::image::{Image, Recipe};
use berth_tests::registry_process::{RegistryProcess, program};
use berth_tests::workspace;
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;
use tempfile::TempDir;

/// Names that the articles use. The address is not one of the loopback range, which clients trust without TLS.
const HOSTS: &str = "127.0.0.1 localhost minio\n\
    192.168.1.100 registry.example.com registry.local david-virtual-machine myregistrydomain.com\n";

/// Keeps the images in the home folder, which stands for the container's volume.
const VOLUME: &str = "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY";

const SET_UP: &str = r#"
    ip link set lo up
    ip address add 192.168.1.100/32 dev lo
    mount -t tmpfs tmpfs /run
    mount --bind "$1/etc-docker" /etc/docker
    mount --bind "$1/srv" /srv
    mount --bind "$1/hosts" /etc/hosts
    touch "$1/ready"
    exec sleep infinity
"#;

/// The namespaces, which last as long as one process in them does, and a home folder to work in.
pub(crate) struct Machine {
    home: TempDir,
    first_process: Child,
}

impl Machine {
    pub(crate) fn new() -> Result<Self> {
        let home = TempDir::new()?;
        let path = |name: &str| home.path().join(name);
        for folder in ["auth", "bin", "certs", "data", "etc-docker/registry", "srv/registry"] {
            fs::create_dir_all(path(folder))?;
        }
        fs::write(path("hosts"), HOSTS)?;
        let config = workspace::root().join("registry/image/config.yml");
        fs::copy(config, path("etc-docker/registry/config.yml"))?;
        symlink(program()?, path("bin/registry"))?;
        symlink(program()?, path("bin/htpasswd"))?;
        let mut unshare = Command::new("unshare");
        unshare.args(["--net", "--mount", "sh", "-euc", SET_UP, "sh"]).arg(home.path());
        let machine = Self { first_process: unshare.spawn().context("cannot start unshare")?, home };
        wait::until("a machine to be set up", Duration::from_secs(30), || {
            ensure!(machine.path("ready").exists(), "it is not; namespaces need root");
            Ok(())
        })?;
        Ok(machine)
    }

    /// A file in the home folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A command that runs on this machine, in the home folder, where `bin/registry` is the registry as in its image.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg("--target").arg(self.first_process.id().to_string()).args(["--net", "--mount"]);
        command.arg(format!("--wd={}", self.home.path().display()));
        let path = format!("{}:{}", self.path("bin").display(), env::var("PATH").unwrap_or_default());
        command.env_clear().env("PATH", path).env("HOME", self.home.path());
        command.env(VOLUME, self.path("data"));
        command.arg(program);
        command
    }

    /// What a shell prints on both outputs when it runs this script; its last command must succeed.
    pub(crate) fn sh(&self, script: &str) -> Result<String> {
        let output = self.command("bash").args(["-euo", "pipefail", "-c", script]).output()?;
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "{script}\nfailed:\n{text}");
        Ok(text)
    }

    /// Starts the registry as its image does, with these variables, and waits until something answers at `url`.
    pub(crate) fn serve(&self, variables: &[(&str, &str)], url: &str) -> Result<RegistryProcess> {
        self.serve_file(Path::new("/etc/docker/registry/config.yml"), variables, url)
    }

    /// The same with another configuration file.
    pub(crate) fn serve_file(
        &self,
        file: &Path,
        variables: &[(&str, &str)],
        url: &str,
    ) -> Result<RegistryProcess> {
        let mut serve = self.command("registry");
        serve.arg("serve").arg(file).envs(variables.iter().copied());
        if variables.iter().any(|(name, _)| name.starts_with("REGISTRY_STORAGE_S3_")) {
            serve.env_remove(VOLUME);
        }
        let process = RegistryProcess::start(&mut serve, &self.path("log"))?;
        process.wait_for(|| {
            let mut curl = self.command("curl");
            curl.args(["--silent", "--insecure", url]);
            curl
        })?;
        Ok(process)
    }

    /// An image in the file `NAME.tar`, which calls itself `NAME:TAG`.
    pub(crate) fn save_image(&self, name: &str, tag: &str) -> Result<()> {
        let recipe = Recipe::new().text("name", name).starts(&["/name"], &[]);
        let file = self.path(&format!("{name}.tar"));
        Image::pack(&recipe)?.write_docker_archive(&file, &format!("{name}:{tag}"))
    }

    /// Pushes an image as somebody with skopeo would; `options` are skopeo's.
    pub(crate) fn push(&self, reference: &str, options: &str) -> Result<()> {
        self.save_image("app", "1")?;
        let copy = "skopeo --insecure-policy copy --quiet --format=v2s2 --dest-tls-verify=false";
        self.sh(&format!("{copy} {options} docker-archive:app.tar docker://{reference}")).map(drop)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // The namespaces go with their last process.
        let _killed = self.first_process.kill();
        let _ended = self.first_process.wait();
    }
}
