//! The objects that the templates make.

use super::{of_kind, render};
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
    assert_eq!(image(&["image.tag=@sha256:abc"])?, "berth/berth-operator@sha256:abc");
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
    // In its own, it only stands for election.
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
fn namespaces_are_read_only_where_pull_secrets_may_go() -> Result<()> {
    let rule = |values: &[&str]| -> Result<Option<serde_yaml::Value>> {
        let objects = render(values)?;
        let rules = of_kind(&objects, "ClusterRole").into_iter();
        let mut rules = rules.flat_map(|role| role["rules"].as_sequence().cloned().unwrap_or_default());
        Ok(rules.find(|rule| rule["resources"][0] == "namespaces"))
    };
    let allowed = "pullSecrets.allowedNamespaces={team-*,ci}";
    assert_eq!(rule(&[])?, None);
    assert_eq!(rule(&["watchNamespaces={ci,hub}"])?, None);
    let everywhere = rule(&[allowed])?.unwrap_or_default();
    assert_eq!(everywhere["verbs"], serde_yaml::to_value(["get", "list", "watch"])?);
    assert!(everywhere.get("resourceNames").is_none());
    let named = rule(&[allowed, "watchNamespaces={ci,hub}"])?.unwrap_or_default();
    assert_eq!(named["resourceNames"], serde_yaml::to_value(["ci", "hub"])?);
    Ok(())
}
