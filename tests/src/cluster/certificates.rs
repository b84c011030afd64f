//! The cluster's certificate authority and all that it signs. One authority is enough for a cluster of tests.

use super::State;
use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose, SanType,
};
use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;

/// Who a client certificate speaks for; Kubernetes reads the user from `CN` and the group from `O`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity<'a> {
    pub(crate) user: &'a str,
    pub(crate) group: Option<&'a str>,
}

/// The files of a certificate and its key.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// The authority that every component of the cluster trusts.
pub(crate) struct Authority<'a> {
    state: &'a State,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl<'a> Authority<'a> {
    /// Makes a new authority and writes it as `certificates/ca.crt` and `ca.key`.
    pub(crate) fn create(state: &'a State) -> Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name = distinguished_name(Identity { user: "berth-tests", group: None });
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let authority = Self { state, issuer };
        authority.write("ca", &authority.issuer.pem(), &authority.issuer.key().serialize_pem())?;
        Ok(authority)
    }

    /// The files of the authority itself.
    pub(crate) fn pair(&self) -> Pair {
        self.files("ca")
    }

    /// A certificate for a server, which is also a client of others under the name `name`.
    pub(crate) fn server(&self, name: &str, names: &[&str], addresses: &[IpAddr]) -> Result<Pair> {
        let mut params =
            CertificateParams::new(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())?;
        params.subject_alt_names.extend(addresses.iter().copied().map(SanType::IpAddress));
        self.issue(name, Identity { user: name, group: None }, params)
    }

    /// A certificate by which a client proves who it is.
    pub(crate) fn client(&self, name: &str, identity: Identity<'_>) -> Result<Pair> {
        self.issue(name, identity, CertificateParams::default())
    }

    /// A key pair that signs ServiceAccount tokens: the private and the public key.
    pub(crate) fn signing_keys(&self) -> Result<Pair> {
        let key = KeyPair::generate()?;
        self.write("service-account", &key.public_key_pem(), &key.serialize_pem())
    }

    fn issue(&self, name: &str, identity: Identity<'_>, mut params: CertificateParams) -> Result<Pair> {
        params.distinguished_name = distinguished_name(identity);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        self.write(name, &certificate.pem(), &key.serialize_pem())
    }

    fn write(&self, name: &str, certificate: &str, key: &str) -> Result<Pair> {
        let pair = self.files(name);
        fs::write(&pair.certificate, certificate)?;
        fs::write(&pair.key, key)?;
        Ok(pair)
    }

    fn files(&self, name: &str) -> Pair {
        let folder = self.state.path("certificates");
        Pair { certificate: folder.join(format!("{name}.crt")), key: folder.join(format!("{name}.key")) }
    }
}

fn distinguished_name(identity: Identity<'_>) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, identity.user);
    if let Some(group) = identity.group {
        name.push(DnType::OrganizationName, group);
    }
    name
}
