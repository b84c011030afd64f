//! The program itself: what it prints, and how it ends.

use std::{
    io::{BufRead, BufReader, Lines, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, ChildStderr, Command, Stdio},
};

fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_registry"));
    program.env_clear();
    program
}

fn output(arguments: &[&str]) -> (bool, String, String) {
    let output = program().args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

/// Writes a configuration that keeps images in a folder, and returns its path.
fn write_config(folder: &Path, more: &str) -> String {
    let config = folder.join("config.yml");
    let root = folder.display();
    let text = format!("version: 0.1\nstorage: {{filesystem: {{rootdirectory: {root}}}}}\n{more}");
    std::fs::write(&config, text).unwrap();
    config.to_str().unwrap().to_owned()
}

/// The program serving on a free port of this machine. It is killed when it is dropped.
struct Serving {
    process: Child,
    /// The line that tells where it listens.
    announced: String,
    log: Lines<BufReader<ChildStderr>>,
}

impl Serving {
    fn start(config: &str) -> Self {
        let mut process = program()
            .args(["serve", config, "--addr", "127.0.0.1:0"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
        let announced = log.next().unwrap().unwrap();
        Self { process, announced, log }
    }

    /// The lines of the log up to the first with these words, which is the last of them.
    fn log_until(&mut self, words: &str) -> Vec<String> {
        let mut lines = Vec::new();
        while !lines.last().is_some_and(|line: &String| line.contains(words)) {
            lines.push(self.log.next().unwrap().unwrap());
        }
        lines
    }

    fn signal(&self, name: &str) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    /// What the address that was announced first answers.
    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.url().strip_prefix("http://").unwrap()).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        answer
    }

    fn url(&self) -> String {
        let (_, after) = self.announced.split_once("listening on ").unwrap();
        format!("http://{}", after.split(' ').next().unwrap())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_signal_to_terminate_ends_it_with_success() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Serving::start(&write_config(folder.path(), ""));
    assert!(server.announced.contains("docker push"), "{}", server.announced);
    Command::new("kill").arg(server.process.id().to_string()).status().unwrap();
    assert!(server.process.wait().unwrap().success());
}

#[test]
fn a_changed_configuration_is_read_again_and_what_needs_a_restart_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let config = write_config(folder.path(), "");
    let mut server = Serving::start(&config);
    server.signal("-HUP");
    assert_eq!(server.log_until("SIGHUP").len(), 1);

    write_config(folder.path(), "http: {draintimeout: 5s}\n");
    server.signal("-HUP");
    let told = server.log_until("SIGHUP").join("\n");
    assert!(told.contains("the configuration changed and was read again"), "{told}");
    assert!(told.contains("after a restart only: http.draintimeout"), "{told}");
}

#[test]
fn clients_that_speak_tls_to_the_plain_port_are_told_of_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Serving::start(&write_config(folder.path(), ""));
    for _ in 0..3 {
        let mut client = TcpStream::connect(server.url().strip_prefix("http://").unwrap()).unwrap();
        client.write_all(&[0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0]).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    server.signal("-TERM");
    let told = server.log_until("stopped");
    let of_tls = told.iter().filter(|line| line.contains("a client speaks TLS to the plain port"));
    assert_eq!(of_tls.count(), 1, "{told:?}");
}

#[test]
fn the_debug_address_has_the_metrics_of_the_running_server() {
    let folder = tempfile::tempdir().unwrap();
    let debug = "http: {debug: {addr: '127.0.0.1:0', prometheus: {enabled: true}}}\n";
    // Its line of the log is the first, since it listens before the registry does.
    let server = Serving::start(&write_config(folder.path(), debug));
    assert!(server.announced.contains("for metrics and health"), "{}", server.announced);
    let answer = server.get("/metrics");
    for name in ["berth_registry_build_info{", "berth_registry_storage_free_bytes ", "process_open_fds "] {
        assert!(answer.contains(name), "{name} is missing in\n{answer}");
    }
}

#[test]
fn the_debug_address_tells_which_files_are_in_force_and_nothing_of_what_is_in_them() {
    let folder = tempfile::tempdir().unwrap();
    let htpasswd = folder.path().join("htpasswd");
    let users = output(&["htpasswd", "-Bbn", "-C", "4", "admin", "secret"]).1;
    std::fs::write(&htpasswd, &users).unwrap();
    let sections = format!(
        "auth: {{htpasswd: {{realm: Berth, path: {}}}}}\nhttp: {{debug: {{addr: '127.0.0.1:0'}}}}\n",
        htpasswd.display()
    );
    let config = write_config(folder.path(), &sections);
    let mut server = Serving::start(&config);
    let loaded = |server: &Serving| {
        let answer = server.get("/debug/loaded");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str::<serde_json::Value>(body).unwrap()
    };
    let in_force = |users: &str, text: &[u8]| serde_json::json!({"files": {htpasswd.to_str().unwrap(): digest(users.as_bytes()), config.as_str(): digest(text)}});
    let text = std::fs::read(&config).unwrap();
    assert_eq!(loaded(&server), in_force(&users, &text));

    let more = format!("{users}{}", output(&["htpasswd", "-Bbn", "-C", "4", "bob", "secret"]).1);
    std::fs::write(&htpasswd, &more).unwrap();
    write_config(folder.path(), "http: {adr: ':5001'}\n");
    server.signal("-HUP");
    server.log_until("SIGHUP");
    assert_eq!(loaded(&server), in_force(&more, &text), "a file that cannot be used is not in force");
}

fn digest(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    let hash: [u8; 32] = sha2::Sha256::digest(bytes).into();
    berth_oci::Digest::sha256(hash).to_string()
}

#[test]
fn a_broken_configuration_is_told_once_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let config = write_config(folder.path(), "");
    let mut server = Serving::start(&config);
    write_config(folder.path(), "http: {adr: ':5001'}\n");
    server.signal("-HUP");
    let told = server.log_until("SIGHUP").join("\n");
    assert!(told.contains("the last good version stays in force") && told.contains("http.adr"), "{told}");
    server.signal("-HUP");
    assert_eq!(server.log_until("SIGHUP").len(), 1);
    server.signal("-TERM");
    assert!(server.process.wait().unwrap().success());
}

