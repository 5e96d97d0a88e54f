//! The configurations of rustls, made from options once for the whole process.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, CommonState, RootCertStore, SupportedProtocolVersion, version};
use tokio_rustls::TlsConnector;

use super::established::Established;
use super::options::{Options, Parts, Version};
use super::reason;
use super::roots::SYSTEM;
use super::verify::{Trust, Witness};
use super::wording::{Reason, words};
use crate::error::{Error, Kind, Result};

/// How many configurations are kept. A run with more than these builds them again.
const KEPT: usize = 64;

/// The part that all sessions with the same options share.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    config: Arc<ClientConfig>,
    trust: Arc<Trust>,
}

/// The options that a configuration depends on; other options belong to each handshake.
type Key =
    (Option<Arc<[u8]>>, Option<Version>, Option<Version>, Option<Arc<[u8]>>, Option<Arc<[u8]>>);

static PREPARED: LazyLock<Mutex<HashMap<Key, Prepared>>> = LazyLock::new(Mutex::default);
pub(super) static PROVIDER: LazyLock<Arc<CryptoProvider>> =
    LazyLock::new(|| Arc::new(rustls::crypto::ring::default_provider()));

impl Options {
    /// Checks that handshakes can be made with these options: that PEM data can be read, and that
    /// the key belongs to the certificate.
    ///
    /// # Errors
    /// A usage error that says which option is wrong.
    pub fn check(&self) -> Result<()> {
        prepared(self.parts()).map(drop)
    }
}

/// The configuration for these options.
pub(super) fn prepared(options: &Parts) -> Result<Prepared> {
    let key: Key =
        (options.ca.clone(), options.min, options.max, options.cert.clone(), options.key.clone());
    let lock = || PREPARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(prepared) = lock().get(&key) {
        return Ok(prepared.clone());
    }
    let prepared = prepare(options)?;
    let mut all = lock();
    if all.len() >= KEPT {
        all.clear();
    }
    all.insert(key, prepared.clone());
    Ok(prepared)
}

fn prepare(options: &Parts) -> Result<Prepared> {
    let trust = Arc::new(trust(options.ca.as_deref())?);
    let builder = ClientConfig::builder_with_provider(Arc::clone(&PROVIDER))
        .with_protocol_versions(&versions((options.min, options.max))?);
    let builder = builder.map_err(|error| no_tls(&error))?;
    // Replaced by the verifier of each handshake.
    let builder = builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Witness::new(Arc::clone(&trust), false)));
    let mut config = match (&options.cert, &options.key) {
        (None, None) => builder.with_no_client_auth(),
        (Some(cert), Some(key)) => {
            let chain = certificates(cert, "cert")?;
            builder
                .with_client_auth_cert(chain, private_key(key)?)
                .map_err(|error| unusable("client certificate", &error))?
        }
        (cert, _) => {
            let (given, missing) =
                if cert.is_some() { ("certificate", "key") } else { ("key", "certificate") };
            return Err(Error::usage(format!("a client {given} without its {missing}"))
                .hint("give both: #{cert: ..., key: ...}, or --cert FILE --key FILE"));
        }
    };
    // In a resumed session, the server would not present its certificate again.
    config.resumption = Resumption::disabled();
    Ok(Prepared { config: Arc::new(config), trust })
}

/// Makes the error for a certificate of ours that does not work with its key.
pub(super) fn unusable(certificate: &str, error: &rustls::Error) -> Error {
    if let rustls::Error::InconsistentKeys(_) = error {
        return Error::usage(format!("the {certificate} cannot be used: `key` is not its key"))
            .hint(
                "compare openssl x509 -pubkey -noout -in CERT with openssl pkey -pubout -in KEY",
            );
    }
    let why = words(&error.to_string());
    Error::usage(format!("the {certificate} cannot be used: {why}"))
}

pub(super) fn versions(
    (min, max): (Option<Version>, Option<Version>),
) -> Result<Vec<&'static SupportedProtocolVersion>> {
    let all = [(Version::V1_2, &version::TLS12), (Version::V1_3, &version::TLS13)];
    let fits =
        |version| min.is_none_or(|min| version >= min) && max.is_none_or(|max| version <= max);
    let fitting: Vec<_> =
        all.into_iter().filter(|(version, _)| fits(*version)).map(|(_, known)| known).collect();
    if fitting.is_empty() {
        return Err(Error::usage("no version of TLS is left: `min` is above `max`"));
    }
    Ok(fitting)
}

