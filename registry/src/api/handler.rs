//! Which handler a route belongs to in the metrics.

use crate::metrics::Handler;

/// The handler of a path of the route table; `None` stands for a request that fits none.
pub(super) fn of(route: Option<&str>) -> Handler {
    let Some(route) = route.and_then(|route| route.strip_prefix("/v2")) else { return Handler::Other };
    let within = route.strip_prefix("/{name}").unwrap_or(route);
    match within {
        "" | "/" => Handler::Base,
        "/_catalog" => Handler::Catalog,
        "/tags/list" => Handler::Tags,
        "/manifests/{reference}" => Handler::Manifest,
        "/blobs/{digest}" => Handler::Blob,
        "/blobs/uploads/" => Handler::BlobUpload,
        "/blobs/uploads/{upload}" => Handler::BlobUploadChunk,
        "/referrers/{digest}" => Handler::Referrers,
        _ => Handler::Extension,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_of_the_protocol_is_an_extension_or_something_else() {
        assert_eq!(of(Some("/v2/_berth/garbage-collection")), Handler::Extension);
        assert_eq!(of(Some("/livez")), Handler::Other);
        assert_eq!(of(None), Handler::Other);
    }

    #[test]
    fn an_endpoint_below_a_name_is_not_taken_for_one_without() {
        assert_eq!(of(Some("/v2/{name}/manifests/{reference}")), Handler::Manifest);
        assert_eq!(of(Some("/v2/")), Handler::Base);
    }
}
