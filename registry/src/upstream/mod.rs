//! A client of other registries (distribution specification): for mirrors, and for copies from one to another.
//!
//! It shows what a registry asks for, a password or a token; it keeps connections, and can be asked by many at once; it
//! follows redirects, to which no credentials go along; and it tells failures apart by what their callers can do. Asking
//! again after a failure is left to them, as is what is kept: nothing here touches the storage.
//!
//! | question | place |
//! |---|---|
//! | where a registry is, and who asks | `settings`, `address`, `credentials`, `docker_config` |
//! | what it asks for, and how that is answered | `challenge`, `authentication`, `token_request`, `scope` |
//! | how a request travels | `connections`, `silence`; `exchange` is one from begin to end |
//! | what an answer means | `refusal`, `rate_limit`, `link` |
//! | what can be asked | `manifests`, `blobs`, `lists`, `uploads` |

mod address;
mod authentication;
mod blobs;
mod challenge;
mod connections;
mod credentials;
mod docker_config;
mod error;
mod exchange;
mod link;
mod lists;
mod manifests;
mod rate_limit;
mod refusal;
mod scope;
mod settings;
mod silence;
mod token_request;
mod uploads;

#[cfg(test)]
mod testing;

use std::{fmt, sync::Arc};

use berth_oci::RepositoryName;
use hyper::{Uri, http::uri::Authority};

pub use blobs::Blob;
pub use challenge::{Challenge, TokenSource};
pub use docker_config::InvalidDockerConfig;
pub use error::{Cause, Error, Result};
pub use link::next as next_page;
pub use lists::referrers_tag;
pub use manifests::{EVERY_MANIFEST, Manifest, ManifestHead, PutManifest};
pub use rate_limit::{RateLimit, retry_after};
pub use settings::{Credentials, Settings};
pub use uploads::Upload;

use address::Address;
use authentication::Authentication;
use connections::Connections;
use credentials::Asker;
use exchange::Exchange;
use scope::Scope;

/// Another registry. Cheap to clone; clones share connections and tokens.
#[derive(Clone)]
pub struct Upstream(Arc<Exchange>);

impl Upstream {
    /// A client of the registry that the settings name. Nothing is sent yet.
    pub fn new(settings: Settings) -> Result<Self> {
        let address = Address::new(&settings.url)?;
        let connections = Connections::new(&address, &settings)?;
        // Helpers know Docker Hub by the address that it had once.
        let known_as = settings.url.authority().map(ToString::to_string).unwrap_or_default();
        let known_as = if known_as == "docker.io" { DOCKER_HUB_KEY.to_owned() } else { known_as };
        let authentication =
            Authentication::new(Asker::new(settings.credentials, known_as), address.is_https());
        Ok(Self(Arc::new(Exchange::new(address, connections, authentication))))
    }

    /// Host and port.
    pub fn server(&self) -> &Authority {
        self.0.address.authority()
    }

    /// What the registry has told lately of how often it may still be asked.
    pub fn rate_limit(&self) -> Option<RateLimit> {
        self.0.rate_limit()
    }

    fn exchange(&self) -> &Exchange {
        &self.0
    }

    fn endpoint(&self, path: &str) -> Result<Uri> {
        self.0.address.endpoint(path)
    }

    fn name_of(&self, repository: &RepositoryName) -> String {
        self.0.address.repository(repository)
    }

    fn pull_scope(&self, repository: &RepositoryName) -> Scope {
        Scope::pull(&self.name_of(repository))
    }

    fn push_scope(&self, repository: &RepositoryName) -> Scope {
        Scope::push(&self.name_of(repository))
    }

    fn invalid(&self, reason: String) -> Error {
        self.0.address.invalid(reason)
    }
}

/// The name under which Docker's configuration and its helpers know the credentials for Docker Hub.
pub const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Upstream").field(self.server()).finish()
    }
}
