//! What is wrong with a certificate that a server presented, and what to do about it.

use std::time::SystemTime;

use rustls::pki_types::CertificateDer;
use rustls::{CertificateError, Error as Fault};
use x509_parser::parse_x509_certificate;
use x509_parser::prelude::X509Certificate;

use super::certificate::{Certificate, timestamp};
use super::defect::{Defect, Role, alternative_name, defects};
use super::verify::Seen;
use super::wording::{Reason, words};

const ALL_THE_SAME: &str = "to go on all the same: #{verify: false}, or --insecure";

/// Explains why a certificate was not accepted for a name.
pub(super) fn reason(fault: &Fault, seen: &Seen, name: &str) -> Reason {
    let Fault::InvalidCertificate(error) = fault else {
        return Reason::new(
            "the server presented no usable certificate",
            "a certificate",
            words(&fault.to_string()),
            ALL_THE_SAME,
        );
    };
    let chain: Vec<Link<'_>> = seen.certificates.iter().enumerate().filter_map(link).collect();
    let anchors = seen.given.iter().map(|der| (1, der)).filter_map(link);
    let anchors = anchors.filter(|anchor| {
        chain.iter().any(|link| link.parsed.issuer().as_raw() == anchor.parsed.subject().as_raw())
    });
    let anchors: Vec<_> = anchors.collect();
    let view = View { seen, name, chain: chain.into_iter().chain(anchors).collect() };
    match error {
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => view.validity(),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            view.wrong_name()
        }
        CertificateError::UnknownIssuer => view.issuer(),
        CertificateError::Revoked => view.reason(
            "the server's certificate is revoked",
            "a certificate that is valid now",
            "renew it",
        ),
        other => view.other(other),
    }
}

/// A certificate that was presented or given as trusted.
struct Link<'a> {
    role: Role,
    said: Certificate,
    parsed: X509Certificate<'a>,
}

fn link<'a>((at, der): (usize, &'a CertificateDer<'static>)) -> Option<Link<'a>> {
    let role = if at == 0 { Role::Server } else { Role::Issuer };
    let (_, parsed) = parse_x509_certificate(der).ok()?;
    Some(Link { role, said: Certificate::parse(der)?, parsed })
}

impl Link<'_> {
    fn called(&self) -> String {
        match self.role {
            Role::Server => "the server's certificate".to_owned(),
            Role::Issuer => format!("the certificate of the issuer {}", self.said.subject),
        }
    }
}

/// The data that a fault is explained from.
struct View<'a> {
    seen: &'a Seen,
    name: &'a str,
    /// The server's certificate, the certificates that came with it, and the trusted ones.
    chain: Vec<Link<'a>>,
}

