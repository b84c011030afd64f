//! From the first apply to the deletion.

use anyhow::ensure;
use berth_tests::cluster::wait;

use crate::fixture::{Namespace, OBJECTS, PATIENCE};

#[test]
fn the_first_pods_of_a_registry_are_not_replaced_at_once() {
    let namespace = Namespace::create("first-pods").unwrap();
    namespace.apply_registry("{}").unwrap();
    namespace.wait_for_objects().unwrap();
    namespace.wait_for_reason("PullSecretsReady", "Synced").unwrap();
    assert_eq!(namespace.get("deployment/hub").unwrap()["metadata"]["generation"], 1);
}

#[test]
fn five_lines_make_every_object() {
    let namespace = Namespace::create("five-lines").unwrap();
    namespace.apply_registry("{}").unwrap();
    namespace.wait_for_objects().unwrap();
    namespace.wait_for_reason("TLSReady", "Issued").unwrap();
    namespace.wait_for_reason("AccessReady", "Configured").unwrap();
    let status = &namespace.get("registry/hub").unwrap()["status"];
    assert_eq!(status["host"], "hub.five-lines.svc");
    assert_eq!(status["adminSecretName"], "hub-admin");
    assert_eq!(status["caConfigMapName"], "hub-ca");
    assert_eq!(status["image"], "registry.example/berth-registry:test");
    assert_eq!(status["storage"]["kind"], "PersistentVolumeClaim");
}

#[test]
fn a_registry_whose_pods_serve_is_ready_until_they_stop() {
    let namespace = Namespace::create("ready").unwrap();
    namespace.apply_registry("{storage: {emptyDir: {}}}").unwrap();
    namespace.wait_for_reason("Ready", "Progressing").unwrap();
    // No node runs here, so the test speaks for the kubelet.
    let report = |ready: &str| {
        let pods = namespace.run(&["get", "pods", "--output=name"])?;
        ensure!(!pods.trim().is_empty(), "no pod yet");
        let status = format!(
            r#"{{"status": {{"phase": "Running", "conditions": [{{"type": "Ready", "status": "{ready}"}}]}}}}"#
        );
        pods.lines().try_for_each(|pod| {
            namespace
                .run(&["patch", pod, "--subresource=status", "--type=merge", "--patch", &status])
                .map(|_| ())
        })
    };
    wait::until("the pod", PATIENCE, || report("True")).unwrap();
    let ready = namespace.wait_for_reason("Ready", "Ready").unwrap();
    assert_eq!((ready.status.as_str(), ready.message.as_str()), ("True", "pushes and pulls work"));
    assert_eq!(namespace.wait_for_reason("Progressing", "Idle").unwrap().status, "False");
    assert_eq!(namespace.get("registry/hub").unwrap()["status"]["readyReplicas"], 1);

    report("False").unwrap();
    namespace.wait_for_reason("Ready", "DeploymentUnavailable").unwrap();
    namespace.apply_registry("{storage: {emptyDir: {}}, replicas: 0}").unwrap();
    namespace.wait_for_reason("Ready", "Stopped").unwrap();
}

#[test]
fn the_first_certificate_names_the_address_of_the_service() {
    let namespace = Namespace::create("address").unwrap();
    namespace.apply_registry("{}").unwrap();
    namespace.wait_for_objects().unwrap();
    let address = namespace.get("service/hub").unwrap()["spec"]["clusterIP"].as_str().unwrap().to_owned();
    let certificate = namespace.secret_text("hub-tls", "tls.crt").unwrap();
    let names = berth_operator::registry::certificates::inspect(&certificate).unwrap().names;
    assert!(names.contains(&address), "{address} is not among {names:?}");
    assert!(names.contains("hub.address.svc"));
    // It was applied once: nothing was issued before the address was known.
    assert_eq!(writes_to(&namespace, "/secrets/hub-tls"), 1);
}

fn writes_to(namespace: &Namespace, object: &str) -> usize {
    let requests = crate::requests::within(namespace.name);
    requests.iter().filter(|request| request.is_write() && request.path.ends_with(object)).count()
}

