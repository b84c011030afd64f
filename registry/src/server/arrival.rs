//! How a request has come.

use hyper::{Method, http::request::Parts};

use super::{Files, Peer};

/// The connection that a request has come by.
///
/// Much of what is asked for is answered without it; so it stands beside the request, until it is [told](Self::tell).
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// Who is at the other end of it.
    pub peer: Peer,
    /// Where the answer may leave pieces of files, if they can be sent from here.
    pub files: Option<&'a Files>,
}

impl Arrival<'_> {
    /// Tells it to a request, for whoever answers it: the [`Peer`] is an extension of it then, and so are its [`Files`].
    pub fn tell(&self, request: &mut Parts) {
        request.extensions.insert(self.peer);
        // The answer to a `HEAD` has no pieces.
        if let Some(files) = self.files.filter(|_| request.method == Method::GET) {
            request.extensions.insert(files.clone());
        }
    }
}
