//! The node agent: what its Pod may do on a node, and what in the cluster.

use super::{of_kind, render};
use anyhow::{Context, Result};
use serde_yaml::Value;

fn agent(values: &[&str]) -> Result<Value> {
    let objects = render(values)?;
    let daemon_set = of_kind(&objects, "DaemonSet").first().copied().cloned();
    Ok(daemon_set.context("no DaemonSet")?["spec"]["template"]["spec"].clone())
}

fn texts(list: &Value, field: &str) -> Vec<String> {
    let items = list.as_sequence().cloned().unwrap_or_default();
    items.iter().filter_map(|item| item[field].as_str().map(str::to_owned)).collect()
}

#[test]
fn the_agent_is_root_without_a_privilege_and_sees_the_folders_of_its_runtimes_alone() -> Result<()> {
    let pod = agent(&[])?;
    let container = &pod["containers"][0];
    let security = &container["securityContext"];
    assert_eq!(security["capabilities"]["drop"][0], "ALL");
    assert_eq!(security["allowPrivilegeEscalation"], false);
    assert_eq!(security["readOnlyRootFilesystem"], true);
    assert!(security["privileged"].is_null() && security["capabilities"]["add"].is_null());
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    for shared in ["hostNetwork", "hostPID", "hostIPC"] {
        assert!(pod[shared].is_null(), "{shared}");
    }
    let mounts = &container["volumeMounts"];
    assert_eq!(texts(mounts, "mountPath"), ["/etc/containerd", "/etc/containerd/certs.d"]);
    assert_eq!((&mounts[0]["readOnly"], &mounts[1]["readOnly"]), (&Value::Bool(true), &Value::Null));
    let paths: Vec<_> = pod["volumes"].as_sequence().into_iter().flatten().collect();
    let paths: Vec<_> = paths.iter().filter_map(|volume| volume["hostPath"]["path"].as_str()).collect();
    assert_eq!(paths, texts(mounts, "mountPath"), "each is where it is on the node");
    Ok(())
}

#[test]
fn of_the_folder_of_crio_it_writes_to_two_folders_and_reads_the_rest() -> Result<()> {
    let pod = agent(&["nodeAgent.runtimes={crio}"])?;
    let mounts = &pod["containers"][0]["volumeMounts"];
    let etc = "/etc/containers";
    assert_eq!(
        texts(mounts, "mountPath"),
        [etc.to_owned(), format!("{etc}/certs.d"), format!("{etc}/registries.conf.d")]
    );
    let read_only = [0, 1, 2].map(|number: usize| mounts[number]["readOnly"].as_bool().unwrap_or_default());
    assert_eq!(read_only, [true, false, false]);
    Ok(())
}

#[test]
fn each_runtime_has_its_folders_and_values_may_say_others() -> Result<()> {
    let arguments = |values: &[&str]| -> Result<Vec<String>> {
        let pod = agent(values)?;
        let arguments = pod["containers"][0]["args"].as_sequence().cloned().unwrap_or_default();
        Ok(arguments.iter().skip(1).filter_map(|one| one.as_str().map(str::to_owned)).collect())
    };
    assert_eq!(arguments(&[])?, ["--containerd=/etc/containerd/certs.d,/etc/containerd/config.toml"]);
    let k3s = "/var/lib/rancher/k3s/agent/etc/containerd";
    assert_eq!(
        arguments(&["nodeAgent.runtimes={k3s,docker}"])?,
        [
            "--certificates=/etc/docker/certs.d".to_owned(),
            format!("--containerd={k3s}/certs.d,{k3s}/config.toml")
        ]
    );
    assert_eq!(
        arguments(&["nodeAgent.runtimes={crio,podman}"])?,
        ["--certificates=/etc/containers/certs.d", "--drop-ins=/etc/containers/registries.conf.d"],
        "both look in the same place"
    );
    assert_eq!(
        arguments(&["nodeAgent.paths.containerd.hosts=/opt/certs.d"])?,
        ["--containerd=/opt/certs.d,/etc/containerd/config.toml"]
    );
    Ok(())
}

#[test]
fn the_agent_reads_one_object_and_writes_another() -> Result<()> {
    let objects = render(&[])?;
    let account = agent(&[])?["serviceAccountName"].clone();
    let bound = |binding: &&&Value| binding["subjects"][0]["name"] == account;
    assert!(!of_kind(&objects, "ClusterRoleBinding").iter().any(|binding| bound(&binding)));
    let bindings = of_kind(&objects, "RoleBinding");
    let bindings: Vec<_> = bindings.iter().filter(bound).collect();
    assert_eq!(bindings.len(), 1);
    let role = of_kind(&objects, "Role")
        .into_iter()
        .find(|role| role["metadata"]["name"] == bindings[0]["roleRef"]["name"]);
    let rules = role.context("its Role")?["rules"].as_sequence().cloned().unwrap_or_default();
    let told: Vec<String> = rules
        .iter()
        .map(|rule| {
            let words = |field: &str| {
                let list = rule[field].as_sequence().cloned().unwrap_or_default();
                list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")
            };
            format!("{} {} {}", words("verbs"), words("resources"), words("resourceNames"))
        })
        .collect();
    assert_eq!(
        told,
        [
            "list,watch configmaps berth-node-agent",
            "patch configmaps berth-node-agent-reports",
            "get daemonsets berth-node-agent",
        ]
    );
    Ok(())
}

#[test]
fn without_it_nothing_of_it_is_there_and_the_operator_is_not_told_of_it() -> Result<()> {
    let objects = render(&["nodeAgent.enabled=false"])?;
    assert!(of_kind(&objects, "DaemonSet").is_empty());
    assert!(!serde_yaml::to_string(&objects)?.contains("node-agent"));
    Ok(())
}
