//! Why the handshake of a client failed, in words.

use std::io;

use rustls::{AlertDescription, Error as Fault, InvalidMessage, PeerIncompatible};

use super::accepting::Unfit;
use super::options::Version;
use super::reason::{fault, name, versions};
use super::wording::{Reason, words};

/// What the server's side says about a client that did not complete the handshake.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) why: String,
    /// What was wanted and what came, if that is more than the handshake and `why`.
    pub(crate) certificate: Option<(String, String)>,
    pub(crate) hint: Option<String>,
}

/// Explains why the handshake of a client failed with a server that allows these versions.
pub(crate) fn of_client(error: &io::Error, allowed: (Option<Version>, Option<Version>)) -> Refused {
    if let Some(Unfit(reason)) = error.get_ref().and_then(|unfit| unfit.downcast_ref()) {
        let Reason { why, wanted, came, hint, .. } = reason.clone();
        return Refused { why, certificate: came.map(|came| (wanted, came)), hint: Some(hint) };
    }
    let (why, hint) = match fault(error) {
        Some(Fault::AlertReceived(alert)) => {
            (format!("the client's alert {}", name(*alert)), of_alert(*alert))
        }
        Some(Fault::PeerIncompatible(why)) => incompatible(why, allowed),
        Some(Fault::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        )) => (
            "the client does not speak TLS here".to_owned(),
            Some("a client begins with TLS if its URL does, as smtps://, imaps:// and tls:// do"),
        ),
        Some(Fault::NoCertificatesPresented) => (
            "the client sent no certificate".to_owned(),
            Some(
                "give the client one: #{cert: ..., key: ...}; or catch the error if it is to be refused",
            ),
        ),
        Some(Fault::InvalidCertificate(why)) => (
            format!("the client's certificate is not accepted: {}", words(&why.to_string())),
            Some("look at the certificate of the client, and at the CA given by #{client_ca: ...}"),
        ),
        Some(other) => {
            (format!("the client violates the TLS protocol: {}", words(&other.to_string())), None)
        }
        None => (error.to_string(), None),
    };
    Refused { why, certificate: None, hint: hint.map(str::to_owned) }
}

fn of_alert(alert: AlertDescription) -> Option<&'static str> {
    match alert {
        AlertDescription::ProtocolVersion => Some(VERSIONS),
        AlertDescription::UnknownCA
        | AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateRevoked
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::DecryptError => Some(
            "a client that refuses the certificate says so like this: give it the listener's `ca`, or catch the error if it is right to refuse",
        ),
        _ => None,
    }
}

const VERSIONS: &str = "see #{min, max} of the client and of the listener";

fn incompatible(
    why: &PeerIncompatible,
    allowed: (Option<Version>, Option<Version>),
) -> (String, Option<&'static str>) {
    use PeerIncompatible as Lacks;
    let lacks = match why {
        Lacks::Tls12NotOffered
        | Lacks::Tls12NotOfferedOrEnabled
        | Lacks::SupportedVersionsExtensionRequired => {
            return (format!("the client does not offer {}", versions(allowed)), Some(VERSIONS));
        }
        Lacks::NoCipherSuitesInCommon => "cipher suite that is supported here",
        Lacks::NoKxGroupsInCommon
        | Lacks::NamedGroupsExtensionRequired
        | Lacks::KeyShareExtensionRequired
        | Lacks::EcPointsExtensionRequired
        | Lacks::NoEcPointFormatsInCommon
        | Lacks::UncompressedEcPointsRequired => "key exchange that is supported here",
        Lacks::NoSignatureSchemesInCommon | Lacks::SignatureAlgorithmsExtensionRequired => {
            "signature that the key of the certificate can make"
        }
        other => {
            let other = words(&format!("{other:?}"));
            return (format!("the client's TLS is not compatible: {other}"), None);
        }
    };
    (format!("the client offers no {lacks}"), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(fault: Fault, allowed: (Option<Version>, Option<Version>)) -> Refused {
        of_client(&io::Error::new(io::ErrorKind::InvalidData, fault), allowed)
    }

    #[test]
    fn a_client_without_an_allowed_version_is_said_to_offer_none() {
        let only = (Some(Version::V1_3), None);
        for why in [
            PeerIncompatible::Tls12NotOffered,
            PeerIncompatible::Tls12NotOfferedOrEnabled,
            PeerIncompatible::SupportedVersionsExtensionRequired,
        ] {
            let said = refused(why.clone().into(), only);
            assert_eq!(said.why, "the client does not offer TLS 1.3");
            assert_eq!(said.hint.as_deref(), Some(VERSIONS));
            let said = refused(why.into(), (None, None));
            assert_eq!(said.why, "the client does not offer TLS 1.2 or 1.3");
        }
    }

    #[test]
    fn only_an_alert_about_the_certificate_is_said_to_be_one() {
        let certificate = |fault: Fault| {
            let hint = refused(fault, (None, None)).hint;
            hint.is_some_and(|hint| hint.contains("refuses the certificate"))
        };
        assert!(certificate(Fault::AlertReceived(AlertDescription::UnknownCA)));
        assert!(!certificate(Fault::AlertReceived(AlertDescription::ProtocolVersion)));
        assert!(!certificate(PeerIncompatible::NoCipherSuitesInCommon.into()));
        assert!(!certificate(Fault::NoCertificatesPresented));
    }

    #[test]
    fn no_name_of_the_library_is_shown() {
        for fault in [
            PeerIncompatible::NullCompressionRequired.into(),
            PeerIncompatible::NoKxGroupsInCommon.into(),
            PeerIncompatible::NoSignatureSchemesInCommon.into(),
            PeerIncompatible::ExtendedMasterSecretExtensionRequired.into(),
            Fault::InvalidMessage(InvalidMessage::MissingData("ProtocolVersion")),
            Fault::PeerMisbehaved(rustls::PeerMisbehaved::SelectedUnofferedCipherSuite),
            rustls::CertificateError::UnknownIssuer.into(),
        ] {
            let said = refused(fault, (None, None)).why;
            let camel = |(one, two): (char, char)| one.is_lowercase() && two.is_uppercase();
            assert!(!said.chars().zip(said.chars().skip(1)).any(camel), "{said}");
        }
    }
}
