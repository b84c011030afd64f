//! A registry whose images are in a bucket on this machine, and which is two pods.

use crate::fixture::{Image, fixture};
use anyhow::{Context, Result, bail, ensure};
use berth_tests::cluster::wait;
use berth_tests::demo::{Credentials, Hub, Laptop, Target};
use berth_tests::s3_server::{ACCESS_KEY, BUCKET, REGION, S3Server, SECRET_KEY};
use std::time::Duration;

const NAMESPACE: &str = "bucket";
const PATIENCE: Duration = Duration::from_mins(2);

#[test]
fn two_replicas_on_a_bucket_serve_on_when_one_is_killed() -> Result<()> {
    let target = &fixture()?.target;
    let Target::Own(cluster) = target else { bail!("the pods of another cluster do not reach this machine") };
    let s3 = S3Server::start_at(cluster.host_address()?)?;
    let hub = hub_on_a_bucket(&s3, target, NAMESPACE)?;
    let (access, credentials) = (hub.on_this_machine(target)?, Credentials::of(&hub)?);
    let laptop = Laptop { hub: &hub, access: &access, credentials: &credentials };
    let image = Image::pack("in a bucket")?;
    laptop.push(&image.written, "kept:1")?;

    let pods =
        hub.run(&["get", "pods", "--selector=app.kubernetes.io/component=registry", "--output=name"])?;
    let pods: Vec<&str> = pods.lines().collect();
    ensure!(pods.len() == 2, "the replicas are {pods:?}");
    for pod in pods {
        hub.run(&["delete", pod, "--grace-period=1"])?;
        // A connection that kube-proxy still sends to the one that is gone hangs until its client gives up.
        wait::until("the other replica to be reached", PATIENCE, || laptop.pull("kept:1", &image.written))
            .with_context(|| format!("after {pod} was killed"))?;
        hub.run(&["rollout", "status", "deployment/hub", "--timeout=120s"])?;
    }
    Ok(())
}

/// Two replicas on the bucket of a server, ready, which the node trusts.
pub(crate) fn hub_on_a_bucket(s3: &S3Server, target: &Target, namespace: &str) -> Result<Hub> {
    target.kubectl().run(&["create", "namespace", namespace])?;
    let hub = Hub::new(target.kubectl(), namespace);
    let key = [("accessKeyId", ACCESS_KEY), ("secretAccessKey", SECRET_KEY)];
    let [name, secret] = key.map(|(key, value)| format!("--from-literal={key}={value}"));
    hub.run(&["create", "secret", "generic", "key", &name, &secret])?;
    let bucket = format!("bucket: {BUCKET}, region: {REGION}, endpoint: '{}', secretName: key", s3.url());
    hub.apply(&format!(
        "apiVersion: berth.dev/v1alpha1\nkind: Registry\nmetadata: {{name: hub}}\n\
         spec: {{replicas: 2, storage: {{s3: {{{bucket}}}}}}}\n"
    ))?;
    hub.wait_until_ready()?;
    hub.wait_for_nodes(target)?;
    Ok(hub)
}
