//! What is wrong with a certificate that a peer presented, and what to do about it.

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
const RIGHTLY: &str = "catch the error if the client is to be refused";

/// Explains why the certificate of a server was not accepted for a name.
pub(super) fn reason(fault: &Fault, seen: &Seen, name: &str) -> Reason {
    explained(fault, seen, (Role::Server, name))
}

/// Explains why the certificate of a client was not accepted.
pub(super) fn of_client(fault: &Fault, seen: &Seen) -> Reason {
    explained(fault, seen, (Role::Client, ""))
}

fn explained(fault: &Fault, seen: &Seen, (role, name): (Role, &str)) -> Reason {
    let Fault::InvalidCertificate(error) = fault else {
        return Reason::new(
            format!("{} presented no usable certificate", role.holder()),
            "a certificate",
            words(&fault.to_string()),
            if role == Role::Client { RIGHTLY } else { ALL_THE_SAME },
        );
    };
    let of_chain = |at| if at == 0 { role } else { Role::Issuer };
    let chain = seen.certificates.iter().enumerate().map(|(at, der)| (of_chain(at), der));
    let chain: Vec<Link<'_>> = chain.filter_map(link).collect();
    let anchors = seen.given.iter().map(|der| (Role::Issuer, der)).filter_map(link);
    let anchors = anchors.filter(|anchor| {
        chain.iter().any(|link| link.parsed.issuer().as_raw() == anchor.parsed.subject().as_raw())
    });
    let anchors: Vec<_> = anchors.collect();
    let view = View { seen, role, name, chain: chain.into_iter().chain(anchors).collect() };
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
            format!("{} is revoked", view.called()),
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

fn link<'a>((role, der): (Role, &'a CertificateDer<'static>)) -> Option<Link<'a>> {
    let (_, parsed) = parse_x509_certificate(der).ok()?;
    Some(Link { role, said: Certificate::parse(der)?, parsed })
}

impl Link<'_> {
    fn called(&self) -> String {
        match self.role {
            Role::Server | Role::Client => format!("{}'s certificate", self.role.holder()),
            Role::Issuer => format!("the certificate of the issuer {}", self.said.subject),
        }
    }
}

/// The data that a fault is explained from.
struct View<'a> {
    seen: &'a Seen,
    /// Who presented the certificate.
    role: Role,
    name: &'a str,
    /// The peer's certificate, the certificates that came with it, and the trusted ones.
    chain: Vec<Link<'a>>,
}

impl View<'_> {
    fn leaf(&self) -> Option<&Link<'_>> {
        self.chain.first().filter(|link| link.role == self.role)
    }

    /// What the peer's certificate is called.
    fn called(&self) -> String {
        format!("{}'s certificate", self.role.holder())
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
        let otherwise = if self.role == Role::Client { RIGHTLY } else { ALL_THE_SAME };
        Reason::new(why, wanted, came, format!("{}; {otherwise}", hint.as_ref()))
    }

    /// Further defects of the peer's certificate, so that its replacement will be right at once.
    fn besides(&self) -> String {
        let found = self.leaf().map(|leaf| defects(&leaf.parsed, self.role));
        listed(&found.unwrap_or_default(), "; besides, it ")
    }

    fn validity(&self) -> Reason {
        let now = SystemTime::now();
        let wanted = "a certificate that is valid now";
        let out = |link: &&Link<'_>| now > link.said.not_after || now < link.said.not_before;
        let Some(link) = self.chain.iter().find(out) else {
            let why = format!("{} is not valid now", self.called());
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
        let besides = self.besides();
        if self.role == Role::Client {
            return self.clients_issuer(&besides);
        }
        let wanted = "a certificate of a CA that is trusted";
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

    fn clients_issuer(&self, besides: &str) -> Reason {
        let wanted = "a certificate that a CA of `client_ca` has issued";
        let issuer = self.leaf().map_or("nobody", |leaf| leaf.said.issuer.as_str());
        let (why, hint) = if self.is_self_signed() {
            ("is self-signed".to_owned(), "have one issued by a CA that `client_ca` gives")
        } else if self.seen.certificates.len() == 1 {
            (
                format!("is issued by {issuer}, which `client_ca` does not give"),
                "give its CA as `client_ca`, or have the client send its intermediate certificate",
            )
        } else {
            (
                format!("is issued by {issuer}, and not on behalf of a CA that `client_ca` gives"),
                "give its CA as `client_ca`",
            )
        };
        self.reason(format!("{} {why}{besides}", self.called()), wanted, hint)
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
        let (holder, called) = (self.role.holder(), self.called());
        match (error, self.seen.handshake) {
            (CertificateError::BadSignature, Some(_)) => self.reason(
                format!("{holder} does not have the private key of the certificate that it shows"),
                "a handshake signed with the certificate's key",
                format!("look at which key {holder} is configured with"),
            ),
            (_, Some(scheme)) => {
                let scheme = scheme.as_str().unwrap_or("a scheme that has no name");
                self.reason(
                    format!(
                        "{holder} signs the handshake with {scheme}, which is not verified here"
                    ),
                    "a handshake signed with SHA-256, SHA-384 or SHA-512",
                    format!("{holder}'s TLS library may be too old"),
                )
            }
            (CertificateError::BadSignature, None) => self.reason(
                format!("{called} was changed, or not signed by the CA that it names"),
                "a certificate with its issuer's signature",
                "the CA may have a new key: trust that one",
            ),
            (CertificateError::BadEncoding, None) => self.reason(
                format!("{called} cannot be read"),
                "a certificate as X.509 has it (DER)",
                "look at it with openssl x509 -text",
            ),
            (CertificateError::Other(other), None) => self.unnamed(&other.0.to_string()),
            (other, None) => self.unnamed(&other.to_string()),
        }
    }

    fn unnamed(&self, error: &str) -> Reason {
        self.reason(
            format!("{} is not accepted: {}", self.called(), words(error)),
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
