//! TLS servers for tests: an authority, its certificates, and the server's side of a connection.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use mailexpect::tls::Options;
use mailexpect::{Error, Session, block_on};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{
    RootCertStore, ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion, version,
};

pub(crate) type Tls = StreamOwned<ServerConnection, TcpStream>;

/// A certificate authority.
pub(crate) struct Ca {
    pub(crate) issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
}

/// A certificate and its key.
pub(crate) struct Leaf {
    pub(crate) certificate: rcgen::Certificate,
    pub(crate) key: KeyPair,
}

pub(crate) fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

impl Ca {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.remove(DnType::CommonName);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    pub(crate) fn sign(&self, params: &CertificateParams) -> Leaf {
        let key = KeyPair::generate().unwrap();
        Leaf { certificate: params.signed_by(&key, &self.issuer).unwrap(), key }
    }

    /// The options with which a client trusts this authority.
    pub(crate) fn trusted(&self) -> Options {
        Options::new().ca(self.pem.as_str())
    }
}

impl Leaf {
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.config_of(&[&version::TLS12, &version::TLS13], None)
    }

    pub(crate) fn config_of(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        clients: Option<&Ca>,
    ) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(ca) => {
                let mut roots = RootCertStore::empty();
                let pem = rustls::pki_types::pem::PemObject::from_pem_slice(ca.pem.as_bytes());
                let certificate: rustls::pki_types::CertificateDer<'static> = pem.unwrap();
                roots.add(certificate).unwrap();
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                        .build()
                        .unwrap();
                builder.with_client_cert_verifier(verifier)
            }
        };
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).unwrap();
        Arc::new(builder.with_single_cert(vec![self.certificate.der().clone()], key).unwrap())
    }
}

/// A server for one connection, which it hands to a function.
pub(crate) struct Server<T = ()> {
    pub(crate) port: u16,
    pub(crate) thread: JoinHandle<T>,
}

impl<T: Send + 'static> Server<T> {
    pub(crate) fn new(serve: impl FnOnce(TcpStream) -> T + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let thread = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            stream.set_nodelay(true).unwrap();
            serve(stream)
        });
        Self { port, thread }
    }

    pub(crate) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://localhost:{}", self.port)
    }

    pub(crate) fn end(self) -> T {
        self.thread.join().unwrap()
    }
}

pub(crate) fn tls(config: Arc<ServerConfig>, stream: TcpStream) -> Tls {
    StreamOwned::new(ServerConnection::new(config).unwrap(), stream)
}

/// Greets, and answers each line until the client closes. Returns whether the client ended TLS
/// first.
pub(crate) fn converse(mut stream: Tls) -> bool {
    if stream.write_all(b"220 hi\r\n").is_err() {
        return false;
    }
    answer(&mut stream)
}

pub(crate) fn answer(stream: &mut Tls) -> bool {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        match reader.read_line(&mut line) {
            Ok(0) => return true,
            Ok(_) => reader.get_mut().write_all(b"250 ok\r\n").unwrap(),
            Err(_) => return false,
        }
    }
}

/// A server with TLS from the start.
pub(crate) fn implicit(config: Arc<ServerConfig>) -> Server<bool> {
    Server::new(move |stream| converse(tls(config, stream)))
}

/// A server that greets in clear, sends `go_ahead` after the first line, and then speaks TLS. Its
/// thread returns the first line.
pub(crate) fn upgraded_by(
    config: Arc<ServerConfig>,
    greeting: &'static [u8],
    go_ahead: &'static [u8],
) -> Server<String> {
    Server::new(move |mut stream| {
        stream.write_all(greeting).unwrap();
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line).unwrap();
        stream.write_all(go_ahead).unwrap();
        answer(&mut tls(config, stream));
        line
    })
}

/// A server that greets in clear, sends `go_ahead` after the first line, and then speaks TLS.
pub(crate) fn upgraded(config: Arc<ServerConfig>, go_ahead: &'static [u8]) -> Server<bool> {
    Server::new(move |mut stream| {
        stream.write_all(b"220 hi\r\n").unwrap();
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line).unwrap();
        stream.write_all(go_ahead).unwrap();
        answer(&mut tls(config, stream))
    })
}

pub(crate) async fn connect(url: &str, tls: Options) -> Result<Session, Error> {
    Session::options().timeout(Duration::from_secs(5)).tls(tls).connect(url).await
}

/// The error of connecting, or else of expecting the greeting.
pub(crate) fn failure(url: &str, options: Options) -> Error {
    block_on(async {
        let mut session = match connect(url, options).await {
            Ok(session) => session,
            Err(error) => return error,
        };
        let error = session.expect(220).await.unwrap_err();
        session.reset().unwrap();
        error
    })
}
