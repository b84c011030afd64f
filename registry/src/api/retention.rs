//! The rules of retention: an endpoint of our own below `/v2/_berth/`.

use axum::extract::State;
use berth_oci::ErrorCode;
use serde::Deserialize;

use super::{
    Api,
    authorize::Administrator,
    body::Document,
    error::{Error, Result},
    respond::RetentionReport,
};
use crate::repository::RetentionRule;

/// What to do; everything may be left out.
#[derive(Debug, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct Order {
    dry_run: bool,
    /// Rules to try in place of the configured ones.
    rules: Option<Vec<RetentionRule>>,
}

impl Default for Order {
    fn default() -> Self {
        Self { dry_run: true, rules: None }
    }
}

/// `POST /v2/_berth/retention`: tells which tags the rules do not keep, or deletes them.
pub(super) async fn apply(
    _: Administrator,
    State(api): State<Api>,
    Document(order): Document,
) -> Result<RetentionReport> {
    Ok(RetentionReport(match read(&order)? {
        Order { dry_run, rules: None } => api.registry.apply_retention(dry_run).await?,
        Order { rules: Some(rules), .. } => api.registry.try_retention(rules).await?,
    }))
}

fn read(order: &[u8]) -> Result<Order> {
    if order.is_empty() {
        return Ok(Order::default());
    }
    let refuse = |told: String| Error::bad_request(ErrorCode::Unsupported, told);
    let order: Order = serde_json::from_slice(order)
        .map_err(|error| refuse(format!("the body must be JSON such as {{\"dryRun\": true}}: {error}")))?;
    if order.rules.is_some() && !order.dry_run {
        let told = "rules in a request are only tried: leave \"dryRun\" out, and write the rules into the configuration";
        return Err(refuse(told.to_owned()));
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_deleted_unless_that_is_asked_for() {
        assert!(read(b"").unwrap().dry_run && read(b"{}").unwrap().dry_run);
        assert!(!read(br#"{"dryRun": false}"#).unwrap().dry_run);
        assert!(read(br#"{"rules": [{"keep": {"last": 1}}]}"#).unwrap().rules.is_some());
    }

    #[test]
    fn an_order_that_cannot_be_meant_so_is_refused_in_words() {
        for (order, told) in [
            (r#"{"dryrun": true}"#, "dryrun"),
            (r#"{"rules": [{"keep": {}}]}"#, "must say what it keeps"),
            (r#"{"rules": [{"tags": ["/(/"], "keep": {"last": 1}}]}"#, "no pattern of tags"),
            (r#"{"rules": [{"keep": {"last": 1}}], "dryRun": false}"#, "only tried"),
        ] {
            let refused = read(order.as_bytes()).unwrap_err().message;
            assert!(refused.contains(told), "{refused}");
        }
    }
}
