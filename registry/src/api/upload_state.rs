//! The state of an upload in its address, as Distribution writes it: `_state`, signed with `http.secret`.
//!
//! Ours needs none of it, since everything about an upload is in the storage. But Distribution goes on with an upload
//! only when the address tells it how far the upload is; so with a shared secret, either can finish what the other began.

use base64::{Engine as _, prelude::BASE64_URL_SAFE};
use berth_oci::{RepositoryName, UploadId};
use ring::hmac;
use serde::Serialize;

/// What Distribution wants to know of an upload, in the order in which it writes it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct State<'a> {
    name: &'a str,
    #[serde(rename = "UUID")]
    id: String,
    offset: u64,
    /// Distribution reads the true time from the storage and this one never.
    started_at: &'static str,
}

/// The state of an upload of `size` bytes; `None` if it cannot be written, and then clients do without it.
pub(super) fn encode(key: &hmac::Key, name: &RepositoryName, id: &UploadId, size: u64) -> Option<String> {
    let (name, id) = (name.as_str(), id.to_string());
    let state = State { name, id, offset: size, started_at: "1970-01-01T00:00:00Z" };
    let state = serde_json::to_vec(&state).ok()?;
    let signature = hmac::sign(key, &state);
    Some(BASE64_URL_SAFE.encode([signature.as_ref(), &state].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_written_as_go_writes_it() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"shared by both");
        let id = "7ddc8dbe-7ed8-4b17-9c0a-2c3f3b5b8f2d".parse().unwrap();
        let state = encode(&key, &"a/b".parse().unwrap(), &id, 5).unwrap();
        // HMAC-SHA256 of the JSON behind it, by Python's `hmac`.
        let expected = "9vPbsEz3918DydElAgIc0FPIJgovyog8zWwJ4B9-8V57Ik5hbWUiOiJhL2IiLCJVVUlEIjoiN2RkYzhkYmUtN2VkOC00YjE3\
             LTljMGEtMmMzZjNiNWI4ZjJkIiwiT2Zmc2V0Ijo1LCJTdGFydGVkQXQiOiIxOTcwLTAxLTAxVDAwOjAwOjAwWiJ9";
        assert_eq!(state, expected);
    }
}
