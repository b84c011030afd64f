//! The bucket of `spec.storage.s3`: whether what opens it is there. The bucket itself is the registry's to look at; its
//! readiness probe does.

use std::collections::BTreeMap;

use berth_crds::{Reason, s3::S3};
use k8s_openapi::api::core::v1::Secret;

use super::{
    Finding,
    authorities::{AUTHORITIES, from_config_map, from_secret},
};
use crate::{
    metadata::Identity,
    registry::{build::Objects, credentials::text, observe::Observed},
};

/// The files that open a bucket, by their names in the Secret `NAME-storage`.
pub type Files = BTreeMap<&'static str, String>;

/// The name of the access key.
pub const ACCESS_KEY: &str = "accesskey";
/// Its secret.
pub const SECRET_KEY: &str = "secretkey";
/// What belongs to it when it is temporary.
pub const SESSION_TOKEN: &str = "sessiontoken";

/// The names that users may give to the parts of an access key: ours first, then those of the environment of AWS.
const ACCESS_KEY_NAMES: [&str; 2] = ["accessKeyId", "AWS_ACCESS_KEY_ID"];
const SECRET_KEY_NAMES: [&str; 2] = ["secretAccessKey", "AWS_SECRET_ACCESS_KEY"];
const SESSION_TOKEN_NAMES: [&str; 2] = ["sessionToken", "AWS_SESSION_TOKEN"];

/// The files for the bucket, and how it stands. When something is missing, they are those of before; `None` if there are
/// none of before either.
pub(super) fn validate(identity: &Identity, s3: &S3, observed: &Observed) -> (Option<Files>, Finding) {
    match files(s3, observed) {
        Ok(files) => (Some(files), Finding::good(Reason::Configured, place(s3))),
        Err(finding) => (files_of_before(identity, observed), finding),
    }
}

fn files(s3: &S3, observed: &Observed) -> Result<Files, Finding> {
    let mut files = Files::new();
    if let Some(name) = &s3.secret_name {
        files.extend(access_key(name, observed.bucket_secret.as_ref())?);
    }
    let authorities = match (&s3.ca_secret_name, &s3.ca_config_map_name) {
        (Some(name), _) => {
            Some(from_secret("spec.storage.s3.caSecretName", name, observed.bucket_ca_secret.as_ref())?)
        }
        (None, Some(name)) => Some(from_config_map(
            "spec.storage.s3.caConfigMapName",
            name,
            observed.bucket_ca_config_map.as_ref(),
        )?),
        (None, None) => None,
    };
    files.extend(authorities.map(|authorities| (AUTHORITIES, authorities)));
    Ok(files)
}

fn access_key(name: &str, secret: Option<&Secret>) -> Result<Files, Finding> {
    let secret = secret.ok_or_else(|| {
        let message = format!(
            "Secret {name} of spec.storage.s3.secretName does not exist: create it with `kubectl create secret generic \
             {name} --from-literal=accessKeyId=… --from-literal=secretAccessKey=…`, or remove the field to use the \
             identity of the pods"
        );
        Finding::bad(Reason::SecretNotFound, message)
    })?;
    let value = |names: [&str; 2]| names.iter().find_map(|name| word(secret, name));
    let required = |names: [&str; 2]| {
        value(names).ok_or_else(|| {
            let message = format!(
                "Secret {name} of spec.storage.s3.secretName has no text under the key {}: store the access key under \
                 accessKeyId and secretAccessKey, and sessionToken if it is temporary",
                names[0]
            );
            Finding::bad(Reason::InvalidSecret, message)
        })
    };
    let key = [(ACCESS_KEY, required(ACCESS_KEY_NAMES)?), (SECRET_KEY, required(SECRET_KEY_NAMES)?)];
    let token = value(SESSION_TOKEN_NAMES).map(|token| (SESSION_TOKEN, token));
    Ok(key.into_iter().chain(token).collect())
}