#[test]
fn a_new_schedule_reaches_the_cron_job_and_restarts_nothing() {
    let namespace = Namespace::create("schedule").unwrap();
    namespace.apply_registry("{}").unwrap();
    namespace.wait_for_objects().unwrap();
    let before = namespace.get("deployment/hub").unwrap()["metadata"]["generation"].clone();
    namespace.apply_registry("{gc: {schedule: '@weekly', suspend: true}}").unwrap();
    wait::until("the new schedule", PATIENCE, || {
        let cron_job = namespace.get("cronjob/hub-gc")?;
        ensure!(
            cron_job["spec"]["schedule"] == "@weekly" && cron_job["spec"]["suspend"] == true,
            "{}",
            cron_job["spec"]
        );
        Ok(())
    })
    .unwrap();
    namespace.wait_for_reason("GarbageCollected", "Suspended").unwrap();
    assert_eq!(namespace.get("deployment/hub").unwrap()["metadata"]["generation"], before);
}

#[test]
fn new_users_reach_the_registry_and_restart_nothing() {
    let namespace = Namespace::create("users").unwrap();
    namespace.apply_registry("{}").unwrap();
    namespace.wait_for_objects().unwrap();
    let before = namespace.get("deployment/hub").unwrap()["metadata"]["generation"].clone();
    let admin = namespace.secret_text("hub-auth", "htpasswd").unwrap().lines().next().unwrap().to_owned();
    let line = "ci:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC";
    namespace
        .run(&["create", "secret", "generic", "team", &format!("--from-literal=htpasswd={line}")])
        .unwrap();
    namespace.apply_registry("{access: {htpasswdSecretName: team}}").unwrap();
    wait::until("the new user", PATIENCE, || {
        let file = namespace.secret_text("hub-auth", "htpasswd")?;
        ensure!(file.lines().any(|entry| entry == line), "the user is not there");
        ensure!(file.lines().any(|entry| entry == admin), "the administrator's entry was written anew");
        Ok(())
    })
    .unwrap();
    assert_eq!(namespace.get("deployment/hub").unwrap()["metadata"]["generation"], before);
}

#[test]
fn plain_http_takes_the_certificates_away() {
    let namespace = Namespace::create("plain").unwrap();
    namespace.apply_registry("{}").unwrap();
    namespace.wait_for_objects().unwrap();
    namespace.apply_registry("{tls: {disabled: true}, service: {port: 80}}").unwrap();
    namespace.wait_for_reason("TLSReady", "PlainHTTP").unwrap();
    for object in ["secret/hub-ca", "secret/hub-tls", "configmap/hub-ca"] {
        assert!(namespace.get(object).is_err(), "{object} is still there");
    }
    assert_eq!(namespace.get("registry/hub").unwrap()["status"]["host"], "hub.plain.svc");
}

#[test]
fn a_deleted_registry_leaves_its_claim_which_the_next_of_that_name_takes_over() {
    let namespace = Namespace::create("deleted").unwrap();
    namespace.apply_registry("{}").unwrap();
    namespace.wait_for_objects().unwrap();
    let claim = || namespace.get("persistentvolumeclaim/hub").unwrap()["metadata"]["uid"].clone();
    let before = claim();
    namespace.run(&["delete", "registry/hub"]).unwrap();
    wait::until("the objects to be gone", PATIENCE, || {
        let left = OBJECTS.iter().filter(|object| namespace.get(object).is_ok()).copied().collect::<Vec<_>>();
        ensure!(left == ["persistentvolumeclaim/hub"], "{left:?} are there");
        Ok(())
    })
    .unwrap();
    namespace.apply_registry("{}").unwrap();
    namespace.wait_for_objects().unwrap();
    assert_eq!(claim(), before);
}

#[test]
fn a_claim_that_is_not_to_be_kept_goes_with_its_registry() {
    let namespace = Namespace::create("reclaimed").unwrap();
    namespace.apply_registry("{storage: {pvc: {reclaim: Delete}}}").unwrap();
    namespace.wait_for_objects().unwrap();
    let claim = namespace.get("persistentvolumeclaim/hub").unwrap();
    assert_eq!(claim["metadata"]["ownerReferences"][0]["name"], "hub");
}
