//! Verifying a server's certificate against the trusted ones, and keeping it to be looked at after
//! the handshake.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

use super::certificate::Certificate;
use super::defect::is_misused;

/// Signature schemes that cannot be verified here and are offered only if verification is off:
/// SHA-1 with RSA, ECDSA and DSA; SHA-224 with RSA and ECDSA; DSA with SHA-256; RSASSA-PSS keys;
/// ECDSA on Brainpool curves; ML-DSA.
const UNVERIFIED: [u16; 15] = [
    0x0201, 0x0203, 0x0202, 0x0301, 0x0303, 0x0402, 0x0809, 0x080a, 0x080b, 0x081a, 0x081b, 0x081c,
    0x0904, 0x0905, 0x0906,
];

/// The trusted certificates.
#[derive(Debug)]
pub(super) struct Trust {
    /// The verifier for the trusted roots; `None` if the system has no roots at all.
    pub(super) roots: Option<Arc<WebPkiServerVerifier>>,
    /// The certificates that the caller gave, each of which is trusted by itself.
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
            Ok(_) if is_misused(certificate, chain) => Err(CertificateError::InvalidPurpose.into()),
            Ok(_) => Ok(()),
            // webpki refuses a certificate with CA:TRUE as a server's, although most self-signed
            // certificates have it. A caller who gives this certificate as the trusted one means
            // exactly this certificate.
            Err(_) if self.given.contains(certificate) => hold_itself(certificate, name, now),
            Err(error) => Err(error),
        }
    }
}

/// Checks that a certificate which is trusted by itself is valid now, and is for the name.
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
    /// Whether a fault of the certificate is only recorded, and does not end the handshake.
    lenient: bool,
    seen: Mutex<Seen>,
}

/// The certificates that a server presented, and the fault that was found.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// The server's certificate, and the certificates that came with it.
    pub(super) certificates: Vec<CertificateDer<'static>>,
    /// The trusted certificates, if the caller gave them instead of using the system's.
    pub(super) given: Vec<CertificateDer<'static>>,
    pub(super) fault: Option<Error>,
    /// The scheme of the handshake's signature, if the fault is there and not in a certificate.
    pub(super) handshake: Option<SignatureScheme>,
    /// Whether the server asked for a client certificate, and there was none to give.
    pub(super) asks_for_certificate: bool,
}

impl Witness {
    pub(super) fn new(trust: Arc<Trust>, lenient: bool) -> Self {
        Self { trust, lenient, seen: Mutex::default() }
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the fault that a check found. Without verification, the handshake goes on.
    fn judge<T>(&self, checked: Result<(), Error>, fine: T) -> Result<T, Error> {
        let Err(error) = checked else { return Ok(fine) };
        self.seen().fault.get_or_insert(error.clone());
        if self.lenient { Ok(fine) } else { Err(error) }
    }

    fn judge_handshake(
        &self,
        scheme: SignatureScheme,
        checked: Result<HandshakeSignatureValid, Error>,
    ) -> Result<HandshakeSignatureValid, Error> {
        let checked = checked.map(drop).map_err(|error| match error {
            Error::InvalidCertificate(_) => error,
            // A signature whose scheme was offered only to see the certificate, and cannot be
            // verified.
            _ => CertificateError::UnsupportedSignatureAlgorithmContext {
                signature_algorithm_id: Vec::new(),
                supported_algorithms: Vec::new(),
            }
            .into(),
        });
        if checked.is_err() {
            let mut seen = self.seen();
            if seen.fault.is_none() {
                seen.handshake = Some(scheme);
            }
        }
        self.judge(checked, HandshakeSignatureValid::assertion())
    }
}

impl ResolvesClientCert for Witness {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.seen().asks_for_certificate = true;
        None
    }

    fn has_certs(&self) -> bool {
        false
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
        let shown = std::iter::once(certificate).chain(chain);
        let mut seen = self.seen();
        *seen = Seen {
            certificates: shown.map(|certificate| certificate.clone().into_owned()).collect(),
            given: self.trust.given.clone(),
            fault: None,
            handshake: None,
            asks_for_certificate: seen.asks_for_certificate,
        };
        drop(seen);
        self.judge(self.trust.hold(certificate, chain, name, now), ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.trust.provider.signature_verification_algorithms;
        let checked = verify_tls12_signature(message, certificate, signed, algorithms);
        self.judge_handshake(signed.scheme, checked)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.trust.provider.signature_verification_algorithms;
        let checked = verify_tls13_signature(message, certificate, signed, algorithms);
        self.judge_handshake(signed.scheme, checked)
    }

    /// Schemes that can be verified come first, so that a server with several keys uses one of
    /// these. A server whose only key is of another kind would abort before it presents its
    /// certificate. Because the other schemes are offered too, the certificate is seen, and can be
    /// named in the error or accepted.
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let mut schemes = self.trust.provider.signature_verification_algorithms.supported_schemes();
        schemes.extend([SignatureScheme::ECDSA_NISTP521_SHA512, SignatureScheme::ED448]);
        if self.lenient {
            schemes.extend(UNVERIFIED.map(SignatureScheme::from));
        }
        schemes
    }
}
