//! What scripts pass to words, as the types of the library.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rhai::{Array, Blob, Dynamic, ImmutableString, Map};

use crate::error::{Error, Result};
use crate::pattern::{Code, IntoPattern as _, Pattern};
use crate::script::raise;
use crate::session::{Call, Message, Options};
use crate::transport::{Family, Proxy, Segment};
use crate::{duration, suggest};

/// What a script may pass for a pattern.
pub(super) fn pattern(value: Dynamic) -> Result<Pattern> {
    let value = match value.try_cast_result::<Pattern>() {
        Ok(pattern) => return Ok(pattern),
        Err(value) => value,
    };
    if let Ok(code) = value.as_int() {
        return Code::new(code).map(Into::into);
    }
    if value.is_array() {
        return Err(Error::usage("a list where one pattern belongs")
            .hint("expect_any([...]) takes alternatives"));
    }
    octets(value, "a pattern")?.as_ref().into_pattern()
}

pub(super) fn patterns(values: Array) -> Result<Vec<Pattern>> {
    values.into_iter().map(pattern).collect()
}

/// Text or a blob, as the script holds it.
pub(super) enum Octets {
    Text(ImmutableString),
    Blob(Blob),
}

impl Octets {
    /// What a message is to be sent as: the line ends of text become CRLF, a blob stays as it is.
    pub(super) fn message(&self) -> Message<'_> {
        match self {
            Self::Text(text) => text.as_str().into(),
            Self::Blob(bytes) => bytes.as_slice().into(),
        }
    }
}

impl AsRef<[u8]> for Octets {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Blob(bytes) => bytes,
        }
    }
}

pub(super) fn octets(value: Dynamic, what: &str) -> Result<Octets> {
    let kind = value.type_name();
    if value.is_string() {
        return value.into_immutable_string().map(Octets::Text).map_err(|kind| misfit(what, kind));
    }
    value.try_cast().map(Octets::Blob).ok_or_else(|| misfit(what, kind))
}

/// Text or a blob, as bytes.
pub(super) fn bytes(value: Dynamic, what: &str) -> Result<Vec<u8>> {
    Ok(match octets(value, what)? {
        Octets::Text(text) => text.into_owned().into(),
        Octets::Blob(bytes) => bytes,
    })
}

/// Text, whose line ends become CRLF, or a blob, which stays as it is.
pub(super) fn message(value: Dynamic) -> Result<Message<'static>> {
    Ok(match octets(value, "a message")? {
        Octets::Text(text) => Message::from(text.into_owned()),
        Octets::Blob(bytes) => Message::from(bytes),
    })
}

/// Seconds as a number, or text with a unit.
pub(super) fn duration(value: &Dynamic) -> Result<Duration> {
    if let Ok(text) = value.as_immutable_string_ref() {
        return duration::parse(&text);
    }
    #[allow(
        clippy::cast_precision_loss,
        reason = "seconds that need more than 52 bits are refused as too long"
    )]
    let seconds = value.as_int().map(|seconds| seconds as f64).or_else(|_| value.as_float());
    let seconds = seconds.map_err(|_| misfit("a duration", value.type_name()))?;
    duration::from_seconds(seconds).ok_or_else(|| {
        Error::usage(format!("{seconds} seconds is no duration"))
            .hint("at most 24 hours, and not negative")
    })
}

fn misfit(what: &str, kind: &str) -> Error {
    let error = Error::usage(format!("{what} cannot be of type {}", raise::kind(kind)));
    if what == "a message" {
        return error.hint("messages are text, blobs, and what message(#{...}) gives back");
    }
    error.hint("patterns are text, re(`...`), integers (reply codes) and blobs; durations are text such as \"5s\" or seconds")
}

/// Reads what a call is given as its last argument: `#{timeout: "2m"}`, and what else is allowed.
pub(super) fn call(options: &Map, allowed: &[&str]) -> Result<Call> {
    let mut call = Call::default();
    for (name, value) in options {
        check_known(name, allowed)?;
        match name.as_str() {
            "timeout" => call.timeout = Some(duration(value)?),
            "keep" => call.keep = Some(boolean(name, value)?),
            "expect" => match value.read_lock::<Array>() {
                Some(all) => call.expect_each = Some(Ok(patterns(all.clone())?)),
                None => call.expect = Some(Ok(pattern(value.clone())?)),
            },
            _ => {}
        }
    }
    super::imap::read(&mut call, options)?;
    Ok(call)
}

