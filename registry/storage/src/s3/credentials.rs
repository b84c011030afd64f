//! Where the access key comes from when the configuration has none: the places that the tools of AWS look at.
//!
//! In their order: variables of the environment, a web identity (IRSA), the profile in `~/.aws/credentials`, the
//! agent of the pod or task, and last the metadata of the instance.

use std::fs;
use std::path::PathBuf;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};

use super::settings::StaticCredentials;

/// The variables that `object_store` knows what to do with, below those of a key.
const AMBIENT: [(&str, AmazonS3ConfigKey); 7] = [
    ("AWS_WEB_IDENTITY_TOKEN_FILE", AmazonS3ConfigKey::WebIdentityTokenFile),
    ("AWS_ROLE_ARN", AmazonS3ConfigKey::RoleArn),
    ("AWS_ROLE_SESSION_NAME", AmazonS3ConfigKey::RoleSessionName),
    ("AWS_ENDPOINT_URL_STS", AmazonS3ConfigKey::StsEndpoint),
    ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", AmazonS3ConfigKey::ContainerCredentialsRelativeUri),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", AmazonS3ConfigKey::ContainerCredentialsFullUri),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", AmazonS3ConfigKey::ContainerAuthorizationTokenFile),
];

/// Tells the builder which credentials to use. `variable` reads the environment.
pub(super) fn add(
    builder: AmazonS3Builder,
    configured: Option<&StaticCredentials>,
    variable: impl Fn(&str) -> Option<String>,
) -> AmazonS3Builder {
    let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
    if let Some(key) = configured.cloned().or_else(|| from_variables(&variable)) {
        return with_key(builder, key);
    }
    let has_web_identity = variable("AWS_WEB_IDENTITY_TOKEN_FILE").is_some();
    if let Some(key) = from_profile(&variable).filter(|_| !has_web_identity) {
        return with_key(builder, key);
    }
    let ambient = AMBIENT.into_iter().filter_map(|(name, key)| Some((key, variable(name)?)));
    ambient.fold(builder, |builder, (key, value)| builder.with_config(key, value))
}

fn with_key(builder: AmazonS3Builder, key: StaticCredentials) -> AmazonS3Builder {
    let builder = builder.with_access_key_id(key.access_key).with_secret_access_key(key.secret_key);
    match key.session_token {
        Some(token) => builder.with_token(token),
        None => builder,
    }
}

fn from_variables(variable: &impl Fn(&str) -> Option<String>) -> Option<StaticCredentials> {
    Some(StaticCredentials {
        access_key: variable("AWS_ACCESS_KEY_ID")?,
        secret_key: variable("AWS_SECRET_ACCESS_KEY")?,
        session_token: variable("AWS_SESSION_TOKEN"),
    })
}

fn from_profile(variable: &impl Fn(&str) -> Option<String>) -> Option<StaticCredentials> {
    let file = variable("AWS_SHARED_CREDENTIALS_FILE").map(PathBuf::from);
    let file = file.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".aws/credentials")))?;
    let profile = variable("AWS_PROFILE").unwrap_or_else(|| "default".to_owned());
    read_profile(&fs::read_to_string(file).ok()?, &profile)
}

/// The key of a profile in the text of a credentials file.
fn read_profile(text: &str, profile: &str) -> Option<StaticCredentials> {
    let mut lines = text.lines().map(str::trim).skip_while(|line| header(line) != Some(profile));
    lines.next()?;
    let settings: Vec<_> =
        lines.take_while(|line| header(line).is_none()).filter_map(|line| line.split_once('=')).collect();
    let value = |name: &str| {
        let (_, value) = settings.iter().find(|(key, _)| key.trim() == name)?;
        Some(value.trim().to_owned())
    };
    Some(StaticCredentials {
        access_key: value("aws_access_key_id")?,
        secret_key: value("aws_secret_access_key")?,
        session_token: value("aws_session_token"),
    })
}

/// The name of the profile that begins with this line.
fn header(line: &str) -> Option<&str> {
    Some(line.strip_prefix('[')?.strip_suffix(']')?.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "[default]\naws_access_key_id = A1\naws_secret_access_key=S1\n\n# a comment\n\
                        [hub]\naws_access_key_id=A2\naws_secret_access_key = S=2\naws_session_token = T2\n";

    fn key(builder: &AmazonS3Builder) -> Option<String> {
        builder.get_config_value(&AmazonS3ConfigKey::AccessKeyId)
    }

    #[test]
    fn a_profile_is_read_up_to_the_next() {
        let hub = read_profile(FILE, "hub").unwrap();
        assert_eq!((hub.access_key.as_str(), hub.secret_key.as_str()), ("A2", "S=2"));
        assert_eq!(hub.session_token.as_deref(), Some("T2"));
        assert_eq!(read_profile(FILE, "default").unwrap().session_token, None);
        assert_eq!(read_profile(FILE, "other"), None);
    }

    #[test]
    fn the_first_place_that_has_a_key_wins() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("credentials");
        fs::write(&file, FILE).unwrap();
        let environment = |with_key: bool, with_identity: bool| {
            let file = file.display().to_string();
            move |name: &str| match name {
                "AWS_SHARED_CREDENTIALS_FILE" => Some(file.clone()),
                "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => with_key.then(|| "A0".to_owned()),
                "AWS_WEB_IDENTITY_TOKEN_FILE" => with_identity.then(|| "/token".to_owned()),
                _ => None,
            }
        };
        let configured = StaticCredentials {
            access_key: "A9".to_owned(),
            secret_key: "S9".to_owned(),
            session_token: None,
        };
        let new = AmazonS3Builder::new;
        let chosen = add(new(), Some(&configured), environment(true, true));
        assert_eq!(key(&chosen).as_deref(), Some("A9"));
        assert_eq!(key(&add(new(), None, environment(true, true))).as_deref(), Some("A0"));
        assert_eq!(key(&add(new(), None, environment(false, false))).as_deref(), Some("A1"));
        let identity = add(new(), None, environment(false, true));
        assert_eq!(key(&identity), None);
        let token = identity.get_config_value(&AmazonS3ConfigKey::WebIdentityTokenFile);
        assert_eq!(token.as_deref(), Some("/token"));
    }

    #[test]
    fn secrets_are_not_shown() {
        let shown = format!("{:?}", read_profile(FILE, "hub"));
        assert!(shown.contains("A2") && !shown.contains("S=2") && !shown.contains("T2"), "{shown}");
    }
}
