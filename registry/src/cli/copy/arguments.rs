//! What `registry copy` is told.

use std::{num::NonZeroU16, path::PathBuf};

use rustls::pki_types::ServerName;

use super::location::Location;
use crate::cli::server::server_name;

#[derive(Debug, clap::Args)]
#[command(
    override_usage = "registry copy [OPTIONS] SRC DST",
    after_help = "\
        SRC and DST are registries or storages:\n  \
        https://HOST                        all that a registry has (http:// without TLS; docker:// is https://)\n  \
        https://HOST/REPOSITORY[:TAG|@DIGEST]  one repository, or one image\n  \
        config.yml                          the storage of a configuration file: a folder, or S3\n  \
        data                                the folder of a registry\n\n\
        Where SRC names one repository, DST may name another: https://HOST/new/name:tag. Where SRC is a whole registry or a \
        storage, what DST names is put in front of all names. A registry that does not list its repositories, such as \
        Docker Hub, is copied by names: --repository library/alpine.\n\n\
        Images come with all platforms, and with signatures and other referrers. Only what is missing is sent, and what \
        another repository of the destination has is mounted. Tags are set last, so that a copy which is interrupted leaves no \
        image incomplete; run it again, and it goes on. Nothing is deleted in the destination. Digests stay as they are.\n\n\
        Passwords come from the files that are named, or from --authfile, or from Docker's configuration.\n\n\
        Exit codes: 0 everything is there, 1 not everything."
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
