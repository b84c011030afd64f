//! The life of a release: what an upgrade changes, and what is left after it is uninstalled.

use super::installed::{Installed, PATIENCE, next_release};
use anyhow::{Result, ensure};
use berth_tests::chart;
use berth_tests::cluster::wait;
use tempfile::TempDir;

const OLD: [&str; 2] = ["image.tag=v1", "registryImage.tag=v1"];
const NEW: [&str; 4] = ["image.tag=v2", "registryImage.tag=v1", "replicas=2", "log.level=debug"];

#[test]
fn pods_of_registries_are_replaced_only_by_another_image_of_theirs() -> Result<()> {
    let installed = Installed::with(&["upgraded"], &OLD)?;
    let of_deployment = |path: &str| installed.field("upgraded", "deployment/hub", path);
    installed.apply_registry("upgraded")?;
    let operator = installed.operator()?;
    installed.wait_for_registry("upgraded", &operator)?;
    let generation = of_deployment("{.metadata.generation}")?;
    operator.stop()?;

    // As if an older release had installed the definition.
    installed.kubectl().run(&["patch", "crd/registries.berth.dev", "--type=json", REMOVE_SHORT_NAME])?;
    let folder = TempDir::new()?;
    installed.upgrade(&next_release(folder.path())?, &NEW)?;
    let short_names =
        installed.kubectl().field(&["crd", "registries.berth.dev"], "{.spec.names.shortNames}")?;
    assert_eq!(short_names, r#"["reg"]"#, "an upgrade brings the definitions up to date");
    let operator = installed.operator()?;
    operator.wait_for_success()?;
    assert_eq!(of_deployment("{.metadata.generation}")?, generation, "{}", operator.log());
    assert_eq!(operator.forbidden()?, [""; 0], "{}", operator.log());
    operator.stop()?;

    installed.upgrade(&chart::folder(), &["registryImage.tag=v2"])?;
    let operator = installed.operator()?;
    wait::until("the new image", PATIENCE, || {
        let image = of_deployment("{.spec.template.spec.containers[0].image}")?;
        ensure!(image.ends_with(":v2"), "it is {image}");
        Ok(())
    })?;
    operator.stop()?;
    clean_up(&installed, "upgraded")
}

#[test]
fn what_is_left_of_a_release_are_registries_and_their_definition() -> Result<()> {
    let installed = Installed::with(&["left"], &[])?;
    installed.apply_registry("left")?;
    let operator = installed.operator()?;
    installed.wait_for_registry("left", &operator)?;
    let holder = installed.field("berth-system", "lease/berth-leader", "{.spec.holderIdentity}")?;
    assert!(!holder.is_empty(), "nobody leads");

    // An upgrade in between does not take the Lease away from its holder.
    installed.upgrade(&chart::folder(), &["log.level=debug"])?;
    assert_eq!(installed.field("berth-system", "lease/berth-leader", "{.spec.holderIdentity}")?, holder);

    let said = installed.uninstall()?;
    assert!(said.contains("kept") && said.contains("registries.berth.dev"), "{said}");
    operator.stop()?;
    for object in
        ["registry.berth.dev/hub", "deployment/hub", "persistentvolumeclaim/hub", "secret/hub-admin"]
    {
        installed.field("left", object, "{.metadata.name}")?;
    }
    let left = ["get", LEFT_TO_NOBODY, "--namespace=berth-system", "--output=name"];
    let left = installed.kubectl().run(&left)?;
    let left: Vec<_> = left.lines().filter(|name| name.contains("berth")).collect();
    assert_eq!(left, [""; 0]);
    clean_up(&installed, "left")
}

/// What the release is made of, and the Lease that its operators write.
const LEFT_TO_NOBODY: &str = "deployment,service,configmap,lease,role,rolebinding,serviceaccount";

const REMOVE_SHORT_NAME: &str = r#"--patch=[{"op": "remove", "path": "/spec/names/shortNames"}]"#;

/// Others may use the same cluster afterwards.
fn clean_up(installed: &Installed, namespace: &str) -> Result<()> {
    let _uninstalled_already = installed.uninstall();
    installed.kubectl().run(&["delete", "namespace", "--wait=false", namespace]).map(drop)
}
