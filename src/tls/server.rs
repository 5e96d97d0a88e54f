//! TLS on the server's side: which certificate the server presents, and what it asks of clients.

use std::sync::Arc;

use rustls::server::WebPkiClientVerifier;
use rustls::sign::CertifiedKey;
use rustls::{ConfigBuilder, ServerConfig, WantsVerifier};

use super::accepting::{Acceptor, Clients};
use super::authority::{Authority, Flaw};
use super::config::{self, PROVIDER};
use super::options::Version;
use crate::error::{Error, Kind, Result};

/// How a server sets up TLS. Unless set, it presents a certificate for `localhost` and the loopback
/// addresses, issued by the listener's throw-away authority.
///
/// ```
/// use mailexpect::tls::{Flaw, ServerOptions, Version};
///
/// let options = ServerOptions::new().flaw(Flaw::Expired).max(Version::V1_2);
/// assert!(format!("{options:?}").contains("Expired"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct ServerOptions {
    flaw: Flaw,
    cert: Option<Arc<[u8]>>,
    key: Option<Key>,
    min: Option<Version>,
    max: Option<Version>,
    client_ca: Option<Arc<[u8]>>,
    inject: Arc<[u8]>,
    garbage: bool,
}

/// A private key, which is not shown by `Debug`.
#[derive(Clone)]
struct Key(Arc<[u8]>);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

impl ServerOptions {
    /// The defaults: a certificate of the listener's authority, TLS 1.2 or 1.3, and no client
    /// certificate.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what is wrong with the certificate.
    #[must_use]
    pub fn flaw(self, flaw: Flaw) -> Self {
        Self { flaw, ..self }
    }

    /// Sets the certificate chain, as PEM; also needs [`ServerOptions::key`].
    #[must_use]
    pub fn cert(self, pem: impl Into<Vec<u8>>) -> Self {
        Self { cert: Some(pem.into().into()), ..self }
    }

    /// Sets the private key of the certificate, as PEM.
    #[must_use]
    pub fn key(self, pem: impl Into<Vec<u8>>) -> Self {
        Self { key: Some(Key(pem.into().into())), ..self }
    }

    /// Sets the lowest version to accept.
    #[must_use]
    pub fn min(self, version: Version) -> Self {
        Self { min: Some(version), ..self }
    }

    /// Sets the highest version to accept.
    #[must_use]
    pub fn max(self, version: Version) -> Self {
        Self { max: Some(version), ..self }
    }

    /// Demands a client certificate that one of these authorities (PEM) has issued.
    #[must_use]
    pub fn client_ca(self, pem: impl Into<Vec<u8>>) -> Self {
        Self { client_ca: Some(pem.into().into()), ..self }
    }

    /// Sends these bytes in clear right after the go-ahead of STARTTLS, as a man in the middle
    /// would. A client that treats them as received by TLS is vulnerable (CVE-2011-0411).
    #[must_use]
    pub fn inject(self, bytes: impl Into<Vec<u8>>) -> Self {
        Self { inject: bytes.into().into(), ..self }
    }

    /// Sends plain text in place of the handshake, and closes.
    #[must_use]
    pub fn garbage(self, garbage: bool) -> Self {
        Self { garbage, ..self }
    }

    /// The lowest and the highest version to accept, if they are set.
    pub(crate) fn versions(&self) -> (Option<Version>, Option<Version>) {
        (self.min, self.max)
    }

    pub(crate) fn injected(&self) -> &[u8] {
        &self.inject
    }

    pub(crate) fn is_garbage(&self) -> bool {
        self.garbage
    }

