//! Which namespaces an operator looks after, with the rights that the chart gives it there and no others.

use super::installed::Installed;
use anyhow::Result;

#[test]
fn an_operator_of_some_namespaces_works_there_and_looks_at_no_other() -> Result<()> {
    let namespaces = ["scope-a", "scope-b", "scope-c"];
    let installed = Installed::with(&namespaces, &["watchNamespaces={scope-a,scope-b}"])?;
    installed.apply_registry("scope-c")?;
    installed.apply_registry("scope-a")?;
    let operator = installed.operator()?;
    installed.wait_for_registry("scope-a", &operator)?;
    installed.apply_registry("scope-b")?;
    installed.wait_for_registry("scope-b", &operator)?;

    assert_eq!(installed.field("scope-c", "registry.berth.dev/hub", "{.status}")?, "");
    assert!(installed.field("scope-c", "service/hub", "{.metadata.name}").is_err());
    assert_eq!(operator.forbidden()?, [""; 0], "{}", operator.log());
    let account = "--as=system:serviceaccount:berth-system:berth";
    let may =
        |namespace| installed.kubectl().run(&["auth", "can-i", "list", "secrets", account, "-n", namespace]);
    assert!(may("scope-a").is_ok() && may("scope-c").is_err());

    operator.stop()?;
    installed.uninstall()?;
    installed.kubectl().run(&[&["delete", "namespace", "--wait=false"], &namespaces[..]].concat()).map(drop)
}
