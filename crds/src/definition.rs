//! From the Rust types to the `CustomResourceDefinitions` that the API server is given.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;

use crate::Registry;

/// Every `CustomResourceDefinition` of Berth, ready to be applied.
pub fn custom_resource_definitions() -> Vec<CustomResourceDefinition> {
    let mut definition = Registry::crd();
    for version in &mut definition.spec.versions {
        if let Some(schema) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) {
            prune_nulls(schema);
        }
    }
    vec![definition]
}

/// Makes no field nullable, so that the API server drops a `null` before it sets defaults and evaluates rules:
/// `storage: null` then means the same as no `storage` at all.
fn prune_nulls(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    if let Some(values) = &mut schema.enum_ {
        values.retain(|value| !value.0.is_null());
    }
    for property in schema.properties.iter_mut().flat_map(|properties| properties.values_mut()) {
        prune_nulls(property);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        prune_nulls(items);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        prune_nulls(values);
    }
}
