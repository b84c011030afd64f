//! `registry garbage-collect`: on the storage of a configuration, or by a running server.

mod arguments;
mod local;
mod printed;
mod remote;
mod termination_message;

use std::process::ExitCode;

use anyhow::Context;

pub(super) use arguments::Arguments;

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if let Some(server) = &arguments.remote.server {
        return remote::run(server, arguments);
    }
    let config = super::named_config(arguments.config.as_ref());
    let config = config.context("name a configuration file, or a server with --server")?;
    local::run(&config, arguments)
}
