//! The contents of a certificate (RFC 5280).

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use data_encoding::HEXUPPER;
use sha2::{Digest as _, Sha256};
use x509_parser::prelude::{ASN1Time, GeneralName, X509Certificate};

use crate::visible;

/// A certificate that a server presented.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Certificate {
    /// The subject, such as `CN=mail.example.com, O=Example`.
    pub subject: String,
    /// The names that the certificate is for: host names, addresses, mail addresses (its subject
    /// alternative names). A name in the subject does not count (RFC 9525 section 2).
    pub sans: Vec<String>,
    /// The issuer, in the form of the subject.
    pub issuer: String,
    /// The time from which the certificate is valid.
    pub not_before: SystemTime,
    /// The time until which the certificate is valid.
    pub not_after: SystemTime,
    /// SHA-256 of the whole certificate, as `AB:CD:...`.
    pub fingerprint: String,
    /// The serial number that the issuer gave the certificate, as hexadecimal digits.
    pub serial: String,
}

impl Certificate {
    /// Parses a certificate (DER); `None` if the bytes are no certificate.
    #[must_use]
    pub fn parse(der: &[u8]) -> Option<Self> {
        let (_, parsed) = x509_parser::parse_x509_certificate(der).ok()?;
        let validity = parsed.validity();
        Some(Self {
            subject: visible::escape(parsed.subject().to_string().as_bytes()),
            sans: sans(&parsed),
            issuer: visible::escape(parsed.issuer().to_string().as_bytes()),
            not_before: time(validity.not_before),
            not_after: time(validity.not_after),
            fingerprint: with_colons(&Sha256::digest(der)),
            serial: HEXUPPER.encode(parsed.raw_serial()),
        })
    }

    /// The number of whole days for which the certificate is still valid; negative once it has
    /// expired.
    #[must_use]
    pub fn days_left(&self) -> i64 {
        let days = |span: Duration| i64::try_from(span.as_secs() / 86400).unwrap_or(i64::MAX);
        match self.not_after.duration_since(SystemTime::now()) {
            Ok(left) => days(left),
            Err(over) => -days(over.duration()) - 1,
        }
    }

    /// Whether the certificate was issued by its own subject.
    #[must_use]
    pub fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }
}

fn sans(parsed: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = parsed.subject_alternative_name() else { return Vec::new() };
    let names = extension.value.general_names.iter();
    names.map(|shown| visible::escape(name(shown).as_bytes())).collect()
}

fn name(name: &GeneralName<'_>) -> String {
    match name {
        GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => {
            (*name).to_owned()
        }
        GeneralName::IPAddress(octets) => {
            let v4 = <[u8; 4]>::try_from(*octets).map(IpAddr::from);
            let address = v4.or_else(|_| <[u8; 16]>::try_from(*octets).map(IpAddr::from));
            address.map_or_else(|_| with_colons(octets), |address| address.to_string())
        }
        other => other.to_string(),
    }
}

fn time(time: ASN1Time) -> SystemTime {
    let seconds = Duration::from_secs(time.timestamp().unsigned_abs());
    let time = if time.timestamp() < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(seconds)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(seconds)
    };
    time.unwrap_or(SystemTime::UNIX_EPOCH)
}

/// A time as `2026-01-31T12:00:00Z` (RFC 3339).
#[must_use]
pub(crate) fn timestamp(time: SystemTime) -> String {
    let seconds = match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_secs()).unwrap_or(i64::MAX),
    };
    let time = ASN1Time::from_timestamp(seconds).map(|time| time.to_datetime());
    time.map_or_else(
        |_| "a time out of all bounds".to_owned(),
        |time| {
            let (date, hour, minute, second) =
                (time.date(), time.hour(), time.minute(), time.second());
            format!(
                "{}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z",
                date.year(),
                u8::from(date.month()),
                date.day()
            )
        },
    )
}

/// The octets as two hexadecimal digits each, with colons in between.
fn with_colons(octets: &[u8]) -> String {
    octets.iter().map(|octet| HEXUPPER.encode(&[*octet])).collect::<Vec<_>>().join(":")
}
