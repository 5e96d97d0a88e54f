//! The TLS options of a caller.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::keylog::KeyLog;
use crate::error::{Error, Result};

/// How TLS is set up on a session.
///
/// ```
/// use mailexpect::tls::{Options, Version};
///
/// let options = Options::new().verify(false).sni("mail.example.com").min(Version::V1_3);
/// assert_eq!(Version::parse("1.2")?, Version::V1_2);
/// assert!(Version::parse("1.0").unwrap_err().message().contains("not supported"));
/// # Ok::<_, mailexpect::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Options(Arc<Parts>);

#[derive(Clone, Default)]
pub(super) struct Parts {
    /// The trusted certificates, in place of the system's roots.
    pub(super) ca: Option<Arc<[u8]>>,
    pub(super) unverified: bool,
    pub(super) sni: Option<String>,
    pub(super) min: Option<Version>,
    pub(super) max: Option<Version>,
    pub(super) cert: Option<Arc<[u8]>>,
    pub(super) key: Option<Arc<[u8]>>,
    pub(super) keep_injected: bool,
    pub(super) keylog: Option<Arc<KeyLog>>,
}

/// A TLS version that mailexpect supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Version {
    /// TLS 1.2 (RFC 5246).
    V1_2,
    /// TLS 1.3 (RFC 8446).
    V1_3,
}

impl Version {
    /// Parses `1.2` or `1.3`.
    ///
    /// # Errors
    /// A usage error for anything else; for an older version, the error says that it is not
    /// supported.
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "1.2" => Ok(Self::V1_2),
            "1.3" => Ok(Self::V1_3),
            "1.0" | "1.1" | "1" => Err(Error::usage(format!("TLS {text} is not supported"))
                .hint("rustls has 1.2 and 1.3 and nothing older (RFC 8996); `openssl s_client` may still have it")),
            other => Err(Error::usage(format!("`{other}` is not a version of TLS")).hint("\"1.2\" or \"1.3\"")),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1_2 => "1.2",
            Self::V1_3 => "1.3",
        })
    }
}

impl Options {
    /// The defaults: the system's roots, the host of the URL as the server's name, versions 1.2 and
    /// 1.3, and no client certificate.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts only these certificates (PEM), in place of the system's roots. If one of them is the
    /// server's own certificate, it is trusted, whether or not it is a CA.
    #[must_use]
    pub fn ca(self, pem: impl Into<Vec<u8>>) -> Self {
        self.with(|parts| parts.ca = Some(pem.into().into()))
    }

    /// Sets whether the certificate is verified. Without verification, the transcript says so, and
    /// says what is wrong with the certificate.
    #[must_use]
    pub fn verify(self, verify: bool) -> Self {
        self.with(|parts| parts.unverified = !verify)
    }

    /// Whether a certificate has to hold.
    #[cfg(feature = "script")]
    pub(crate) fn verifies(&self) -> bool {
        !self.0.unverified
    }

    /// Sets the server's name, in place of the host of the URL: it is sent to the server (SNI, RFC
    /// 6066 section 3), and the certificate has to be for it.
    #[must_use]
    pub fn sni(self, name: impl Into<String>) -> Self {
        self.with(|parts| parts.sni = Some(name.into()))
    }

    /// Sets the oldest version to offer.
    #[must_use]
    pub fn min(self, version: Version) -> Self {
        self.with(|parts| parts.min = Some(version))
    }

    /// Sets the newest version to offer.
    #[must_use]
    pub fn max(self, version: Version) -> Self {
        self.with(|parts| parts.max = Some(version))
    }

    /// Sets our own certificate (PEM), followed by its chain, for servers that ask for one; also
    /// needs [`Options::key`].
    #[must_use]
    pub fn cert(self, pem: impl Into<Vec<u8>>) -> Self {
        self.with(|parts| parts.cert = Some(pem.into().into()))
    }

    /// Sets the private key (PEM) of [`Options::cert`].
    #[must_use]
    pub fn key(self, pem: impl Into<Vec<u8>>) -> Self {
        self.with(|parts| parts.key = Some(pem.into().into()))
    }

    /// Keeps bytes that came in clear after the go-ahead for TLS, and lets them be read before the
    /// bytes inside TLS, as a vulnerable client would. Without this, such bytes are an error.
    #[must_use]
    pub fn keep_injected(self, keep: bool) -> Self {
        self.with(|parts| parts.keep_injected = keep)
    }

    /// The secret parts of the options: the lines of the private key.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &[u8]> {
        secret_lines(self.0.key.as_deref().unwrap_or_default())
    }

    /// Whether injected bytes are kept.
    pub(crate) fn keeps_injected(&self) -> bool {
        self.0.keep_injected
    }

    /// Appends the secrets of each handshake to a file, in the NSS key log format that Wireshark
    /// reads. Anyone with this file and the captured packets can decrypt the session.
    ///
    /// # Errors
    /// A usage error if the file cannot be written.
    pub fn keylog(self, path: impl AsRef<Path>) -> Result<Self> {
        let keylog = Arc::new(KeyLog::open(path.as_ref())?);
        Ok(self.with(|parts| parts.keylog = Some(keylog)))
    }

    pub(super) fn parts(&self) -> &Parts {
        &self.0
    }

    fn with(mut self, change: impl FnOnce(&mut Parts)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }
}

/// Shows neither the certificates nor the private key.
impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("ca", &self.ca.is_some())
            .field("verify", &!self.unverified)
            .field("sni", &self.sni)
            .field("min", &self.min)
            .field("max", &self.max)
            .field("cert", &self.cert.is_some())
            .finish_non_exhaustive()
    }
}

/// The lines of a private key that are secret.
pub(super) fn secret_lines(key: &[u8]) -> impl Iterator<Item = &[u8]> {
    key.split(u8::is_ascii_whitespace)
        .filter(|word| word.len() >= 16 && !word.starts_with(b"-----"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_key_is_not_in_the_debug_form() {
        let shown = format!(
            "{:?}",
            Options::new().key("-----BEGIN PRIVATE KEY-----\nMC4C").sni("a.example")
        );
        assert!(!shown.contains("MC4C") && !shown.contains("[77"), "{shown}");
        assert!(shown.contains("a.example"), "{shown}");
    }

    #[test]
    fn versions_that_are_not_supported_say_so() {
        for (text, why) in
            [("1.1", "not supported"), ("1.4", "not a version"), ("TLSv1.2", "not a version")]
        {
            let error = Version::parse(text).unwrap_err();
            assert!(error.is_usage() && error.message().contains(why), "{error}");
        }
        assert!(Version::parse("1.2").unwrap() < Version::parse("1.3").unwrap());
    }
}
