//! Holding a server's certificate against what is trusted, and keeping it for whoever asks
//! afterwards.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

use super::certificate::Certificate;

/// What is trusted.
#[derive(Debug)]
pub(super) struct Trust {
    /// `None` where the system has no roots at all.
    pub(super) roots: Option<Arc<WebPkiServerVerifier>>,
    /// The certificates that were given, each trusted as it is.
    pub(super) given: Vec<CertificateDer<'static>>,
    pub(super) provider: Arc<CryptoProvider>,
}

impl Trust {
    fn hold(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), Error> {
        let Some(roots) = &self.roots else { return Err(CertificateError::UnknownIssuer.into()) };
        match roots.verify_server_cert(certificate, chain, name, &[], now) {
            Ok(_) => Ok(()),
            // A certificate that says of itself that it is a CA is no server's to webpki, though
            // that is how most are made that were signed by themselves. Who gives it as the one to
            // trust means this very one.
            Err(_) if self.given.contains(certificate) => hold_itself(certificate, name, now),
            Err(error) => Err(error),
        }
    }
}

/// Whether a certificate that is trusted as it is is valid now, and for the name.
fn hold_itself(
    certificate: &CertificateDer<'_>,
    name: &ServerName<'_>,
    now: UnixTime,
) -> Result<(), Error> {
    let parsed = Certificate::parse(certificate).ok_or(CertificateError::BadEncoding)?;
    let now = std::time::UNIX_EPOCH + Duration::from_secs(now.as_secs());
    if now < parsed.not_before {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > parsed.not_after {
        return Err(CertificateError::Expired.into());
    }
    rustls::client::verify_server_name(&ParsedCertificate::try_from(certificate)?, name)
}

/// The verifier of one handshake.
#[derive(Debug)]
pub(super) struct Witness {
    trust: Arc<Trust>,
    /// What is wrong with the certificate is noted and no reason to end.
    lenient: bool,
    seen: Mutex<Seen>,
}

/// What a server showed, and what was wrong with it.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) certificate: Option<CertificateDer<'static>>,
    /// How many certificates came with it.
    pub(super) chain: usize,
    pub(super) fault: Option<Error>,
}

impl Witness {
    pub(super) fn new(trust: Arc<Trust>, lenient: bool) -> Self {
        Self { trust, lenient, seen: Mutex::default() }
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what came of a check; where nothing is to be held against it, it did well.
    fn judge<T>(&self, checked: Result<(), Error>, fine: T) -> Result<T, Error> {
        let Err(error) = checked else { return Ok(fine) };
        self.seen().fault.get_or_insert(error.clone());
        if self.lenient { Ok(fine) } else { Err(error) }
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        *self.seen() = Seen {
            certificate: Some(certificate.clone().into_owned()),
            chain: chain.len(),
            fault: None,
        };
        self.judge(self.trust.hold(certificate, chain, name, now), ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.trust.provider.signature_verification_algorithms;
        let checked = verify_tls12_signature(message, certificate, signed, algorithms).map(drop);
        self.judge(checked, HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.trust.provider.signature_verification_algorithms;
        let checked = verify_tls13_signature(message, certificate, signed, algorithms).map(drop);
        self.judge(checked, HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trust.provider.signature_verification_algorithms.supported_schemes()
    }
}
