//! Real clients push to the registry and pull from it, over verified TLS and with a password.

mod archives;
mod buildah;
mod crane;
mod curl;
mod docker;
mod fixture;
mod helm;
mod image;
mod oras;
mod podman;
mod signatures;
mod skopeo;
mod tokens;
