//! The conditions of a Registry and of a RegistryAccess: their types and the reasons that each may give.
//!
//! Both are enums, so that a condition cannot carry a word that no documentation knows: the reference is made of their doc
//! comments, of which each of a reason begins with the conditions that may give it.

use std::fmt;

use schemars::JsonSchema;

/// What a condition is about.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ConditionType {
    /// Pushes and pulls work: the summary of `Available`, `StorageReady`, `TLSReady` and `AccessReady`. Of a RegistryAccess:
    /// its rights are in force, and the password is in its Secret.
    Ready,
    /// Enough replicas serve.
    Available,
    /// A change is being rolled out. Not part of `Ready`.
    Progressing,
    /// The volume is there, or what opens the bucket is.
    StorageReady,
    /// The serving certificate is there and good.
    #[schemars(rename = "TLSReady")]
    TlsReady,
    /// The users are known to the registry.
    AccessReady,
    /// Every replica uses the users, rights, certificate and settings that were written last. Not part of `Ready`: until then,
    /// pushes and pulls work as before.
    Reloaded,
    /// The last garbage collection succeeded. Not part of `Ready`.
    GarbageCollected,
    /// The last copies of `spec.replication` succeeded. It is there only when there is one. Not part of `Ready`.
    Replicated,
    /// The Ingress, the route or the load balancer leads to the registry. It is there only when one of them is asked for. Not
    /// part of `Ready`: inside the cluster, pushes and pulls work without it.
    Exposed,
    /// The namespaces and ServiceAccounts of `spec.access.pullSecrets` have what they need to pull. Not part of `Ready`.
    PullSecretsReady,
    /// The registry can log in to the upstreams of `spec.mirrors` as it should. It is there only when there are any. Not part of
    /// `Ready`.
    MirrorsReady,
    /// The container runtimes of the nodes lead the registry's names to it, and trust it. Not part of `Ready`.
    NodesReady,
    /// The annotation `berth.dev/paused` keeps the operator from changing anything. It is there only while it is true, and
    /// the other conditions say meanwhile what was last observed.
    Paused,
}

