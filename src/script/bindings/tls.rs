//! The words of TLS.
#![allow(
    clippy::needless_pass_by_value,
    reason = "Rhai's plugin macros hand arguments over by value"
)]

use rhai::plugin::{Dynamic, NativeCallContext, export_module};
use rhai::{Array, Map, Module};

use super::argument::text_of;
use super::call::call as read;
use super::verb::{Manual, verbs, words_of};
use super::{Handle, argument};
use crate::error::{Error, Result};
use crate::reply::Reply;
use crate::script::raise::{Raised, raise};
use crate::script::run::Run;
use crate::session::{Call, Session};
use crate::tls::{Certificate, Established, Options, Version, timestamp};

pub(super) const INTRO: &str = "TLS begins with the connection if the scheme of the URL ends in s (`smtps://`, \
`submissions://`, `tls://`), and later by `starttls()` in a dialogue that began in clear. `connect(url, #{tls: #{...}})` and \
`starttls(#{...})` take the same options: `ca` (the certificates to trust, in place of the system's), `verify: false` (go on \
whatever is wrong with the server's certificate; the transcript says so), `sni` (the name to ask for, and for which the \
certificate has to be valid, in place of the URL's host), `min` and `max` (`\"1.2\"` or `\"1.3\"`), `cert` and `key` (our own \
certificate, for servers that ask for one) and `injected: \"keep\"` (keep bytes that came in clear after the go-ahead, to be \
read; otherwise they are an error).\n\n`ca`, `cert` and `key` are PEM text, or the path of a PEM file. A path may be one that \
the caller gave by `--set`, or one in the script's folder or below. If an option is missing or `()`, the setting of the \
caller applies (`--cacert`, `--insecure`, `--cert`, `--key`). A handshake that fails is an error of the kind `tls`, which \
gives the reason, and ends the session; unless it is caught, the exit code is 3. A handshake that is not finished in time is a \
`timeout`, as for any answer (exit code 1), or `unreachable` if the server never said anything (3).";

/// The options that `connect` takes as `tls`.
pub(super) const TLS: [&str; 8] = ["ca", "verify", "sni", "min", "max", "cert", "key", "injected"];
/// Reads the TLS options from a map that may hold other options too.
pub(super) fn options(mut options: Options, map: &Map) -> Result<Options> {
    for (name, value) in map.iter().filter(|(_, value)| !value.is_unit()) {
        options = match name.as_str() {
            "ca" => options.ca(pem(name, value)?),
            "cert" => options.cert(pem(name, value)?),
            "key" => options.key(pem(name, value)?),
            "verify" => options.verify(argument::boolean(name, value)?),
            "sni" => options.sni(text_of(value)?),
            "min" => options.min(Version::parse(&text_of(value)?)?),
            "max" => options.max(Version::parse(&text_of(value)?)?),
            "injected" => options.keep_injected(keep(value)?),
            _ => options,
        };
    }
    Ok(options)
}

/// Returns the PEM text that was given, or reads it from the file that was named, if the script may
/// read the file.
pub(super) fn pem(name: &str, value: &Dynamic) -> Result<Vec<u8>> {
    let given = argument::bytes(value.clone(), &format!("the option `{name}`"))?;
    match std::str::from_utf8(&given) {
        Ok(path) if !path.contains("-----BEGIN") => Run::current()?.read(path),
        _ => Ok(given),
    }
}

/// Reads a version of TLS.
pub(super) fn version(value: &Dynamic) -> Result<Version> {
    Version::parse(&text_of(value)?)
}

fn keep(value: &Dynamic) -> Result<bool> {
    match text_of(value)?.as_str() {
        "keep" => Ok(true),
        "refuse" => Ok(false),
        other => Err(Error::usage(format!("`{other}` is no way to treat injected bytes"))
            .hint("\"keep\" or \"refuse\"")),
    }
}

/// Reads the options of `starttls` and `tls_handshake`. The TLS options apply to that call only.
fn call(session: &Session, map: &Map, more: &[&str]) -> Result<Call> {
    let mut call = read(map, &[&["timeout"], more, &TLS].concat())?;
    call.tls = Some(Box::new(options(session.tls_options().clone(), map)?));
    Ok(call)
}

fn established(tls: &Established) -> Map {
    Map::from([
        ("version".into(), tls.version.clone().into()),
        ("cipher".into(), tls.cipher.clone().into()),
        ("name".into(), tls.name.clone().into()),
        ("verified".into(), tls.is_verified().into()),
        ("fault".into(), tls.fault.clone().map_or(Dynamic::UNIT, Into::into)),
    ])
}

/// Makes the error for a session whose peer has no certificate to look at.
fn no_certificate(session: &Session) -> Error {
    let begin = match (session.tls(), session.is_server()) {
        (None, false) => "connect by smtps:// or the like, or say starttls() first",
        (None, true) => "listen for smtps or the like, or say expect_starttls() first",
        (Some(Established { fault: Some(fault), .. }), true) => {
            return Error::usage(format!("there is no certificate: {fault}")).hint(
                "only clients that are asked for a certificate present one: listen(\"smtps\", #{tls: #{client_ca: \"ca.pem\"}})",
            );
        }
        (Some(_), _) => {
            return Error::usage("the peer's certificate cannot be read")
                .hint("look at it with openssl s_client -showcerts");
        }
    };
    Error::usage("there is no certificate, because the session has no TLS").hint(begin)
}

