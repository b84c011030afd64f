//! The read-only switch of the registry: a resource of our own below `/v2/_berth/`.

use axum::extract::State;

use super::{Api, authorize::Administrator, error::Result, extract::Sender, respond::ReadOnlyState};

/// `GET /v2/_berth/read-only`
pub(super) async fn current(_: Administrator, State(api): State<Api>) -> Result<ReadOnlyState> {
    let switch = api.registry.read_only_switch().await?;
    Ok(ReadOnlyState { read_only: api.registry.is_read_only(), switch })
}

/// `PUT /v2/_berth/read-only`: refuses every change.
pub(super) async fn switch_on(
    administrator: Administrator,
    State(api): State<Api>,
    Sender(identity): Sender,
) -> Result<ReadOnlyState> {
    api.registry.switch_read_only(identity.user()).await?;
    current(administrator, State(api)).await
}

/// `DELETE /v2/_berth/read-only`: allows again what the configuration allows.
pub(super) async fn switch_off(
    administrator: Administrator,
    State(api): State<Api>,
) -> Result<ReadOnlyState> {
    api.registry.switch_writable().await?;
    current(administrator, State(api)).await
}
