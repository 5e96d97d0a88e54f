//! Defects that no certificate of a server or a client may have, whoever issued it, in words.

use std::net::IpAddr;

use rustls::pki_types::CertificateDer;
use x509_parser::parse_x509_certificate;
use x509_parser::prelude::{ParsedExtension, X509Certificate, X509Version};
use x509_parser::public_key::PublicKey;

/// A reason to refuse a certificate, and what would be right instead.
pub(super) struct Defect {
    /// Continues the words "the certificate", as in "is of X.509 version 1".
    pub(super) what: String,
    pub(super) wanted: String,
}

/// The role of a certificate in a chain.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Server,
    Client,
    Issuer,
}

impl Role {
    /// Who has the certificate, or who is to have issued it.
    pub(super) fn holder(self) -> &'static str {
        match self {
            Self::Server => "the server",
            Self::Client => "the client",
            Self::Issuer => "the issuer",
        }
    }
}

/// The sizes of RSA keys in bits whose signatures ring can verify.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
const GOOD_KEY: &str =
    "an RSA key of 2048 to 8192 bits, an ECDSA key on P-256 or P-384, or an Ed25519 key";

/// All defects of a certificate in this role, the most important first.
pub(super) fn defects(certificate: &X509Certificate<'_>, role: Role) -> Vec<Defect> {
    let self_issued = certificate.subject().as_raw() == certificate.issuer().as_raw();
    let is_ca = certificate.is_ca();
    let found = [
        version(certificate),
        key(certificate),
        // A certificate that issued itself is not verified by its signature, so the signature does
        // not matter.
        if self_issued { None } else { signature(certificate) },
        critical_extension(certificate),
        match role {
            Role::Server if is_ca && !self_issued => Some(defect(
                "is the certificate of a CA (CA:TRUE), used as a server's",
                "a certificate of the server's own, issued by that CA",
            )),
            // Even if it is trusted itself, webpki does not take it from a client.
            Role::Client if is_ca => Some(defect(
                "is the certificate of a CA (CA:TRUE), used as a client's",
                "a certificate without CA:TRUE, issued by a CA",
            )),
            Role::Issuer if !is_ca => Some(defect(
                "is not the certificate of a CA (no CA:TRUE), and issued another one",
                "an issuer with the basic constraint CA:TRUE",
            )),
            _ => None,
        },
        if role == Role::Issuer { None } else { purpose(certificate, role) },
        key_usage(certificate, role),
        if role == Role::Server { nameless(certificate) } else { None },
    ];
    found.into_iter().flatten().collect()
}

fn defect(what: impl Into<String>, wanted: impl Into<String>) -> Defect {
    Defect { what: what.into(), wanted: wanted.into() }
}

fn version(certificate: &X509Certificate<'_>) -> Option<Defect> {
    let number = match certificate.version() {
        X509Version::V3 => return None,
        X509Version(number) => number.saturating_add(1),
    };
    Some(defect(
        format!("is of X.509 version {number}"),
        "a certificate of version 3 (with openssl, one made with -addext or -extfile)",
    ))
}