/// A value without the line break that files tend to end with; an empty one counts as none.
fn word(secret: &Secret, key: &str) -> Option<String> {
    text(secret, key).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

fn files_of_before(identity: &Identity, observed: &Observed) -> Option<Files> {
    let secret: Secret = observed.children.get(&Objects::ids(identity).storage.name)?;
    let file = |name| Some((name, text(&secret, name)?));
    Some([ACCESS_KEY, SECRET_KEY, SESSION_TOKEN, AUTHORITIES].into_iter().filter_map(file).collect())
}

fn place(s3: &S3) -> String {
    let server = s3.endpoint.as_ref().map(|endpoint| format!(" at {endpoint}")).unwrap_or_default();
    let opener = match &s3.secret_name {
        Some(name) => format!("the access key of Secret {name}"),
        None => "the identity of the pods".to_owned(),
    };
    format!("images are kept in the bucket {}{server}, which {opener} opens", s3.bucket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        children::{ChildId, Kind},
        fixtures,
        registry::{certificates, credentials::tests::secret},
    };

    fn validated(s3: &str, observed: &Observed) -> (Option<Files>, Finding) {
        let registry = fixtures::registry(&format!("{{storage: {{s3: {s3}}}}}"));
        validate(&Identity::of(&registry), registry.spec.storage.s3.as_ref().unwrap(), observed)
    }

    fn key_in(secret: Secret) -> Observed {
        Observed { bucket_secret: Some(secret), ..Observed::default() }
    }

    const WITH_KEY: &str = "{bucket: images, region: r, secretName: key}";

    #[test]
    fn without_a_secret_the_identity_of_the_pods_opens_the_bucket() {
        let (files, finding) = validated("{bucket: images, region: r}", &Observed::default());
        assert_eq!(files, Some(Files::new()));
        assert_eq!(
            finding,
            Finding::good(
                Reason::Configured,
                "images are kept in the bucket images, which the identity of the pods opens"
            )
        );
    }

    #[test]
    fn an_access_key_is_taken_under_our_names_and_those_of_the_environment() {
        let ours = secret([("accessKeyId", "A\n"), ("secretAccessKey", "S"), ("sessionToken", "T")]);
        let (files, finding) = validated(WITH_KEY, &key_in(ours));
        let expected = [(ACCESS_KEY, "A"), (SECRET_KEY, "S"), (SESSION_TOKEN, "T")];
        assert_eq!(files, Some(expected.map(|(name, value)| (name, value.to_owned())).into()));
        assert!(finding.good);

        let theirs = secret([("AWS_ACCESS_KEY_ID", "A"), ("AWS_SECRET_ACCESS_KEY", "S")]);
        let (files, _) = validated(WITH_KEY, &key_in(theirs));
        assert_eq!(files.unwrap().len(), 2);
    }

    #[test]
    fn a_missing_secret_is_told_with_the_keys_that_are_wanted() {
        let (files, finding) = validated(WITH_KEY, &Observed::default());
        assert_eq!(files, None);
        assert_eq!(finding.reason, Reason::SecretNotFound);
        assert!(
            finding.message.contains(
                "kubectl create secret generic key --from-literal=accessKeyId=… --from-literal=secretAccessKey=…"
            ),
            "{}",
            finding.message
        );
    }

    #[test]
    fn a_secret_without_a_key_is_told_and_nothing_of_it_is_shown() {
        let (_, finding) =
            validated(WITH_KEY, &key_in(secret([("accessKeyId", "A"), ("password", "hunter2")])));
        assert_eq!(finding.reason, Reason::InvalidSecret);
        assert!(finding.message.contains("no text under the key secretAccessKey"), "{}", finding.message);
        assert!(!finding.message.contains("hunter2"));
    }

    #[test]
    fn what_was_there_before_stays_until_the_secret_is_back() {
        let before = serde_json::json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hub-storage"},
            "data": {"accesskey": "QQ==", "secretkey": "Uw=="},
        });
        let mut observed = Observed::default();
        let id = ChildId::new(Kind::Secret, "hub-storage".to_owned());
        observed.children.insert(id, serde_json::from_value(before).unwrap());
        let (files, finding) = validated(WITH_KEY, &observed);
        assert_eq!(files.unwrap()[ACCESS_KEY], "A");
        assert!(!finding.good);
    }

    #[test]
    fn authorities_must_be_there_and_be_certificates() {
        let s3 = "{bucket: images, endpoint: 'https://minio', caConfigMapName: ca}";
        let (_, finding) = validated(s3, &Observed::default());
        assert_eq!(finding.reason, Reason::AuthorityNotFound);
        assert!(
            finding.message.starts_with("ConfigMap ca of spec.storage.s3.caConfigMapName does not exist")
        );

        let s3 = "{bucket: images, endpoint: 'https://minio', caSecretName: ca}";
        let none = secret([("ca.crt", "no certificate")]);
        let observed = Observed { bucket_ca_secret: Some(none), ..Observed::default() };
        assert_eq!(validated(s3, &observed).1.reason, Reason::InvalidAuthority);

        let authority = certificates::issue_authority("test", None, jiff::Timestamp::now()).unwrap();
        let good = secret([("ca.crt", authority.certificate.as_str())]);
        let observed = Observed { bucket_ca_secret: Some(good), ..Observed::default() };
        let (files, finding) = validated(s3, &observed);
        assert_eq!(files.unwrap()[AUTHORITIES], authority.certificate);
        assert!(finding.message.contains("at https://minio"), "{}", finding.message);
    }
}
