//! The commands for the storage, run as a person runs them: on a folder, beside a server or without one.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends at the first surprise")]

mod archive;
mod check;
mod copy;
mod du;
mod export;
mod fixture;
mod garbage_collect;
mod import;
mod ls;
mod restore;
mod retention;