fn trust(ca: Option<&[u8]>) -> Result<Trust> {
    let given = ca.map_or(Ok(Vec::new()), |ca| certificates(ca, "ca"))?;
    let roots = if ca.is_some() { roots(&given, "ca")? } else { SYSTEM.store.clone() };
    let roots = Arc::new(roots);
    let provider = Arc::clone(&PROVIDER);
    if roots.is_empty() {
        return Ok(Trust { roots: None, given, provider });
    }
    let verifier =
        WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build();
    let verifier = verifier.map_err(|error| no_tls(&error))?;
    Ok(Trust { roots: Some(verifier), given, provider })
}

/// Trusts the certificates of the option `what`.
pub(super) fn roots(given: &[CertificateDer<'static>], what: &str) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in given {
        roots.add(certificate.clone()).map_err(|error| {
            let why = words(&error.to_string());
            Error::usage(format!("a certificate of `{what}` cannot be used: {why}"))
        })?;
    }
    Ok(roots)
}

/// Makes the error for a configuration that rustls does not take.
pub(super) fn no_tls(error: &dyn std::error::Error) -> Error {
    Error::new(Kind::Io, format!("TLS cannot be set up: {}", words(&error.to_string())))
}

pub(super) fn certificates(pem: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>> {
    let read: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let wanted = "it has to be PEM text, with -----BEGIN CERTIFICATE-----";
    let certificates = read.map_err(|error| {
        let why = words(&error.to_string());
        Error::usage(format!("`{what}` is not PEM: {why}")).hint(wanted)
    })?;
    if certificates.is_empty() {
        return Err(Error::usage(format!("`{what}` has no certificate in it")).hint(wanted));
    }
    Ok(certificates)
}

pub(super) fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|_| {
        Error::usage("`key` has no private key in it that can be read")
            .hint("it has to be PEM text, with -----BEGIN PRIVATE KEY----- and no passphrase")
    })
}

/// A handshake that is about to be made.
#[derive(Debug)]
pub(crate) struct Attempt {
    options: Options,
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    witness: Arc<Witness>,
}

impl Attempt {
    /// Prepares a handshake with a server at this host, if the host is known.
    ///
    /// # Errors
    /// A usage error if the options are wrong, if there is no name to verify the certificate
    /// against, or if the environment names trusted certificates that cannot be read.
    pub(crate) fn new(options: &Options, host: Option<&str>) -> Result<Self> {
        let parts = options.parts();
        let name = server_name(parts, host)?;
        let prepared = prepared(parts)?;
        if parts.ca.is_none() && !parts.unverified {
            SYSTEM.check()?;
        }
        let witness = Arc::new(Witness::new(prepared.trust, parts.unverified));
        let mut config = (*prepared.config).clone();
        config.dangerous().set_certificate_verifier(Arc::<Witness>::clone(&witness));
        if parts.cert.is_none() {
            config.client_auth_cert_resolver = Arc::<Witness>::clone(&witness);
        }
        if let Some(keylog) = &parts.keylog {
            config.key_log = Arc::<super::keylog::KeyLog>::clone(keylog);
        }
        Ok(Self { options: options.clone(), config: Arc::new(config), name, witness })
    }

    pub(crate) fn connector(&self) -> TlsConnector {
        Arc::clone(&self.config).into()
    }

    pub(crate) fn name(&self) -> ServerName<'static> {
        self.name.clone()
    }

    /// The parameters that the handshake agreed on.
    ///
    /// # Errors
    /// I/o if the secrets could not be written to the key log.
    pub(crate) fn established(&self, connection: &CommonState) -> Result<Established> {
        if let Some(keylog) = &self.options.parts().keylog {
            keylog.check()?;
        }
        Ok(Established::new(connection, &self.name, &self.witness.seen()))
    }

    /// Explains why the handshake failed.
    pub(crate) fn reason(&self, error: &io::Error) -> Reason {
        let parts = self.options.parts();
        reason::of_handshake(error, &self.witness.seen(), &self.name, (parts.min, parts.max))
    }
}

fn server_name(options: &Parts, host: Option<&str>) -> Result<ServerName<'static>> {
    let wanted = options.sni.as_deref().or(host).map(|name| name.strip_suffix('.').unwrap_or(name));
    // Verification is off, so the name does not matter; 0.0.0.0 because rustls sends no SNI for
    // addresses.
    let name = wanted.or(options.unverified.then_some("0.0.0.0")).ok_or_else(|| {
        Error::usage("there is no name for which the server's certificate could be valid")
            .hint("say which one is meant: #{sni: \"mail.example.com\"}")
    })?;
    ServerName::try_from(name.to_owned()).map_err(|_| {
        Error::usage(format!("`{name}` is no host name that a certificate could be for"))
            .hint("say which one is meant: #{sni: \"mail.example.com\"}")
    })
}
