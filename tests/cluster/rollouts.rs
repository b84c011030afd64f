//! Changes that replace pods, the operator's or the registry's, while somebody pushes and pulls all the time.

use crate::evictions::pods;
use crate::fixture::{Image, fixture};
use crate::object_storage::hub_on_a_bucket;
use anyhow::{Result, bail, ensure};
use berth_tests::cluster::wait;
use berth_tests::demo::{self, Credentials, Hub, Laptop, Target};
use berth_tests::s3_server::S3Server;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

const NAMESPACE: &str = "rolled";
const PATIENCE: Duration = Duration::from_mins(3);

#[test]
fn an_upgraded_chart_replaces_no_registry_and_a_new_spec_does_without_a_failed_push_or_pull() -> Result<()> {
    let target = &fixture()?.target;
    let Target::Own(cluster) = target else { bail!("the pods of another cluster do not reach this machine") };
    let s3 = S3Server::start_at(cluster.host_address()?)?;
    let hub = hub_on_a_bucket(&s3, target, NAMESPACE)?;
    let (access, credentials) = (hub.on_this_machine(target)?, Credentials::of(&hub)?);
    let laptop = Laptop { hub: &hub, access: &access, credentials: &credentials };
    let image = Image::pack("rolled out")?;
    laptop.push(&image.written, "steady:1")?;
    while_in_use(&laptop, &image, |uses| {
        let before = pods(&hub)?;
        demo::upgrade_chart(target.kubectl(), "log.level=debug")?;
        more(uses)?;
        ensure!(pods(&hub)? == before, "the upgrade of the operator has replaced the registry");
        replace_pods(&hub, &before)?;
        more(uses)
    })
}

/// Asks for a little more of the processor, which only new pods can have.
fn replace_pods(hub: &Hub, before: &[String]) -> Result<()> {
    let patch = r#"{"spec": {"resources": {"requests": {"cpu": "55m"}}}}"#;
    hub.run(&["patch", "registry.berth.dev/hub", "--type=merge", "--patch", patch])?;
    wait::until("every pod to be a new one", PATIENCE, || {
        let after = pods(hub)?;
        ensure!(after.len() == before.len() && !after.iter().any(|pod| before.contains(pod)), "{after:?}");
        Ok(())
    })
}

/// Waits until the registry was used some more.
fn more(uses: &AtomicUsize) -> Result<()> {
    let before = uses.load(Ordering::SeqCst);
    wait::until("more pushes and pulls", PATIENCE, || {
        ensure!(uses.load(Ordering::SeqCst) > before + 2, "not yet");
        Ok(())
    })
}

/// Pushes and pulls without a pause until `work` is done, which is told how often that has succeeded; a failure fails the test.
fn while_in_use(
    laptop: &Laptop<'_>,
    image: &Image,
    work: impl FnOnce(&AtomicUsize) -> Result<()>,
) -> Result<()> {
    let (done, uses) = (AtomicBool::new(false), AtomicUsize::new(0));
    let use_it = || -> Result<()> {
        while !done.load(Ordering::SeqCst) {
            laptop.pull("steady:1", &image.written)?;
            laptop.push(&image.written, &format!("steady:{}", uses.fetch_add(1, Ordering::SeqCst)))?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let somebody = scope.spawn(use_it);
        let worked = work(&uses);
        done.store(true, Ordering::SeqCst);
        let succeeded = somebody.join().unwrap_or_else(|_| bail!("the thread panicked"));
        succeeded.and(worked)
    })
}
