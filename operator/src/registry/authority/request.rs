//! The annotation that asks for a rotation.

use std::hash::{DefaultHasher, Hash, Hasher};

use berth_crds::annotation::ROTATE_CA;
use kube::ResourceExt;

/// The value of the annotation, if it has one.
pub fn requested(registry: &impl ResourceExt) -> Option<&str> {
    registry.annotations().get(ROTATE_CA).map(String::as_str).filter(|value| !value.is_empty())
}

/// A number that changes when another rotation is asked for.
pub fn requests(registry: &impl ResourceExt) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    requested(registry).hash(&mut hasher);
    Some(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn each_value_is_a_request_and_an_empty_one_is_none() {
        let annotated = |value: &str| {
            let mut registry = fixtures::registry("{}");
            registry.annotations_mut().insert(ROTATE_CA.to_owned(), value.to_owned());
            registry
        };
        assert_eq!(requested(&annotated("1")), Some("1"));
        assert_eq!(requested(&annotated("")), None);
        assert_ne!(requests(&annotated("1")), requests(&annotated("2")));
        assert_eq!(requests(&annotated("")), requests(&fixtures::registry("{}")));
    }
}
