//! A certificate authority whose private key is dropped once the certificates are signed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::OnceLock;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType,
};

use super::USER;

type Issuer = CertifiedIssuer<'static, KeyPair>;

/// PEM files by name: the certificate of the authority, the certificates and keys of the servers
/// and of a client, and the combined files that some servers want.
pub(crate) fn certificates() -> Vec<(&'static str, String)> {
    static MADE: OnceLock<Vec<(&'static str, String)>> = OnceLock::new();
    MADE.get_or_init(|| make().unwrap()).clone()
}

fn make() -> Result<Vec<(&'static str, String)>, rcgen::Error> {
    let issuer = authority()?;
    let (server, server_key) = server(&issuer)?;
    let (client, client_key) = client(&issuer)?;
    let chain = format!("{server}{}", issuer.pem());
    Ok(vec![
        ("ca", issuer.pem()),
        ("server_with_key", format!("{server_key}{chain}")),
        ("server", chain),
        ("server_key", server_key),
        ("client_certificate", client),
        ("client_key", client_key),
    ])
}

fn authority() -> Result<Issuer, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "throw-away authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

fn server(issuer: &Issuer) -> Result<(String, String), rcgen::Error> {
    let mut params =
        CertificateParams::new(["localhost".to_owned(), "mail.example.com".to_owned()])?;
    params.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    params.subject_alt_names.push(SanType::IpAddress(IpAddr::V6(Ipv6Addr::LOCALHOST)));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    sign(params, "mail.example.com", issuer)
}

/// The certificate of a client. It contains the user's address, for SASL EXTERNAL.
fn client(issuer: &Issuer) -> Result<(String, String), rcgen::Error> {
    let mut params = CertificateParams::default();
    params.subject_alt_names.push(SanType::Rfc822Name(USER.try_into()?));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    sign(params, USER, issuer)
}

/// The certificate and its key, as PEM.
fn sign(
    mut params: CertificateParams,
    name: &str,
    issuer: &Issuer,
) -> Result<(String, String), rcgen::Error> {
    let key = KeyPair::generate()?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    Ok((params.signed_by(&key, issuer)?.pem(), key.serialize_pem()))
}