fn certificate(certificate: &Certificate) -> Map {
    let sans: Array = certificate.sans.iter().map(|name| name.clone().into()).collect();
    Map::from([
        ("subject".into(), certificate.subject.clone().into()),
        ("sans".into(), sans.into()),
        ("issuer".into(), certificate.issuer.clone().into()),
        ("not_before".into(), timestamp(certificate.not_before).into()),
        ("not_after".into(), timestamp(certificate.not_after).into()),
        ("days_left".into(), certificate.days_left().into()),
        ("fingerprint".into(), certificate.fingerprint.clone().into()),
        ("serial".into(), certificate.serial.clone().into()),
    ])
}

pub(super) fn all_words(manual: Manual) -> Module {
    let mut all = words_of!(words, manual);
    verbs! { all, manual, call:
        /// Asks for TLS, and makes the handshake if the server accepts: STARTTLS of SMTP and LMTP
        /// (RFC 3207), of IMAP (RFC 3501 section 6.2.1) and of ManageSieve (RFC 5804 section 2.2),
        /// STLS of POP3 (RFC 2595). Returns the reply to the command. Ask for the capabilities
        /// again afterwards, because those that the server sent in clear are no longer valid.
        ///
        /// If `expect` names a refusal and the refusal comes, the session stays in clear. Bytes
        /// that came in clear after the server's acceptance are an error of the kind `injected`,
        /// which shows them.
        ///
        /// ```rhai
        /// let s = connect();
        /// s.expect(220);
        /// assert("STARTTLS" in s.ehlo("client.example"));
        /// s.starttls(#{ca: param("ca")});
        /// assert(!("STARTTLS" in s.ehlo("client.example")));
        /// s.starttls(#{expect: 503});
        /// ```
        starttls(session, call; expect) -> Reply { session.starttls().with(call).await }

        /// `starttls` under its name in POP3 (RFC 2595 section 4).
        ///
        /// ```dialogue pop3
        /// S: +OK ready
        /// C: STLS
        /// S: -ERR no TLS here
        /// ```
        ///
        /// ```rhai
        /// let s = connect(param("pop3"));
        /// s.expect("+OK");
        /// s.stls(#{expect: "-ERR"});
        /// assert_eq(s.tls, ());
        /// ```
        stls(session, call; expect) -> Reply { session.starttls().with(call).await }

        /// Makes the TLS handshake now, without a command before it. This is the second half of
        /// `starttls()`. Use it if something has to happen between the two halves, or for protocols
        /// that mailexpect does not know.
        ///
        /// ```rhai
        /// let s = connect();
        /// s.expect(220);
        /// s.send("STARTTLS");
        /// s.expect(220);
        /// s.tls_handshake(#{verify: false});
        /// s.send("NOOP");
        /// s.expect(250);
        /// ```
        tls_handshake(session, call) -> () { session.tls_handshake().with(call).await }
    }
    all
}

#[export_module(manifest)]
#[allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "the macro writes code of its own beside these"
)]
pub mod words {
    /// The TLS of the session: a map of `version` (`"1.3"`), `cipher` (its IANA name), `name` (the
    /// name that the certificate was verified against), `verified` and `fault` (what is wrong with
    /// the certificate, or `()`). The value is `()` if the session has no TLS. On the server's side,
    /// `name` is the one that the client asked for, and `verified` is `false` unless the client
    /// presented a certificate, which the listener's option `client_ca` demands.
    ///
    /// ```rhai
    /// let s = connect(param("submissions"), #{tls: #{ca: param("ca"), min: "1.3"}});
    /// s.expect(220);
    /// assert_eq(s.tls.version, "1.3");
    /// assert(s.tls.verified);
    /// ```
    #[rhai_fn(get = "tls", return_raw)]
    pub fn tls(ctx: NativeCallContext, session: &mut Handle) -> Result<Dynamic, Raised> {
        session.with(&ctx, |session| {
            session.tls().map_or(Dynamic::UNIT, |tls| established(tls).into())
        })
    }

    /// The certificate that the peer presented, as a map: `subject` and `issuer`, `sans` (the names
    /// for which it is valid), `not_before` and `not_after` (as `"2026-01-31T12:00:00Z"`),
    /// `days_left` (whole days, negative after it has expired), `fingerprint` (SHA-256) and
    /// `serial`.
    ///
    /// ```rhai
    /// let s = connect(param("submissions"), #{tls: #{ca: param("ca")}});
    /// s.expect(220);
    /// let certificate = s.peer_certificate();
    /// assert("localhost" in certificate.sans);
    /// assert(certificate.days_left >= 1, `it expires on ${certificate.not_after}`);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn peer_certificate(ctx: NativeCallContext, session: &mut Handle) -> Result<Map, Raised> {
        let shown = session.with(&ctx, |session| {
            let presented = session.tls().and_then(|tls| tls.certificate.as_ref());
            presented.map(certificate).ok_or_else(|| no_certificate(session))
        })?;
        shown.map_err(|error| raise(&ctx, error))
    }
}
