//! The main job on a real cluster, step by step.

use anyhow::{Context, Result, bail, ensure};
use berth_tests::cluster::{Cluster, Kubectl, State, kept};
use berth_tests::demo::{self, Credentials, Delivered, Hub, Laptop, Target, images};
use berth_tests::image::products;
use berth_tests::programs;
use berth_tests::workspace::target_folder;
use clap::Parser;
use std::io::{Write as _, stdout};
use std::path::{Path, PathBuf};
use std::time::Instant;

const NAMESPACE: &str = "default";
/// Only a Registry with this label is removed again.
const MADE_BY_US: &str = "app.kubernetes.io/created-by=berth-demo";

/// Installs Berth on a cluster, makes a registry, pushes to it and runs a pod from it.
///
/// With KUBECONFIG set it uses that cluster, and otherwise it starts a Kubernetes of its own on this machine.
#[derive(Debug, Parser)]
#[command(name = "tests/demo")]
struct Arguments {
    /// Remove everything that the demo started or installed
    #[arg(long)]
    down: bool,
    /// With KUBECONFIG: where images are pushed to and nodes pull them from, for example ghcr.io/someone
    #[arg(long, env = "BERTH_DEMO_REPOSITORY", value_name = "HOST/PATH")]
    repository: Option<String>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match (arguments.down, foreign_kubeconfig()?) {
        (true, None) => step("Ending the cluster", || kept::down(&own_state()?)),
        (true, Some(kubeconfig)) => {
            step("Uninstalling", || uninstall(&Kubectl::new(&kubeconfig)?))?;
            say(
                "The custom resource definition stays, as the chart keeps it: kubectl delete crd registries.berth.dev",
            )
        }
        (false, kubeconfig) => run(&target(kubeconfig, arguments.repository)?),
    }
}

/// The main job.
fn run(target: &Target) -> Result<()> {
    let folder = target_folder().join("images");
    let (operator, registry) = step("Building both images", || build_images(target, &folder))?;
    step("Installing the chart", || demo::install_chart(target, &operator, &registry))?;
    let hub = Hub::new(target.kubectl(), NAMESPACE);
    say(&format!("\n{}\n", demo::HUB))?;
    step("Creating this Registry and waiting until it is ready", || create(&hub))?;
    let credentials = Credentials::of(&hub)?;
    let hello = images::hello(&folder, "demo")?;
    step("Pushing hello:1 with skopeo from this machine", || {
        let access = hub.on_this_machine(target)?;
        Laptop { hub: &hub, access: &access, credentials: &credentials }.push(&hello, "hello:1")
    })?;
    step("Pushing ci/hello:1 from a Job in the cluster", || {
        let ci = target.deliver(&images::ci(&folder, &hello)?)?;
        demo::push_from_ci(&hub, &ci.to_string(), "ci/hello:1")
    })?;
    step("Waiting until the node agent has led the nodes to the registry", || hub.wait_for_nodes(target))?;
    let log = step("Running a pod with the image hello:1", || run_pod(&hub))?;
    say(&format!("\nThe pod says: {}\n", log.trim()))?;
    tell_what_to_type_next(target, &hub)
}

/// Our own cluster, or the user's.
fn target(kubeconfig: Option<PathBuf>, repository: Option<String>) -> Result<Target> {
    let Some(kubeconfig) = kubeconfig else {
        let state = own_state()?;
        return step("Starting Kubernetes", || Cluster::keep(&state)).map(Target::Own);
    };
    let repository = repository.context(
        "the nodes of this cluster need a place to pull the new images from: say --repository HOST/PATH, \
         a registry that skopeo may push to (skopeo login HOST) and that the nodes may pull from; \
         or unset KUBECONFIG to let the demo start a cluster of its own",
    )?;
    Ok(Target::Foreign { kubectl: Kubectl::new(&kubeconfig)?, repository })
}

/// The user's `KUBECONFIG`, unless it is our own cluster's, which the demo tells its user to set.
fn foreign_kubeconfig() -> Result<Option<PathBuf>> {
    let own = own_state()?.kubeconfig();
    Ok(programs::path_variable("KUBECONFIG").filter(|kubeconfig| *kubeconfig != own))
}

