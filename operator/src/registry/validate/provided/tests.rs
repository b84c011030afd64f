//! Certificates of every kind that a user may store, and what is said about each.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose,
};

use super::*;
use crate::registry::{certificates::days, credentials::tests::secret};

const HOST: &str = "hub.default.svc";

fn now() -> Timestamp {
    "2026-03-01T00:00:00Z".parse().unwrap()
}

fn issue(names: &[&str]) -> (KeyPair, KeyPair) {
    let authority = certificates::issue_authority("hub", None, now()).unwrap();
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let serving = certificates::issue_serving(&authority, "hub", &names, now()).unwrap();
    (authority, serving)
}

fn pair(names: &[&str]) -> KeyPair {
    issue(names).1
}

fn judged(pair: &KeyPair, at: Timestamp) -> (Certificate, Finding) {
    let secret = secret([("tls.crt", &pair.certificate), ("tls.key", &pair.key)]);
    validate("mine", Some(&secret), HOST, at)
}

/// What is said about a pair that is good but for its authority.
fn judged_with(pair: &KeyPair, authority: &str) -> Finding {
    let secret = secret([("tls.crt", &pair.certificate), ("tls.key", &pair.key), ("ca.crt", authority)]);
    validate("mine", Some(&secret), HOST, now()).1
}

