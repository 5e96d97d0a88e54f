//! A throw-away certificate authority, made when TLS is first asked for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;

/// How long the certificates are valid, and from how long ago on, for clocks that are not quite
/// right.
const VALID: Duration = Duration::from_hours(30 * 24);
const BEFORE: Duration = Duration::from_hours(24);

/// An authority that comes about when it is first asked for; where it cannot, why.
#[derive(Debug, Default)]
pub(super) struct Authority(OnceLock<Result<Made, String>>);

#[derive(Debug)]
struct Made {
    /// The certificate of the authority.
    pem: String,
    config: Arc<ServerConfig>,
}

impl Authority {
    /// The authority's certificate, as PEM.
    pub(super) fn pem(&self) -> Result<&str, &str> {
        self.made().map(|made| made.pem.as_str())
    }

    /// What the server needs to put TLS on.
    pub(super) fn config(&self) -> Result<Arc<ServerConfig>, &str> {
        self.made().map(|made| Arc::clone(&made.config))
    }

    fn made(&self) -> Result<&Made, &str> {
        let made = self.0.get_or_init(|| make().map_err(|error| error.to_string()));
        made.as_ref().map_err(String::as_str)
    }
}

fn make() -> Result<Made, Box<dyn std::error::Error>> {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    named(&mut authority, "mailexpect throw-away CA");
    let authority_key = KeyPair::generate()?;
    let pem = authority.self_signed(&authority_key)?.pem();
    let issuer = Issuer::new(authority, authority_key);

    let mut server = CertificateParams::new(["localhost".to_owned()])?;
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    server.subject_alt_names.extend(loopback.map(SanType::IpAddress));
    named(&mut server, "localhost");
    let key = KeyPair::generate()?;
    let certificate = server.signed_by(&key, &issuer)?;
    let key = PrivateKeyDer::try_from(key.serialize_der())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = config.with_no_client_auth().with_single_cert(vec![certificate.into()], key)?;
    Ok(Made { pem, config: Arc::new(config) })
}

fn named(certificate: &mut CertificateParams, name: &str) {
    let now = SystemTime::now();
    certificate.distinguished_name.remove(DnType::CommonName);
    certificate.distinguished_name.push(DnType::CommonName, name);
    certificate.not_before = (now - BEFORE).into();
    certificate.not_after = (now + VALID).into();
}
