//! Certificates that are not accepted: the error for each, and that each can be accepted on
//! request.

use mailexpect::block_on;
use std::sync::Arc;

use mailexpect::tls::Options;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::sign::{CertifiedKey, Signer, SigningKey, SingleCertAndKey};
use rustls::{ServerConfig, SignatureAlgorithm, SignatureScheme, version};

use crate::tls_server::{Ca, connect, failure, implicit, params};

/// Signs with any scheme, but wrongly, so that no test needs a private key. A client that verifies
/// nothing goes on all the same, and a client that verifies looks at the certificate first.
#[derive(Debug)]
struct WrongKey(SignatureScheme);

impl SigningKey for WrongKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered.contains(&self.0).then(|| Box::new(Self(self.0)) as Box<dyn Signer>)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        match self.0 {
            SignatureScheme::ED448 => SignatureAlgorithm::ED448,
            SignatureScheme::ECDSA_NISTP256_SHA256 | SignatureScheme::ECDSA_NISTP521_SHA512 => {
                SignatureAlgorithm::ECDSA
            }
            _ => SignatureAlgorithm::RSA,
        }
    }
}

impl Signer for WrongKey {
    fn sign(&self, _message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        Ok(vec![0; 64])
    }

    fn scheme(&self) -> SignatureScheme {
        self.0
    }
}

const P256: SignatureScheme = SignatureScheme::ECDSA_NISTP256_SHA256;
const RSA: SignatureScheme = SignatureScheme::RSA_PSS_SHA256;

fn config(chain: Vec<CertificateDer<'static>>, scheme: SignatureScheme) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13])
        .unwrap();
    let certified = CertifiedKey::new(chain, Arc::new(WrongKey(scheme)));
    let resolver = Arc::new(SingleCertAndKey::from(certified));
    Arc::new(builder.with_no_client_auth().with_cert_resolver(resolver))
}

fn fixture(name: &str) -> Vec<CertificateDer<'static>> {
    let pem = std::fs::read(format!("tests/certificates/{name}.pem")).unwrap();
    CertificateDer::pem_slice_iter(&pem).map(Result::unwrap).collect()
}

/// The error of connecting, and the value of `s.tls.fault` if the client does not verify.
fn refusal(
    chain: &[CertificateDer<'static>],
    scheme: SignatureScheme,
    options: &Options,
) -> (String, String) {
    let server = implicit(config(chain.to_vec(), scheme));
    let error = failure(&server.url("smtps"), options.clone());
    assert!(error.is_tls(), "{error}");
    server.end();
    let server = implicit(config(chain.to_vec(), scheme));
    let fault = block_on(async {
        let options = options.clone().verify(false);
        let mut session = connect(&server.url("smtps"), options).await.unwrap();
        session.expect(220).await.unwrap();
        let fault = session.tls().unwrap().fault.clone().unwrap();
        session.finish().await.unwrap();
        fault
    });
    server.end();
    (error.to_string(), fault)
}

fn assert_refused(
    chain: &[CertificateDer<'static>],
    scheme: SignatureScheme,
    options: &Options,
    (why, wanted, hint): (&str, &str, &str),
) {
    let (error, fault) = refusal(chain, scheme, options);
    assert!(error.contains(&format!("TLS failed: {why}\n")), "{why}: {error}");
    assert_eq!(fault, why);
    assert!(error.contains(wanted), "{wanted}: {error}");
    assert!(error.contains(hint) && error.contains("--insecure"), "{hint}: {error}");
    let camel =
        |word: &str| word.contains('(') && word.starts_with(|c: char| c.is_ascii_uppercase());
    assert!(
        !error.split_whitespace().any(|word| camel(word) && !word.starts_with("(CA:")),
        "{error}"
    );
}

#[test]
fn a_certificate_that_openssl_made_is_refused_in_words_and_can_be_let_pass() {
    let options = Options::new().ca(std::fs::read("tests/certificates/ca.pem").unwrap());
    let key = "an RSA key of 2048 to 8192 bits, an ECDSA key on P-256 or P-384, or an Ed25519 key";
    for (name, scheme, why, wanted) in [
        (
            "version1",
            RSA,
            "is of X.509 version 1, and has no subject alternative name, and a name in its subject (CN) does not count (RFC 9525)",
            "a certificate of version 3",
        ),
        ("rsa1024", RSA, "has an RSA key of 1024 bits, which is too short", key),
        ("sha1", RSA, "is signed with SHA-1, which can be forged", "signed with SHA-256"),
        (
            "p521",
            SignatureScheme::ECDSA_NISTP521_SHA512,
            "has a key on the curve P-521, whose signatures are not verified here",
            key,
        ),
        (
            "secp256k1",
            P256,
            "has a key on the curve secp256k1, whose signatures are not verified here",
            key,
        ),
        (
            "ed448",
            SignatureScheme::ED448,
            "has an Ed448 key, whose signatures are not verified here",
            key,
        ),
        (
            "rsapss",
            RSA,
            "has a key for RSASSA-PSS alone, whose signatures are not verified here",
            key,
        ),
        ("dsa", RSA, "has a DSA key, which TLS has given up", key),
    ] {
        let why = format!("the server's certificate {why}");
        assert_refused(&fixture(name), scheme, &options, (&why, wanted, "have a new one issued"));
    }
    let why =
        "the certificate of the issuer CN=short CA has an RSA key of 1024 bits, which is too short";
    assert_refused(&fixture("issuer-rsa1024"), P256, &options, (why, key, "issued"));
}

#[test]
fn a_certificate_with_the_wrong_extensions_is_refused_in_words_and_can_be_let_pass() {
    let ca = Ca::new("test CA");
    let with = |change: fn(&mut CertificateParams)| -> Vec<CertificateDer<'static>> {
        let mut params = params("localhost");
        change(&mut params);
        vec![ca.sign(&params).certificate.der().clone()]
    };
    let cases = [
        (
            with(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)),
            "is the certificate of a CA (CA:TRUE), used as a server's",
            "issued by that CA",
        ),
        (
            with(|params| {
                let mut extension =
                    CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![5, 0]);
                extension.set_criticality(true);
                params.custom_extensions.push(extension);
            }),
            "has a critical extension that is not known here (1.3.6.1.4.1.99999.1)",
            "one that is not critical",
        ),
        (
            with(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]),
            "is for TLS clients, not for TLS servers (extended key usage)",
            "serverAuth",
        ),
        (
            with(|params| params.key_usages = vec![KeyUsagePurpose::KeyCertSign]),
            "is not for TLS (no digitalSignature in its key usage)",
            "digitalSignature",
        ),
        (
            with(|params| params.subject_alt_names.clear()),
            "has no subject alternative name, and a name in its subject (CN) does not count (RFC 9525)",
            "DNS:localhost",
        ),
    ];
    for (chain, why, wanted) in cases {
        let why = format!("the server's certificate {why}");
        assert_refused(&chain, P256, &ca.trusted(), (&why, wanted, "hint"));
    }
}

