//! The command line, in the forms that images of registries are used with.
//!
//! `registry CONFIG` means `registry serve CONFIG`, and a program called `htpasswd` is `registry htpasswd`.

mod bucket;
mod check;
mod config;
mod copy;
mod du;
mod export;
mod garbage_collect;
mod heap;
mod htpasswd;
mod image_name;
mod import;
mod ls;
mod output;
mod progress;
mod restore;
mod retention;
mod serve;
mod server;
mod storage;
mod threads;

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use berth_registry::config as configuration;
use clap::{CommandFactory, Parser, Subcommand};

use self::threads::runtime;

/// A registry of container images and other OCI artifacts.
#[derive(Debug, Parser)]
#[command(
    name = "registry",
    version,
    disable_version_flag = true,
    arg_required_else_help = true,
    after_help = "Begin with: registry serve\nThen:       docker push localhost:5000/app"
)]
struct Cli {
    /// Print the version
    #[arg(short = 'V', short_alias = 'v', long = "version", action = clap::ArgAction::Version)]
    _version: Option<bool>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve images
    Serve(serve::Arguments),
    /// Take images in from a file
    Import(import::Arguments),
    /// Write images to a file
    Export(export::Arguments),
    /// Copy images from one registry or storage to another
    Copy(Box<copy::Arguments>),
    /// List repositories, tags, or the parts of an image
    Ls(ls::Arguments),
    /// Tell how much of the storage each repository takes
    Du(du::Arguments),
    /// Find, and repair, what is damaged, missing or left over in the storage
    Check(check::Arguments),
    /// Bring back what was deleted
    Restore(restore::Arguments),
    /// Delete the tags that the rules of the configuration do not keep
    Retention(retention::Arguments),
    /// Delete blobs that no manifest refers to
    GarbageCollect(garbage_collect::Arguments),
    /// Print a line for a password file
    Htpasswd(htpasswd::Arguments),
    /// Work with configuration files
    #[command(subcommand)]
    Config(config::Command),
}

/// Runs the command that the arguments name.
pub(super) fn run(arguments: Vec<OsString>) -> anyhow::Result<ExitCode> {
    match Cli::parse_from(spell_out(arguments)).command {
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Import(arguments) => import::run(&arguments),
        Command::Export(arguments) => export::run(arguments),
        Command::Copy(arguments) => copy::run(&arguments),
        Command::Ls(arguments) => ls::run(arguments),
        Command::Du(arguments) => du::run(arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Restore(arguments) => restore::run(&arguments),
        Command::Retention(arguments) => retention::run(&arguments),
        Command::GarbageCollect(arguments) => garbage_collect::run(&arguments),
        Command::Htpasswd(arguments) => htpasswd::run(&arguments),
        Command::Config(command) => config::run(&command),
    }
}

/// Puts in the subcommand that the short forms leave out.
fn spell_out(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let program = arguments.first().map(Path::new).and_then(Path::file_name);
    let subcommand = if program == Some("htpasswd".as_ref()) {
        "htpasswd"
    } else if arguments.get(1).is_some_and(|first| !is_command(first) && Path::new(first).is_file()) {
        "serve"
    } else {
        return arguments;
    };
    arguments.insert(1, subcommand.into());
    arguments
}

/// Whether the word is a command: then it stays one, even where a file has that name too.
fn is_command(word: &OsStr) -> bool {
    word == "help" || Cli::command().find_subcommand(word).is_some()
}

/// The configuration of a command: from the file that it names, else from the one that the environment names,
/// else the defaults. Nothing is read from /etc unasked: another registry's configuration may be there.
fn load_config(
    named: Option<&PathBuf>,
    options: &configuration::Options,
) -> anyhow::Result<configuration::Loaded> {
    Ok(configuration::load(named_config(named).as_deref(), variables(), options)?)
}

/// The variables of the environment, but for those that are not text.
fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// The configuration file that an argument or the environment names.
fn named_config(argument: Option<&PathBuf>) -> Option<PathBuf> {
    let from_environment = || std::env::var_os("REGISTRY_CONFIGURATION_PATH").map(PathBuf::from);
    argument.cloned().or_else(from_environment)
}

/// Reads a duration in the form of configuration files.
fn duration(text: &str) -> Result<Duration, String> {
    configuration::parse_duration(text).ok_or_else(|| "write a duration such as 24h, 90m or 0s".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelt_out(arguments: &[&str]) -> Vec<String> {
        let spelt_out = spell_out(arguments.iter().map(OsString::from).collect());
        spelt_out.into_iter().map(|argument| argument.into_string().unwrap()).collect()
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_version_is_told_in_the_forms_of_scripts() {
        for argument in ["--version", "-V", "-v"] {
            let told = Cli::try_parse_from(["registry", argument]).unwrap_err();
            assert_eq!(told.kind(), clap::error::ErrorKind::DisplayVersion);
            assert_eq!(told.to_string(), format!("registry {}\n", env!("CARGO_PKG_VERSION")));
        }
    }

    #[test]
    fn a_file_alone_is_served() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        assert_eq!(spelt_out(&["/bin/registry", path]), ["/bin/registry", "serve", path]);
        assert_eq!(spelt_out(&["registry", "serve", path]), ["registry", "serve", path]);
    }

    #[test]
    fn a_command_is_not_taken_for_a_file_of_its_name() {
        // As in `registry htpasswd -Bbn user password > htpasswd`, where the shell has made the file by then.
        for command in ["htpasswd", "serve", "garbage-collect", "config", "help"] {
            assert!(is_command(command.as_ref()), "{command}");
        }
        assert!(!is_command("config.yml".as_ref()));
    }

    #[test]
    fn the_name_of_the_program_may_be_the_command() {
        assert_eq!(spelt_out(&["/bin/htpasswd", "-Bbn", "a", "b"])[1], "htpasswd");
    }

    #[test]
    fn the_garbage_collection_of_charts_and_tutorials_is_understood() {
        let parse = |arguments: &[&str]| match Cli::try_parse_from(arguments).unwrap().command {
            Command::GarbageCollect(arguments) => arguments,
            other => panic!("{other:?}"),
        };
        let file = "/etc/docker/registry/config.yml";
        assert!(parse(&["registry", "garbage-collect", "--dry-run", file]).dry_run);
        assert!(parse(&["registry", "garbage-collect", "-m", file]).delete_untagged);
        assert!(parse(&["registry", "garbage-collect", "--delete-untagged=true", file]).delete_untagged);
        assert!(!parse(&["registry", "garbage-collect", "--delete-untagged=false", file]).delete_untagged);
        for arguments in [
            ["-d", "-m", "-q", file],
            [file, "--quiet", "--dry-run", "--delete-untagged"],
            ["-dmq", "--dry-run=true", "--quiet=1", file],
            ["-m=true", file, "-d=true", "-q=true"],
        ] {
            let parsed = parse(&[&["registry", "garbage-collect"][..], &arguments].concat());
            assert!(parsed.dry_run && parsed.delete_untagged, "{arguments:?}");
        }
        assert!(!parse(&["registry", "garbage-collect", "--dry-run=false", file]).dry_run);
        let remote =
            ["registry", "garbage-collect", "--server", "https://hub", "--wait", "--min-age", "1h30m"];
        assert_eq!(parse(&remote).min_age.as_secs(), 5400);
    }
}
