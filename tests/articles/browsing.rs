//! What the articles ask a registry for, with curl, jq and Python.

use crate::machine::Machine;
use crate::starting::{CERTIFICATE, borrowed, tls};
use crate::users::users;
use anyhow::Result;
use berth_tests::registry_process::RegistryProcess;
use serde_json::{Value, json};

/// A registry that holds a few images.
fn filled(machine: &Machine) -> Result<RegistryProcess> {
    let registry = machine.serve(&[], "http://localhost:5000/v2/")?;
    for name in ["web/nginx:alpine", "web/nginx:1.25", "web/nginx:latest", "backend/api:v1.2.3"] {
        machine.push(&format!("localhost:5000/{name}"), "")?;
    }
    Ok(registry)
}

#[test]
fn the_catalog_and_the_tags() -> Result<()> {
    let machine = Machine::new()?;
    let _registry = filled(&machine)?;
    let catalog: Value =
        serde_json::from_str(&machine.sh("curl --silent http://localhost:5000/v2/_catalog")?)?;
    assert_eq!(catalog, json!({"repositories": ["backend/api", "web/nginx"]}));
    let tags = machine.sh("curl --silent http://localhost:5000/v2/web/nginx/tags/list")?;
    let tags: Value = serde_json::from_str(&tags)?;
    assert_eq!(tags, json!({"name": "web/nginx", "tags": ["1.25", "alpine", "latest"]}));
    let shown = machine.sh("curl -s --noproxy '*' http://localhost:5000/v2/_catalog |jq .")?;
    assert!(shown.contains("\"repositories\": ["), "{shown}");
    Ok(())
}

