//! Who asks another registry: a user with a password, or whom a credential helper names.

use std::{
    fmt, io,
    path::Path,
    process::{Output, Stdio},
    sync::Arc,
    time::Duration,
};

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

/// The user name with which a helper says that its secret is a token for an identity, and no password.
const IDENTITY_TOKEN: &str = "<token>";

/// A user with a password.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) password: String,
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
    told: Mutex<Option<(User, Instant)>>,
}

impl Asker {
    pub(super) fn new(credentials: Credentials, server: String) -> Self {
        Self { credentials, server, told: Mutex::new(None) }
    }

    /// The user, or nobody in particular.
    pub(super) async fn user(&self) -> Result<Option<User>> {
        match &self.credentials {
            Credentials::Anonymous => Ok(None),
            Credentials::Password { user, password } => {
                Ok(Some(User { name: user.clone(), password: password.clone() }))
            }
            Credentials::PasswordFile { user, path } => {
                let password = password_in(path).await?;
                Ok(Some(User { name: user.clone(), password }))
            }
            Credentials::Helper { command, lifetime } => self.told(command, *lifetime).await,
        }
    }

    /// Whoever asks the helper next hears of it anew. Returns whether that may help.
    pub(super) async fn forget(&self) -> bool {
        self.told.lock().await.take().is_some()
    }

    async fn told(&self, command: &Path, lifetime: Option<Duration>) -> Result<Option<User>> {
        // Held meanwhile, so that many requests ask once.
        let mut told = self.told.lock().await;
        if let Some((user, at)) = &*told
            && lifetime.is_none_or(|lifetime| at.elapsed() < lifetime)
        {
            return Ok(Some(user.clone()));
        }
        let user = ask(command, &self.server).await?;
        *told = user.clone().map(|user| (user, Instant::now()));
        Ok(user)
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

async fn ask(command: &Path, server: &str) -> Result<Option<User>> {
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
    if answer.username == IDENTITY_TOKEN {
        return Err(failed("has an identity token, and a user with a password is needed".to_owned()));
    }
    Ok(Some(User { name: answer.username, password: answer.secret }))
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

    const ANN: &str = r#"echo '{"ServerURL":"x","Username":"ann","Secret":"geheim"}'"#;

    #[tokio::test]
    async fn a_helper_is_asked_once_and_again_when_its_answer_was_refused() {
        let folder = TempDir::new().unwrap();
        let asker = asker(helper(&folder, ANN), None);
        let user = User { name: "ann".to_owned(), password: "geheim".to_owned() };
        for _ in 0..2 {
            assert_eq!(asker.user().await.unwrap(), Some(user.clone()));
        }
        assert_eq!(calls(&folder), ["get hub.example.com"]);
        assert!(asker.forget().await);
        asker.user().await.unwrap();
        assert_eq!(calls(&folder).len(), 2);
    }

    #[tokio::test]
    async fn a_password_is_read_from_its_file_each_time() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("password");
        let credentials = Credentials::PasswordFile { user: "ann".to_owned(), path: path.clone() };
        let asker = Asker::new(credentials, "hub.example.com".to_owned());
        assert!(asker.user().await.is_err());
        for password in ["geheim", "neu"] {
            fs::write(&path, format!("{password}\n")).unwrap();
            assert_eq!(asker.user().await.unwrap().unwrap().password, password);
        }
    }

    #[tokio::test]
    async fn without_a_lifetime_nothing_is_remembered() {
        let folder = TempDir::new().unwrap();
        let asker = asker(helper(&folder, ANN), Some(Duration::ZERO));
        asker.user().await.unwrap();
        asker.user().await.unwrap();
        assert_eq!(calls(&folder).len(), 2);
    }

    #[tokio::test]
    async fn a_helper_that_knows_nobody_is_no_failure() {
        let folder = TempDir::new().unwrap();
        let answer = "echo 'credentials not found in native keychain'; exit 1";
        assert_eq!(asker(helper(&folder, answer), None).user().await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_a_failing_helper_says_is_not_told() {
        let folder = TempDir::new().unwrap();
        for answer in ["echo geheim; exit 3", "echo geheim"] {
            let error = asker(helper(&folder, answer), None).user().await.unwrap_err().to_string();
            assert!(error.contains("docker-credential-test") && !error.contains("geheim"), "{error}");
        }
    }
}