#[test]
fn a_self_signed_certificate_says_how_to_trust_it_and_what_else_is_wrong() {
    let other = Ca::new("another CA");
    let own = |params: &CertificateParams| -> Vec<CertificateDer<'static>> {
        vec![params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()]
    };
    let plain = params("localhost");
    let mut authority = plain.clone();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let mut nameless = authority.clone();
    nameless.subject_alt_names.clear();
    let self_signed = "the server's certificate is self-signed, and not trusted";
    let besides = format!(
        "{self_signed}; besides, it has no subject alternative name, and a name in its subject (CN) does not count (RFC 9525)"
    );
    for (chain, why) in
        [(own(&plain), self_signed), (own(&authority), self_signed), (own(&nameless), &besides)]
    {
        let said = (why, "a certificate of a CA that is trusted", "--cacert FILE");
        assert_refused(&chain, P256, &other.trusted(), said);
    }
}

#[test]
fn a_fault_of_the_issuer_or_of_the_handshake_is_not_blamed_on_the_certificate() {
    let ca = Ca::new("test CA");
    let leaf = vec![ca.sign(&params("localhost")).certificate.der().clone()];
    let why = "the server does not have the private key of the certificate that it shows";
    let said =
        (why, "signed with the certificate's key", "which key the server is configured with");
    assert_refused(&leaf, P256, &ca.trusted(), said);

    let mut past = params("old intermediate");
    past.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    (past.not_before, past.not_after) = (date_time_ymd(2019, 1, 1), date_time_ymd(2020, 1, 1));
    let intermediate = ca.sign(&past);
    let issuer = rcgen::Issuer::new(past, intermediate.key);
    let key = KeyPair::generate().unwrap();
    let leaf = params("localhost").signed_by(&key, &issuer).unwrap();
    let chain = [leaf.der().clone(), intermediate.certificate.der().clone()];
    let why = "the certificate of the issuer CN=old intermediate expired on 2020-01-01T00:00:00Z";
    assert_refused(&chain, P256, &ca.trusted(), (why, "valid now", "renew it"));
}

#[test]
fn an_issuer_has_to_have_the_right_to_issue() {
    let ca = Ca::new("test CA");
    let mut between = params("intermediate");
    between.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    between.key_usages = vec![KeyUsagePurpose::CrlSign];
    let intermediate = ca.sign(&between);
    let issuer = rcgen::Issuer::new(between, intermediate.key);
    let leaf = params("localhost").signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap();
    let chain = [leaf.der().clone(), intermediate.certificate.der().clone()];
    let why = "the certificate of the issuer CN=intermediate may not issue certificates (no keyCertSign in its key usage)";
    let said = (why, "with keyCertSign in its key usage", "have a new one issued");
    assert_refused(&chain, P256, &ca.trusted(), said);
}