#[test]
fn a_running_server_collects_garbage_for_an_administrator() {
    let folder = tempfile::tempdir().unwrap();
    let htpasswd = folder.path().join("htpasswd");
    std::fs::write(&htpasswd, output(&["htpasswd", "-Bbn", "-C", "4", "admin", "secret"]).1).unwrap();
    let auth = format!("auth: {{htpasswd: {{realm: Berth, path: {}}}}}\n", htpasswd.display());
    let server = Serving::start(&write_config(folder.path(), &auth));
    let report = folder.path().join("report");
    let collect = |password: &str| {
        program()
            .args(["garbage-collect", "--wait", "--json", "--username", "admin", "--server", &server.url()])
            .arg("--termination-log")
            .arg(&report)
            .env("REGISTRY_GC_PASSWORD", password)
            .output()
            .unwrap()
    };
    let done = collect("secret");
    let printed = String::from_utf8(done.stdout).unwrap();
    let run: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert!(done.status.success() && run["state"] == "succeeded", "{printed}");
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&std::fs::read_to_string(&report).unwrap()).unwrap(),
        run
    );

    let refused = collect("wrong");
    assert_eq!(refused.status.code(), Some(1));
    assert!(std::fs::read_to_string(&report).unwrap().contains("401 Unauthorized"));
}

#[test]
fn a_server_is_asked_by_another_name_than_its_certificate_has() {
    let folder = tempfile::tempdir().unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(["hub.example.com".to_owned()]).unwrap();
    let (certificate, key_file) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    std::fs::write(&certificate, params.self_signed(&key).unwrap().pem()).unwrap();
    std::fs::write(&key_file, key.serialize_pem()).unwrap();
    let tls = format!("{{certificate: {}, key: {}}}", certificate.display(), key_file.display());
    let htpasswd = folder.path().join("htpasswd");
    std::fs::write(&htpasswd, output(&["htpasswd", "-Bbn", "-C", "4", "admin", "secret"]).1).unwrap();
    let auth = format!("{{htpasswd: {{realm: Berth, path: {}}}}}", htpasswd.display());
    let config = write_config(folder.path(), &format!("http: {{tls: {tls}}}\nauth: {auth}\n"));
    let server = Serving::start(&config);
    let url = server.url().replace("http://", "https://");
    let collect = |more: &[&str]| {
        let asked = ["garbage-collect", "--username", "admin", "--wait", "--server", &url, "--ca-file"];
        let mut program = program();
        program.args(asked).arg(&certificate).args(more).env("REGISTRY_GC_PASSWORD", "secret");
        program.output().unwrap()
    };
    let said = |output: &std::process::Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let done = collect(&["--server-name", "hub.example.com"]);
    assert!(done.status.success(), "{}", said(&done));
    assert!(!collect(&[]).status.success(), "the certificate is not for the address");
    let wrong = collect(&["--server-name", "https://hub.example.com"]);
    assert!(said(&wrong).contains("--server-name"), "{}", said(&wrong));
}

