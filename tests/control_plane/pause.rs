//! A Registry that is paused by its annotation.

use anyhow::ensure;
use berth_tests::cluster::wait;

use crate::{
    fixture::{Namespace, PATIENCE},
    requests,
};

#[test]
fn a_paused_registry_is_left_alone_until_it_is_resumed() {
    let namespace = Namespace::create("paused").unwrap();
    namespace.apply_registry("{}").unwrap();
    namespace.wait_for_objects().unwrap();
    namespace.wait_for_reason("AccessReady", "Configured").unwrap();
    namespace.run(&["annotate", "registry/hub", "berth.dev/paused=true"]).unwrap();
    namespace.wait_for_reason("Paused", "Paused").unwrap();

    let (written, looked) = (count(&namespace, true), count(&namespace, false));
    namespace.run(&["delete", "configmap/hub-config"]).unwrap();
    namespace.apply_registry("{logLevel: debug}").unwrap();
    wait::until("the operator to look", PATIENCE, || {
        ensure!(count(&namespace, false) > looked, "not yet");
        namespace.condition("Paused").map(|_| ())
    })
    .unwrap();
    assert_eq!(count(&namespace, true), written);
    assert!(namespace.get("configmap/hub-config").is_err());
    let events =
        namespace.run(&["get", "events.events.k8s.io", "--output=jsonpath={.items[*].reason}"]).unwrap();
    assert_eq!(events.split_whitespace().filter(|reason| *reason == "Paused").count(), 1, "{events}");

    namespace.run(&["annotate", "registry/hub", "berth.dev/paused-"]).unwrap();
    wait::until("the object to come back", PATIENCE, || namespace.get("configmap/hub-config").map(|_| ()))
        .unwrap();
    wait::until("the condition to go", PATIENCE, || {
        let registry = namespace.get("registry/hub")?;
        ensure!(!registry["status"]["conditions"].to_string().contains("Paused"), "{}", registry["status"]);
        Ok(())
    })
    .unwrap();
}

/// Writes of objects, or looks at the Registry.
fn count(namespace: &Namespace, writes: bool) -> usize {
    let requests = requests::within(namespace.name);
    let about = |path: &str| path.contains("/registries/") || path.contains("/events");
    requests
        .iter()
        .filter(|request| {
            if writes {
                request.is_write() && !about(&request.path)
            } else {
                request.path.ends_with("/registries/hub")
            }
        })
        .count()
}
