//! The command line of the node agent. Each flag can be given as an environment variable as well.

use std::path::PathBuf;

use clap::Parser;

use super::runtime::Runtime;
use crate::config::{LogFormat, ObjectName, object_name};

/// Leads the container runtimes of this node to the registries of the cluster.
#[derive(Parser, Clone, Debug)]
#[command(name = "node-agent")]
pub struct Options {
    /// The name of this node
    #[arg(long, env = "BERTH_NODE_NAME", value_name = "NAME")]
    pub node: String,

    /// The DaemonSet that runs this, as NAMESPACE/NAME. The ConfigMap of the same name tells what nodes shall know, and the one
    /// that is named NAME-reports takes reports
    #[arg(long, env = "BERTH_NODE_AGENT", value_name = "DAEMONSET", value_parser = object_name)]
    pub daemon_set: ObjectName,

    /// The folder certs.d of a containerd, and its configuration file after a comma; repeat it for several
    #[arg(long, value_name = "FOLDER[,FILE]")]
    pub containerd: Vec<String>,

    /// The folder certs.d of CRI-O and Podman, or of Docker; repeat it for several
    #[arg(long, value_name = "FOLDER")]
    pub certificates: Vec<PathBuf>,

    /// The folder registries.conf.d of CRI-O and Podman; repeat it for several
    #[arg(long, value_name = "FOLDER")]
    pub drop_ins: Vec<PathBuf>,

    /// How log lines are written
    #[arg(long, env = "BERTH_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,

    /// How much is logged: error, warn, info, debug or trace, also by module, such as info,kube=debug
    #[arg(long, env = "BERTH_LOG_LEVEL", value_name = "LEVEL", default_value = "info")]
    pub log_level: String,
}

impl Options {
    pub(super) fn runtimes(&self) -> Vec<Runtime> {
        let containerd = self.containerd.iter().map(|places| {
            let (hosts, config) = places
                .split_once(',')
                .map_or((places.as_str(), None), |(hosts, config)| (hosts, Some(config)));
            Runtime::Containerd { hosts: hosts.into(), config: config.map(PathBuf::from) }
        });
        containerd.chain(self.certificates.iter().cloned().map(Runtime::Certificates)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_runtime_has_its_folder() {
        let arguments = [
            "node-agent",
            "--node=a",
            "--daemon-set=berth-system/berth-node-agent",
            "--containerd=/etc/containerd/certs.d,/etc/containerd/config.toml",
            "--certificates=/etc/docker/certs.d",
        ];
        assert_eq!(
            Options::parse_from(arguments).runtimes(),
            [
                Runtime::Containerd {
                    hosts: "/etc/containerd/certs.d".into(),
                    config: Some("/etc/containerd/config.toml".into())
                },
                Runtime::Certificates("/etc/docker/certs.d".into()),
            ]
        );
    }
}
