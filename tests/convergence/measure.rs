//! What one operator uses, and how fast it is: figures to compare two commits by. Nothing is asserted of them.
//!
//! The operator is built as for a profiler, which is nearly as it is shipped, and speaks to the API server itself, over TLS, with
//! the rights, the Lease and the scope that the chart gives it.

use std::{
    sync::mpsc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, ensure};
use berth_tests::{cluster::wait, operator::connection};
use futures::{StreamExt, TryStreamExt};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, PostParams, WatchEvent, WatchParams},
    core::PartialObjectMeta,
};
use serde_json::json;

use crate::{
    fixture::{PATIENCE, kubectl},
    shipped::Shipped,
};

const NAMESPACE: &str = "measured";

/// How many Registries are made one after the other, each when the one before is at rest.
const SINGLE: usize = 20;

/// How many there are in the end.
const MANY: usize = 100;

/// The objects of a Registry with an empty spec.
const CHILDREN: usize = 15;

/// For how long nothing may be asked before it counts as rest.
const REST: Duration = Duration::from_secs(1);

/// The kinds of these objects, with the groups and versions of their APIs.
const KINDS: [(&str, &str, &str); 8] = [
    ("", "v1", "Secret"),
    ("", "v1", "ConfigMap"),
    ("", "v1", "PersistentVolumeClaim"),
    ("", "v1", "ServiceAccount"),
    ("", "v1", "Service"),
    ("networking.k8s.io", "v1", "NetworkPolicy"),
    ("apps", "v1", "Deployment"),
    ("batch", "v1", "CronJob"),
];

#[test]
#[ignore = "it measures; `just measure-operator` prints what it finds"]
fn one_operator_of_many_registries_is_measured() -> Result<()> {
    kubectl().run(&["create", "namespace", NAMESPACE])?;
    let runtime = tokio::runtime::Runtime::new()?;
    let client = runtime.block_on(client())?;
    let operator = Shipped::start()?;
    rest(&operator)?;
    println!("without a Registry: {}", operator.memory()?);

    let arrivals = runtime.block_on(async { watch(&client) });
    let registries = registries(&client);
    let (mut times, mut requests) = (Vec::new(), Vec::new());
    for number in 0..SINGLE {
        let before = operator.requests()?;
        let begun = Instant::now();
        runtime.block_on(registries.create(&PostParams::default(), &registry(number)))?;
        times.push(last_of(&arrivals, CHILDREN)?.duration_since(begun));
        rest(&operator)?;
        requests.push(operator.requests()? - before);
        if number == 0 {
            println!("with one Registry: {}", operator.memory()?);
        }
    }
    times.sort();
    requests.sort_unstable();
    println!(
        "from a new Registry to its last object: median {:?}, worst {:?}; {} requests",
        times[SINGLE / 2],
        times[SINGLE - 1],
        requests[SINGLE / 2],
    );

    let begun = Instant::now();
    for number in SINGLE..MANY {
        runtime.block_on(registries.create(&PostParams::default(), &registry(number)))?;
    }
    let expected = (MANY - SINGLE) * CHILDREN;
    let last = last_of(&arrivals, expected)?.duration_since(begun);
    println!("{} Registries at once: {last:?}", MANY - SINGLE);
    rest(&operator)?;
    println!("with {MANY} Registries: {}", operator.memory()?);
    std::thread::sleep(Duration::from_mins(1));
    println!("a minute later: {}", operator.memory()?);
    Ok(())
}

async fn client() -> Result<Client> {
    Ok(Client::try_from(connection(kubectl().kubeconfig()).await?)?)
}

fn registries(client: &Client) -> Api<DynamicObject> {
    let kind = kube::core::GroupVersionKind::gvk("berth.dev", "v1alpha1", "Registry");
    Api::namespaced_with(client.clone(), NAMESPACE, &ApiResource::from_gvk_with_plural(&kind, "registries"))
}

fn registry(number: usize) -> DynamicObject {
    let kind = kube::core::GroupVersionKind::gvk("berth.dev", "v1alpha1", "Registry");
    let resource = ApiResource::from_gvk_with_plural(&kind, "registries");
    DynamicObject::new(&name(number), &resource).data(json!({"spec": {}}))
}

fn name(number: usize) -> String {
    format!("r{number:03}")
}

/// Waits until the operator asks for nothing but its Lease.
fn rest(operator: &Shipped) -> Result<()> {
    wait::until("rest", PATIENCE, || {
        let before = operator.requests()?;
        std::thread::sleep(REST);
        let asked = operator.requests()? - before;
        ensure!(asked <= REST.as_secs(), "{asked} requests just now");
        Ok(())
    })
}

/// Tells of each object of a Registry that appears, when it does.
fn watch(client: &Client) -> mpsc::Receiver<Instant> {
    let (tell, arrivals) = mpsc::channel();
    let ours = WatchParams::default().labels("app.kubernetes.io/managed-by=berth-operator").timeout(290);
    for (group, version, kind) in KINDS {
        let resource = ApiResource::from_gvk(&kube::core::GroupVersionKind::gvk(group, version, kind));
        let api: Api<PartialObjectMeta<DynamicObject>> =
            Api::namespaced_with(client.clone(), NAMESPACE, &resource);
        let (tell, ours) = (tell.clone(), ours.clone());
        tokio::spawn(async move {
            let events = api.watch_metadata(&ours, "0").await?;
            let mut events = events.boxed();
            while let Some(event) = events.try_next().await? {
                if matches!(event, WatchEvent::Added(_)) && tell.send(Instant::now()).is_err() {
                    break;
                }
            }
            Ok::<_, kube::Error>(())
        });
    }
    arrivals
}

/// When the last of so many objects of new Registries appeared.
fn last_of(arrivals: &mpsc::Receiver<Instant>, expected: usize) -> Result<Instant> {
    let mut last = Err(anyhow!("nothing was expected"));
    for number in 0..expected {
        last =
            arrivals.recv_timeout(PATIENCE).with_context(|| format!("only {number} of {expected} appeared"));
    }
    last
}