    /// The lines of the private key, which are secret.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &[u8]> {
        let key = self.key.as_ref().map_or(&[][..], |key| &key.0);
        super::options::secret_lines(key)
    }

    /// Checks the options of a listener, or of a call that makes a handshake later: that they can
    /// be read, and that none of them is without effect. `from_start` is for TLS that begins with
    /// the connection.
    ///
    /// # Errors
    /// A usage error that says which option is wrong.
    pub(crate) fn check(&self, from_start: bool) -> Result<()> {
        let of_starttls = [("inject", !self.inject.is_empty()), ("garbage", self.garbage)];
        if let Some((name, _)) = of_starttls.iter().find(|(_, is_set)| from_start && *is_set) {
            let error = Error::usage(format!(
                "`{name}` has no effect if TLS begins with the connection, because it belongs to the answer to STARTTLS"
            ));
            return Err(error.hint(
                "listen in clear, as for smtp; or spoil the connection by a fault: faults: #{at: \"CONNECT\", garbage: true}",
            ));
        }
        self.check_together()?;
        self.own()?;
        self.clients()?;
        self.builder().map(drop)
    }

    /// Refuses options that exclude each other: a test that sets both would miss what it tests.
    fn check_together(&self) -> Result<()> {
        let own = [("cert", self.cert.is_some()), ("key", self.key.is_some())];
        let is_flawed = [("flaw", self.flaw != Flaw::None)];
        let of_handshake = [
            ("min", self.min.is_some()),
            ("max", self.max.is_some()),
            ("client_ca", self.client_ca.is_some()),
        ];
        let set = |options: &[(&'static str, bool)]| {
            options.iter().find(|(_, is_set)| *is_set).map(|(name, _)| *name)
        };
        if let (true, Some(other)) = (self.flaw != Flaw::None, set(&own)) {
            return Err(Error::usage(format!("`flaw` and `{other}` exclude each other"))
                .hint("`flaw` makes a certificate; one of your own has the flaws that it has"));
        }
        match set(&[&is_flawed[..], &own, &of_handshake].concat()) {
            Some(other) if self.garbage => {
                Err(Error::usage(format!("`garbage` and `{other}` exclude each other"))
                    .hint("with `garbage`, there is no handshake"))
            }
            _ => Ok(()),
        }
    }

    /// The handshakes with clients, with a certificate of the authority if the options have none.
    pub(crate) fn acceptor(&self, authority: &Authority) -> Result<Acceptor> {
        self.check_together()?;
        let shown = match self.own()? {
            Some(own) => own,
            None => authority.issue(self.flaw).map_err(|why| {
                Error::new(Kind::Io, format!("no certificate can be made for the listener: {why}"))
            })?,
        };
        Ok(Acceptor::new(self.builder()?, shown, self.clients()?))
    }

    /// The certificate that the options give.
    fn own(&self) -> Result<Option<CertifiedKey>> {
        match (&self.cert, &self.key) {
            (None, None) => Ok(None),
            (Some(cert), Some(Key(key))) => {
                let chain = config::certificates(cert, "cert")?;
                let own = CertifiedKey::from_der(chain, config::private_key(key)?, &PROVIDER);
                own.map(Some).map_err(|error| config::unusable("certificate", &error))
            }
            _ => Err(Error::usage("a certificate without its key, or a key without it")
                .hint("give both: #{cert: ..., key: ...}")),
        }
    }

    /// The configuration up to the certificates.
    fn builder(&self) -> Result<ConfigBuilder<ServerConfig, WantsVerifier>> {
        ServerConfig::builder_with_provider(Arc::clone(&PROVIDER))
            .with_protocol_versions(&config::versions((self.min, self.max))?)
            .map_err(|error| config::no_tls(&error))
    }

    /// The authorities of client certificates.
    fn clients(&self) -> Result<Option<Clients>> {
        let Some(pem) = &self.client_ca else { return Ok(None) };
        let given = config::certificates(pem, "client_ca")?;
        let roots = Arc::new(config::roots(&given, "client_ca")?);
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&PROVIDER));
        let verifier = verifier.build().map_err(|error| config::no_tls(&error))?;
        Ok(Some(Clients { verifier, given }))
    }
}
