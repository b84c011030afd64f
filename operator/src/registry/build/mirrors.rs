//! The mirrors in the registry's configuration, and the Secret `NAME-mirrors` with the passwords for their upstreams. A new password
//! reaches the registry without a restart, since it reads the file whenever it logs in.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use crate::{
    apply::Desired,
    registry::validate::{Mirrors, Validated},
};

/// Where the container finds the passwords.
pub(in crate::registry) const MIRRORS_DIRECTORY: &str = "/etc/berth/mirrors";

/// Adds the section to a configuration.
pub(super) fn add(config: &mut Value, mirrors: &Mirrors) {
    if !mirrors.section.is_empty() {
        config[Mirrors::SECTION] = json!(mirrors.section);
    }
}

/// The Secret, where there are passwords.
pub(super) fn secret(validated: &Validated) -> Desired<Value> {
    let Validated { identity, mirrors, .. } = validated;
    if mirrors.files.is_empty() {
        return Desired::Absent;
    }
    let encoded =
        mirrors.files.iter().map(|(name, password)| (name.clone(), STANDARD.encode(password).into()));
    Desired::Present(json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": identity.owned(identity.child("mirrors")),
        "type": "Opaque",
        "data": encoded.collect::<Map<_, Value>>(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixtures::registry,
        registry::{credentials::tests as credentials, mirrored::Mirrored, observe::Observed},
    };

    fn validated(spec: &str) -> Validated {
        let login = credentials::secret([("username", "u"), ("password", "p")]);
        let mirrored = Mirrored { secrets: [("login".to_owned(), login)].into(), ..Mirrored::default() };
        Validated::of_observed(&registry(spec), &Observed { mirrored, ..Observed::default() })
    }

    #[test]
    fn there_is_a_secret_only_for_upstreams_that_are_logged_in_to() {
        let Desired::Present(built) = secret(&validated("{mirrors: [{upstream: a, secretName: login}]}"))
        else {
            panic!()
        };
        assert_eq!(
            (&built["metadata"]["name"], &built["data"]["a"]),
            (&json!("hub-mirrors"), &json!("cA=="))
        );
        assert_eq!(secret(&validated("{mirrors: [{upstream: a}]}")), Desired::Absent);
    }

    #[test]
    fn a_registry_without_mirrors_has_no_section_of_them() {
        let mut config = json!({});
        add(&mut config, &validated("{}").mirrors);
        assert_eq!(config, json!({}));
        add(&mut config, &validated("{mirrors: [{upstream: a}]}").mirrors);
        assert_eq!(config["mirrors"][0]["upstream"], "a");
    }
}
