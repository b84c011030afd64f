//! What is left of a Registry that was deleted, and what a new one of the same name finds.

use crate::fixture::{Image, create_hub, fixture};
use anyhow::{Result, ensure};
use berth_tests::cluster::wait;
use berth_tests::demo::{Credentials, Hub, Laptop};
use std::time::Duration;

const NAMESPACE: &str = "retention";

#[test]
fn a_deleted_registry_leaves_its_volume_and_a_new_one_serves_the_same_image() -> Result<()> {
    let target = &fixture()?.target;
    target.kubectl().run(&["create", "namespace", NAMESPACE])?;
    let image = Image::pack("kept")?;
    let hub = create_hub(target, NAMESPACE)?;
    let (access, credentials) = (hub.on_this_machine(target)?, Credentials::of(&hub)?);
    Laptop { hub: &hub, access: &access, credentials: &credentials }.push(&image.written, "kept:1")?;

    hub.delete()?;
    wait_until_only_the_claim_is_left(&hub)?;

    create_hub(target, NAMESPACE)?;
    let (access, credentials) = (hub.on_this_machine(target)?, Credentials::of(&hub)?);
    Laptop { hub: &hub, access: &access, credentials: &credentials }.pull("kept:1", &image.written)
}

fn wait_until_only_the_claim_is_left(hub: &Hub) -> Result<()> {
    wait::until("the operator's objects to go", Duration::from_mins(1), || {
        let kinds = "deployment,pod,service,cronjob,secret,configmap,networkpolicy,serviceaccount,pvc";
        let left = hub.run(&["get", kinds, "--output=name"])?;
        let not_of_the_cluster =
            |name: &&str| !name.ends_with("/kube-root-ca.crt") && !name.ends_with("/default");
        let left: Vec<&str> = left.lines().filter(not_of_the_cluster).collect();
        ensure!(left == ["persistentvolumeclaim/hub"], "left: {}", left.join(" "));
        Ok(())
    })
}
