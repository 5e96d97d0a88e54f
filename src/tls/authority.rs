//! A throw-away certificate authority, created when TLS is first used, and the certificates that it
//! issues.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use super::config::PROVIDER;
use super::subject::{BEFORE, Fallible, VALID, named};
use super::weak;

/// What is wrong with a server's certificate, to test clients that have to refuse it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flaw {
    /// The certificate is valid.
    #[default]
    None,
    /// The certificate expired a day ago.
    Expired,
    /// The certificate is valid from tomorrow on.
    NotYetValid,
    /// The certificate is for `another.example`, and for no other name or address.
    AnotherName,
    /// The certificate is signed by its own key, and by no authority.
    SelfSigned,
    /// The certificate's key is too short: RSA with 1024 bits.
    WeakKey,
    /// The certificate is signed with SHA-1.
    Sha1,
}

/// An authority that is created on first use. If that fails, the error is kept.
#[derive(Debug, Default)]
pub(crate) struct Authority {
    made: OnceLock<Result<Made, String>>,
    /// The flaw of the certificate in [`Authority::config`].
    flaw: Flaw,
}

#[derive(Debug)]
struct Made {
    /// The certificate of the authority, as PEM.
    pem: String,
    issuer: Issuer<'static, KeyPair>,
    config: Arc<ServerConfig>,
}

impl Authority {
    /// An authority whose servers present a certificate with this flaw.
    pub(crate) fn flawed(flaw: Flaw) -> Self {
        Self { made: OnceLock::new(), flaw }
    }

    /// The authority's certificate, as PEM.
    pub(crate) fn pem(&self) -> Result<&str, &str> {
        self.made().map(|made| made.pem.as_str())
    }

    /// The configuration for a server without options of its own.
    pub(crate) fn config(&self) -> Result<Arc<ServerConfig>, &str> {
        self.made().map(|made| Arc::clone(&made.config))
    }

    /// A certificate for `localhost` and the loopback addresses, or one with a flaw.
    pub(super) fn issue(&self, flaw: Flaw) -> Result<CertifiedKey, String> {
        let made = self.made().map_err(str::to_owned)?;
        issue(&made.issuer, flaw).map_err(|error| error.to_string())
    }

    fn made(&self) -> Result<&Made, &str> {
        let made = self.made.get_or_init(|| make(self.flaw).map_err(|error| error.to_string()));
        made.as_ref().map_err(String::as_str)
    }
}

fn make(flaw: Flaw) -> Fallible<Made> {
    let mut authority = CertificateParams::default();
    // One intermediate authority is allowed, for the certificate that is signed with SHA-1.
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    named(&mut authority, "mailexpect throw-away CA");
    let key = KeyPair::generate()?;
    let pem = authority.self_signed(&key)?.pem();
    let issuer = Issuer::new(authority, key);
    let shown = issue(&issuer, flaw)?;
    let config = ServerConfig::builder_with_provider(Arc::clone(&PROVIDER))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(shown)));
    Ok(Made { pem, issuer, config: Arc::new(config) })
}

fn issue(issuer: &Issuer<'static, KeyPair>, flaw: Flaw) -> Fallible<CertifiedKey> {
    let name = if flaw == Flaw::AnotherName { "another.example" } else { "localhost" };
    let mut server = CertificateParams::new([name.to_owned()])?;
    if flaw != Flaw::AnotherName {
        let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        server.subject_alt_names.extend(loopback.map(SanType::IpAddress));
    }
    named(&mut server, name);
    let now = SystemTime::now();
    match flaw {
        Flaw::Expired => {
            server.not_before = (now - VALID).into();
            server.not_after = (now - BEFORE).into();
        }
        Flaw::NotYetValid => server.not_before = (now + BEFORE).into(),
        Flaw::WeakKey => return weak::short(&server, issuer),
        Flaw::None | Flaw::AnotherName | Flaw::SelfSigned | Flaw::Sha1 => {}
    }
    let key = KeyPair::generate()?;
    let chain: Vec<CertificateDer<'static>> = match flaw {
        Flaw::SelfSigned => vec![server.self_signed(&key)?.into()],
        Flaw::Sha1 => weak::by_sha1(&server, (&key, issuer))?,
        _ => vec![server.signed_by(&key, issuer)?.into()],
    };
    let key = PrivateKeyDer::try_from(key.serialize_der())?;
    Ok(CertifiedKey::new(chain, PROVIDER.key_provider.load_private_key(key)?))
}
