//! The rotation of the certificate authority, which no client notices that follows the ConfigMap.
//!
//! Two waits of the operator are cut short: the beginning of a phase is set back in Secret `hub-ca`. What the phase is there
//! for is waited for here instead, with the pods and the node themselves.

use crate::fixture::{Image, create_hub, fixture};
use anyhow::{Context, Result, ensure};
use berth_tests::cluster::{HostAccess, wait};
use berth_tests::command::succeed;
use berth_tests::demo::{self, Credentials, Hub, Laptop, Target};
use berth_tests::programs;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

const NAMESPACE: &str = "rotation";

/// The kubelet brings a changed Secret to a pod within about two minutes.
const PROPAGATION: Duration = Duration::from_mins(4);

#[test]
fn a_rotation_of_the_certificate_authority_fails_no_pull_and_no_request() -> Result<()> {
    let target = &fixture()?.target;
    target.kubectl().run(&["create", "namespace", NAMESPACE])?;
    let image = Image::pack("rotated")?;
    let hub = create_hub(target, NAMESPACE)?;
    let (access, credentials) = (hub.on_this_machine(target)?, Credentials::of(&hub)?);
    let laptop = Laptop { hub: &hub, access: &access, credentials: &credentials };
    laptop.push(&image.written, "rotated:1")?;

    let (over, pulls) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let loops = scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                // It trusts what the ConfigMap has at that moment.
                laptop.pull("rotated:1", &image.written).context("a pull during the rotation")?;
                pulls.fetch_add(1, Ordering::SeqCst);
            }
            Ok::<_, anyhow::Error>(())
        });
        let rotated = rotate(target, &hub, &access);
        over.store(true, Ordering::SeqCst);
        let looped = loops.join().map_err(|_| anyhow::anyhow!("the loop of pulls panicked"))?;
        rotated.and(looped)
    })?;
    println!("{} pulls during the rotation, and none failed", pulls.load(Ordering::SeqCst));
    Ok(())
}

fn rotate(target: &Target, hub: &Hub, access: &HostAccess) -> Result<()> {
    let old = Client::trusting(hub, access, &hub.authority()?)?;
    pull_on_node(hub, "before")?;

    hub.run(&["annotate", "registry.berth.dev/hub", "berth.dev/rotate-ca=1"])?;
    let both = wait_for(hub, "Trusting")?;
    hub.wait_for_nodes(target)?;
    let took_both = Client::trusting(hub, access, &both)?;
    let new =
        Client::trusting(hub, access, both.strip_prefix(&old.authorities).context("the old one first")?)?;
    old.ask()?;
    took_both.ask()?;
    pull_on_node(hub, "trusting")?;

    let_time_pass(hub)?;
    let turned = wait_for(hub, "Serving")?;
    ensure!(turned == format!("{}{}", new.authorities, old.authorities), "published: {turned}");
    wait::until("the replica to serve the new certificate", PROPAGATION, || {
        took_both.ask()?;
        new.ask()
    })?;
    ensure!(old.ask().is_err(), "the old authority alone vouches for the new certificate");
    pull_on_node(hub, "serving")?;
    hub.run(&["create", "job", "collect-now", "--from=cronjob/hub-gc"])?;
    hub.run(&["wait", "job/collect-now", "--for=condition=Complete", "--timeout=120s"])?;

    let_time_pass(hub)?;
    ensure!(wait_for(hub, "Done")? == new.authorities, "the old authority is still published");
    hub.wait_for_nodes(target)?;
    took_both.ask()?;
    pull_on_node(hub, "done")?;
    hub.wait_until_ready()
}

fn wait_for(hub: &Hub, phase: &str) -> Result<String> {
    wait::until(&format!("the rotation to be {phase}"), Duration::from_mins(1), || {
        let path = "--output=jsonpath={.status.tls.rotation.phase}";
        let now = hub.run(&["get", "registry.berth.dev/hub", path])?;
        ensure!(now == phase, "it is {now:?}");
        hub.authority()
    })
}

fn let_time_pass(hub: &Hub) -> Result<()> {
    let patch = r#"{"stringData": {"since": "2020-01-01T00:00:00Z"}}"#;
    hub.run(&["patch", "secret/hub-ca", "--patch", patch]).map(drop)
}

fn pull_on_node(hub: &Hub, pod: &str) -> Result<()> {
    demo::create_pod(hub, pod, "rotated:1", Some("hub-pull"))?;
    demo::pod_log(hub, pod).map(drop).with_context(|| format!("the pull of {pod}"))
}

/// A client that trusts what it was told once.
struct Client<'a> {
    access: &'a HostAccess,
    host: String,
    authorities: String,
    folder: TempDir,
}

impl<'a> Client<'a> {
    fn trusting(hub: &Hub, access: &'a HostAccess, authorities: &str) -> Result<Self> {
        let folder = TempDir::new()?;
        fs::write(folder.path().join("ca.crt"), authorities)?;
        Ok(Self { access, host: hub.host()?, authorities: authorities.to_owned(), folder })
    }

    /// Fails unless the registry's certificate is trusted.
    fn ask(&self) -> Result<()> {
        let mut curl = self.access.command(programs::packaged("curl")?);
        curl.args(["--silent", "--show-error", "--cacert"]).arg(self.folder.path().join("ca.crt"));
        succeed(curl.arg(format!("https://{}/v2/", self.host))).map(drop)
    }
}
