//! `registry copy` between real registries: the original with a password file, our own with tokens, a folder, and a bucket.

mod bucket;
mod content;
mod interrupted;
mod original;
mod registries;
