//! The JSON body of a failed request (distribution specification, "Error codes").

use serde::Serialize;
use serde_json::Value;

use crate::ErrorCode;

/// `{"errors": [...]}`
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ErrorBody {
    /// What went wrong; at least one entry.
    pub errors: Vec<ErrorDetail>,
}

/// One thing that went wrong.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ErrorDetail {
    /// The word that clients compare.
    pub code: ErrorCode,
    /// A sentence for people.
    pub message: String,
    /// What else programs may want to know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<Value>,
}

impl ErrorBody {
    /// A body with one entry.
    pub fn new(code: ErrorCode, message: impl Into<String>, detail: Option<Value>) -> Self {
        Self { errors: vec![ErrorDetail { code, message: message.into(), detail }] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_has_the_form_of_the_specification() {
        let body =
            ErrorBody::new(ErrorCode::BlobUnknown, "gone", Some(serde_json::json!({"digest": "sha256:0"})));
        assert_eq!(
            serde_json::to_string(&body).unwrap(),
            r#"{"errors":[{"code":"BLOB_UNKNOWN","message":"gone","detail":{"digest":"sha256:0"}}]}"#
        );
    }
}
