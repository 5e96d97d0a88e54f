//! Why a handshake came to nothing, in words.

use std::io;

use rustls::pki_types::ServerName;
use rustls::{
    AlertDescription, CertificateError, Error as Fault, InvalidMessage, PeerIncompatible,
};

use super::certificate::{Certificate, timestamp};
use super::options::Version;
use super::verify::Seen;

/// Why there is no TLS, what was wanted, what came, and what to try next.
#[derive(Clone, Debug)]
pub(crate) struct Reason {
    pub(crate) why: String,
    pub(crate) wanted: String,
    pub(crate) came: Option<String>,
    pub(crate) hint: String,
    /// What came is no TLS at all.
    pub(crate) is_plain: bool,
}

impl Reason {
    fn new(
        why: impl Into<String>,
        wanted: impl Into<String>,
        came: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            why: why.into(),
            wanted: wanted.into(),
            came: Some(came.into()),
            hint: hint.into(),
            is_plain: false,
        }
    }

    fn handshake(why: impl Into<String>, came: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(why, "a TLS handshake", came, hint)
    }
}

const ALL_THE_SAME: &str = "to go on all the same: #{verify: false}, or --insecure";

/// Whether bytes that a peer begins with could be a TLS record (RFC 8446 section 5.1).
pub(crate) fn looks_like_tls(first: &[u8]) -> bool {
    first.first().is_none_or(|kind| (20..=24).contains(kind))
        && first.get(1).is_none_or(|major| *major == 3)
}

/// The fault that rustls found, inside of what it hands on as an error of input.
fn fault(error: &io::Error) -> Option<&Fault> {
    error.get_ref()?.downcast_ref()
}

/// Why a handshake came to nothing.
pub(super) fn of_handshake(
    error: &io::Error,
    seen: &Seen,
    name: &ServerName<'_>,
    offered: (Option<Version>, Option<Version>),
) -> Reason {
    match fault(error) {
        Some(fault @ (Fault::InvalidCertificate(_) | Fault::NoCertificatesPresented)) => {
            let certificate = seen.certificate.as_ref().and_then(|der| Certificate::parse(der));
            of_certificate(fault, certificate.as_ref(), seen.chain, &name.to_str())
        }
        Some(Fault::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        )) => Reason {
            is_plain: true,
            ..Reason::handshake(
                "the server does not speak TLS here",
                "plain bytes",
                "where TLS is begun by a command, connect in clear and say starttls()",
            )
        },
        Some(Fault::PeerIncompatible(
            PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::ServerDoesNotSupportTls12Or13,
        )) => no_version("the server chose another one", offered),
        Some(Fault::AlertReceived(AlertDescription::ProtocolVersion)) => {
            no_version("the server's alert protocol_version", offered)
        }
        Some(Fault::AlertReceived(alert)) => of_alert(*alert),
        Some(other) => Reason::handshake(
            "the handshake is not as TLS wants it",
            other.to_string(),
            "look at the server's log",
        ),
        None if error.kind() == io::ErrorKind::UnexpectedEof => Reason::handshake(
            "the server closed the connection in the middle of the handshake",
            "the close",
            "look at the server's log: a certificate or key that it cannot read looks like this",
        ),
        None => Reason::handshake(
            "the connection broke in the middle of the handshake",
            error.to_string(),
            "look at the server's log",
        ),
    }
}

/// Why a stream of TLS broke off; `None` where the fault is none of TLS's.
pub(crate) fn of_stream(error: &io::Error) -> Option<Reason> {
    Some(match fault(error)? {
        Fault::AlertReceived(alert) => of_alert(*alert),
        other => Reason::new(
            "what came is not as TLS wants it",
            "TLS",
            other.to_string(),
            "look at the server's log",
        ),
    })
}

fn no_version(came: &str, (min, max): (Option<Version>, Option<Version>)) -> Reason {
    let wanted = match (min.unwrap_or(Version::V1_2), max.unwrap_or(Version::V1_3)) {
        (min, max) if min == max => format!("TLS {min}"),
        (min, max) => format!("TLS {min} or {max}"),
    };
    let hint = "see #{min, max}; nothing older than TLS 1.2 is spoken here";
    Reason::new("the server speaks no version of TLS that is wanted", wanted, came, hint)
}

fn of_alert(alert: AlertDescription) -> Reason {
    let name = snake_case(&format!("{alert:?}"));
    let (why, hint) = match alert {
        AlertDescription::CertificateRequired => (
            "the server wants a client certificate",
            "give one: #{cert: ..., key: ...}, or --cert FILE --key FILE",
        ),
        AlertDescription::UnknownCA
        | AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateRevoked
        | AlertDescription::UnsupportedCertificate => (
            "the server does not accept our certificate",
            "look at the one given by #{cert: ...}, and at the CA that the server trusts",
        ),
        AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => (
            "the server accepts nothing of what was offered",
            "its ciphers may be too old, or it may have no certificate; some servers say so for want of a client certificate",
        ),
        AlertDescription::UnrecognisedName => (
            "the server has no certificate for the name that was asked for",
            "ask for another: #{sni: \"mail.example.com\"}",
        ),
        _ => ("the server broke TLS off", "look at the server's log"),
    };
    Reason::handshake(why, format!("the server's alert {name}"), hint)
}

