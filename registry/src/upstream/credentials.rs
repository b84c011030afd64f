//! Who asks another registry: a user with a password or an identity token, or whom a credential helper names.

use std::{
    fmt, io,
    path::Path,
    process::{Output, Stdio},
    sync::Arc,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper::header::HeaderValue;
use serde::Deserialize;
use tokio::{
    io::AsyncWriteExt as _,
    process::Command,
    sync::Mutex,
    time::{Instant, timeout},
};

use super::{Credentials, Error, Result};

/// How long a helper may take.
const HELPER_LIMIT: Duration = Duration::from_secs(30);

/// The user name with which a helper says that its secret is an identity token, and no password.
const IDENTITY_TOKEN: &str = "<token>";

/// How somebody is known.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Login {
    Password(User),
    /// What is exchanged for tokens (OAuth 2.0, "refresh token").
    IdentityToken(String),
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password(user) => user.fmt(f),
            Self::IdentityToken(_) => f.write_str("IdentityToken"),
        }
    }
}

/// A user with a password.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) password: String,
}

impl User {
    /// What a request shows that comes from this user (RFC 7617).
    pub(super) fn header(&self) -> Result<HeaderValue> {
        let pair = STANDARD.encode(format!("{}:{}", self.name, self.password));
        let unsendable = |_| Error::Address("its credentials cannot be sent");
        let mut header = HeaderValue::try_from(format!("Basic {pair}")).map_err(unsendable)?;
        header.set_sensitive(true);
        Ok(header)
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Knows who asks, and remembers what a helper said.
#[derive(Debug)]
pub(super) struct Asker {
    credentials: Credentials,
    /// By which name the registry is known to helpers.
    server: String,
    told: Mutex<Option<(Login, Instant)>>,
}

impl Asker {
    pub(super) fn new(credentials: Credentials, server: String) -> Self {
        Self { credentials, server, told: Mutex::new(None) }
    }

    /// Who asks, or nobody in particular.
    pub(super) async fn login(&self) -> Result<Option<Login>> {
        let user = |name: &String, password| Login::Password(User { name: name.clone(), password });
        match &self.credentials {
            Credentials::Anonymous => Ok(None),
            Credentials::Password { user: name, password } => Ok(Some(user(name, password.clone()))),
            Credentials::PasswordFile { user: name, path } => Ok(Some(user(name, password_in(path).await?))),
            Credentials::IdentityToken(token) => Ok(Some(Login::IdentityToken(token.clone()))),
            Credentials::Helper { command, lifetime } => self.told(command, *lifetime).await,
        }
    }

    /// Whoever asks the helper next hears of it anew. Returns whether that may help.
    pub(super) async fn forget(&self) -> bool {
        self.told.lock().await.take().is_some()
    }

    async fn told(&self, command: &Path, lifetime: Option<Duration>) -> Result<Option<Login>> {
        // Held meanwhile, so that many requests ask once.
        let mut told = self.told.lock().await;
        if let Some((login, at)) = &*told
            && lifetime.is_none_or(|lifetime| at.elapsed() < lifetime)
        {
            return Ok(Some(login.clone()));
        }
        let login = ask(command, &self.server).await?;
        *told = login.clone().map(|login| (login, Instant::now()));
        Ok(login)
    }
}

async fn password_in(path: &Path) -> Result<String> {
    let unreadable =
        |error: io::Error| Error::PasswordFile { path: path.to_owned(), source: Arc::new(error) };
    let text = tokio::fs::read_to_string(path).await.map_err(unreadable)?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

/// What a helper answers.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

async fn ask(command: &Path, server: &str) -> Result<Option<Login>> {
    let failed = |reason: String| Error::Helper { helper: command.display().to_string(), reason };
    let output = match timeout(HELPER_LIMIT, run(command, server)).await {
        Ok(output) => output.map_err(|error| failed(format!("cannot be run: {error}")))?,
        Err(_) => return Err(failed(format!("says nothing within {HELPER_LIMIT:?}"))),
    };
    if !output.status.success() {
        // By the protocol, this text tells that it knows nobody; what else it says may hold anything, and stays out.
        let knows_nobody = String::from_utf8_lossy(&output.stdout).contains("credentials not found");
        return if knows_nobody { Ok(None) } else { Err(failed(format!("fails: {}", output.status))) };
    }
    let answer: Answer = serde_json::from_slice(&output.stdout)
        .map_err(|_| failed("answers with something else than a user and a secret".to_owned()))?;
    Ok(Some(if answer.username == IDENTITY_TOKEN {
        Login::IdentityToken(answer.secret)
    } else {
        Login::Password(User { name: answer.username, password: answer.secret })
    }))
}

async fn run(command: &Path, server: &str) -> io::Result<Output> {
    let mut helper = Command::new(command)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut input) = helper.stdin.take() {
        // One that does not want to know whom it is asked for answers all the same.
        let _unread = input.write_all(server.as_bytes()).await;
    }
    helper.wait_with_output().await
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

    use tempfile::TempDir;

    use super::*;

    /// A helper that notes each call, and the server that it is asked for.
    fn helper(folder: &TempDir, answer: &str) -> PathBuf {
        let path = folder.path().join("docker-credential-test");
        let calls = folder.path().join("calls").display().to_string();
        let script = format!("#!/bin/sh\n(printf '%s ' \"$1\"; cat; echo) >> {calls}\n{answer}\n");
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        path
    }

    fn asker(command: PathBuf, lifetime: Option<Duration>) -> Asker {
        Asker::new(Credentials::Helper { command, lifetime }, "hub.example.com".to_owned())
    }

    fn calls(folder: &TempDir) -> Vec<String> {
        let calls = fs::read_to_string(folder.path().join("calls")).unwrap();
        calls.lines().map(str::to_owned).collect()
    }

    fn user(name: &str, password: &str) -> Login {
        Login::Password(User { name: name.to_owned(), password: password.to_owned() })
    }

    const ANN: &str = r#"echo '{"ServerURL":"x","Username":"ann","Secret":"geheim"}'"#;

    #[tokio::test]
    async fn a_helper_is_asked_once_and_again_when_its_answer_was_refused() {
        let folder = TempDir::new().unwrap();
        let asker = asker(helper(&folder, ANN), None);
        for _ in 0..2 {
            assert_eq!(asker.login().await.unwrap(), Some(user("ann", "geheim")));
        }
        assert_eq!(calls(&folder), ["get hub.example.com"]);
        assert!(asker.forget().await);
        asker.login().await.unwrap();
        assert_eq!(calls(&folder).len(), 2);
    }

    #[tokio::test]
    async fn a_password_is_read_from_its_file_each_time() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("password");
        let credentials = Credentials::PasswordFile { user: "ann".to_owned(), path: path.clone() };
        let asker = Asker::new(credentials, "hub.example.com".to_owned());
        assert!(asker.login().await.is_err());
        for password in ["geheim", "neu"] {
            fs::write(&path, format!("{password}\n")).unwrap();
            assert_eq!(asker.login().await.unwrap(), Some(user("ann", password)));
        }
    }

    #[tokio::test]
    async fn without_a_lifetime_nothing_is_remembered() {
        let folder = TempDir::new().unwrap();
        let asker = asker(helper(&folder, ANN), Some(Duration::ZERO));
        asker.login().await.unwrap();
        asker.login().await.unwrap();
        assert_eq!(calls(&folder).len(), 2);
    }

    #[tokio::test]
    async fn a_helper_that_knows_nobody_is_no_failure() {
        let folder = TempDir::new().unwrap();
        let answer = "echo 'credentials not found in native keychain'; exit 1";
        assert_eq!(asker(helper(&folder, answer), None).login().await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_helper_may_have_an_identity_token() {
        let folder = TempDir::new().unwrap();
        let answer = r#"echo '{"ServerURL":"x","Username":"<token>","Secret":"geheim"}'"#;
        let told = asker(helper(&folder, answer), None).login().await.unwrap();
        assert_eq!(told, Some(Login::IdentityToken("geheim".to_owned())));
        assert!(!format!("{told:?}").contains("geheim"));
    }

    #[tokio::test]
    async fn what_a_failing_helper_says_is_not_told() {
        let folder = TempDir::new().unwrap();
        for answer in ["echo geheim; exit 3", "echo geheim"] {
            let error = asker(helper(&folder, answer), None).login().await.unwrap_err().to_string();
            assert!(error.contains("docker-credential-test") && !error.contains("geheim"), "{error}");
        }
    }
}