impl View<'_> {
    fn leaf(&self) -> Option<&Link<'_>> {
        self.chain.first().filter(|link| link.role == Role::Server)
    }

    fn reason(
        &self,
        why: impl Into<String>,
        wanted: impl Into<String>,
        hint: impl AsRef<str>,
    ) -> Reason {
        let came = self.leaf().map_or_else(
            || "a certificate that cannot be read".to_owned(),
            |leaf| format!("{}, issued by {}", leaf.said.subject, leaf.said.issuer),
        );
        Reason::new(why, wanted, came, format!("{}; {ALL_THE_SAME}", hint.as_ref()))
    }

    /// Further defects of the server's certificate, so that its replacement will be right at once.
    fn besides(&self) -> String {
        let found = self.leaf().map(|leaf| defects(&leaf.parsed, Role::Server));
        listed(&found.unwrap_or_default(), "; besides, it ")
    }

    fn validity(&self) -> Reason {
        let now = SystemTime::now();
        let wanted = "a certificate that is valid now";
        let out = |link: &&Link<'_>| now > link.said.not_after || now < link.said.not_before;
        let Some(link) = self.chain.iter().find(out) else {
            let why = "the server's certificate is not valid now";
            return self.reason(why, wanted, "look at the clocks of both machines");
        };
        let (called, besides) = (link.called(), self.besides());
        if now > link.said.not_after {
            let date = timestamp(link.said.not_after);
            return self.reason(format!("{called} expired on {date}{besides}"), wanted, "renew it");
        }
        let date = timestamp(link.said.not_before);
        let why = format!("{called} is not valid before {date}{besides}");
        self.reason(why, wanted, "look at the clocks of both machines")
    }

    fn wrong_name(&self) -> Reason {
        let name = self.name;
        let sans = self.leaf().map_or(&[][..], |leaf| &leaf.said.sans);
        let besides = self.besides();
        if sans.is_empty() {
            let wanted = format!(
                "a certificate with {} as a subject alternative name",
                alternative_name(name)
            );
            let hint = format!("with openssl: -addext subjectAltName={}", alternative_name(name));
            let why = besides.replacen("; besides, it", "the server's certificate", 1);
            return self.reason(why, wanted, hint);
        }
        if sans.iter().any(|san| san == name) {
            return self.reason(
                format!("the server's certificate has {name} as a host name, and not as an address{besides}"),
                format!("a certificate with {} as a subject alternative name", alternative_name(name)),
                format!("with openssl: -addext subjectAltName={}", alternative_name(name)),
            );
        }
        let names = sans.join(", ");
        self.reason(
            format!("the server's certificate is not for {name}, but for {names}{besides}"),
            format!("a certificate for {name}"),
            "connect by a name that it has, or say which one is meant: #{sni: \"...\"}",
        )
    }

    fn issuer(&self) -> Reason {
        let wanted = "a certificate of a CA that is trusted";
        let besides = self.besides();
        if self.is_self_signed() {
            let why = format!("the server's certificate is self-signed, and not trusted{besides}");
            let hint = "trust it: save it as PEM, and give it with #{ca: ...} or --cacert FILE";
            return self.reason(why, wanted, hint);
        }
        let sent = if self.seen.certificates.len() == 1 {
            "the server sends no intermediate certificate with it, and may have to; "
        } else {
            ""
        };
        self.reason(
            format!("the server's certificate is from a CA that is not trusted{besides}"),
            wanted,
            format!("{sent}trust its CA: #{{ca: ...}}, or --cacert FILE"),
        )
    }

    fn is_self_signed(&self) -> bool {
        self.leaf().is_some_and(|leaf| leaf.said.is_self_issued())
    }

    /// Explains faults that webpki does not name precisely, by reading the certificates.
    fn other(&self, error: &CertificateError) -> Reason {
        let trusted =
            self.seen.certificates.first().is_some_and(|leaf| self.seen.given.contains(leaf));
        if self.is_self_signed() && !trusted && self.seen.handshake.is_none() {
            return self.issuer();
        }
        let faulty = self.chain.iter().find_map(|link| {
            let found = defects(&link.parsed, link.role);
            (!found.is_empty()).then_some((link, found))
        });
        if let Some((link, found)) = faulty {
            let why = format!("{}{}", link.called(), listed(&found, " "));
            return self.reason(why, found[0].wanted.as_str(), "have a new one issued");
        }
        match (error, self.seen.handshake) {
            (CertificateError::BadSignature, Some(_)) => self.reason(
                "the server does not have the private key of the certificate that it shows",
                "a handshake signed with the certificate's key",
                "look at which key the server is configured with",
            ),
            (_, Some(scheme)) => {
                let scheme = scheme.as_str().unwrap_or("a scheme that has no name");
                self.reason(
                    format!(
                        "the server signs the handshake with {scheme}, which is not verified here"
                    ),
                    "a handshake signed with SHA-256, SHA-384 or SHA-512",
                    "the server's TLS library may be too old",
                )
            }
            (CertificateError::BadSignature, None) => self.reason(
                "the server's certificate was changed, or not signed by the CA that it names",
                "a certificate with its issuer's signature",
                "the CA may have a new key: trust that one",
            ),
            (CertificateError::BadEncoding, None) => self.reason(
                "the server's certificate cannot be read",
                "a certificate as X.509 has it (DER)",
                "look at it with openssl x509 -text",
            ),
            (CertificateError::Other(other), None) => self.unnamed(&other.0.to_string()),
            (other, None) => self.unnamed(&other.to_string()),
        }
    }

    fn unnamed(&self, error: &str) -> Reason {
        self.reason(
            format!("the server's certificate is not accepted: {}", words(error)),
            "a certificate that can be verified",
            "look at it with openssl x509 -text",
        )
    }
}

/// Joins several defects into one sentence.
fn listed(found: &[Defect], before: &str) -> String {
    let what: Vec<_> = found.iter().map(|defect| defect.what.as_str()).collect();
    match what.split_last() {
        None => String::new(),
        Some((last, [])) => format!("{before}{last}"),
        Some((last, rest)) => format!("{before}{}, and {last}", rest.join(", ")),
    }
}