/// `HandshakeFailure` as the RFCs write it: `handshake_failure`.
fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    let mut after_lower = false;
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && after_lower {
            snake.push('_');
        }
        after_lower = letter.is_ascii_lowercase();
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// What is wrong with a certificate that a server showed for a name.
pub(super) fn of_certificate(
    fault: &Fault,
    certificate: Option<&Certificate>,
    chain: usize,
    name: &str,
) -> Reason {
    let shown = certificate.map_or_else(|| "a certificate that cannot be read".to_owned(), shown);
    let Fault::InvalidCertificate(error) = fault else {
        return Reason::new(
            "the server showed no certificate that counts",
            "a certificate",
            fault.to_string(),
            ALL_THE_SAME,
        );
    };
    match error {
        CertificateError::UnknownIssuer => of_issuer(certificate, chain, shown),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            of_name(certificate, name, shown)
        }
        error => of_validity(error, certificate, shown),
    }
}

fn of_validity(
    error: &CertificateError,
    certificate: Option<&Certificate>,
    shown: String,
) -> Reason {
    let date = |of: fn(&Certificate) -> std::time::SystemTime| {
        certificate.map(|shown| timestamp(of(shown))).unwrap_or_default()
    };
    let (why, hint) = match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => (
            format!("the server's certificate expired on {}", date(|shown| shown.not_after)),
            format!("renew it; {ALL_THE_SAME}"),
        ),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => (
            format!(
                "the server's certificate is not valid before {}",
                date(|shown| shown.not_before)
            ),
            format!("look at the clocks of both machines; {ALL_THE_SAME}"),
        ),
        CertificateError::Revoked => {
            ("the server's certificate is revoked".to_owned(), "renew it".to_owned())
        }
        other => {
            (format!("the server's certificate is not accepted: {other}"), ALL_THE_SAME.to_owned())
        }
    };
    Reason::new(why, "a certificate that is valid now", shown, hint)
}

fn of_name(certificate: Option<&Certificate>, name: &str, shown: String) -> Reason {
    let names = certificate.map_or(&[][..], |shown| &shown.sans);
    let names = if names.is_empty() {
        "no name at all (the subject is none)".to_owned()
    } else {
        names.join(", ")
    };
    let why = format!("the server's certificate is not for {name}, but for {names}");
    let hint = format!(
        "connect by a name that it has, or say which one is meant: #{{sni: \"...\"}}; {ALL_THE_SAME}"
    );
    Reason::new(why, format!("a certificate for {name}"), shown, hint)
}

fn of_issuer(certificate: Option<&Certificate>, chain: usize, shown: String) -> Reason {
    let wanted = "a certificate of a CA that is trusted";
    if certificate.is_some_and(Certificate::is_self_issued) {
        return Reason::new(
            "the server's certificate is signed by itself, and not one that is trusted",
            wanted,
            shown,
            format!("trust it: #{{ca: ...}}, or --cacert FILE; {ALL_THE_SAME}"),
        );
    }
    let sent = if chain == 0 {
        "the server sends no intermediate certificate with it, and may have to; "
    } else {
        ""
    };
    Reason::new(
        "the server's certificate is from a CA that is not trusted",
        wanted,
        shown,
        format!("{sent}trust its CA: #{{ca: ...}}, or --cacert FILE; {ALL_THE_SAME}"),
    )
}

fn shown(certificate: &Certificate) -> String {
    format!("{}, issued by {}", certificate.subject, certificate.issuer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_have_the_names_that_the_rfcs_give_them() {
        for (alert, name) in [
            (AlertDescription::HandshakeFailure, "handshake_failure"),
            (AlertDescription::UnknownCA, "unknown_ca"),
            (AlertDescription::ProtocolVersion, "protocol_version"),
        ] {
            assert_eq!(snake_case(&format!("{alert:?}")), name);
        }
    }

    #[test]
    fn what_no_record_of_tls_begins_with_is_plain() {
        for (bytes, tls) in [
            (&b"220 hi"[..], false),
            (b"\x16\x03\x03", true),
            (b"\x15\x03", true),
            (b"", true),
            (b"\x16\x01", false),
            (b"* OK", false),
        ] {
            assert_eq!(looks_like_tls(bytes), tls, "{bytes:?}");
        }
    }
}
