//! RSA signatures for certificates that no client should accept. ring, like every well-maintained
//! library, signs neither with keys of 1024 bits nor with SHA-1.
//!
//! The two private keys are published here, so they need no protection: how long a signature takes
//! may depend on the key.

use data_encoding::HEXLOWER;
use num_bigint::BigUint;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// A key pair, whose public exponent is 65537.
#[derive(Debug)]
pub(super) struct Rsa {
    /// The modulus in hexadecimal digits.
    modulus: &'static str,
    exponent: &'static str,
}

/// A key that is too short: 1024 bits.
pub(super) const SHORT: Rsa = Rsa {
    modulus: concat!(
        "b0464077c51b89493594c4b5950a2321881aabd71a66cbbcae2fe3a347ae819df1aeda7e3f333c2b",
        "427c92dfa8d68ee222afa4f18f476a9b5fa1e38c37bebfe5a050c2a8a1879f9c7d464e131ac2de05",
        "182dbcd0930d2fa085c5dfff84515c176d05d2417c4e1e49693eecd39c2df45e84035579fd47aba1",
        "298ddade0f8d1b13",
    ),
    exponent: concat!(
        "985fb1dc9662ee327d81a2e4bff7aa5492fd532bb6a3c35bcf4a90411576908ec25afe7e010dbde6",
        "3b2bca1e52295e0bb62614b3c6c1da3282e142fc73378d5276c0b7433c873d6e13a921acd4033d26",
        "ea11bdc3be14356b0c4f7d4138151f12bd44ee9ab0a28591459fba740753d3bb34b863c82494e4c1",
        "9ad0597795afc699",
    ),
};

/// A key that is long enough: 2048 bits.
pub(super) const LONG: Rsa = Rsa {
    modulus: concat!(
        "be1cd410fefada14789c97dc05b9b53675bc136c047090ab0256d21b8824171e46f7b9aa0bea07c4",
        "5a10c75bedf05c3b1474c7d88ac063af4693f2329fb163ab5634b14f923cdb166a112fed429b7b66",
        "83f957ff8e79e052247771ff37a0197b46a298cb897ffcff6855bba44df9318cb8f4023cd9e17829",
        "ad30f7d4425d2eeb4aee4d4c0d82e1e8203d9418e03ad6fd63c4b69ac0e0ab8cf4ebce2e318e457b",
        "29e56f2b831c5d9615fcd5b82d339047e9b6b07b8f370feabca8daa8390888b1bc5c15d736336e6a",
        "64592ca3a65cad6db553c9165bdb40c6164488dd98d98efaffe271c7c2a425a64f342a09dee8799e",
        "961d6db7e63c49f438fbeabdbe5f3465",
    ),
    exponent: concat!(
        "19fcb9d65aec726c12f2a0e59018cb17172feeddb89ba482e3ce7769110a91e86f1e04d0a45148df",
        "83ca405e261fd193b7dfa0c3ce6faf10b20e9e306258eebd688aca640ca2e9f5dde8dc8acbac9249",
        "38a81869d4117fe2ea9e3344865789b42abb2634c86668f086d41552c7dfd4f09e05a8daa593e707",
        "976796b0faa35f3ac8b527673b5f3f9c002f9e8a1d657415ebf1bd06bf52035ec88263542c5a5138",
        "a7a57ccd9fc893fe2cf0aebd8401d80ed8e71ff24aadd7b46e18a517205139a46e94ba821d699c3c",
        "49128ad2c1c2f1779d412027d7fc27a6a9fa91652ade151f17e07c517f8473a9ad69c6aa759662ce",
        "914c466451d3ad55d23aef44c0e05c71",
    ),
};

/// The bytes before the digest in a signature, which name the hash function (RFC 8017 section 9.2).
const OF_SHA1: &[u8] = &[0x30, 0x21, 0x30, 0x09, 6, 5, 0x2b, 0x0e, 3, 2, 0x1a, 5, 0, 4, 0x14];
const OF_SHA256: &[u8] =
    &[0x30, 0x31, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 0x20];

impl Rsa {
    /// Signs with RSASSA-PKCS1-v1_5 and SHA-1 (RFC 8017 section 8.2).
    pub(super) fn sign_by_sha1(&self, message: &[u8]) -> Vec<u8> {
        self.padded(OF_SHA1, &Sha1::digest(message))
    }

