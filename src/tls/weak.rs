//! Certificates that are weak: a key that is too short, and a signature by SHA-1.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData,
    SignatureAlgorithm, SigningKey,
};
use rustls::pki_types::CertificateDer;
use rustls::sign::{CertifiedKey, Signer};
use rustls::{SignatureScheme, sign};

use super::rsa::{LONG, Rsa, SHORT};
use super::subject::{Fallible, named};

/// The object identifiers of signatures by RSA with SHA-256 and with SHA-1 (RFC 8017 appendix C):
/// they differ in the last octet.
const BY_SHA256: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 0x0b];
const BY_SHA1: u8 = 5;

/// A key pair as certificates have it.
struct Pair {
    rsa: &'static Rsa,
    public: Vec<u8>,
}

impl Pair {
    fn of(rsa: &'static Rsa) -> Self {
        Self { rsa, public: rsa.public_key() }
    }
}

impl PublicKeyData for Pair {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_RSA_SHA256
    }
}

impl SigningKey for Pair {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(self.rsa.sign_by_sha256(message))
    }
}

/// A certificate whose key has 1024 bits.
pub(super) fn short(
    server: &CertificateParams,
    issuer: &Issuer<'static, KeyPair>,
) -> Fallible<CertifiedKey> {
    let certificate = server.signed_by(&Pair::of(&SHORT), issuer)?;
    Ok(CertifiedKey::new(vec![certificate.into()], Arc::new(Short)))
}

/// A certificate that is signed by SHA-1: by an authority between, whose own one is signed as ever.
pub(super) fn by_sha1(
    server: &CertificateParams,
    (key, issuer): (&KeyPair, &Issuer<'static, KeyPair>),
) -> Fallible<Vec<CertificateDer<'static>>> {
    let mut between = CertificateParams::default();
    between.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    between.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    named(&mut between, "mailexpect throw-away CA that signs by SHA-1");
    let certificate = between.signed_by(&Pair::of(&LONG), issuer)?;
    let signed = server.signed_by(key, &Issuer::new(between, Pair::of(&LONG)))?;
    let signed = signed_again(signed.der().to_vec()).ok_or("a certificate of an odd form")?;
    Ok(vec![signed.into(), certificate.into()])
}

/// The certificate with a signature by SHA-1 in place of its own. It is a sequence of what is signed,
/// the name of the algorithm, which stands in what is signed, too, and the signature (RFC 5280
/// section 4.1).
fn signed_again(mut certificate: Vec<u8>) -> Option<Vec<u8>> {
    let mut from = 0;
    while let Some(at) = memchr::memmem::find(&certificate[from..], &BY_SHA256) {
        from += at + BY_SHA256.len();
        certificate[from - 1] = BY_SHA1;
    }
    // Both are longer than 255 octets: their lengths are two.
    let [0x30, 0x82, _, _, 0x30, 0x82, high, low, ..] = certificate[..] else { return None };
    let signed = certificate.get(4..8 + usize::from(u16::from_be_bytes([high, low])))?;
    let signature = LONG.sign_by_sha1(signed);
    let place = certificate.len().checked_sub(signature.len())?;
    certificate[place..].copy_from_slice(&signature);
    Some(certificate)
}

/// The key that is too short, as rustls signs handshakes with it.
#[derive(Debug)]
struct Short;

/// The same, with the scheme that was agreed on.
#[derive(Debug)]
struct Signs(SignatureScheme);

impl sign::SigningKey for Short {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let known = [SignatureScheme::RSA_PSS_SHA256, SignatureScheme::RSA_PKCS1_SHA256];
        let scheme = known.into_iter().find(|scheme| offered.contains(scheme))?;
        Some(Box::new(Signs(scheme)))
    }

    fn algorithm(&self) -> rustls::SignatureAlgorithm {
        rustls::SignatureAlgorithm::RSA
    }
}

impl Signer for Signs {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        Ok(match self.0 {
            SignatureScheme::RSA_PSS_SHA256 => SHORT.sign_by_pss(message),
            _ => SHORT.sign_by_sha256(message),
        })
    }

    fn scheme(&self) -> SignatureScheme {
        self.0
    }
}