#[test]
fn a_flat_list_of_all_images() -> Result<()> {
    let machine = Machine::new()?;
    let _registry = filled(&machine)?;
    let list = machine.sh(r#"registry=localhost:5000
        curl -s http://$registry/v2/_catalog \
        |jq -Mr .[][] \
        |xargs -I{} curl -s http://$registry/v2/{}/tags/list \
        |jq -Mr '.tags[] as $tag | "\(.name):\($tag)"'"#)?;
    assert_eq!(list, "backend/api:v1.2.3\nweb/nginx:1.25\nweb/nginx:alpine\nweb/nginx:latest\n");
    let files = machine.sh(r#"registry=localhost:5000
        curl -s http://$registry/v2/_catalog \
        |tee catalog.json \
        |jq -Mr .[][] \
        |tee catalog.repositories.log \
        |xargs -I{} curl -s http://$registry/v2/{}/tags/list \
        |jq -Mr . --slurp \
        |tee all.tags.list.json \
        |jq -Mr '.[] | .tags[] as $tag | "\(.name):\($tag)"' \
        |tee all.images.log"#)?;
    assert_eq!(files, list);
    assert_eq!(machine.sh("cat catalog.repositories.log")?, "backend/api\nweb/nginx\n");
    Ok(())
}

#[test]
fn a_script_that_lists_images() -> Result<()> {
    let machine = Machine::new()?;
    let _registry = filled(&machine)?;
    let list = machine.sh(r#"REGISTRY=http://localhost:5000; USER=admin; PASS=S3cur3P@ssw0rd
        REPOS=$(curl -s -u $USER:$PASS $REGISTRY/v2/_catalog | \
          python3 -c "import sys,json; print('\n'.join(json.load(sys.stdin)['repositories']))")
        for repo in $REPOS; do
          TAGS=$(curl -s -u $USER:$PASS $REGISTRY/v2/$repo/tags/list | \
            python3 -c "import sys,json; tags=json.load(sys.stdin).get('tags',[]); print(' '.join(tags or ['<no tags>']))")
          echo "$repo: $TAGS"
        done"#)?;
    assert_eq!(list, "backend/api: v1.2.3\nweb/nginx: 1.25 alpine latest\n");
    Ok(())
}

#[test]
fn a_manifest_with_and_without_saying_which_kinds_are_understood() -> Result<()> {
    let machine = Machine::new()?;
    let _registry = filled(&machine)?;
    for option in ["", "-H 'Accept: application/vnd.docker.distribution.manifest.v2+json'"] {
        let url = "http://localhost:5000/v2/web/nginx/manifests/alpine";
        let said = machine.sh(&format!("curl {option} -isS {url}"))?;
        let (head, body) = said.split_once("\r\n\r\n").unwrap_or_default();
        let head = head.to_lowercase();
        assert!(head.starts_with("http/1.1 200 ok"), "{said}");
        assert!(
            head.contains("content-type: application/vnd.docker.distribution.manifest.v2+json"),
            "{said}"
        );
        assert!(head.contains("docker-content-digest: sha256:"), "{said}");
        assert!(serde_json::from_str::<Value>(body)?["layers"][0]["digest"].is_string(), "{said}");
    }
    Ok(())
}

#[test]
fn a_blob() -> Result<()> {
    let machine = Machine::new()?;
    let _registry = filled(&machine)?;
    let sum = machine.sh("base=http://localhost:5000/v2/web/nginx
        digest=$(curl -s $base/manifests/alpine | jq -r .config.digest)
        test sha256:$(curl -s $base/blobs/$digest | sha256sum | cut -d' ' -f1) = $digest && echo same")?;
    assert_eq!(sum, "same\n");
    Ok(())
}

#[test]
fn everything_over_tls_with_a_password() -> Result<()> {
    let machine = Machine::new()?;
    machine.sh("htpasswd -Bbn admin S3cur3P@ssw0rd > auth/htpasswd")?;
    machine.sh(CERTIFICATE)?;
    let mut variables = [users(&machine), tls(&machine)].concat();
    variables.push(("REGISTRY_HTTP_ADDR", "0.0.0.0:443".to_owned()));
    let _registry = machine.serve(&borrowed(&variables), "https://localhost:443/v2/")?;
    machine.push("registry.example.com/web/nginx:alpine", "--dest-creds=admin:S3cur3P@ssw0rd")?;
    machine.sh("cp certs/domain.crt ca.crt; echo 'cacert = \"ca.crt\"' > .curlrc; echo silent >> .curlrc")?;
    let catalog = machine.sh("curl -u admin:S3cur3P@ssw0rd https://registry.example.com/v2/_catalog")?;
    assert_eq!(catalog, "{\"repositories\":[\"web/nginx\"]}");
    let manifest = machine.sh("curl -u admin:S3cur3P@ssw0rd \
         -H 'Accept: application/vnd.docker.distribution.manifest.v2+json' \
         https://registry.example.com/v2/web/nginx/manifests/alpine")?;
    assert_eq!(serde_json::from_str::<Value>(&manifest)?["schemaVersion"], 2);
    Ok(())
}

#[test]
fn behind_a_proxy_that_tells_what_the_client_sees() -> Result<()> {
    let machine = Machine::new()?;
    let _registry = machine.serve(&[], "http://localhost:5000/v2/")?;
    let headers = "-H 'Host: registry.example.com' -H 'X-Real-IP: 192.168.1.7' \
        -H 'X-Forwarded-For: 192.168.1.7' -H 'X-Forwarded-Proto: https'";
    let said =
        machine.sh(&format!("curl -s -i {headers} -X POST http://localhost:5000/v2/app/blobs/uploads/"))?;
    assert!(
        said.to_lowercase().contains("location: https://registry.example.com/v2/app/blobs/uploads/"),
        "{said}"
    );
    let said = machine.sh(&format!("curl -s -i {headers} http://localhost:5000/v2/app/manifests/absent"))?;
    assert!(said.starts_with("HTTP/1.1 404 "), "{said}");
    assert!(said.to_lowercase().contains("docker-distribution-api-version: registry/2.0"), "{said}");
    Ok(())
}

#[test]
fn how_much_disk_each_repository_takes() -> Result<()> {
    let machine = Machine::new()?;
    let _registry = filled(&machine)?;
    let largest = machine.sh("du -sh data/docker/registry/v2/repositories/* | sort -rh | head -10")?;
    let mut names: Vec<_> = largest.lines().filter_map(|line| line.rsplit('/').next()).collect();
    names.sort_unstable();
    assert_eq!(names, ["backend", "web"]);
    Ok(())
}