    /// Signs with RSASSA-PKCS1-v1_5 and SHA-256.
    pub(super) fn sign_by_sha256(&self, message: &[u8]) -> Vec<u8> {
        self.padded(OF_SHA256, &Sha256::digest(message))
    }

    /// Signs with RSASSA-PSS and SHA-256 (RFC 8017 section 9.1.1). The salt is all zeros, because
    /// nobody needs protection from forged signatures here.
    pub(super) fn sign_by_pss(&self, message: &[u8]) -> Vec<u8> {
        let salt = [0; 32];
        let digest = Sha256::new()
            .chain_update([0; 8])
            .chain_update(Sha256::digest(message))
            .chain_update(salt);
        let digest = digest.finalize();
        let mut block = vec![0; self.octets() - digest.len() - salt.len() - 2];
        block.push(1);
        block.extend(salt);
        for (place, octet) in mask(&digest, block.len()).into_iter().enumerate() {
            block[place] ^= octet;
        }
        // The highest bit of the modulus is set, and the block must have one bit less.
        block[0] &= 0x7f;
        block.extend(digest);
        block.push(0xbc);
        self.private(&block)
    }

    /// The public key (RFC 8017 appendix A.1.1).
    pub(super) fn public_key(&self) -> Vec<u8> {
        let modulus = [&[0], &octets(self.modulus)[..]].concat();
        let length = u16::try_from(modulus.len()).unwrap_or(u16::MAX);
        let numbers = [&[2, 0x82], &length.to_be_bytes()[..], &modulus, &[2, 3, 1, 0, 1]].concat();
        let length = u16::try_from(numbers.len()).unwrap_or(u16::MAX);
        [&[0x30, 0x82], &length.to_be_bytes()[..], &numbers].concat()
    }

    fn octets(&self) -> usize {
        self.modulus.len() / 2
    }

    fn padded(&self, before: &[u8], digest: &[u8]) -> Vec<u8> {
        let padding = self.octets() - before.len() - digest.len() - 3;
        self.private(&[&[0, 1], &vec![0xff; padding][..], &[0], before, digest].concat())
    }

    fn private(&self, message: &[u8]) -> Vec<u8> {
        power(message, &octets(self.exponent), &octets(self.modulus))
    }
}

/// The mask generation function MGF1 with SHA-256 (RFC 8017 appendix B.2.1).
fn mask(seed: &[u8], length: usize) -> Vec<u8> {
    let block =
        |count: u32| Sha256::new().chain_update(seed).chain_update(count.to_be_bytes()).finalize();
    (0..).flat_map(block).take(length).collect()
}

fn octets(digits: &str) -> Vec<u8> {
    HEXLOWER.decode(digits.as_bytes()).unwrap_or_default()
}

/// Returns `base` to the power of `exponent`, modulo `modulus`, with as many octets as the modulus.
fn power(base: &[u8], exponent: &[u8], modulus: &[u8]) -> Vec<u8> {
    let [base, exponent, number] = [base, exponent, modulus].map(BigUint::from_bytes_be);
    let power = base.modpow(&exponent, &number).to_bytes_be();
    [&vec![0; modulus.len().saturating_sub(power.len())], &power[..]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_verified_by_the_public_key() {
        for (key, bytes) in [(SHORT, 128), (LONG, 256)] {
            let signed = key.sign_by_sha1(b"abc");
            let found = power(&signed, &[1, 0, 1], &octets(key.modulus));
            assert_eq!((signed.len(), &found[..3]), (bytes, &[0, 1, 0xff][..]));
            assert!(found.ends_with(&Sha1::digest(b"abc")));
            let signed = key.sign_by_sha256(b"abc");
            let found = power(&signed, &[1, 0, 1], &octets(key.modulus));
            assert!(found.ends_with(&Sha256::digest(b"abc")));
        }
    }

    #[test]
    fn ring_takes_what_the_long_key_signs() {
        let key = LONG.public_key();
        let ring = rustls::crypto::ring::default_provider().signature_verification_algorithms;
        for (scheme, signed) in [
            (rustls::SignatureScheme::RSA_PSS_SHA256, LONG.sign_by_pss(b"abc")),
            (rustls::SignatureScheme::RSA_PKCS1_SHA256, LONG.sign_by_sha256(b"abc")),
        ] {
            let (_, known) = ring.mapping.iter().find(|(known, _)| *known == scheme).unwrap();
            known[0].verify_signature(&key, b"abc", &signed).unwrap();
            assert!(known[0].verify_signature(&key, b"abd", &signed).is_err());
        }
    }
}
