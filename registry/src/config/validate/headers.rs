//! Maps of headers: those of answers, and those of requests to other servers.

use hyper::header::{HeaderName, HeaderValue};

use crate::config::{error::Error, settings::Settings};

/// Reads a map of header names to lists of values.
pub(super) fn headers(settings: &Settings, key: &str) -> Result<Vec<(HeaderName, HeaderValue)>, Error> {
    const NAME: &str = "a header with its values, such as X-Frame-Options: [DENY]";
    const VALUE: &str = "the value of a header: one line of visible characters";
    let mut headers = Vec::new();
    for (name, texts) in settings.map(key)? {
        for item in texts {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| item.unexpected(NAME))?;
            let value = HeaderValue::from_str(item.text).map_err(|_| item.unexpected(VALUE))?;
            headers.push((name, value));
        }
    }
    Ok(headers)
}

/// Reads headers that may hold credentials, so that nothing prints their values.
pub(super) fn secret_headers(
    settings: &Settings,
    key: &str,
) -> Result<Vec<(HeaderName, HeaderValue)>, Error> {
    let mut headers = headers(settings, key)?;
    for (_, value) in &mut headers {
        value.set_sensitive(true);
    }
    Ok(headers)
}
