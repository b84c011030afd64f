//! Pushes from this machine and from a Job, with the credentials and the certificate authority that the operator made.

use crate::fixture::{Image, ensure_about, fixture};
use anyhow::Result;
use berth_tests::command::succeed;
use berth_tests::demo::{self, Credentials, Laptop, images};
use berth_tests::programs;
use tempfile::TempDir;

#[test]
fn a_person_pushes_with_skopeo_over_verified_tls() -> Result<()> {
    fixture()?.push("from-host").map(drop)
}

#[test]
fn a_client_that_does_not_trust_the_authority_is_not_misled() -> Result<()> {
    let fixture = fixture()?;
    let host = fixture.hub.host()?;
    let mut skopeo = fixture.access.command(programs::packaged("skopeo")?);
    let refused = succeed(skopeo.args(["inspect", &format!("docker://{host}/any:1")]));
    ensure_about(refused, &["x509", "certificate"])
}

#[test]
fn a_wrong_password_is_refused() -> Result<()> {
    let fixture = fixture()?;
    let wrong = Credentials { user: fixture.admin.user.clone(), password: "wrong".to_owned() };
    let image = Image::pack("wrong password")?;
    let laptop = Laptop { credentials: &wrong, ..fixture.laptop() };
    let refused = laptop.push(&image.written, "refused:1");
    ensure_about(refused, &["unauthorized", "401", "authentication required"])
}

#[test]
fn a_job_in_the_cluster_pushes_as_ci_does() -> Result<()> {
    let fixture = fixture()?;
    let folder = TempDir::new()?;
    let pushed = Image::pack("from CI")?;
    let ci = fixture.target.deliver(&images::ci(folder.path(), &pushed.written)?)?;
    demo::push_from_ci(&fixture.hub, &ci.to_string(), "ci/hello:1")
}
