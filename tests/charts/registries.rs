//! Registries that come with the release.

use super::installed::{Installed, PATIENCE};
use super::{of_kind, refusal, render};
use anyhow::{Result, ensure};
use berth_tests::chart;
use berth_tests::cluster::wait;

#[test]
fn one_command_gives_a_registry_that_outlives_its_release() -> Result<()> {
    let values =
        ["registries[0].name=hub", "registries[0].namespace=given", "registries[0].spec.logLevel=debug"];
    let installed = Installed::with(&["given"], &values)?;
    let operator = installed.operator()?;
    installed.wait_for_registry("given", &operator)?;
    let level = || installed.field("given", "registry.berth.dev/hub", "{.spec.logLevel}");
    assert_eq!(level()?, "debug");
    assert_eq!(operator.forbidden()?, [""; 0], "{}", operator.log());
    operator.stop()?;

    // A field that does not exist changes nothing, and the log says so.
    installed.upgrade(&chart::folder(), &[&values[..2], &["registries[0].spec.logLevle=warn"]].concat())?;
    let operator = installed.operator()?;
    wait::until("the refusal", PATIENCE, || {
        ensure!(operator.log().contains("spec.logLevle"), "{}", operator.log());
        Ok(())
    })?;
    assert_eq!(level()?, "debug");
    operator.stop()?;

    installed.upgrade(&chart::folder(), &[])?;
    installed.uninstall()?;
    assert_eq!(level()?, "debug", "neither the list nor the release takes it along");
    installed.kubectl().run(&["delete", "namespace", "--wait=false", "given"]).map(drop)
}

#[test]
fn the_operator_gets_rights_for_them_in_their_namespaces_alone() -> Result<()> {
    let values = ["registries[0].name=hub", "registries[0].namespace=a", "registries[1].name=lab"];
    let objects = render(&values)?;
    let roles: Vec<_> = of_kind(&objects, "Role")
        .into_iter()
        .filter(|role| role["metadata"]["name"] == "berth-registries")
        .map(|role| (&role["metadata"]["namespace"], &role["rules"][1]["resourceNames"][0]))
        .collect();
    assert_eq!(roles, [(&"a".into(), &"hub".into()), (&"berth-system".into(), &"lab".into())]);
    Ok(())
}

#[test]
fn a_registry_outside_of_the_watched_namespaces_is_refused() -> Result<()> {
    let said = refusal(&["watchNamespaces={a}", "registries[0].name=hub", "registries[0].namespace=b"])?;
    assert!(said.contains("hub is in the namespace b, which watchNamespaces leaves out"), "{said}");
    Ok(())
}
