//! The objects that the templates make.

use super::{of_kind, refusal, render};
use anyhow::Result;

#[test]
fn the_images_follow_the_version_unless_they_are_pinned() -> Result<()> {
    let image = |values: &[&str]| -> Result<String> {
        let objects = render(values)?;
        let pod = &of_kind(&objects, "Deployment")[0]["spec"]["template"]["spec"];
        Ok(pod["containers"][0]["image"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(image(&[])?, "berth/berth-operator:0.1.0");
    assert_eq!(image(&["image.repository=r.example/op", "image.tag=v2"])?, "r.example/op:v2");
    let digest = format!("sha256:{:064}", 0);
    assert_eq!(
        image(&["image.tag=v2", &format!("image.digest={digest}")])?,
        format!("berth/berth-operator@{digest}")
    );
    assert_eq!(image(&["image.registry=r.example"])?, "r.example/berth/berth-operator:0.1.0");
    let everywhere = ["image.registry=r.example", "global.imageRegistry=mirror.example/all"];
    assert_eq!(image(&everywhere)?, "mirror.example/all/berth/berth-operator:0.1.0");
    Ok(())
}

#[test]
fn the_operator_meets_the_restricted_pod_security_standard() -> Result<()> {
    let objects = render(&[])?;
    let pod = &of_kind(&objects, "Deployment")[0]["spec"]["template"]["spec"];
    let container = &pod["containers"][0]["securityContext"];
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    assert_eq!(container["allowPrivilegeEscalation"], false);
    assert_eq!(container["readOnlyRootFilesystem"], true);
    assert_eq!(container["capabilities"]["drop"][0], "ALL");
    Ok(())
}

#[test]
fn no_role_grants_everything() -> Result<()> {
    let objects = render(&[])?;
    let roles = of_kind(&objects, "ClusterRole").into_iter().chain(of_kind(&objects, "Role"));
    for rule in roles.flat_map(|role| role["rules"].as_sequence().cloned().unwrap_or_default()) {
        for field in ["apiGroups", "resources", "verbs"] {
            let words = rule[field].as_sequence().cloned().unwrap_or_default();
            assert!(!words.iter().any(|word| word == "*"), "{rule:?}");
        }
    }
    Ok(())
}

#[test]
fn an_operator_of_some_namespaces_gets_a_role_in_each() -> Result<()> {
    let objects = render(&["watchNamespaces={team-a,team-b}"])?;
    let mut namespaces: Vec<_> = of_kind(&objects, "RoleBinding")
        .iter()
        .filter_map(|binding| binding["metadata"]["namespace"].as_str())
        .collect();
    namespaces.sort_unstable();
    namespaces.dedup();
    // In its own, it stands for election and tells nodes.
    assert_eq!(namespaces, ["berth-system", "team-a", "team-b"]);
    Ok(())
}

#[test]
fn leases_are_touched_in_the_operators_own_namespace_only() -> Result<()> {
    for values in [vec![], vec!["watchNamespaces={team-a}"]] {
        let objects = render(&values)?;
        let roles = of_kind(&objects, "ClusterRole").into_iter().chain(of_kind(&objects, "Role"));
        let leases =
            |role: &&&serde_yaml::Value| serde_yaml::to_string(role).unwrap_or_default().contains("leases");
        let roles: Vec<_> = roles.collect();
        let roles: Vec<_> = roles.iter().filter(leases).collect();
        assert_eq!(roles.len(), 1);
        assert_eq!(roles[0]["kind"], "Role");
        assert_eq!(roles[0]["metadata"]["namespace"], "berth-system");
    }
    Ok(())
}

#[test]
fn the_test_of_the_release_asks_the_service_with_the_operators_image() -> Result<()> {
    let objects = render(&[])?;
    let (pod, service) = (of_kind(&objects, "Pod")[0], of_kind(&objects, "Service")[0]);
    assert_eq!(pod["metadata"]["annotations"]["helm.sh/hook"], "test");
    let operator = &of_kind(&objects, "Deployment")[0]["spec"]["template"]["spec"]["containers"][0];
    let container = &pod["spec"]["containers"][0];
    assert_eq!(container["image"], operator["image"]);
    let address =
        format!("{}.berth-system.svc:8081", service["metadata"]["name"].as_str().unwrap_or_default());
    assert_eq!(container["args"], serde_yaml::to_value(["--check", address.as_str()])?);
    let selector = service["spec"]["selector"].as_mapping().cloned().unwrap_or_default();
    let selected = selector.iter().all(|(key, value)| pod["metadata"]["labels"].get(key) == Some(value));
    assert!(!selected, "the Service would send requests to the test");
    Ok(())
}

#[test]
fn labels_of_ones_own_reach_every_object_and_select_no_pod() -> Result<()> {
    let own = ["commonLabels.team=platform", "commonLabels.tier=all", "podLabels.tier=pod"];
    let all = ["replicas=2", "networkPolicy.enabled=true", "registries[0].name=hub"];
    let objects = render(&[&own[..], &all].concat())?;
    for object in &objects {
        assert_eq!(object["metadata"]["labels"]["team"], "platform", "{object:?}");
    }
    let deployment = &of_kind(&objects, "Deployment")[0]["spec"];
    assert_eq!(deployment["template"]["metadata"]["labels"]["tier"], "pod");
    assert!(deployment["selector"]["matchLabels"]["team"].is_null());
    refusal(&["commonLabels.app\\.kubernetes\\.io/name=other"])?;
    Ok(())
}

#[test]
fn a_disruption_budget_is_there_where_it_leaves_an_operator() -> Result<()> {
    let budgets =
        |values: &[&str]| -> Result<usize> { Ok(of_kind(&render(values)?, "PodDisruptionBudget").len()) };
    assert_eq!(budgets(&[])?, 0, "one operator alone could not be moved");
    assert_eq!(budgets(&["replicas=2"])?, 1);
    assert_eq!(budgets(&["replicas=2", "podDisruptionBudget.enabled=false"])?, 0);
    Ok(())
}

#[test]
fn what_a_chart_renders_to_is_the_same_each_time() -> Result<()> {
    let values = ["registries[0].name=hub", "replicas=2", "extraObjects[0]=kind: A"];
    assert_eq!(render(&values)?, render(&values)?);
    Ok(())
}