/// Writes a file and checks it, with variables of the environment.
fn check(text: &str, variables: &[(&str, &str)], arguments: &[&str]) -> (bool, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yml");
    std::fs::write(&path, text).unwrap();
    let mut program = program();
    program.args(["config", "check"]).args(arguments).arg(&path).envs(variables.iter().copied());
    let output = program.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_configuration_is_checked_with_the_place_of_every_setting() {
    let text = "version: 0.1\nstorage: inmemory\nredis: {db: 1}\nnotifications:\n  endpoints:\n  - name: a\n    \
                url: https://user:hunter2@example.com/events\n    headers: {Authorization: [Bearer hunter2]}\n";
    let variables = [("REGISTRY_HTTP_ADDR", ":80"), ("REGISTRY_COLOUR", "blue")];
    let (ok, stdout, stderr) = check(text, &variables, &[]);
    assert!(ok && stdout.ends_with("config.yml can be served\n"), "{stdout}{stderr}");
    let row_of = |key: &str| {
        let row = stdout.lines().find(|line| line.split(' ').next() == Some(key));
        row.unwrap_or_else(|| panic!("no {key} in {stdout}"))
            .split("   ")
            .map(str::trim)
            .filter(|cell| !cell.is_empty())
            .collect::<Vec<_>>()
    };
    assert_eq!(row_of("http.addr"), ["http.addr", ":80", "environment variable REGISTRY_HTTP_ADDR"]);
    assert_eq!(row_of("log.level"), ["log.level", "info", "default"]);
    let url = "notifications.endpoints[0].url";
    assert_eq!(row_of(url), [url, "https://(hidden)@example.com/events", "config.yml:7"]);
    let header = "notifications.endpoints[0].headers.Authorization";
    assert_eq!(row_of(header), [header, "(hidden)", "config.yml:8"]);
    assert!(stdout.contains("config.yml:3: `redis` has no effect"), "{stdout}");
    assert!(stdout.contains("warning: environment variable REGISTRY_COLOUR is no setting"), "{stdout}");
    assert!(!stdout.contains("hunter2"), "{stdout}");
}

#[test]
fn a_configuration_is_checked_for_programs() {
    let (ok, stdout, _) = check("version: 0.1\nstorage: inmemory\n", &[], &["--json"]);
    let document: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert!(ok && document["warnings"].as_array().unwrap().is_empty(), "{stdout}");
    let expected = serde_json::json!({ "key": "version", "value": "0.1", "origin": "config.yml:1" });
    assert_eq!(document["settings"][0], expected);
}

#[test]
fn a_configuration_that_cannot_be_served_is_checked_with_the_place_of_the_mistake() {
    let (ok, stdout, stderr) = check("version: 0.1\nstorage: {delete: {enable: true}}\n", &[], &[]);
    assert!(!ok && stdout.is_empty(), "{stdout}");
    assert!(
        stderr.contains("config.yml:2: there is no key `storage.delete.enable`; did you mean `enabled`?"),
        "{stderr}"
    );
    let secret = [("REGISTRY_HTTP_SECRET_FILE", "/nonexistent/secret")];
    let (ok, _, stderr) = check("version: 0.1\n", &secret, &[]);
    let told = "REGISTRY_HTTP_SECRET_FILE: cannot read /nonexistent/secret: No such file";
    assert!(!ok && stderr.contains(told), "{stderr}");
}

#[test]
fn a_missing_password_file_is_named_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let auth = "auth: {htpasswd: {realm: Registry, path: /nonexistent/htpasswd}}\n";
    let config = write_config(folder.path(), auth);
    let (ok, _, stderr) = output(&["serve", &config, "--addr", "127.0.0.1:0"]);
    assert!(!ok);
    assert!(stderr.contains("make one with `registry htpasswd -Bbn USER PASSWORD >"), "{stderr}");
    assert!(stderr.contains("auth.htpasswd.path") && stderr.contains("/nonexistent/htpasswd"), "{stderr}");
}

#[test]
fn garbage_is_collected_from_the_folder_of_a_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let config = write_config(folder.path(), "");
    let (ok, stdout, stderr) = output(&["garbage-collect", "--dry-run", &config]);
    assert!(ok && stdout.contains("0 blobs"), "{stdout}{stderr}");
}

#[test]
fn it_tells_its_version_and_its_commands() {
    assert!(output(&["--version"]).1.starts_with("registry "));
    assert!(output(&["--help"]).1.contains("docker push localhost:5000/app"));
}
