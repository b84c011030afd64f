//! A namespace that admits only pods of the strictest Pod Security Standard.

use crate::fixture::{create_hub, fixture};
use anyhow::{Context, Result};

const NAMESPACE: &str = "restricted";

#[test]
fn a_registry_and_its_garbage_collection_run_where_only_restricted_pods_are_admitted() -> Result<()> {
    let target = &fixture()?.target;
    let kubectl = target.kubectl();
    kubectl.run(&["create", "namespace", NAMESPACE])?;
    kubectl.run(&["label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted"])?;
    let hub = create_hub(target, NAMESPACE)?;
    hub.run(&["create", "job", "collect-now", "--from=cronjob/hub-gc"])?;
    let told = || hub.run(&["describe", "job/collect-now"]).unwrap_or_else(|error| format!("{error:#}"));
    hub.run(&["wait", "job/collect-now", "--for=condition=Complete", "--timeout=120s"])
        .map(drop)
        .with_context(told)
}
