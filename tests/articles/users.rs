//! Users and passwords, as the articles set them up.

use crate::machine::Machine;
use crate::starting::{CERTIFICATE, borrowed, tls};
use anyhow::Result;

/// The variables that let only the users of `auth/htpasswd` in.
pub(crate) fn users(machine: &Machine) -> [(&'static str, String); 2] {
    [
        ("REGISTRY_AUTH_HTPASSWD_REALM", "Registry Realm".to_owned()),
        ("REGISTRY_AUTH_HTPASSWD_PATH", machine.path("auth/htpasswd").display().to_string()),
    ]
}

#[test]
fn realm_and_path_are_enough() -> Result<()> {
    let machine = Machine::new()?;
    machine.sh("htpasswd -Bbn fooUser fooPass > auth/htpasswd")?;
    let _registry = machine.serve(&borrowed(&users(&machine)), "http://localhost:5000/v2/")?;
    let refused = machine.sh("curl --silent --include http://localhost:5000/v2/")?;
    assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");
    let refused = refused.to_lowercase();
    assert!(refused.contains("www-authenticate: basic realm=\"registry realm\""), "{refused}");
    assert_eq!(machine.sh("curl --silent -u fooUser:fooPass http://localhost:5000/v2/")?, "{}");
    Ok(())
}

#[test]
fn three_users_share_one_file() -> Result<()> {
    let machine = Machine::new()?;
    machine.sh("htpasswd -Bbn admin S3cur3P@ssw0rd > auth/htpasswd
        htpasswd -Bbn developer DevP@ss123 >> auth/htpasswd
        htpasswd -Bbn cicd-bot C1CdB0tP@ss >> auth/htpasswd")?;
    let mut variables = users(&machine).to_vec();
    variables.push(("REGISTRY_AUTH", "htpasswd".to_owned()));
    let _registry = machine.serve(&borrowed(&variables), "http://localhost:5000/v2/")?;
    for user in ["admin:S3cur3P@ssw0rd", "developer:DevP@ss123", "cicd-bot:C1CdB0tP@ss"] {
        let catalog = machine.sh(&format!("curl --silent -u {user} http://localhost:5000/v2/_catalog"))?;
        assert_eq!(catalog, "{\"repositories\":[]}");
    }
    let said = machine.sh("curl --silent --include -u admin:password http://localhost:5000/v2/")?;
    assert!(said.starts_with("HTTP/1.1 401 ") && said.contains("\"UNAUTHORIZED\""), "{said}");
    Ok(())
}

#[test]
fn the_lines_of_apaches_tool_are_understood() -> Result<()> {
    let machine = Machine::new()?;
    machine.sh("/usr/bin/htpasswd -Bbn user pw > auth/htpasswd")?;
    machine.sh(CERTIFICATE)?;
    let mut variables = [users(&machine), tls(&machine)].concat();
    variables.push(("REGISTRY_AUTH", "htpasswd".to_owned()));
    let _registry = machine.serve(&borrowed(&variables), "https://localhost:5000/v2/")?;
    assert_eq!(machine.sh("curl -k --silent -u user:pw https://localhost:5000/v2/")?, "{}");
    Ok(())
}

#[test]
fn a_registry_shows_which_api_it_speaks_before_it_knows_the_user() -> Result<()> {
    let machine = Machine::new()?;
    machine.sh("htpasswd -Bbn user pw > auth/htpasswd")?;
    machine.sh(CERTIFICATE)?;
    let variables = [users(&machine), tls(&machine)].concat();
    let _registry = machine.serve(&borrowed(&variables), "https://localhost:5000/v2/")?;
    let said = machine.sh("registry=registry.local:5000; curl -k -I --http1.1 https://$registry/v2/")?;
    let said = said.to_lowercase();
    assert!(said.contains("http/1.1 401 unauthorized"), "{said}");
    assert!(said.contains("content-type: application/json"), "{said}");
    assert!(said.contains("docker-distribution-api-version: registry/2.0"), "{said}");
    assert!(said.contains("www-authenticate: basic realm="), "{said}");
    // Without a token service, nobody is sent to one; what answers is the registry itself.
    let token = "curl -k --silent -o /dev/null -w '%{http_code}' \"https://localhost:5000/token?service=registry.docker.io&scope=repository:app:pull\"";
    assert!(["401", "404"].contains(&machine.sh(token)?.as_str()));
    Ok(())
}
