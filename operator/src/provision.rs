//! The Registries that come with the installation: applied from a file, once for each time that this operator begins to lead.
//!
//! Helm looks up every kind before it makes the first object, so that its chart cannot hold a Registry beside the definition.

use std::{io, path::Path};

use futures::future::join_all;
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
};
use tokio::time::sleep;
use tracing::{error, info};

use crate::backoff::Backoff;

/// Who owns the fields that the file gives. What is not in it belongs to whoever sets it.
const MANAGER: &str = "berth-installation";

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    /// It is not a list of objects.
    #[error("it must be a list of Registries")]
    Malformed(#[from] serde_yaml::Error),
}

/// The Registries in a file.
pub fn read(file: &Path) -> Result<Vec<DynamicObject>, Error> {
    Ok(serde_yaml::from_str(&std::fs::read_to_string(file)?)?)
}

/// Applies them, each until the API server takes it.
pub async fn apply(client: Client, registries: Vec<DynamicObject>) {
    let failures = Backoff::default();
    join_all(registries.iter().map(|registry| apply_one(&client, registry, &failures))).await;
}

async fn apply_one(client: &Client, registry: &DynamicObject, failures: &Backoff) {
    let (namespace, name) = (registry.namespace().unwrap_or_default(), registry.name_any());
    let resource = ApiResource::erase::<berth_crds::Registry>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, &resource);
    // A field that does not exist is refused, because nobody would see a warning.
    let parameters = PatchParams::apply(MANAGER).force().validation_strict();
    while let Err(error) = api.patch(&name, &parameters, &Patch::Apply(registry)).await {
        let delay = failures.failed((namespace.clone(), name.clone()));
        error!(
            registry = name,
            namespace,
            error = &error as &dyn std::error::Error,
            ?delay,
            "a Registry of the installation could not be applied"
        );
        sleep(delay).await;
    }
    info!(registry = name, namespace, "a Registry of the installation is applied");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Vec<DynamicObject>, Error> {
        let file = std::env::temp_dir().join(format!("berth-provision-{:016x}", getrandom::u64().unwrap()));
        std::fs::write(&file, text).unwrap();
        let found = read(&file);
        std::fs::remove_file(file).unwrap();
        found
    }

    #[test]
    fn a_file_is_a_list_of_registries() {
        let found = read_text(
            "- {apiVersion: berth.dev/v1alpha1, kind: Registry, metadata: {name: hub, namespace: a}, spec: {}}",
        );
        let found = found.unwrap();
        assert_eq!((found[0].name_any().as_str(), found[0].namespace().as_deref()), ("hub", Some("a")));
        assert!(matches!(read_text("hub"), Err(Error::Malformed(_))));
        assert!(matches!(read(Path::new("/missing")), Err(Error::Unreadable(_))));
    }
}
