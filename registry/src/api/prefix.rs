//! The path below which the registry answers (`http.prefix`), where it shares a host name with others.

use axum::http::{Request, StatusCode};
use berth_oci::ErrorCode;

use super::{
    error::{Error, Result},
    fold_name::with_path,
};

/// Load balancers and kubelets ask the server itself, whatever it shares a name with.
const BESIDE_THE_PREFIX: [&str; 3] = ["/", "/livez", "/readyz"];

/// The path that follows the prefix, as it stands in the route table.
pub(super) fn below<'a>(prefix: &str, path: &'a str) -> Option<&'a str> {
    path.strip_prefix(prefix).filter(|rest| rest.starts_with('/'))
}

/// The path as it stands in the route table, for a request that leads anywhere.
pub(super) fn route<'a>(prefix: &str, path: &'a str) -> Option<&'a str> {
    below(prefix, path).or_else(|| BESIDE_THE_PREFIX.contains(&path).then_some(path))
}

/// Takes the prefix off the path of a request. Without it, a request leads nowhere.
pub(super) fn enter<B>(prefix: &str, request: &mut Request<B>) -> Result<()> {
    let path = request.uri().path();
    let Some(route) = route(prefix, path) else {
        let told = format!("there is nothing at {path}: registry paths begin with {prefix}/v2/");
        return Err(Error::new(StatusCode::NOT_FOUND, ErrorCode::Unsupported, told));
    };
    if route.len() < path.len()
        && let Some(uri) = with_path(request.uri(), route.to_owned())
    {
        *request.uri_mut() = uri;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_ends_where_a_component_ends() {
        let table = [
            ("/hub", "/hub/v2/", Some("/v2/")),
            ("/hub", "/hub/", Some("/")),
            ("/hub", "/hub", None),
            ("/hub", "/hubs/v2/", None),
            ("/hub", "/v2/", None),
            ("/hub", "/readyz", Some("/readyz")),
            ("/hub", "/hub/readyz", Some("/readyz")),
            ("", "/v2/", Some("/v2/")),
        ];
        for (prefix, path, expected) in table {
            assert_eq!(route(prefix, path), expected, "{prefix} {path}");
        }
    }
}
