//! Why a handshake failed, in words.

use std::io;

use rustls::pki_types::ServerName;
use rustls::{AlertDescription, Error as Fault, InvalidMessage, PeerIncompatible};

use super::options::Version;
use super::unverified;
use super::verify::Seen;
use super::wording::{Reason, snake_case, words};

/// Whether a peer's first bytes could be a TLS record (RFC 8446 section 5.1).
pub(crate) fn looks_like_tls(first: &[u8]) -> bool {
    first.first().is_none_or(|kind| (20..=24).contains(kind))
        && first.get(1).is_none_or(|major| *major == 3)
}

/// The error of rustls inside an I/O error of kind `InvalidData`.
pub(super) fn fault(error: &io::Error) -> Option<&Fault> {
    error.get_ref()?.downcast_ref()
}

/// Why a handshake failed that the peer ended by closing the connection, and by resetting it.
pub(crate) const CUT: [&str; 2] = [
    "the server closed the connection in the middle of the handshake",
    "the connection broke in the middle of the handshake",
];

/// Explains why a handshake failed.
pub(super) fn of_handshake(
    error: &io::Error,
    seen: &Seen,
    name: &ServerName<'_>,
    offered: (Option<Version>, Option<Version>),
) -> Reason {
    match fault(error) {
        Some(fault @ (Fault::InvalidCertificate(_) | Fault::NoCertificatesPresented)) => {
            unverified::reason(fault, seen, &name.to_str())
        }
        Some(Fault::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        )) => Reason {
            is_plain: true,
            ..Reason::handshake(
                "the server does not speak TLS here",
                "plain bytes",
                "if TLS begins with a command here, connect in clear and call starttls()",
            )
        },
        Some(Fault::PeerIncompatible(
            PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::ServerDoesNotSupportTls12Or13,
        )) => no_version("the server chose another one", offered),
        Some(Fault::AlertReceived(AlertDescription::ProtocolVersion)) => {
            no_version("the server's alert protocol_version", offered)
        }
        Some(Fault::AlertReceived(AlertDescription::HandshakeFailure))
            if seen.asks_for_certificate =>
        {
            // TLS 1.2 has no alert of its own for this.
            let asked = of_alert(AlertDescription::CertificateRequired);
            Reason { came: of_alert(AlertDescription::HandshakeFailure).came, ..asked }
        }
        Some(Fault::AlertReceived(alert)) => of_alert(*alert),
        Some(other) => Reason::handshake(
            "the handshake violates the TLS protocol",
            words(&other.to_string()),
            "look at the server's log",
        ),
        None if error.kind() == io::ErrorKind::UnexpectedEof => Reason::handshake(
            CUT[0],
            "the close",
            "look at the server's log: a certificate or key that it cannot read looks like this",
        ),
        None => Reason::handshake(CUT[1], error.to_string(), "look at the server's log"),
    }
}

/// Explains why a TLS stream broke off; `None` if the error does not come from TLS.
pub(crate) fn of_stream(error: &io::Error) -> Option<Reason> {
    Some(match fault(error)? {
        Fault::AlertReceived(
            alert @ (AlertDescription::HandshakeFailure | AlertDescription::NoRenegotiation),
        ) => Reason::new(
            "the server broke TLS off",
            "TLS",
            format!("the server's alert {}", name(*alert)),
            "it may have asked for another handshake (renegotiation), which TLS 1.3 does not have, and which is refused here",
        ),
        Fault::AlertReceived(alert) => of_alert(*alert),
        other => Reason::new(
            "the received data violates the TLS protocol",
            "TLS",
            words(&other.to_string()),
            "look at the server's log",
        ),
    })
}

/// The versions from the lowest to the highest that are allowed.
pub(super) fn versions((min, max): (Option<Version>, Option<Version>)) -> String {
    match (min.unwrap_or(Version::V1_2), max.unwrap_or(Version::V1_3)) {
        (min, max) if min == max => format!("TLS {min}"),
        (min, max) => format!("TLS {min} or {max}"),
    }
}

fn no_version(came: &str, offered: (Option<Version>, Option<Version>)) -> Reason {
    let wanted = versions(offered);
    let hint = "see #{min, max}; versions older than TLS 1.2 are not supported here";
    Reason::new("the server supports none of the allowed TLS versions", wanted, came, hint)
}

pub(super) fn name(alert: AlertDescription) -> String {
    let unnamed = || format!("number {}, which has no name", u8::from(alert));
    alert.as_str().map_or_else(unnamed, snake_case)
}