/// Why a condition has its status.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// `Ready`: pushes and pulls work.
    Ready,
    /// `Ready`: on the way.
    Progressing,
    /// `Ready`, `Available`, `GarbageCollected`, `Replicated`: zero replicas are asked for.
    Stopped,
    /// `Ready`, `Available`, `Progressing`: see `StorageReady`.
    StorageNotReady,
    /// `Ready`: see `TLSReady`.
    #[schemars(rename = "TLSNotReady")]
    TlsNotReady,
    /// `Ready`: see `AccessReady`.
    AccessNotReady,
    /// `Ready`, `Progressing`: see `Available`.
    DeploymentUnavailable,
    /// `Ready`, `Available`, `Progressing`, `Exposed`, `PullSecretsReady`, `NodesReady`: the API server refused one of the registry's objects.
    Rejected,
    /// `Ready`, `PullSecretsReady`: an object of somebody else has a name that the registry needs.
    NameTaken,
    /// `Ready`: the Registry does not parse.
    InvalidSpec,

    /// `Available`: enough replicas serve.
    MinimumReplicas,
    /// `Available`, `Reloaded`: no replica serves, or none runs that could be asked.
    NoReplicas,
    /// `Available`, `Progressing`: `spec.podTemplate` does not give a pod.
    InvalidPodTemplate,

    /// `Progressing`: new replicas are being started.
    RollingOut,
    /// `Progressing`: nothing to do.
    Idle,

    /// `StorageReady`: the claim is bound.
    Bound,
    /// `StorageReady`, `Exposed`, `PullSecretsReady`, `NodesReady`: the claim waits for its volume, an address or a gateway is waited
    /// for, the Secret to pull with is not made yet, or what nodes are told, or the node agent, is not there yet.
    Pending,
    /// `StorageReady`: the images are lost with the pod.
    Ephemeral,
    /// `StorageReady`: the volume is growing.
    Resizing,
    /// `StorageReady`: the volume cannot grow as asked; it works as it is.
    ResizeUnsupported,
    /// `StorageReady`: the claim could not be made.
    ClaimRejected,
    /// `StorageReady`: the claim of `spec.storage.claimName` does not exist.
    ClaimNotFound,
    /// `StorageReady`: the volume of the claim is gone.
    ClaimLost,
    /// `StorageReady`: a retained claim differs from the spec in what cannot be changed.
    ClaimMismatch,
    /// `StorageReady`: the cluster has no default `StorageClass`.
    NoDefaultStorageClass,
    /// `StorageReady`: the `StorageClass` does not exist.
    StorageClassNotFound,
    /// `StorageReady`, `MirrorsReady`: the Secret or ConfigMap with the authorities of the bucket's server, or of an upstream, does not
    /// exist.
    AuthorityNotFound,
    /// `StorageReady`, `MirrorsReady`: there is no certificate among those authorities.
    InvalidAuthority,

    /// `TLSReady`: the operator's certificate is in use.
    Issued,
    /// `TLSReady`: the operator's certificate is in use, and its authority is being replaced, trust first; see
    /// `status.tls.rotation`.
    #[schemars(rename = "RotatingCA")]
    RotatingCa,
    /// `TLSReady`: the operator's certificate is in use, and its authority is being replaced because its key was lost.
    AuthorityLost,
    /// `TLSReady`: the certificate of the user, or of cert-manager, is in use.
    Provided,
    /// `TLSReady`: `spec.tls.issuerRef` needs cert-manager, and the cluster does not serve its API.
    #[schemars(rename = "IssuerAPINotFound")]
    IssuerApiNotFound,
    /// `TLSReady`: cert-manager has not stored a certificate yet.
    CertificatePending,
    /// `StorageReady`, `TLSReady`, `AccessReady`, `MirrorsReady`: the referenced Secret does not exist.
    SecretNotFound,
    /// `StorageReady`, `TLSReady`, `MirrorsReady`: the referenced Secret does not hold an access key, a certificate and its key, or a
    /// login.
    InvalidSecret,
    /// `TLSReady`: certificate and key do not belong together.
    KeyMismatch,
    /// `TLSReady`: the certificate is not valid for `status.host`.
    #[schemars(rename = "SANMismatch")]
    SanMismatch,
    /// `TLSReady`: the certificate is not trusted by those who trust the `ca.crt` that came with it.
    UntrustedCertificate,
    /// `TLSReady`: the user's certificate expires within a week.
    ExpiringSoon,
    /// `Ready`, `TLSReady`: the time of a RegistryAccess is over, or the user's certificate, or one of those that vouch for it, is not valid now.
    Expired,
    /// `TLSReady`: `spec.tls.sans` has an entry that is neither a DNS name nor an IP address.
    #[schemars(rename = "InvalidSAN")]
    InvalidSan,
    /// `TLSReady`: plain HTTP is served.
    #[schemars(rename = "PlainHTTP")]
    PlainHttp,

    /// `StorageReady`, `AccessReady`, `MirrorsReady`: what opens the bucket, the users, or the mirrors, are written where the registry
    /// reads them.
    Configured,
    /// `AccessReady`: the user's htpasswd has a line that the registry cannot use.
    InvalidHtpasswd,

    /// `Reloaded`, `Ready`: every replica has said so; `Ready` is that of a RegistryAccess.
    Acknowledged,
    /// `Reloaded`, `Ready`, `NodesReady`: some replica still uses older files, or some node has not taken over what it is told;
    /// `Ready` is that of a RegistryAccess.
    Propagating,
    /// `Reloaded`: some replica could not be asked; the message says which, and why.
    ReplicaUnreachable,

    /// `GarbageCollected`, `Replicated`: the last run succeeded.
    Succeeded,
    /// `GarbageCollected`, `Replicated`: the last run failed.
    Failed,
    /// `GarbageCollected`, `Replicated`: no run so far.
    NeverRun,
    /// `GarbageCollected`, `Replicated`: `spec.gc.suspend`, or that of `spec.replication`, is set.
    Suspended,
    /// `GarbageCollected`, `Replicated`: the schedule or the time zone of `spec.gc`, or of `spec.replication`, cannot be used.
    InvalidSchedule,
    /// `Replicated`: a copy has missed its schedule: no run succeeded that began since the time before last.
    Lagging,
    /// `GarbageCollected`: a rule of `spec.gc.retention` cannot be used; the last good rules stay in force.
    InvalidRetention,

    /// `Exposed`: an address leads to the registry, or a gateway has taken the route.
    Exposed,
    /// `Exposed`: an address leads to the Ingress, whose controller has no preset, so that large pushes may fail.
    UnknownController,
    /// `Exposed`: the `IngressClass` does not exist.
    IngressClassNotFound,
    /// `Exposed`: the cluster has no default `IngressClass`.
    NoDefaultIngressClass,
    /// `Exposed`: a gateway refused the route.
    RouteRejected,
    /// `Exposed`: the cluster does not serve the Gateway API.
    #[schemars(rename = "GatewayAPINotServed")]
    GatewayApiNotServed,
    /// `Exposed`: the cluster does not serve the API that tells the proxy how to verify the registry's certificate.
    #[schemars(rename = "BackendTLSNotServed")]
    BackendTlsNotServed,

    /// `PullSecretsReady`, `NodesReady`: every chosen namespace has its Secret, or every node knows the registry.
    Synced,
    /// `PullSecretsReady`: the operator may not write to a chosen namespace.
    NotPermitted,
    /// `PullSecretsReady`: `spec.access.pullSecrets.selector` cannot be used.
    InvalidSelector,

    /// `NodesReady`: the operator was installed without the node agent.
    AgentNotInstalled,
    /// `NodesReady`: `spec.host` is not among the names that the operator's chart lets nodes be led by.
    HostNotAllowed,
    /// `NodesReady`: the upstream of a mirror is not among those that the operator's chart lets nodes be led from.
    MirrorNotAllowed,
    /// `NodesReady`: nobody may pull through a mirror without a password, which nodes do not have.
    MirrorNotOpen,
    /// `NodesReady`: another Registry has the name already.
    HostTaken,
    /// `NodesReady`: the serving certificate is not valid for the address of the Service, by which nodes reach it.
    AddressNotInCertificate,
    /// `NodesReady`: somebody else has told a node where the name leads.
    ForeignEntry,
    /// `NodesReady`: the containerd of a node does not read the folder that the node agent writes.
    ConfigPathUnset,
    /// `NodesReady`: a node could not be told.
    SomeNodesFailed,

    /// `Paused`: the annotation asks for it.
    Paused,

    /// `Ready`: of a RegistryAccess: `spec.access.allowed` of the Registry does not consent to it.
    NotAllowedByRegistry,
    /// `Ready`: of a RegistryAccess: the Registry does not exist, or not where this operator looks.
    RegistryNotFound,
    /// `Ready`: of a RegistryAccess: a Secret of somebody else has the name that its own should have.
    SecretNameTaken,
}