pub(super) fn check_known(name: &str, allowed: &[&str]) -> Result<()> {
    if allowed.contains(&name) {
        return Ok(());
    }
    let error = Error::usage(format!("there is no option `{name}` here"));
    Err(match suggest::nearest(name, allowed.iter().copied()) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint(format!("the options are {}", allowed.join(", "))),
    })
}

pub(super) fn boolean(name: &str, value: &Dynamic) -> Result<bool> {
    value.as_bool().map_err(|_| Error::usage(format!("the option `{name}` is true or false")))
}

/// Reads the options of `connect` and `pipe`.
pub(super) fn session_options(
    mut options: Options,
    map: &Map,
    allowed: &[&str],
) -> Result<Options> {
    for (name, value) in map {
        check_known(name, allowed)?;
        options = match name.as_str() {
            "timeout" => options.timeout(duration(value)?),
            "settle" => options.settle(duration(value)?),
            "grace" => options.grace(duration(value)?),
            "limit" => options.limit(size(value)?),
            "source_ip" => options.source_ip(address(value)?),
            "family" => options.family(family(value)?),
            "proxy" => options.proxy(proxy(value)?),
            "tls" => tls(options, value)?,
            "segment" => options.segment(Segment::parse(&value.to_string())?),
            _ => options,
        };
    }
    Ok(options)
}

fn tls(options: Options, value: &Dynamic) -> Result<Options> {
    let Ok(map) = value.as_map_ref() else {
        return Err(
            Error::usage("the option `tls` is a map").hint("tls: #{ca: \"ca.pem\", min: \"1.3\"}")
        );
    };
    map.keys().try_for_each(|name| check_known(name, &super::tls::TLS))?;
    let tls = super::tls::options(options.tls_options().clone(), &map)?;
    Ok(options.tls(tls))
}

fn size(value: &Dynamic) -> Result<usize> {
    let size =
        value.as_int().ok().and_then(|size| usize::try_from(size).ok()).filter(|size| *size > 0);
    size.ok_or_else(|| Error::usage("the option `limit` is a number of bytes above 0"))
}

fn address(value: &Dynamic) -> Result<IpAddr> {
    let text = value.to_string();
    text.parse().map_err(|_| {
        Error::usage(format!("`{text}` is not an IP address")).hint("source_ip: \"127.0.0.9\"")
    })
}

/// `1`, `2`, or a map with `version`, `source` and `destination`.
fn proxy(value: &Dynamic) -> Result<Proxy> {
    let Some(map) = value.as_map_ref().ok() else { return proxy_version(value) };
    let mut proxy = proxy_version(map.get("version").unwrap_or(&Dynamic::UNIT))?;
    for (name, value) in map.iter() {
        check_known(name, &["version", "source", "destination"])?;
        proxy = match name.as_str() {
            "source" => proxy.from(endpoint(value)?),
            "destination" => proxy.to(endpoint(value)?),
            _ => proxy,
        };
    }
    Ok(proxy)
}

fn proxy_version(value: &Dynamic) -> Result<Proxy> {
    match value.as_int() {
        Ok(1) => Ok(Proxy::V1),
        Ok(2) => Ok(Proxy::V2),
        _ => Err(Error::usage("the version of a PROXY header is 1 or 2")
            .hint("proxy: #{version: 1, source: \"192.0.2.7:4711\"}")),
    }
}

fn endpoint(value: &Dynamic) -> Result<SocketAddr> {
    let text = value.to_string();
    let wrong = || {
        Error::usage(format!("`{text}` is not an IP address with a port"))
            .hint("source: \"192.0.2.7:4711\"")
    };
    text.parse().map_err(|_| wrong())
}

fn family(value: &Dynamic) -> Result<Family> {
    match value.to_string().as_str() {
        "4" | "ipv4" => Ok(Family::V4),
        "6" | "ipv6" => Ok(Family::V6),
        other => {
            Err(Error::usage(format!("`{other}` is not a family")).hint("family: 4 or family: 6"))
        }
    }
}