/// A certificate of an intermediate authority that ends at `not_after`, and the root's and the intermediate's PEM.
fn by_intermediate(not_after: Timestamp) -> (KeyPair, String, String) {
    let authority = |not_after: Timestamp| {
        let mut parameters = CertificateParams::new(Vec::<String>::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        parameters.distinguished_name.push(rcgen::DnType::CommonName, not_after.to_string());
        parameters.not_before = certificates::date(now() - days(10)).unwrap();
        parameters.not_after = certificates::date(not_after).unwrap();
        parameters
    };
    let key = || rcgen::KeyPair::generate().unwrap();
    let root = CertifiedIssuer::self_signed(authority(now() + days(900)), key()).unwrap();
    let intermediate = CertifiedIssuer::signed_by(authority(not_after), key(), &root).unwrap();
    let leaf_key = key();
    let mut leaf = CertificateParams::new(vec![HOST.to_owned()]).unwrap();
    leaf.not_before = certificates::date(now() - days(1)).unwrap();
    leaf.not_after = certificates::date(now() + days(60)).unwrap();
    let leaf = leaf.signed_by(&leaf_key, &intermediate).unwrap();
    (KeyPair { certificate: leaf.pem(), key: leaf_key.serialize_pem() }, root.pem(), intermediate.pem())
}

fn chained(pair: &KeyPair, certificates: &[&str]) -> KeyPair {
    KeyPair { certificate: certificates.concat(), key: pair.key.clone() }
}

/// The certificate and the key in a file of `testdata`, which `openssl req -x509` made: valid from 2026 on for a
/// century, and its own authority.
fn self_signed(file: &str) -> KeyPair {
    let (certificate, key) = file.split_at(file.find("-----BEGIN RSA").unwrap());
    KeyPair { certificate: certificate.to_owned(), key: key.to_owned() }
}

#[test]
fn a_good_certificate_of_the_user_is_served() {
    let (authority, serving) = issue(&[HOST]);
    assert_eq!(judged(&serving, now()).1.reason, Reason::Provided);
    assert_eq!(judged_with(&serving, &authority.certificate).reason, Reason::Provided);
    let (certificate, _) = judged(&serving, now());
    assert_eq!(certificate, Certificate::Provided { pair: serving, authority: None });
}

#[test]
fn a_missing_secret_leaves_what_is_served_and_says_how_to_make_it() {
    let (certificate, finding) = validate("mine", None, HOST, now());
    assert_eq!(certificate, Certificate::AsIs);
    assert!(finding.message.contains("kubectl create secret tls mine"));
}

#[test]
fn a_key_of_another_certificate_is_not_served() {
    let mixed = KeyPair { key: pair(&[HOST]).key, ..pair(&[HOST]) };
    let (certificate, finding) = judged(&mixed, now());
    assert_eq!((certificate, finding.reason), (Certificate::AsIs, Reason::KeyMismatch));
}

#[test]
fn an_empty_secret_is_not_served() {
    for secret in [secret([]), secret([("tls.crt", ""), ("tls.key", "")])] {
        let (certificate, finding) = validate("mine", Some(&secret), HOST, now());
        assert_eq!((certificate, finding.reason), (Certificate::AsIs, Reason::InvalidSecret));
        assert!(finding.message.starts_with("Secret mine, key tls.crt"), "{finding:?}");
    }
}

#[test]
fn a_certificate_for_another_name_is_served_but_told() {
    let (certificate, finding) = judged(&pair(&["other.example"]), now());
    assert!(matches!(certificate, Certificate::Provided { .. }));
    assert_eq!(finding.reason, Reason::SanMismatch);
    assert!(finding.message.contains("add that to its subject alternative names"), "{finding:?}");
}

#[test]
fn a_name_may_be_a_wildcard_or_an_address() {
    assert!(judged(&pair(&["*.default.svc"]), now()).1.good);
    assert!(!judged(&pair(&["*.svc"]), now()).1.good);
    let by_address = pair(&["10.0.0.7"]);
    let secret = secret([("tls.crt", &by_address.certificate), ("tls.key", &by_address.key)]);
    assert!(validate("mine", Some(&secret), "10.0.0.7:5000", now()).1.good);
}

#[test]
fn the_end_of_a_certificate_is_announced() {
    let pair = pair(&[HOST]);
    let at = |day| judged(&pair, now() + days(day)).1;
    assert_eq!((at(84).good, at(84).reason), (true, Reason::ExpiringSoon));
    assert_eq!((at(90).good, at(90).reason), (false, Reason::Expired));
}

#[test]
fn line_ends_remarks_and_the_format_of_the_key_do_not_matter() {
    let (_, serving) = issue(&[HOST]);
    let windows = KeyPair {
        certificate: format!("subject=hub\r\n{}", serving.certificate.replace('\n', "\r\n")),
        key: serving.key.replace('\n', "\r\n"),
    };
    assert_eq!(judged(&windows, now()).1.reason, Reason::Provided);
    let rsa = self_signed(include_str!("testdata/rsa.pem"));
    assert_eq!(judged(&rsa, "2030-01-01T00:00:00Z".parse().unwrap()).1.reason, Reason::Provided);
    let mut secret = secret([("tls.crt", &serving.certificate), ("tls.key", &serving.key)]);
    secret.data.as_mut().unwrap().get_mut("tls.crt").unwrap().0.splice(0..0, *b"Stra\xdfe\n");
    assert!(validate("mine", Some(&secret), HOST, now()).1.good);
}

#[test]
fn a_key_may_be_ed25519_or_of_the_larger_curve() {
    for algorithm in [&rcgen::PKCS_ED25519, &rcgen::PKCS_ECDSA_P384_SHA384] {
        let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
        let mut parameters = CertificateParams::new(vec![HOST.to_owned()]).unwrap();
        parameters.not_after = certificates::date(now() + days(60)).unwrap();
        let certificate = parameters.self_signed(&key).unwrap().pem();
        let pair = KeyPair { certificate, key: key.serialize_pem() };
        assert_eq!(judged(&pair, now()).1.reason, Reason::Provided);
    }
}

#[test]
fn a_key_that_no_server_can_use_is_not_served_and_the_remedy_is_told() {
    let good = pair(&[HOST]);
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIHs\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let traditional = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,C9E2\n\nMIHs\n\
                       -----END RSA PRIVATE KEY-----\n";
    for key in [encrypted, traditional] {
        let (certificate, finding) = judged(&KeyPair { key: key.to_owned(), ..good.clone() }, now());
        assert_eq!((certificate, finding.reason), (Certificate::AsIs, Reason::InvalidSecret));
        assert!(
            finding.message.contains("encrypted") && finding.message.contains("openssl pkey"),
            "{finding:?}"
        );
    }
    let (certificate, finding) = judged(&self_signed(include_str!("testdata/rsa-1024.pem")), now());
    assert_eq!(certificate, Certificate::AsIs);
    assert!(finding.message.contains("RSA of 2048 to 4096 bits"), "{finding:?}");
}

#[test]
fn a_chain_that_does_not_begin_with_the_serving_certificate_is_not_served() {
    let (leaf, root, intermediate) = by_intermediate(now() + days(90));
    let shuffled = chained(&leaf, &[&intermediate, &leaf.certificate]);
    let (certificate, finding) = judged(&shuffled, now());
    assert_eq!((certificate, finding.reason), (Certificate::AsIs, Reason::KeyMismatch));
    assert!(
        finding.message.contains("belongs to certificate 2 in it, which has to be the first"),
        "{finding:?}"
    );
    // The order of the others does not matter to clients.
    let spare = chained(&leaf, &[&leaf.certificate, &root, &intermediate]);
    assert_eq!(judged_with(&spare, &root).reason, Reason::Provided);
}

#[test]
fn an_intermediate_certificate_that_is_missing_or_expired_is_told() {
    let (leaf, root, _) = by_intermediate(now() + days(90));
    let missing = judged_with(&leaf, &root);
    assert_eq!(missing.reason, Reason::UntrustedCertificate);
    assert!(missing.message.contains("those between them in tls.crt after it"), "{missing:?}");

    let (leaf, root, intermediate) = by_intermediate(now() - days(1));
    let chain = chained(&leaf, &[&leaf.certificate, &intermediate]);
    for finding in [judged(&chain, now()).1, judged_with(&chain, &root)] {
        assert_eq!((finding.good, finding.reason), (false, Reason::Expired));
        assert!(finding.message.contains("certificate 2 of tls.crt"), "{finding:?}");
    }
}

#[test]
fn an_authority_that_did_not_sign_or_is_none_is_told() {
    let serving = pair(&[HOST]);
    let foreign = certificates::issue_authority("other", None, now()).unwrap();
    assert_eq!(judged_with(&serving, &foreign.certificate).reason, Reason::UntrustedCertificate);
    let junk = judged_with(&serving, "CA");
    assert_eq!(junk.reason, Reason::InvalidSecret);
    assert!(junk.message.contains("key ca.crt"), "{junk:?}");
    assert_eq!(judged_with(&serving, " \n").reason, Reason::Provided);
}

#[test]
fn a_certificate_that_is_its_own_authority_is_good_and_one_of_another_name_is_explained() {
    let rsa = self_signed(include_str!("testdata/rsa.pem"));
    let secret = secret([("tls.crt", &rsa.certificate), ("tls.key", &rsa.key), ("ca.crt", &rsa.certificate)]);
    let at = "2030-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(validate("mine", Some(&secret), HOST, at).1.reason, Reason::Provided);

    let authority = certificates::issue_authority("hub", None, now()).unwrap();
    let finding = judged(&authority, now()).1;
    assert_eq!(finding.reason, Reason::SanMismatch);
    assert!(finding.message.contains("certificate authority's"), "{finding:?}");
}

#[test]
fn a_certificate_for_clients_is_told() {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::new(vec![HOST.to_owned()]).unwrap();
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = parameters.self_signed(&key).unwrap().pem();
    let finding = judged(&KeyPair { certificate, key: key.serialize_pem() }, now()).1;
    assert_eq!(finding.reason, Reason::InvalidSecret);
    assert!(finding.message.contains("serverAuth"), "{finding:?}");
}

#[test]
fn junk_in_the_frame_of_a_certificate_is_told_as_such() {
    let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned();
    let (certificate, finding) = judged(&KeyPair { certificate: junk, ..pair(&[HOST]) }, now());
    assert_eq!((certificate, finding.reason), (Certificate::AsIs, Reason::InvalidSecret));
    assert!(finding.message.contains("cannot be used by a server"), "{finding:?}");
}
