//! Weak certificates: one with a key that is too short, and one that is signed with SHA-1.

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

/// The object identifier of RSA with SHA-256, and the last octet of the one of RSA with SHA-1 (RFC
/// 8017 appendix C). The other octets are the same.
const BY_SHA256: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 0x0b];
const BY_SHA1: u8 = 5;

/// An RSA key pair in the form that rcgen needs to issue certificates.
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

/// Issues a certificate whose key has 1024 bits.
pub(super) fn short(
    server: &CertificateParams,
    issuer: &Issuer<'static, KeyPair>,
) -> Fallible<CertifiedKey> {
    let certificate = server.signed_by(&Pair::of(&SHORT), issuer)?;
    Ok(CertifiedKey::new(vec![certificate.into()], Arc::new(Short)))
}

/// Issues a certificate that an intermediate authority signs with SHA-1. Returns it with the
/// certificate of that authority, which is signed as usual.
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

/// Replaces the signature of a certificate by one with SHA-1. A certificate is a sequence of the
/// signed part, the algorithm, which the signed part names as well, and the signature (RFC 5280
/// section 4.1).
fn signed_again(mut certificate: Vec<u8>) -> Option<Vec<u8>> {
    let mut from = 0;
    while let Some(at) = memchr::memmem::find(&certificate[from..], &BY_SHA256) {
        from += at + BY_SHA256.len();
        certificate[from - 1] = BY_SHA1;
    }
    // The certificate and its signed part are longer than 255 octets, so each length takes two
    // octets.
    let [0x30, 0x82, _, _, 0x30, 0x82, high, low, ..] = certificate[..] else { return None };
    let signed = certificate.get(4..8 + usize::from(u16::from_be_bytes([high, low])))?;
    let signature = LONG.sign_by_sha1(signed);
    let place = certificate.len().checked_sub(signature.len())?;
    certificate[place..].copy_from_slice(&signature);
    Some(certificate)
}

/// The key that is too short, in the form that rustls needs to sign handshakes.
#[derive(Debug)]
struct Short;

/// The same key, with the signature scheme of a handshake.
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