fn key(certificate: &X509Certificate<'_>) -> Option<Defect> {
    let key = certificate.public_key();
    let algorithm = key.algorithm.algorithm.to_id_string();
    let what = match (algorithm.as_str(), key.parsed()) {
        ("1.2.840.113549.1.1.1", Ok(PublicKey::RSA(rsa))) => {
            let bits = bits(rsa.modulus);
            if RSA_BITS.contains(&bits) {
                return None;
            }
            let why =
                if bits < *RSA_BITS.start() { "too short" } else { "longer than is verified here" };
            format!("has an RSA key of {bits} bits, which is {why}")
        }
        ("1.2.840.10045.2.1", _) => {
            let curve = key.algorithm.parameters.as_ref().and_then(|curve| curve.as_oid().ok());
            match curve.map(|curve| curve.to_id_string()).as_deref() {
                Some("1.2.840.10045.3.1.7" | "1.3.132.0.34") => return None,
                Some(curve) => format!(
                    "has a key on the curve {}, whose signatures are not verified here",
                    curve_name(curve)
                ),
                None => "has an ECDSA key on a curve without a name".to_owned(),
            }
        }
        ("1.3.101.112", _) => return None,
        ("1.3.101.113", _) => "has an Ed448 key, whose signatures are not verified here".to_owned(),
        ("1.2.840.10040.4.1", _) => "has a DSA key, which TLS has given up".to_owned(),
        ("1.2.840.113549.1.1.10", _) => {
            "has a key for RSASSA-PSS alone, whose signatures are not verified here".to_owned()
        }
        (other, _) => format!("has a key of a kind that is not known here ({other})"),
    };
    Some(defect(what, GOOD_KEY))
}

/// The length of a number in bits, without leading zeros.
fn bits(number: &[u8]) -> usize {
    let start = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
    let number = &number[start..];
    let leading = number.first().map_or(0, |first| first.leading_zeros() as usize);
    number.len() * 8 - leading
}

fn curve_name(oid: &str) -> &str {
    match oid {
        "1.3.132.0.35" => "P-521",
        "1.3.132.0.33" => "P-224",
        "1.3.132.0.10" => "secp256k1",
        "1.3.36.3.3.2.8.1.1.7" => "brainpoolP256r1",
        "1.3.36.3.3.2.8.1.1.11" => "brainpoolP384r1",
        "1.3.36.3.3.2.8.1.1.13" => "brainpoolP512r1",
        other => other,
    }
}

fn signature(certificate: &X509Certificate<'_>) -> Option<Defect> {
    let digest = match certificate.signature_algorithm.algorithm.to_id_string().as_str() {
        "1.2.840.113549.1.1.5" | "1.2.840.10045.4.1" | "1.2.840.10040.4.3" | "1.3.14.3.2.29" => {
            "SHA-1"
        }
        "1.2.840.113549.1.1.4" | "1.3.14.3.2.3" => "MD5",
        "1.2.840.113549.1.1.2" => "MD2",
        _ => return None,
    };
    Some(defect(
        format!("is signed with {digest}, which can be forged"),
        "a certificate signed with SHA-256, SHA-384 or SHA-512",
    ))
}

/// The extensions that webpki knows. Any other extension that is critical makes verification fail
/// (RFC 5280 section 4.2).
const KNOWN_EXTENSIONS: [&str; 7] = [
    "2.5.29.15",
    "2.5.29.17",
    "2.5.29.19",
    "2.5.29.30",
    "2.5.29.31",
    "2.5.29.37",
    "1.3.6.1.4.1.11129.2.4.2",
];

fn critical_extension(certificate: &X509Certificate<'_>) -> Option<Defect> {
    let unknown = certificate.extensions().iter().find_map(|extension| {
        let oid = extension.oid.to_id_string();
        let known = KNOWN_EXTENSIONS.contains(&oid.as_str());
        (extension.critical && !known).then_some(oid)
    })?;
    let name = match unknown.as_str() {
        "2.5.29.32" => "certificate policies, 2.5.29.32",
        "2.5.29.33" => "policy mappings, 2.5.29.33",
        "2.5.29.36" => "policy constraints, 2.5.29.36",
        "2.5.29.54" => "inhibit any policy, 2.5.29.54",
        "1.3.6.1.5.5.7.1.24" => "TLS features such as must-staple, 1.3.6.1.5.5.7.1.24",
        other => other,
    };
    Some(defect(
        format!("has a critical extension that is not known here ({name})"),
        "a certificate without that extension, or with one that is not critical",
    ))
}

