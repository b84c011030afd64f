//! Registries that the schema accepts but that cannot work: they say what to do, and recover when it is done.

use anyhow::ensure;
use berth_operator::registry::certificates;
use berth_tests::cluster::wait;

use crate::fixture::{Namespace, PATIENCE, kubectl};

#[test]
fn a_missing_users_secret_is_told_until_it_exists() {
    let namespace = Namespace::create("no-users").unwrap();
    namespace.apply_registry("{access: {htpasswdSecretName: team}, storage: {emptyDir: {}}}").unwrap();
    let missing = namespace.wait_for_reason("AccessReady", "SecretNotFound").unwrap();
    assert_eq!(missing.status, "False");
    assert!(missing.message.contains("kubectl create secret generic team"), "{}", missing.message);
    assert_eq!(namespace.condition("Ready").unwrap().reason, "AccessNotReady");

    namespace.run(&["create", "secret", "generic", "team", "--from-literal=htpasswd=bob:plain"]).unwrap();
    let wrong = namespace.wait_for_reason("AccessReady", "InvalidHtpasswd").unwrap();
    assert!(wrong.message.contains("line 1: the hash is not bcrypt"), "{}", wrong.message);

    namespace.run(&["delete", "secret/team"]).unwrap();
    namespace.wait_for_reason("AccessReady", "SecretNotFound").unwrap();
    let line = "ci:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC";
    namespace
        .run(&["create", "secret", "generic", "team", &format!("--from-literal=htpasswd={line}")])
        .unwrap();
    namespace.wait_for_reason("AccessReady", "Configured").unwrap();
}

#[test]
fn a_certificate_of_the_user_is_checked_until_it_is_good() {
    let namespace = Namespace::create("own-tls").unwrap();
    namespace.apply_registry("{tls: {secretName: mine}}").unwrap();
    namespace.wait_for_reason("TLSReady", "SecretNotFound").unwrap();

    let now = jiff::Timestamp::now();
    let authority = certificates::issue_authority("test", None, now).unwrap();
    let issue =
        |name: &str| certificates::issue_serving(&authority, "test", &[name.to_owned()], now).unwrap();
    let (other, good) = (issue("other.example"), issue("hub.own-tls.svc"));
    let store = |certificate: &str, key: &str| {
        namespace
            .apply(&serde_json::json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "mine"}, "type": "kubernetes.io/tls",
                "stringData": {"tls.crt": certificate, "tls.key": key, "ca.crt": authority.certificate},
            }).to_string())
            .unwrap();
    };
    store(&good.certificate, &other.key);
    namespace.wait_for_reason("TLSReady", "KeyMismatch").unwrap();
    store(&other.certificate, &other.key);
    let wrong = namespace.wait_for_reason("TLSReady", "SANMismatch").unwrap();
    assert!(wrong.message.contains("hub.own-tls.svc"), "{}", wrong.message);
    store(&good.certificate, &good.key);
    namespace.wait_for_reason("TLSReady", "Provided").unwrap();
    assert_eq!(namespace.secret_text("hub-tls", "tls.crt").unwrap(), good.certificate);
    assert_eq!(namespace.get("configmap/hub-ca").unwrap()["data"]["ca.crt"], authority.certificate.as_str());
    assert!(namespace.get("secret/hub-ca").is_err(), "an authority without a use");
}

#[test]
fn a_missing_storage_class_is_told_until_it_exists() {
    let namespace = Namespace::create("no-class").unwrap();
    namespace.apply_registry("{storage: {pvc: {storageClassName: no-class-slow}}}").unwrap();
    let missing = namespace.wait_for_reason("StorageReady", "StorageClassNotFound").unwrap();
    assert!(missing.message.contains("StorageClass no-class-slow"), "{}", missing.message);
    assert_eq!(namespace.condition("Ready").unwrap().reason, "StorageNotReady");
    kubectl()
        .apply("{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: no-class-slow}, provisioner: example.com/none}")
        .unwrap();
    namespace.wait_for_reason("StorageReady", "Pending").unwrap();
}

#[test]
fn a_cluster_without_a_default_storage_class_is_told() {
    let namespace = Namespace::create("no-default").unwrap();
    namespace.apply_registry("{}").unwrap();
    let missing = namespace.wait_for_reason("StorageReady", "NoDefaultStorageClass").unwrap();
    assert!(missing.message.contains("is-default-class=true"), "{}", missing.message);
}

