//! nginx over the files of a storage, as one tunes it to serve files fast.

use super::Setup;

/// The file for a server on this port.
pub(super) fn configuration(setup: &Setup<'_>, port: u16) -> String {
    let folder = setup.folder.display();
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {folder}/nginx-{kind};"))
        .join(" ");
    let (listen, tls) = setup.certificate.map_or_else(Default::default, |tls| {
        let (certificate, key) = (tls.certificate.display(), tls.key.display());
        (" ssl", format!("ssl_certificate {certificate}; ssl_certificate_key {key};"))
    });
    // The workers of a server that root starts would be somebody who must not read the folder.
    let user = if rustix::process::geteuid().is_root() { "user root root; " } else { "" };
    format!(
        "{user}worker_processes auto; worker_rlimit_nofile 16384; daemon off;\n\
         pid {folder}/nginx.pid; error_log {folder}/nginx.log;\n\
         events {{ worker_connections 8192; }}\n\
         http {{\n  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;\n  \
         open_file_cache max=10000; default_type application/octet-stream; {temporary}\n  \
         server {{ listen 127.0.0.1:{port}{listen}; {tls} root {}; }}\n}}\n",
        setup.data.display()
    )
}