fn of_alert(alert: AlertDescription) -> Reason {
    let name = name(alert);
    let (why, hint) = match alert {
        AlertDescription::CertificateRequired => (
            "the server requires a client certificate",
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
            "the server accepts none of the offered TLS parameters",
            "its ciphers may be too old, or it may have no certificate; some servers also say this if a client certificate is missing",
        ),
        AlertDescription::UnrecognisedName => (
            "the server has no certificate for the name that was asked for",
            "ask for another: #{sni: \"mail.example.com\"}",
        ),
        _ => ("the server broke TLS off", "look at the server's log"),
    };
    Reason::handshake(why, format!("the server's alert {name}"), hint)
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
            assert_eq!(super::name(alert), name);
        }
    }

    #[test]
    fn no_message_of_a_library_is_shown_as_its_source_has_it() {
        let seen = Seen::default();
        let name = ServerName::try_from("mail.example").unwrap();
        let other =
            |text: &str| rustls::OtherError(std::sync::Arc::new(io::Error::other(text.to_owned())));
        let faults = [
            Fault::InvalidMessage(InvalidMessage::MissingData("ProtocolVersion")),
            Fault::InvalidMessage(InvalidMessage::UnexpectedMessage("KeyUpdate")),
            Fault::InappropriateMessage {
                expect_types: vec![rustls::ContentType::Handshake],
                got_type: rustls::ContentType::ApplicationData,
            },
            Fault::InappropriateHandshakeMessage {
                expect_types: vec![rustls::HandshakeType::ServerHello],
                got_type: rustls::HandshakeType::from(99),
            },
            Fault::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon),
            Fault::PeerIncompatible(PeerIncompatible::ServerRejectedEncryptedClientHello(None)),
            Fault::PeerMisbehaved(rustls::PeerMisbehaved::SelectedUnofferedCipherSuite),
            Fault::AlertReceived(AlertDescription::from(199)),
            Fault::AlertReceived(AlertDescription::InternalError),
            Fault::NoCertificatesPresented,
            Fault::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch),
            Fault::General("got InvalidThing(Some(3))".to_owned()),
            Fault::Other(other("UnexpectedThing { at: 3 }")),
            rustls::CertificateError::BadEncoding.into(),
            rustls::CertificateError::BadSignature.into(),
            rustls::CertificateError::UnhandledCriticalExtension.into(),
            rustls::CertificateError::ApplicationVerificationFailure.into(),
            rustls::CertificateError::UnknownRevocationStatus.into(),
            rustls::CertificateError::InvalidPurpose.into(),
            rustls::CertificateError::Other(other("CaUsedAsEndEntity")).into(),
            rustls::CertificateError::Other(other("NameConstraintViolation")).into(),
        ];
        for fault in faults {
            let error = io::Error::new(io::ErrorKind::InvalidData, fault);
            let reasons =
                [of_handshake(&error, &seen, &name, (None, None)), of_stream(&error).unwrap()];
            for reason in reasons {
                let said = format!("{} {} {}", reason.why, reason.wanted, reason.came.unwrap());
                let said = said.replace("mail.example", "");
                let camel = |(one, two): (char, char)| one.is_lowercase() && two.is_uppercase();
                assert!(!said.chars().zip(said.chars().skip(1)).any(camel), "{said}");
                let printed =
                    |(one, two): (char, char)| one.is_alphanumeric() && "({[".contains(two);
                assert!(!said.chars().zip(said.chars().skip(1)).any(printed), "{said}");
            }
        }
    }

    #[test]
    fn an_alert_has_the_cause_that_fits_when_it_comes() {
        let name = ServerName::try_from("mail.example").unwrap();
        let failure = Fault::AlertReceived(AlertDescription::HandshakeFailure);
        let error = io::Error::new(io::ErrorKind::InvalidData, failure);
        let said = |seen: &Seen| of_handshake(&error, seen, &name, (None, None));
        let asked = Seen { asks_for_certificate: true, ..Seen::default() };
        assert_eq!(said(&asked).why, "the server requires a client certificate");
        assert_eq!(said(&asked).came.unwrap(), "the server's alert handshake_failure");
        assert!(said(&Seen::default()).why.contains("none of the offered TLS parameters"));
        let later = of_stream(&error).unwrap();
        assert_eq!((&*later.why, &*later.wanted), ("the server broke TLS off", "TLS"));
        assert!(later.hint.contains("renegotiation"), "{}", later.hint);
    }

    #[test]
    fn bytes_that_begin_no_record_of_tls_are_plain() {
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