impl ConditionType {
    /// The word in `status.conditions[].type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Available => "Available",
            Self::Progressing => "Progressing",
            Self::StorageReady => "StorageReady",
            Self::TlsReady => "TLSReady",
            Self::AccessReady => "AccessReady",
            Self::Reloaded => "Reloaded",
            Self::GarbageCollected => "GarbageCollected",
            Self::Replicated => "Replicated",
            Self::Exposed => "Exposed",
            Self::PullSecretsReady => "PullSecretsReady",
            Self::MirrorsReady => "MirrorsReady",
            Self::NodesReady => "NodesReady",
            Self::Paused => "Paused",
        }
    }
}

impl fmt::Display for ConditionType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The word in `status.conditions[].reason`.
impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TlsNotReady => formatter.write_str("TLSNotReady"),
            Self::SanMismatch => formatter.write_str("SANMismatch"),
            Self::InvalidSan => formatter.write_str("InvalidSAN"),
            Self::PlainHttp => formatter.write_str("PlainHTTP"),
            Self::RotatingCa => formatter.write_str("RotatingCA"),
            Self::IssuerApiNotFound => formatter.write_str("IssuerAPINotFound"),
            Self::GatewayApiNotServed => formatter.write_str("GatewayAPINotServed"),
            Self::BackendTlsNotServed => formatter.write_str("BackendTLSNotServed"),
            // Elsewhere the variant is spelt as the word.
            _ => fmt::Debug::fmt(self, formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acronyms_are_written_in_capitals() {
        assert_eq!(Reason::TlsNotReady.to_string(), "TLSNotReady");
        assert_eq!(Reason::NoDefaultStorageClass.to_string(), "NoDefaultStorageClass");
        assert_eq!(ConditionType::TlsReady.to_string(), "TLSReady");
    }
}
