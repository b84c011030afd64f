//! How the articles delete images, and clean up after it.

use crate::machine::Machine;
use crate::starting::{CERTIFICATE, borrowed, tls};
use anyhow::{Result, ensure};
use berth_tests::cluster::wait;
use berth_tests::registry_process::RegistryProcess;
use std::time::Duration;

const DELETE: (&str, &str) = ("REGISTRY_STORAGE_DELETE_ENABLED", "true");

/// A registry with TLS on port 443, which holds `foo/bar:latest`.
fn with_tls(machine: &Machine, more: &[(&'static str, &str)]) -> Result<RegistryProcess> {
    machine.sh(CERTIFICATE)?;
    let mut variables = tls(machine).to_vec();
    variables.push(("REGISTRY_HTTP_ADDR", "0.0.0.0:443".to_owned()));
    variables.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    let registry = machine.serve(&borrowed(&variables), "https://localhost:443")?;
    machine.push("localhost:443/foo/bar:latest", "")?;
    Ok(registry)
}

/// The answer to HEAD, as one article asks for it: curl then waits for a body that never comes, and complains.
fn head(machine: &Machine) -> Result<String> {
    machine.sh("curl -v -k -X HEAD -H \"Accept: application/vnd.docker.distribution.manifest.v2+json\" \
         \"https://localhost:443/v2/foo/bar/manifests/latest\" || true")
}

/// What stands behind the name of a header in curl's report, in which an answer's lines begin with `<`.
fn header<'a>(report: &'a str, name: &str) -> &'a str {
    let lines = report.lines().filter_map(|line| line.strip_prefix("< ")?.split_once(": "));
    let mut values = lines.filter(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    values.next().unwrap_or_default().trim()
}

#[test]
fn an_image_by_the_digest_that_head_tells() -> Result<()> {
    let machine = Machine::new()?;
    let _registry = with_tls(&machine, &[DELETE])?;
    let report = head(&machine)?;
    assert!(report.contains(" 200"), "{report}");
    let digest = header(&report, "docker-content-digest");
    assert_eq!(header(&report, "etag"), format!("\"{digest}\""));
    assert_eq!(header(&report, "docker-distribution-api-version"), "registry/2.0");
    assert_eq!(header(&report, "x-content-type-options"), "nosniff");
    assert_eq!(header(&report, "content-type"), "application/vnd.docker.distribution.manifest.v2+json");
    let delete = format!("curl -v -k -X DELETE \"https://localhost:443/v2/foo/bar/manifests/{digest}\"");
    let report = machine.sh(&delete)?;
    assert!(report.contains(" 202"), "{report}");
    assert_eq!(header(&report, "content-length"), "0");
    assert_eq!(header(&report, "docker-distribution-api-version"), "registry/2.0");
    let gone = machine.sh("curl -k -s https://localhost:443/v2/foo/bar/manifests/latest")?;
    assert!(gone.contains("\"MANIFEST_UNKNOWN\""), "{gone}");
    Ok(())
}

#[test]
fn nothing_unless_that_is_enabled() -> Result<()> {
    let machine = Machine::new()?;
    let _registry = with_tls(&machine, &[])?;
    let report = head(&machine)?;
    let digest = header(&report, "docker-content-digest");
    let url = format!("https://localhost:443/v2/foo/bar/manifests/{digest}");
    let said = machine.sh(&format!("curl -k -s -w '%{{http_code}}' -X DELETE {url}"))?;
    assert!(said.starts_with("{\"errors\":[{\"code\":\"UNSUPPORTED\",\"message\":\""), "{said}");
    assert!(said.ends_with("405"), "{said}");
    Ok(())
}

#[test]
fn a_layer() -> Result<()> {
    let machine = Machine::new()?;
    let _registry = with_tls(&machine, &[DELETE])?;
    let report = machine.sh("manifest=https://localhost:443/v2/foo/bar/manifests/latest
        digest=$(curl -k -s $manifest | jq -r .layers[0].digest)
        curl -kv -X DELETE \"https://localhost:443/v2/foo/bar/blobs/$digest\"
        curl -k -s -o /dev/null -w 'then %{http_code}' \"https://localhost:443/v2/foo/bar/blobs/$digest\"")?;
    assert!(report.contains(" 202") && report.contains("then 404"), "{report}");
    Ok(())
}

#[test]
fn with_a_digest_cut_out_of_the_headers() -> Result<()> {
    let machine = Machine::new()?;
    let _registry = with_tls(&machine, &[DELETE])?;
    let report = machine.sh(r#"registry=localhost:443; name=foo/bar; tag=latest; auth='X-Nothing: 1'
        accept='Accept: application/vnd.docker.distribution.manifest.v2+json'
        set +o pipefail
        digest="$(
        curl -k -H "$accept" -H "$auth" -siSX HEAD \
        https://$registry/v2/$name/manifests/$tag \
        |grep -i docker-content-digest \
        |awk '{printf "%s\n",$2}' \
        |sed 's/\W//g' \
        |sed 's/sha256/sha256:/' \
        )"
        curl -k -w 'status %{http_code}' -H "$auth" -H "$accept" -sSX DELETE \
        https://$registry/v2/$name/manifests/$digest"#)?;
    assert!(report.starts_with("status 202"), "{report}");
    Ok(())
}

#[test]
fn and_then_collecting_the_garbage() -> Result<()> {
    let machine = Machine::new()?;
    // What is deleted takes its space for another day, in which it can be brought back, unless that is switched off.
    let at_once = ("REGISTRY_TRASH_WINDOW", "0");
    let registry = machine.serve(&[DELETE, at_once], "http://localhost:5000/v2/")?;
    machine.push("localhost:5000/web/nginx:alpine", "")?;
    machine.sh(r#"DIGEST=$(curl -s -u admin:pass \
        -H "Accept: application/vnd.docker.distribution.manifest.v2+json" \
        -I http://localhost:5000/v2/web/nginx/manifests/alpine \
        | grep -i docker-content-digest | awk '{print $2}' | tr -d '\r')
        curl --fail -u admin:pass -X DELETE http://localhost:5000/v2/web/nginx/manifests/$DIGEST"#)?;
    // What was pushed within a day is spared unless that is asked for: a push may still need it. Whoever types is never so
    // fast that something is younger than the time in which clocks step.
    wait::until("what was pushed to have some age", Duration::from_secs(30), || {
        let dry = "bin/registry garbage-collect --dry-run --min-age=0s /etc/docker/registry/config.yml";
        let dry = machine.sh(dry)?;
        ensure!(dry.contains("3 blobs"), "{dry}");
        Ok(())
    })?;
    let spared = machine.sh("bin/registry garbage-collect /etc/docker/registry/config.yml")?;
    assert!(spared.contains("0 blobs"), "{spared}");
    let done = machine.sh("bin/registry garbage-collect --min-age=0s /etc/docker/registry/config.yml")?;
    assert!(done.contains("3 blobs"), "{done}");
    assert_eq!(machine.sh("find data -type f -name data | wc -l")?.trim(), "0");
    // No restart is needed, and one does no harm.
    machine.push("localhost:5000/web/nginx:alpine", "")?;
    registry.stop()?;
    let _registry = machine.serve(&[DELETE], "http://localhost:5000/v2/")?;
    machine.sh("skopeo inspect --tls-verify=false docker://localhost:5000/web/nginx:alpine").map(drop)
}
