//! What becomes of a change of one object that others change too.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::Status;

/// How often an object is read again that somebody changed between reading and writing.
pub(super) const ATTEMPTS: usize = 8;

/// Why a Kubernetes API server takes no new objects in a namespace that is being deleted.
const TERMINATING: &str = "NamespaceTerminating";

/// What became of it.
#[derive(Debug)]
pub(super) enum Written {
    /// The object is as wished; this is its metadata now.
    Done(Box<ObjectMeta>),
    /// The object is somebody else's and was left alone.
    Taken,
    /// There is no such object any more, or its namespace is going away.
    Gone,
    /// The API server refused, in these words.
    Refused(String),
}

impl Written {
    /// What an error means for one object. Only when the API server cannot be asked at all is it an error for the others too.
    pub(super) fn after(error: kube::Error) -> Result<Self, kube::Error> {
        match error {
            kube::Error::Api(status) if status.code == 404 || is_terminating(&status) => Ok(Self::Gone),
            kube::Error::Api(status) if status.code != 401 && status.code != 429 => {
                Ok(Self::Refused(status.message.clone()))
            }
            error => Err(error),
        }
    }

    /// Every attempt met a change by somebody else.
    pub(super) fn contended() -> Self {
        Self::Refused("somebody changes it all the time".to_owned())
    }
}

/// Whether the object changed between reading and writing.
pub(super) fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409)
}

fn is_terminating(status: &Status) -> bool {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    status.code == 403 && causes.into_iter().any(|cause| cause.reason == TERMINATING)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn after(status: serde_json::Value) -> Result<Written, kube::Error> {
        Written::after(kube::Error::Api(serde_json::from_value(status).unwrap()))
    }

    #[test]
    fn a_namespace_that_goes_away_is_no_failure() {
        let terminating = json!({"code": 403, "details": {"causes": [{"reason": "NamespaceTerminating"}]}});
        assert!(matches!(after(terminating), Ok(Written::Gone)));
        assert!(matches!(after(json!({"code": 404})), Ok(Written::Gone)));
    }

    #[test]
    fn a_refusal_concerns_one_object_and_an_overload_all() {
        assert!(
            matches!(after(json!({"code": 403, "message": "no"})), Ok(Written::Refused(said)) if said == "no")
        );
        assert!(matches!(after(json!({"code": 500})), Ok(Written::Refused(_))));
        assert!(after(json!({"code": 429})).is_err());
    }
}
