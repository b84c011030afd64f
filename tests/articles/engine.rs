//! What the articles do with docker: log in, push, pull, save and load.

use crate::machine::Machine;
use crate::starting::{CERTIFICATE, borrowed, tls};
use crate::users::users;
use anyhow::{Context, Result};
use berth_tests::cluster::wait;
use berth_tests::registry_process::RegistryProcess;
use std::fs;
use std::time::Duration;

/// An engine that runs no containers, at the address that the command `docker` takes by default.
fn engine(machine: &Machine) -> Result<RegistryProcess> {
    let mut dockerd = machine.command("dockerd");
    dockerd.args(["--iptables=false", "--ip6tables=false", "--ip-forward=false", "--bridge=none"]);
    dockerd.arg("--storage-driver=vfs").arg("--data-root").arg(machine.path("docker-data"));
    let engine = RegistryProcess::start(&mut dockerd, &machine.path("dockerd.log"))?;
    wait::until("the engine to answer", Duration::from_mins(1), || {
        machine.sh("docker info").with_context(|| engine.log())
    })?;
    Ok(engine)
}

#[test]
fn with_a_certificate_in_its_folder_and_a_password() -> Result<()> {
    let machine = Machine::new()?;
    machine.sh(CERTIFICATE)?;
    machine.sh("htpasswd -Bbn admin S3cur3P@ssw0rd > auth/htpasswd")?;
    machine.save_image("nginx", "alpine")?;
    let mut variables = [users(&machine), tls(&machine)].concat();
    variables.push(("REGISTRY_HTTP_ADDR", "0.0.0.0:443".to_owned()));
    let _registry = machine.serve(&borrowed(&variables), "https://localhost:443")?;
    let engine = engine(&machine)?;
    machine.sh("docker load < nginx.tar")?;
    let said = machine.sh("docker login registry.example.com -u admin -p S3cur3P@ssw0rd 2>&1 || true")?;
    assert!(said.contains("x509"), "an unknown authority is not trusted: {said}");
    machine.sh("mkdir -p /etc/docker/certs.d/registry.example.com:443
        cp certs/domain.crt /etc/docker/certs.d/registry.example.com:443/ca.crt
        mkdir -p /etc/docker/certs.d/registry.example.com
        cp certs/domain.crt /etc/docker/certs.d/registry.example.com/ca.crt")?;
    machine.sh("echo S3cur3P@ssw0rd | docker login registry.example.com:443 -u admin --password-stdin")?;
    machine.sh("docker login registry.example.com -u admin -p S3cur3P@ssw0rd")?;
    let saved: serde_json::Value = serde_json::from_slice(&fs::read(machine.path(".docker/config.json"))?)?;
    assert!(saved["auths"]["registry.example.com"]["auth"].is_string(), "{saved}");
    for tag in ["alpine", "1.25", "latest"] {
        let reference = format!("registry.example.com/web/nginx:{tag}");
        machine.sh(&format!("docker tag nginx:alpine {reference} && docker push {reference}"))?;
    }
    machine.sh("docker rmi registry.example.com/web/nginx:alpine
        docker pull registry.example.com/web/nginx:alpine
        docker pull registry.example.com:443/web/nginx:1.25")?;
    machine.sh("docker logout registry.example.com")?;
    let said = machine.sh("docker pull registry.example.com/web/nginx:latest 2>&1 || true")?;
    assert!(said.contains("no basic auth credentials") || said.contains("unauthorized"), "{said}");
    engine.stop()
}

#[test]
fn with_a_registry_that_it_is_told_to_trust() -> Result<()> {
    let machine = Machine::new()?;
    machine.save_image("nginx", "alpine")?;
    let _registry = machine.serve(&[], "http://localhost:5000/v2/")?;
    let trusted =
        r#"{ "insecure-registries": [ "localhost:5000", "registry.local:5000", "172.27.240.169:5000" ] }"#;
    fs::write(machine.path("etc-docker/daemon.json"), trusted)?;
    let engine = engine(&machine)?;
    machine.sh("docker load -i nginx.tar")?;
    let said = machine.sh("docker tag nginx:alpine registry.example.com:5000/nginx:alpine
        docker push registry.example.com:5000/nginx:alpine 2>&1 || true")?;
    assert!(said.contains("server gave HTTP response to HTTPS client"), "{said}");
    machine.sh("registry=registry.local:5000; app=nginx; tag=alpine
        docker tag $app:$tag $registry/$app:tag
        docker push $registry/$app:tag
        docker tag nginx:alpine localhost:5000/nginx:alpine
        docker push localhost:5000/nginx:alpine")?;
    machine.sh("registry=registry.local:5000; name=nginx; fname=${name//\\//.}; tag=alpine
        docker pull $registry/$name:$tag
        docker save $registry/${name}:$tag |gzip -c > ${fname//:/_}.tar.gz
        docker rmi $registry/$name:$tag
        docker load < nginx.tar.gz
        docker push $registry/$name:$tag")?;
    let tags = machine.sh("curl -s http://registry.local:5000/v2/nginx/tags/list")?;
    assert_eq!(tags, "{\"name\":\"nginx\",\"tags\":[\"alpine\",\"tag\"]}");
    engine.stop()
}

#[test]
fn with_a_registry_on_another_port_of_its_host() -> Result<()> {
    let machine = Machine::new()?;
    machine.sh(CERTIFICATE)?;
    let image = "maven-with-nexus-configured";
    machine.save_image(image, "maven-3.6-java-11")?;
    let mut variables = tls(&machine).to_vec();
    variables.push(("REGISTRY_HTTP_ADDR", "0.0.0.0:444".to_owned()));
    let _registry = machine.serve(&borrowed(&variables), "https://localhost:444")?;
    let trusted = r#"{ "insecure-registries" : ["david-virtual-machine:444"] }"#;
    fs::write(machine.path("etc-docker/daemon.json"), trusted)?;
    let engine = engine(&machine)?;
    machine.sh(&format!(
        "docker load < {image}.tar
        docker tag {image}:maven-3.6-java-11 david-virtual-machine:444/{image}:maven-3.6-java-11
        docker push  david-virtual-machine:444/{image}:maven-3.6-java-11"
    ))?;
    engine.stop()
}
