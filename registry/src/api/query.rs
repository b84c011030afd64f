//! What stands after the question mark of a request.

use axum::{
    extract::{FromRequestParts, Query},
    http::{StatusCode, request::Parts},
};
use berth_oci::{Algorithm, Digest, ErrorCode, Tag};

use super::{
    Api,
    error::{Error, Result},
};
use crate::repository::Page;

/// How many tags a manifest may be pushed with at a time; the specification asks for ten.
const MOST_TAGS: usize = 100;

/// The parameters after the question mark; of several with one name, the first counts, unless it is `tag`.
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, value)| key == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    }

    /// All values of a parameter.
    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    }

    /// The parameters of a form, which is written as a query is.
    pub(super) fn of_form(form: &[u8]) -> Self {
        Self(form_urlencoded::parse(form).into_owned().collect())
    }

    /// Whether the parameter is there, with or without a value.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }

    /// The parameter `digest-algorithm`.
    pub(super) fn algorithm(&self) -> Result<Option<Algorithm>> {
        let algorithm = self.get("digest-algorithm").map(str::parse::<Algorithm>).transpose();
        algorithm.map_err(|error| Error::bad_request(ErrorCode::DigestInvalid, error.to_string()))
    }

    /// All parameters `tag`.
    pub(super) fn tags(&self) -> Result<Vec<Tag>> {
        let texts = self.0.iter().filter(|(key, _)| key == "tag").map(|(_, value)| value);
        let tags: Vec<_> = texts.collect();
        if tags.len() > MOST_TAGS {
            let told = format!("the request has {} tags: send at most {MOST_TAGS} at a time", tags.len());
            return Err(Error::new(StatusCode::URI_TOO_LONG, ErrorCode::TagInvalid, told));
        }
        let parsed = tags.into_iter().map(|text| text.parse::<Tag>());
        parsed
            .collect::<Result<_, _>>()
            .map_err(|error| Error::bad_request(ErrorCode::TagInvalid, error.to_string()))
    }

    /// The parameter `digest`.
    pub(super) fn digest(&self) -> Result<Option<Digest>> {
        let digest = self.get("digest").map(str::parse::<Digest>).transpose();
        digest.map_err(|error| Error::bad_request(ErrorCode::DigestInvalid, error.to_string()))
    }

    /// The parameters `n` and `last`.
    pub(super) fn page(&self) -> Result<Page> {
        let refuse = |_| {
            let told = "the parameter `n` must be a whole number of entries, such as n=100";
            Error::bad_request(ErrorCode::PaginationNumberInvalid, told)
        };
        let limit = self.get("n").map(str::parse).transpose().map_err(refuse)?;
        Ok(Page { limit, last: self.get("last").map(str::to_owned) })
    }
}

impl FromRequestParts<Api> for Parameters {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self> {
        let query = Query::from_request_parts(parts, api).await;
        let Query(parameters) = query.map_err(|error| {
            Error::bad_request(ErrorCode::Unsupported, format!("the query cannot be read: {error}"))
        })?;
        Ok(Self(parameters))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_parameters_with_one_name_the_first_counts() {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let parameters = Parameters(vec![pair("n", ""), pair("n", "5"), pair("n", "7"), pair("last", "a/b")]);
        assert_eq!(parameters.page().unwrap(), Page { limit: Some(5), last: Some("a/b".to_owned()) });
    }

    #[test]
    fn a_page_of_no_number_is_refused() {
        for n in ["-1", "many", "1.5"] {
            let parameters = Parameters(vec![("n".to_owned(), n.to_owned())]);
            assert_eq!(parameters.page().unwrap_err().code, ErrorCode::PaginationNumberInvalid);
        }
    }
}
