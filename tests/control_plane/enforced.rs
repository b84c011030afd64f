//! What the operator writes for two teams, in the hands of the registry's own program: each does what it may and nothing else.

use std::{fs, path::Path, process::Command};

use anyhow::{Result, ensure};
use berth_tests::{
    cluster::wait,
    http::{Answer, ask},
    registry_process::{RegistryProcess, free_port, program},
};
use tempfile::TempDir;

use crate::fixture::{Namespace, PATIENCE};

/// The program, with the files of users and rights that the operator wrote, as a kubelet would mount them.
struct Server {
    folder: TempDir,
    port: u16,
    process: RegistryProcess,
}

impl Server {
    fn start(owner: &Namespace) -> Result<Self> {
        let (folder, port) = (tempfile::tempdir()?, free_port()?);
        mount(owner, folder.path())?;
        let path = |name: &str| folder.path().join(name);
        let mut command = Command::new(program()?);
        command
            .arg("serve")
            .env("REGISTRY_HTTP_ADDR", format!("127.0.0.1:{port}"))
            .env("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", path("data"))
            .env("REGISTRY_AUTH_HTPASSWD_REALM", "Berth")
            .env("REGISTRY_AUTH_HTPASSWD_PATH", path("htpasswd"))
            .env("REGISTRY_ACCESS_PATH", path("access.yml"));
        let process = RegistryProcess::start(&mut command, &path("log"))?;
        process.wait_for(|| {
            let mut curl = Command::new("curl");
            curl.args(["--fail", &format!("http://127.0.0.1:{port}/livez")]);
            curl
        })?;
        Ok(Self { folder, port, process })
    }

    /// Begins an upload as the user of a team's Secret.
    fn push(&self, user: &str, password: &str, repository: &str) -> Result<Answer> {
        let url = format!("http://127.0.0.1:{}/v2/{repository}/blobs/uploads/", self.port);
        ask(Command::new("curl").args(["--request", "POST", "--user", &format!("{user}:{password}"), &url]))
    }
}

/// The keys of the Secret as files.
fn mount(owner: &Namespace, folder: &Path) -> Result<()> {
    for key in ["htpasswd", "access.yml"] {
        fs::write(folder.join(key), owner.secret_text("hub-auth", key)?)?;
    }
    Ok(())
}

/// Applies a RegistryAccess for everything below the namespace's name, and returns user and password of its Secret.
fn join(team: &Namespace, owner: &str) -> Result<[String; 2]> {
    team.apply(&format!(
        "apiVersion: berth.dev/v1alpha1\nkind: RegistryAccess\nmetadata: {{name: ci}}\n\
         spec: {{registryRef: {{name: hub, namespace: {owner}}}, \
         allow: [{{repositories: [{}/**], actions: [Pull, Push]}}]}}\n",
        team.name
    ))?;
    wait::until("the Secret", PATIENCE, || {
        Ok([team.secret_text("ci-registry", "username")?, team.secret_text("ci-registry", "password")?])
    })
}

#[test]
fn each_team_pushes_to_its_own_repositories_only_until_its_rights_are_taken() -> Result<()> {
    let owner = Namespace::create("enforced")?;
    let (one, other) = (Namespace::create("enforced-one")?, Namespace::create("enforced-other")?);
    owner.apply_registry("{storage: {emptyDir: {}}, access: {allowed: {from: All}}}")?;
    let ([user, password], [other_user, other_password]) =
        (join(&one, owner.name)?, join(&other, owner.name)?);
    let server = Server::start(&owner)?;
    server.push(&user, &password, "enforced-one/app")?.expect(202)?;
    server.push(&user, &password, "enforced-other/app")?.expect(403)?;
    server.push(&other_user, &other_password, "enforced-other/app")?.expect(202)?;
    server.push(&other_user, &other_password, "enforced-one/app")?.expect(403)?;
    server.push(&user, &other_password, "enforced-one/app")?.expect(401)?;
    let admin = owner.secret_text("hub-admin", "password")?;
    server.push("admin", &admin, "anything")?.expect(202)?;

    one.run(&["delete", "registryaccess/ci"])?;
    wait::until("the rights to be taken", PATIENCE, || {
        mount(&owner, server.folder.path())?;
        let status = server.push(&user, &password, "enforced-one/app")?.status;
        ensure!(status == 401, "{status}; the log says:\n{}", server.process.log());
        Ok(())
    })?;
    server.push(&other_user, &other_password, "enforced-other/app")?.expect(202)?;
    Ok(())
}