#[test]
fn a_claim_of_the_user_is_waited_for() {
    let namespace = Namespace::create("claimed").unwrap();
    namespace.apply_registry("{storage: {claimName: hub}}").unwrap();
    namespace.wait_for_reason("StorageReady", "ClaimNotFound").unwrap();
    namespace
        .apply(
            "apiVersion: v1\nkind: PersistentVolume\nmetadata: {name: claimed-images}\nspec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteMany], \
             hostPath: {path: /nowhere}, storageClassName: claimed}\n---\n\
             apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: hub}\nspec: {accessModes: [ReadWriteMany], \
             storageClassName: claimed, resources: {requests: {storage: 1Gi}}}\n",
        )
        .unwrap();
    let bound = namespace.wait_for_reason("StorageReady", "Bound").unwrap();
    assert_eq!(bound.message, "claim hub is bound to a volume of 1Gi");
    assert_eq!(namespace.get("registry/hub").unwrap()["status"]["storage"]["capacity"], "1Gi");
    let strategy = || namespace.get("deployment/hub").unwrap()["spec"]["strategy"].clone();
    assert_eq!(strategy()["rollingUpdate"]["maxSurge"], 0);

    namespace
        .apply(
            "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: single}\nspec: {accessModes: [ReadWriteOnce], \
             storageClassName: claimed, resources: {requests: {storage: 1Gi}}}\n",
        )
        .unwrap();
    namespace.apply_registry("{storage: {claimName: single}}").unwrap();
    namespace.wait_for_reason("StorageReady", "Pending").unwrap();
    assert_eq!(strategy(), serde_json::json!({"type": "Recreate"}));
}

#[test]
fn a_volume_that_cannot_grow_is_told_and_stays_in_use() {
    let namespace = Namespace::create("grown").unwrap();
    namespace
        .apply(
            "apiVersion: v1\nkind: PersistentVolume\nmetadata: {name: grown}\nspec: {capacity: {storage: 1Gi}, \
             accessModes: [ReadWriteOnce], hostPath: {path: /nowhere}, storageClassName: grown}\n",
        )
        .unwrap();
    let registry = |size: &str| format!("{{storage: {{pvc: {{size: {size}, storageClassName: grown}}}}}}");
    namespace.apply_registry(&registry("1Gi")).unwrap();
    namespace.wait_for_reason("StorageReady", "Bound").unwrap();

    namespace.apply_registry(&registry("2Gi")).unwrap();
    let refused = namespace.wait_for_reason("StorageReady", "ResizeUnsupported").unwrap();
    assert_eq!(refused.status, "True");
    assert!(refused.message.contains("PersistentVolumeClaim hub was refused"), "{}", refused.message);

    let class = |grows: bool| {
        let class = "apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: grown}, provisioner: example.com/none";
        kubectl().apply(&format!("{{{class}, allowVolumeExpansion: {grows}}}")).unwrap();
    };
    class(false);
    wait::until("the class to be named", PATIENCE, || {
        let told = namespace.condition("StorageReady")?;
        ensure!(told.message.contains("StorageClass grown lets no volume grow"), "{told:?}");
        Ok(())
    })
    .unwrap();
    let storage =
        &namespace.get("persistentvolumeclaim/hub").unwrap()["spec"]["resources"]["requests"]["storage"];
    assert_eq!(storage, "1Gi");

    class(true);
    let growing = namespace.wait_for_reason("StorageReady", "Resizing").unwrap();
    assert_eq!(growing.message, "claim hub is growing from 1Gi to 2Gi");
}

#[test]
fn a_schedule_that_cannot_be_used_is_told_and_harms_nothing_else() {
    let namespace = Namespace::create("bad-schedule").unwrap();
    namespace.apply_registry("{gc: {schedule: nightly}}").unwrap();
    let wrong = namespace.wait_for_reason("GarbageCollected", "InvalidSchedule").unwrap();
    assert!(wrong.message.contains("spec.gc.schedule \"nightly\""), "{}", wrong.message);
    assert!(namespace.get("deployment/hub").is_ok());
    assert!(namespace.get("cronjob/hub-gc").is_err());
    let next = || namespace.get("registry/hub").unwrap()["status"]["gc"]["nextScheduleTime"].clone();
    assert!(next().is_null(), "{}", next());

    namespace.apply_registry("{gc: {timeZone: Europe/Atlantis}}").unwrap();
    wait::until("the refusal of the time zone", PATIENCE, || {
        let wrong = namespace.condition("GarbageCollected")?;
        ensure!(wrong.message.contains("Europe/Atlantis"), "{wrong:?}");
        Ok(())
    })
    .unwrap();
    assert!(next().is_null(), "{}", next());
    namespace.apply_registry("{}").unwrap();
    namespace.wait_for_reason("GarbageCollected", "NeverRun").unwrap();
    assert!(next().is_string(), "{}", next());
    namespace.wait_for_objects().unwrap();
}

