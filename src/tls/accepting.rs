//! Handshakes on the server's side. The certificate of a client that is refused is kept, so that
//! the error can say why.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    ConfigBuilder, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme,
    WantsVerifier,
};

use super::reason::fault;
use super::unverified;
use super::verify::Seen;
use super::wording::Reason;

/// The server's side of all handshakes with the same options.
#[derive(Clone, Debug)]
pub(crate) struct Acceptor {
    config: Arc<ServerConfig>,
    demand: Option<Demand>,
}

/// What a client certificate has to be. The builder makes a configuration for each handshake,
/// because rustls calls a verifier without saying for which connection.
#[derive(Clone, Debug)]
struct Demand {
    builder: ConfigBuilder<ServerConfig, WantsVerifier>,
    clients: Clients,
}

/// The authorities of client certificates.
#[derive(Clone, Debug)]
pub(super) struct Clients {
    pub(super) verifier: Arc<dyn ClientCertVerifier>,
    pub(super) given: Vec<CertificateDer<'static>>,
}

impl Acceptor {
    /// `shown` is the server's certificate; without `clients`, no client certificate is asked for.
    pub(super) fn new(
        builder: ConfigBuilder<ServerConfig, WantsVerifier>,
        shown: CertifiedKey,
        clients: Option<Clients>,
    ) -> Self {
        let resolver = Arc::new(SingleCertAndKey::from(shown));
        let demand = clients.map(|clients| Demand { builder: builder.clone(), clients });
        let config = builder.with_no_client_auth().with_cert_resolver(resolver);
        Self { config: Arc::new(config), demand }
    }

    /// Prepares one handshake.
    pub(crate) fn attempt(&self) -> Acceptance {
        let Some(Demand { builder, clients }) = &self.demand else {
            return Acceptance { config: Arc::clone(&self.config), witness: None };
        };
        let seen = Seen { given: clients.given.clone(), ..Seen::default() };
        let verifier = Arc::clone(&clients.verifier);
        let witness = Arc::new(Witness { verifier, seen: Mutex::new(seen) });
        let mut config = builder
            .clone()
            .with_client_cert_verifier(Arc::<Witness>::clone(&witness))
            .with_cert_resolver(Arc::clone(&self.config.cert_resolver));
        config.session_storage = Arc::clone(&self.config.session_storage);
        Acceptance { config: Arc::new(config), witness: Some(witness) }
    }
}

/// A handshake that is about to be made with a client.
#[derive(Debug)]
pub(crate) struct Acceptance {
    config: Arc<ServerConfig>,
    witness: Option<Arc<Witness>>,
}

impl Acceptance {
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    /// Adds to the error of the handshake why the client's certificate was refused, if it was.
    pub(crate) fn explain(&self, error: io::Error) -> io::Error {
        let (Some(witness), Some(refused @ Error::InvalidCertificate(_))) =
            (&self.witness, fault(&error))
        else {
            return error;
        };
        let seen = witness.seen.lock().unwrap_or_else(PoisonError::into_inner);
        io::Error::new(error.kind(), Unfit(unverified::of_client(refused, &seen)))
    }
}

/// Why a client's certificate was refused, as an error inside an I/O error.
#[derive(Debug)]
pub(super) struct Unfit(pub(super) Reason);

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.why)
    }
}

impl std::error::Error for Unfit {}

/// The verifier of one handshake.
#[derive(Debug)]
struct Witness {
    verifier: Arc<dyn ClientCertVerifier>,
    seen: Mutex<Seen>,
}

impl Witness {
    /// Records that the fault is in the handshake's signature, and not in a certificate.
    fn judge_handshake(
        &self,
        scheme: SignatureScheme,
        checked: Result<HandshakeSignatureValid, Error>,
    ) -> Result<HandshakeSignatureValid, Error> {
        if checked.is_err() {
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).handshake = Some(scheme);
        }
        checked
    }
}

impl ClientCertVerifier for Witness {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.verifier.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let shown = std::iter::once(certificate).chain(chain);
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).certificates =
            shown.map(|certificate| certificate.clone().into_owned()).collect();
        self.verifier.verify_client_cert(certificate, chain, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let checked = self.verifier.verify_tls12_signature(message, certificate, signed);
        self.judge_handshake(signed.scheme, checked)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let checked = self.verifier.verify_tls13_signature(message, certificate, signed);
        self.judge_handshake(signed.scheme, checked)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