fn own_state() -> Result<State> {
    State::open(&programs::cache()?.join("cluster"))
}

fn build_images(target: &Target, folder: &Path) -> Result<(Delivered, Delivered)> {
    let images = products::build(folder, "dev")?;
    let [operator, registry] = images.as_slice() else { bail!("expected two images") };
    Ok((target.deliver(operator)?, target.deliver(registry)?))
}

/// A Registry of that name that somebody else made is left alone.
fn create(hub: &Hub) -> Result<()> {
    let exists = !hub.run(&["get", "registry.berth.dev", &hub.name, "--ignore-not-found"])?.is_empty();
    ensure!(
        !exists || made_by_us(hub)?,
        "the namespace {} has a Registry {} that the demo did not make; rename or delete it first",
        hub.namespace,
        hub.name
    );
    hub.apply(demo::HUB)?;
    hub.run(&["label", "registry.berth.dev", &hub.name, MADE_BY_US, "--overwrite"])?;
    hub.wait_until_ready()
}

fn made_by_us(hub: &Hub) -> Result<bool> {
    let found = hub.run(&["get", "registry.berth.dev", "--selector", MADE_BY_US, "--output=name"])?;
    Ok(!found.is_empty())
}

fn run_pod(hub: &Hub) -> Result<String> {
    demo::create_pod(hub, "hello", "hello:1", Some("hub-pull"))?;
    demo::pod_log(hub, "hello")
}

fn uninstall(kubectl: &Kubectl) -> Result<()> {
    let hub = Hub::new(kubectl, NAMESPACE);
    hub.run(&["delete", "pod/hello", "job/ci-push", "--ignore-not-found"])?;
    if made_by_us(&hub)? {
        hub.delete()?;
        hub.run(&["delete", "pvc", &hub.name, "--ignore-not-found"])?;
    }
    demo::uninstall_chart(kubectl)
}

fn tell_what_to_type_next(target: &Target, hub: &Hub) -> Result<()> {
    let kubectl = programs::built("kubectl")?;
    let path = kubectl.parent().unwrap_or(&kubectl).display();
    say("Look around:")?;
    if let Target::Own(cluster) = target {
        say(&format!("  export KUBECONFIG={}", cluster.kubectl().kubeconfig().display()))?;
    }
    say(&format!("  export PATH={path}:$PATH"))?;
    say("  kubectl get registry,all,pvc\n  kubectl describe registry hub\n")?;
    tell_how_to_push(target, hub)?;
    say("\nRemove everything:\n  tests/demo --down")
}

fn tell_how_to_push(target: &Target, hub: &Hub) -> Result<()> {
    let host = hub.host()?;
    let address = hub.on_this_machine(target)?.address();
    say("Push an image of your own, as root:")?;
    if matches!(target, Target::Foreign { .. }) {
        say(&format!("  kubectl port-forward --address {address} service/hub 443:443 &"))?;
    }
    say(&format!(
        "  echo '{address} {host}' >>/etc/hosts\n\
         \x20 mkdir -p /etc/containers/certs.d/{host}\n\
         \x20 kubectl get configmap hub-ca -o 'jsonpath={{.data.ca\\.crt}}' >/etc/containers/certs.d/{host}/ca.crt\n\
         \x20 kubectl get secret hub-admin -o 'jsonpath={{.data.password}}' | base64 -d |\n\
         \x20   skopeo login --username admin --password-stdin {host}\n\
         \x20 skopeo copy docker-archive:target/images/hello.tar docker://{host}/hello:2"
    ))
}

/// Does one step, and prints its name before and the time that it took after.
fn step<T>(name: &str, action: impl FnOnce() -> Result<T>) -> Result<T> {
    let started = Instant::now();
    write!(stdout(), "{name} … ")?;
    stdout().flush()?;
    let result = action();
    let judgement = if result.is_ok() { "done" } else { "failed" };
    say(&format!("{judgement} ({:.1} s)", started.elapsed().as_secs_f32()))?;
    result
}

fn say(text: &str) -> Result<()> {
    Ok(writeln!(stdout(), "{text}")?)
}