#[test]
fn a_pod_template_that_gives_no_pod_is_told_until_it_is_corrected() {
    let namespace = Namespace::create("bad-template").unwrap();
    namespace.apply_registry("{podTemplate: {spec: {tolertions: []}, metadata: {lables: {a: b}}}}").unwrap();
    let wrong = namespace.wait_for_reason("Available", "InvalidPodTemplate").unwrap();
    assert!(wrong.message.contains("spec.podTemplate.metadata.lables"), "{}", wrong.message);
    namespace.apply_registry("{podTemplate: {spec: {restartPolicy: Never}}}").unwrap();
    let refused = namespace.wait_for_reason("Available", "Rejected").unwrap();
    assert!(refused.message.contains("Deployment hub was refused"), "{}", refused.message);
    namespace.apply_registry("{podTemplate: {spec: {priorityClassName: system-cluster-critical}}}").unwrap();
    namespace.wait_for_reason("Available", "NoReplicas").unwrap();
    let deployment = namespace.get("deployment/hub").unwrap();
    assert_eq!(deployment["spec"]["template"]["spec"]["priorityClassName"], "system-cluster-critical");
}

#[test]
fn an_object_of_somebody_else_is_never_touched() {
    let namespace = Namespace::create("taken").unwrap();
    namespace.run(&["create", "secret", "generic", "hub-admin", "--from-literal=mine=yes"]).unwrap();
    namespace.apply_registry("{}").unwrap();
    let taken = namespace.wait_for_reason("Ready", "NameTaken").unwrap();
    assert!(taken.message.contains("Secret hub-admin"), "{}", taken.message);
    assert_eq!(namespace.secret_text("hub-admin", "mine").unwrap(), "yes");
    assert!(namespace.get("deployment/hub").is_err());

    namespace.run(&["delete", "secret/hub-admin"]).unwrap();
    namespace.wait_for_objects().unwrap();
}

#[test]
fn a_service_that_the_cluster_refuses_is_told_in_its_words() {
    let namespace = Namespace::create("bad-service").unwrap();
    namespace.apply_registry("{service: {type: NodePort, nodePort: 80}}").unwrap();
    let refused = namespace.wait_for_reason("Ready", "Rejected").unwrap();
    assert!(refused.message.contains("Service hub was refused"), "{}", refused.message);
    namespace.apply_registry("{service: {type: NodePort}}").unwrap();
    namespace.wait_for_objects().unwrap();
}

#[test]
fn a_registry_that_does_not_parse_is_told_and_does_not_stop_the_others() {
    let namespace = Namespace::create("unparseable").unwrap();
    let neighbour = Namespace::create("neighbour").unwrap();
    let definition = "customresourcedefinition/registries.berth.dev";
    let values =
        "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/service/properties/type/enum/-";
    let newer = format!(r#"[{{"op": "add", "path": "{values}", "value": "Tunnel"}}]"#);
    kubectl().run(&["patch", definition, "--type=json", "--patch", &newer]).unwrap();
    wait::until("the newer schema", PATIENCE, || namespace.apply_registry("{service: {type: Tunnel}}"))
        .unwrap();
    let unread = namespace.wait_for_reason("Ready", "InvalidSpec").unwrap();
    assert!(unread.message.contains("Tunnel"), "{}", unread.message);
    neighbour.apply_registry("{}").unwrap();
    neighbour.wait_for_objects().unwrap();

    namespace.apply_registry("{service: {type: ClusterIP}}").unwrap();
    namespace.wait_for_objects().unwrap();
}

#[test]
fn a_turn_for_the_worse_is_an_event() {
    let namespace = Namespace::create("told").unwrap();
    namespace.apply_registry("{access: {htpasswdSecretName: nobody}}").unwrap();
    wait::until("the Event", PATIENCE, || {
        let events = namespace.run(&["events", "--for=registry/hub", "--types=Warning"])?;
        ensure!(events.contains("SecretNotFound"), "{events}");
        Ok(())
    })
    .unwrap();
}
