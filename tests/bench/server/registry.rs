//! The configuration that all registries take, as a small hub has it; what is said of requests is said nowhere.

use super::Setup;

/// The file for a server on this port.
pub(crate) fn configuration(setup: &Setup<'_>, port: u16) -> String {
    let folder = format!("filesystem: {{rootdirectory: {}}}", setup.data.display());
    let storage = setup.bucket.as_ref().unwrap_or(&folder);
    let tls = setup.certificate.map_or_else(String::new, |tls| {
        format!("  tls: {{certificate: {}, key: {}}}\n", tls.certificate.display(), tls.key.display())
    });
    let users = setup.folder.join("htpasswd");
    let users = format!("auth:\n  htpasswd: {{realm: bench, path: {}}}\n", users.display());
    format!(
        "version: 0.1\n\
         log: {{level: error, accesslog: {{disabled: true}}}}\n\
         storage:\n  {storage}\n  delete: {{enabled: true}}\n  cache: {{blobdescriptor: inmemory}}\n  redirect: {{disable: true}}\n\
         http:\n  addr: 127.0.0.1:{port}\n  secret: shared by all\n{tls}{}",
        if setup.has_users { &users } else { "" }
    )
}
