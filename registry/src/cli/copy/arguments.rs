//! What `registry copy` is told.

use std::{num::NonZeroU16, path::PathBuf};

use berth_registry::repository::TagPattern;
use rustls::pki_types::ServerName;

use super::location::Location;
use crate::cli::server::server_name;

#[derive(Debug, clap::Args)]
#[command(
    override_usage = "registry copy [OPTIONS] SRC DST",
    after_help = "\
        SRC and DST are registries or storages:\n  \
        https://HOST                           all of a registry (http:// without TLS)\n  \
        https://HOST/REPOSITORY[:TAG|@DIGEST]  one repository, or one image\n  \
        config.yml                             the storage of a configuration file: a folder, or S3\n  \
        data                                   the folder of a registry\n\n\
        Names stay. Where SRC is one repository or image, DST may give it another: https://HOST/new/name:tag. Where SRC is a \
        whole registry or a storage, the name in DST is put in front of all others. A registry that does not list its \
        repositories, such as Docker Hub, needs their names: --repository library/alpine.\n\n\
        An image comes with all its platforms, its signatures and other referrers, whatever --tag says. Only what is missing is \
        sent; what another repository of the destination has is mounted. Tags are set last, so an interrupted copy leaves no \
        image incomplete: run it again, and it goes on. Digests stay as they are, and nothing is deleted in the destination.\n\n\
        Passwords come from the files that are named, or else from --authfile or Docker's configuration, which may hold identity \
        tokens and name credential helpers.\n\n\
        Exit codes: 0 everything is there, or can be copied; 1 not everything."
)]
pub(in crate::cli) struct Arguments {
    /// Where images come from
    #[arg(value_name = "SRC")]
    pub(super) source: Location,
    /// Where they go
    #[arg(value_name = "DST")]
    pub(super) destination: Location,
    /// Only these repositories, such as team/app, team/* or **; may be repeated
    #[arg(long = "repository", value_name = "PATTERN")]
    pub(super) repositories: Vec<String>,
    /// Only these tags, such as 1.*, or '/^v[0-9]+$/' as a regular expression; may be repeated
    #[arg(long = "tag", value_name = "PATTERN")]
    pub(super) tags: Vec<TagPattern>,
    /// Write nothing: tell what would be copied, and how many bytes would be sent
    #[arg(long)]
    pub(super) dry_run: bool,
    /// How many blobs are sent at once
    #[arg(long, value_name = "N", default_value = "8")]
    pub(super) jobs: NonZeroU16,
    /// Print the report as JSON
    #[arg(long)]
    pub(super) json: bool,
    /// File to write the report to as well, such as /dev/termination-log
    #[arg(long, value_name = "FILE")]
    pub(super) termination_log: Option<PathBuf>,
    /// Credentials of registries, as docker login keeps them [default: Docker's config.json]
    #[arg(long, value_name = "FILE")]
    pub(super) authfile: Option<PathBuf>,
    #[command(flatten)]
    source_access: SourceAccess,
    #[command(flatten)]
    destination_access: DestinationAccess,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Source")]
struct SourceAccess {
    /// User who may pull from the source
    #[arg(id = "src_username", long = "src-username", value_name = "USER", requires = "src_password_file")]
    username: Option<String>,
    /// File that holds the user's password
    #[arg(
        id = "src_password_file",
        long = "src-password-file",
        value_name = "FILE",
        requires = "src_username"
    )]
    password_file: Option<PathBuf>,
    /// PEM file of authorities that are trusted besides those of the system
    #[arg(id = "src_ca_file", long = "src-ca-file", value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Name that the certificate of the source is for, if it is another than in its address
    #[arg(id = "src_server_name", long = "src-server-name", value_name = "NAME", value_parser = server_name)]
    server_name: Option<ServerName<'static>>,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Destination")]
struct DestinationAccess {
    /// User who may push to the destination
    #[arg(
        id = "dest_username",
        long = "dest-username",
        value_name = "USER",
        requires = "dest_password_file"
    )]
    username: Option<String>,
    /// File that holds the user's password
    #[arg(
        id = "dest_password_file",
        long = "dest-password-file",
        value_name = "FILE",
        requires = "dest_username"
    )]
    password_file: Option<PathBuf>,
    /// PEM file of authorities that are trusted besides those of the system
    #[arg(id = "dest_ca_file", long = "dest-ca-file", value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Name that the certificate of the destination is for, if it is another than in its address
    #[arg(id = "dest_server_name", long = "dest-server-name", value_name = "NAME", value_parser = server_name)]
    server_name: Option<ServerName<'static>>,
}

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Source,
    Destination,
}

/// How one of the two is reached, if it is a registry.
#[derive(Debug)]
pub(super) struct Side<'a> {
    pub(super) username: Option<&'a String>,
    pub(super) password_file: Option<&'a PathBuf>,
    pub(super) ca_file: Option<&'a PathBuf>,
    pub(super) server_name: Option<&'a ServerName<'static>>,
}

impl Arguments {
    pub(super) fn location(&self, end: End) -> &Location {
        match end {
            End::Source => &self.source,
            End::Destination => &self.destination,
        }
    }

    pub(super) fn side(&self, end: End) -> Side<'_> {
        match end {
            End::Source => Side {
                username: self.source_access.username.as_ref(),
                password_file: self.source_access.password_file.as_ref(),
                ca_file: self.source_access.ca_file.as_ref(),
                server_name: self.source_access.server_name.as_ref(),
            },
            End::Destination => Side {
                username: self.destination_access.username.as_ref(),
                password_file: self.destination_access.password_file.as_ref(),
                ca_file: self.destination_access.ca_file.as_ref(),
                server_name: self.destination_access.server_name.as_ref(),
            },
        }
    }
}