fn purpose(certificate: &X509Certificate<'_>, role: Role) -> Option<Defect> {
    let usage = certificate.extensions().iter().find_map(|extension| {
        match extension.parsed_extension() {
            ParsedExtension::ExtendedKeyUsage(usage) => Some(usage),
            _ => None,
        }
    })?;
    let (is_fit, holders, wanted) = match role {
        Role::Client => (usage.client_auth, "clients", "clientAuth"),
        Role::Server | Role::Issuer => (usage.server_auth, "servers", "serverAuth"),
    };
    if is_fit {
        return None;
    }
    let kinds = [
        (usage.server_auth, "TLS servers"),
        (usage.client_auth, "TLS clients"),
        (usage.email_protection, "mail"),
        (usage.code_signing, "code"),
        (usage.time_stamping, "time stamps"),
        (usage.ocsp_signing, "OCSP"),
    ];
    let kinds: Vec<_> = kinds.into_iter().filter(|(is, _)| *is).map(|(_, kind)| kind).collect();
    let kinds = if kinds.is_empty() { "something else".to_owned() } else { kinds.join(" and ") };
    Some(defect(
        format!("is for {kinds}, not for TLS {holders} (extended key usage)"),
        format!("a certificate with {wanted} in its extended key usage"),
    ))
}

/// Keys that may not be used as they are (RFC 5280 section 4.2.1.3, RFC 8446 section 4.4.2.2). Old
/// certificates for servers may have keyEncipherment alone.
fn key_usage(certificate: &X509Certificate<'_>, role: Role) -> Option<Defect> {
    let usage = certificate.key_usage().ok()??.value;
    let is_self_issued = certificate.subject().as_raw() == certificate.issuer().as_raw();
    let is_for_tls =
        || usage.digital_signature() || usage.key_encipherment() || usage.key_agreement();
    match role {
        Role::Issuer if !usage.key_cert_sign() => Some(defect(
            "may not issue certificates (no keyCertSign in its key usage)",
            "an issuer with keyCertSign in its key usage, or without a key usage",
        )),
        Role::Server | Role::Client if !is_self_issued && !is_for_tls() => Some(defect(
            "is not for TLS (no digitalSignature in its key usage)",
            "a certificate with digitalSignature in its key usage",
        )),
        _ => None,
    }
}

/// Whether a chain has a key that may not be used as it is, which webpki does not look at. Of several
/// issuers with one name, one that may issue is enough.
pub(super) fn is_misused<'a>(certificate: &'a [u8], chain: &'a [CertificateDer<'_>]) -> bool {
    let parsed = |der| parse_x509_certificate(der).ok().map(|(_, parsed)| parsed);
    let Some(mut current) = parsed(certificate) else { return false };
    if key_usage(&current, Role::Server).is_some() {
        return true;
    }
    let issuers: Vec<_> = chain.iter().filter_map(|der| parsed(der.as_ref())).collect();
    for _ in 0..issuers.len() {
        let mut named = issuers
            .iter()
            .filter(|issuer| issuer.subject().as_raw() == current.issuer().as_raw())
            .peekable();
        if named.peek().is_none() {
            return false;
        }
        let Some(issuer) = named.find(|issuer| key_usage(issuer, Role::Issuer).is_none()) else {
            return true;
        };
        current = issuer.clone();
    }
    false
}

/// The defect of a certificate whose only name is in its subject.
pub(super) fn nameless(certificate: &X509Certificate<'_>) -> Option<Defect> {
    let named = certificate.extensions().iter().any(|extension| {
        matches!(extension.parsed_extension(), ParsedExtension::SubjectAlternativeName(_))
    });
    (!named).then(|| {
        defect(
            "has no subject alternative name, and a name in its subject (CN) does not count (RFC 9525)",
            "a certificate with the server's name as a subject alternative name",
        )
    })
}

/// The subject alternative name for a host.
pub(super) fn alternative_name(host: &str) -> String {
    let kind = if host.parse::<IpAddr>().is_ok() { "IP" } else { "DNS" };
    format!("{kind}:{host}")
}
