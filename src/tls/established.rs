//! The outcome of a handshake.

use std::fmt;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{CommonState, ProtocolVersion, ServerConnection};

use super::certificate::Certificate;
use super::unverified;
use super::verify::Seen;

/// The TLS parameters of a session.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Established {
    /// The version: `1.2` or `1.3`.
    pub version: String,
    /// The cipher suite by its IANA name.
    pub cipher: String,
    /// The name that the certificate was verified against. Unless it is an address, it was also
    /// sent to the server (SNI). On the server's side, it is the name that the client asked for.
    pub name: String,
    /// Why verification would have failed, if it was off, or that the client presented no
    /// certificate; `None` if the peer's certificate is valid.
    pub fault: Option<String>,
    /// The certificate that the peer presented.
    pub certificate: Option<Certificate>,
    /// How long the handshake took.
    pub handshake: Duration,
    /// Whether the peer closed the connection without a `close_notify`.
    pub(crate) cut: bool,
}

impl Established {
    pub(super) fn new(connection: &CommonState, name: &ServerName<'_>, seen: &Seen) -> Self {
        let (version, cipher) = agreed(connection);
        let certificate = seen.certificates.first().and_then(|der| Certificate::parse(der));
        let name = name.to_str().into_owned();
        let fault = seen.fault.as_ref().map(|fault| unverified::reason(fault, seen, &name).why);
        Self { version, cipher, name, fault, certificate, handshake: Duration::ZERO, cut: false }
    }

    /// The parameters as monitoring reports them.
    #[cfg(feature = "script")]
    pub(crate) fn measured(&self) -> crate::outcome::Encrypted {
        let certificate = self.certificate.as_ref();
        crate::outcome::Encrypted {
            handshake: self.handshake,
            version: self.version.clone(),
            cipher: self.cipher.clone(),
            expiry: certificate.map(|certificate| certificate.not_after),
            days_left: certificate.map(Certificate::days_left),
        }
    }

    /// The outcome of a handshake that a client began.
    pub(crate) fn accepted(connection: &ServerConnection) -> Self {
        let (version, cipher) = agreed(connection);
        let presented = connection.peer_certificates().and_then(|chain| chain.first());
        let certificate = presented.and_then(|der| Certificate::parse(der));
        let name = connection.server_name().unwrap_or_default().to_owned();
        // A certificate that is not valid would have ended the handshake.
        let fault = presented.is_none().then(|| "the client presented no certificate".to_owned());
        Self { version, cipher, name, fault, certificate, handshake: Duration::ZERO, cut: false }
    }

    /// Whether the server's certificate is trusted, valid now, and for the name. On the server's
    /// side: whether the client presented a certificate, and it is valid.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.fault.is_none()
    }
}

/// The version and the cipher suite of a connection.
fn agreed(connection: &CommonState) -> (String, String) {
    let version = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => "1.2".to_owned(),
        Some(ProtocolVersion::TLSv1_3) => "1.3".to_owned(),
        Some(other) => format!("version {:#06x}", u16::from(other)),
        None => "no version".to_owned(),
    };
    let cipher = connection
        .negotiated_cipher_suite()
        .and_then(|cipher| cipher.suite().as_str())
        .unwrap_or("no cipher suite");
    // rustls has its own names for the suites of TLS 1.3.
    let cipher = cipher
        .strip_prefix("TLS13_")
        .map_or_else(|| cipher.to_owned(), |rest| format!("TLS_{rest}"));
    (version, cipher)
}

/// The version and the cipher suite as a server's transcript shows them.
pub(crate) fn spoken(connection: &ServerConnection) -> String {
    let (version, cipher) = agreed(connection);
    format!("{version} with {cipher}")
}

/// The parameters as the transcript shows them.
impl fmt::Display for Established {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {}, ", self.version, self.cipher)?;
        match &self.fault {
            None => write!(f, "certificate verified for {}", self.name),
            Some(fault) => write!(f, "CERTIFICATE NOT VERIFIED (verify: false): {fault}"),
        }
    }
}
