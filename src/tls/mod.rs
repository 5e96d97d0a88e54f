//! TLS by rustls: options, the contents of certificates, and why a handshake failed.
//!
//! Versions 1.2 (RFC 5246) and 1.3 (RFC 8446) are supported. A certificate is verified against the
//! roots of the system, or against a given CA, and against the name of the server (RFC 9525): the
//! host of the URL, unless another name is given. TLS sessions are never resumed, so that each
//! handshake shows the server's certificate.

mod accepting;
mod authority;
mod certificate;
mod client;
mod config;
mod defect;
mod established;
mod facts;
mod keylog;
mod options;
mod reason;
mod roots;
mod rsa;
mod server;
mod subject;
mod unverified;
mod verify;
mod weak;
mod wording;

pub(crate) use accepting::Acceptor;
pub(crate) use authority::Authority;
pub use authority::Flaw;
pub use certificate::Certificate;
#[cfg(feature = "script")]
pub(crate) use certificate::timestamp;
pub(crate) use client::{Refused, of_client};
pub(crate) use config::Attempt;
pub use established::Established;
pub(crate) use established::spoken;
pub use options::{Options, Version};
pub(crate) use reason::{CUT, looks_like_tls, of_stream};
pub use server::ServerOptions;
pub(crate) use wording::Reason;
