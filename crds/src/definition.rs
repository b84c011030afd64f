//! From the Rust types to the `CustomResourceDefinitions` that the API server is given.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;

use crate::{Registry, RegistryAccess};

/// Every `CustomResourceDefinition` of Berth, ready to be applied.
pub fn custom_resource_definitions() -> Vec<CustomResourceDefinition> {
    let mut definitions = vec![Registry::crd(), RegistryAccess::crd()];
    let versions = definitions.iter_mut().flat_map(|definition| &mut definition.spec.versions);
    for schema in versions.filter_map(|version| version.schema.as_mut()?.open_api_v3_schema.as_mut()) {
        prune_nulls(schema);
    }
    definitions
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
