//! The command line of the operator. Each flag can be given as an environment variable as well.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Parser, ValueEnum, builder::ArgPredicate};
use jiff::SignedDuration;

/// Runs container registries in a Kubernetes cluster.
#[derive(Parser, Clone, Debug)]
#[command(name = "berth-operator", version, about)]
pub struct Config {
    /// The image that registries run, such as example.com/berth-registry:1.0
    #[arg(long, env = "BERTH_REGISTRY_IMAGE", value_name = "IMAGE", required_unless_present = "check")]
    #[arg(
        required = false,
        default_value_if("check", ArgPredicate::IsPresent, ""),
        hide_default_value = true
    )]
    pub registry_image: String,

    /// When nodes pull that image
    #[arg(
        long,
        env = "BERTH_REGISTRY_IMAGE_PULL_POLICY",
        value_name = "POLICY",
        default_value = "IfNotPresent"
    )]
    pub registry_image_pull_policy: PullPolicy,

    /// Watch only this namespace; repeat it or separate several by commas. Without it, all namespaces are watched
    #[arg(
        long = "watch-namespace",
        env = "BERTH_WATCH_NAMESPACE",
        value_name = "NAMESPACE",
        value_delimiter = ','
    )]
    pub watch_namespaces: Vec<String>,

    /// A namespace, or a pattern such as team-*, that Registries of other namespaces may give pull Secrets to; repeat it or
    /// separate several by commas. Without it, each stays in its own namespace
    #[arg(
        long = "pull-secrets-namespace",
        env = "BERTH_PULL_SECRETS_NAMESPACES",
        value_name = "PATTERN",
        value_delimiter = ','
    )]
    pub pull_secrets_namespaces: Vec<String>,

    /// The Lease, as NAMESPACE/NAME, that only the one of several operators holds that may write. Without it, this
    /// operator has to be the only one
    #[arg(long, env = "BERTH_LEASE", value_name = "LEASE", value_parser = object_name)]
    pub lease: Option<ObjectName>,

    /// The DaemonSet of node agents, as NAMESPACE/NAME. The ConfigMap of the same name tells them what nodes shall know, and
    /// they report in the one that is named NAME-reports. Without it, nodes are told nothing
    #[arg(long, env = "BERTH_NODE_AGENT", value_name = "DAEMONSET", value_parser = object_name)]
    pub node_agent: Option<ObjectName>,

    /// A host, or a pattern such as *.example.com, that a Registry may lead nodes by through spec.host; repeat it or separate
    /// several by commas. Without it, nodes know Registries by the names of their Services alone
    #[arg(long = "node-host", env = "BERTH_NODE_HOSTS", value_name = "PATTERN", value_delimiter = ',')]
    pub node_hosts: Vec<String>,

    /// The name of a registry elsewhere, or a pattern, whose images nodes may be led to ask a Registry for first; repeat it or
    /// separate several by commas. Without it, there are none
    #[arg(long = "node-mirror", env = "BERTH_NODE_MIRRORS", value_name = "PATTERN", value_delimiter = ',')]
    pub node_mirrors: Vec<String>,

    /// The domain of the cluster, by which the names of Services may be completed
    #[arg(long, env = "BERTH_CLUSTER_DOMAIN", value_name = "DOMAIN", default_value = "cluster.local")]
    pub cluster_domain: String,

    /// How long the next certificate authority of a registry is published before it signs. Everybody who trusts the present
    /// one has to take it over in this time; pods that mount it do within two minutes
    #[arg(long, env = "BERTH_CA_TRUST_PERIOD", value_name = "DURATION", default_value = "1h", value_parser = duration)]
    pub ca_trust_period: Duration,

    /// How long the previous certificate authority of a registry stays published after the new one has begun to sign
    #[arg(long, env = "BERTH_CA_GRACE_PERIOD", value_name = "DURATION", default_value = "24h", value_parser = duration)]
    pub ca_grace_period: Duration,

    /// A file of Registries to apply at the start, as a list in YAML
    #[arg(long, env = "BERTH_REGISTRIES", value_name = "FILE")]
    pub registries: Option<PathBuf>,

    /// Where /livez, /readyz and /metrics are answered
    #[arg(long, env = "BERTH_HEALTH_ADDR", value_name = "ADDRESS", default_value = "[::]:8081", value_parser = listen_address)]
    pub health_addr: SocketAddr,

    /// Run nothing, and ask the operator whose health address this is, as HOST:PORT, whether it is ready
    #[arg(long, value_name = "ADDRESS")]
    pub check: Option<String>,

    /// How log lines are written
    #[arg(long, env = "BERTH_LOG_FORMAT", value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,

    /// How much is logged: error, warn, info, debug or trace, also by module, such as info,kube=debug
    #[arg(long, env = "BERTH_LOG_LEVEL", value_name = "LEVEL", default_value = "info")]
    pub log_level: String,
}

/// Where an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectName {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// When a node pulls an image that it may have already.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
#[value(rename_all = "PascalCase")]
pub enum PullPolicy {
    /// At each start of a pod.
    Always,
    /// Once.
    IfNotPresent,
    /// Not at all: the image is brought to the nodes by other means.
    Never,
}

/// How log lines are written.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl PullPolicy {
    /// The name that Kubernetes has for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "Always",
            Self::IfNotPresent => "IfNotPresent",
            Self::Never => "Never",
        }
    }
}

/// An address, or `:PORT` for that port on all addresses.
fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let address = if text.starts_with(':') { format!("[::]{text}") } else { text.to_owned() };
    address.parse().map_err(|_| {
        "write an address and a port, such as 127.0.0.1:8081, or :8081 for all addresses".to_owned()
    })
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration = text.parse::<SignedDuration>().ok().and_then(|duration| duration.try_into().ok());
    duration.ok_or_else(|| "write a duration, such as 90s, 15m or 24h".to_owned())
}

pub(crate) fn object_name(text: &str) -> Result<ObjectName, String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok(ObjectName { namespace: namespace.to_owned(), name: name.to_owned() })
        }
        _ => Err("write a namespace and a name, such as berth-system/berth".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_has_a_namespace_and_a_name() {
        let lease = object_name("berth-system/berth").unwrap();
        assert_eq!((lease.namespace.as_str(), lease.name.as_str()), ("berth-system", "berth"));
        for wrong in ["berth", "/berth", "berth-system/", "a/b/c"] {
            assert!(object_name(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_period_is_a_duration_that_is_not_negative() {
        assert_eq!(duration("15m"), Ok(Duration::from_mins(15)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_mins(90)));
        for wrong in ["15", "-1h", "soon", ""] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn namespaces_may_be_repeated_or_separated_by_commas() {
        let arguments =
            ["berth-operator", "--registry-image=r", "--watch-namespace=a,b", "--watch-namespace=c"];
        assert_eq!(Config::parse_from(arguments).watch_namespaces, ["a", "b", "c"]);
    }

    #[test]
    fn who_only_checks_another_operator_needs_no_image() {
        let checking = Config::parse_from(["berth-operator", "--check=berth.berth-system.svc:8081"]);
        assert_eq!(checking.check.as_deref(), Some("berth.berth-system.svc:8081"));
        assert!(Config::try_parse_from(["berth-operator"]).is_err());
    }

    #[test]
    fn a_port_alone_means_all_addresses() {
        assert_eq!(listen_address(":8081").unwrap().to_string(), "[::]:8081");
        assert_eq!(listen_address("127.0.0.1:80").unwrap().port(), 80);
        assert!(listen_address("8081").is_err());
    }
}
