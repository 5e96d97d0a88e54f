//! The options of `connect` and `pipe`.

use std::net::{IpAddr, SocketAddr};

use rhai::{Dynamic, Map};

use super::argument::{check_known, deadline, duration, text_of};
use super::tls;
use crate::error::{Error, Result};
use crate::session::Options;
use crate::transport::{Family, Proxy, Segment};

/// Reads the options of `connect` and `pipe`.
pub(super) fn session_options(
    mut options: Options,
    map: &Map,
    allowed: &[&str],
) -> Result<Options> {
    for (name, value) in map {
        check(name, allowed)?;
        options = match name.as_str() {
            "timeout" => options.timeout(deadline(value)?),
            "settle" => options.settle(duration(value)?),
            "grace" => options.grace(duration(value)?),
            "limit" => options.limit(size(value)?),
            "source_ip" => options.source_ip(address(value)?),
            "family" => options.family(family(value)?),
            "proxy" => options.proxy(proxy(value)?),
            "tls" => with_tls(options, value)?,
            "segment" => options.segment(Segment::parse(&text_of(value)?)?),
            _ => options,
        };
    }
    Ok(options)
}

/// Checks that there is such an option, and shows where an option of TLS is written.
fn check(name: &str, allowed: &[&str]) -> Result<()> {
    if tls::TLS.contains(&name) && allowed.contains(&"tls") {
        let error = Error::usage(format!("there is no option `{name}` here"));
        return Err(error.hint(format!("it is an option of TLS: #{{tls: #{{{name}: ...}}}}")));
    }
    check_known(name, allowed)
}

fn with_tls(options: Options, value: &Dynamic) -> Result<Options> {
    let Ok(map) = value.as_map_ref() else {
        return Err(
            Error::usage("the option `tls` is a map").hint("tls: #{ca: \"ca.pem\", min: \"1.3\"}")
        );
    };
    map.keys().try_for_each(|name| check_known(name, &tls::TLS))?;
    let tls = tls::options(options.tls_options().clone(), &map)?;
    // A mistake in them is told also if no handshake comes.
    tls.check()?;
    Ok(options.tls(tls))
}

fn size(value: &Dynamic) -> Result<usize> {
    let size =
        value.as_int().ok().and_then(|size| usize::try_from(size).ok()).filter(|size| *size > 0);
    size.ok_or_else(|| Error::usage("the option `limit` is a number of bytes above 0"))
}

fn address(value: &Dynamic) -> Result<IpAddr> {
    let text = text_of(value)?;
    text.parse().map_err(|_| {
        Error::usage(format!("`{text}` is not an IP address")).hint("source_ip: \"127.0.0.9\"")
    })
}

/// Reads the option `proxy`: `1`, `2`, or a map with `version`, `source` and `destination`.
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
    let text = text_of(value)?;
    let wrong = || {
        Error::usage(format!("`{text}` is not an IP address with a port"))
            .hint("source: \"192.0.2.7:4711\"")
    };
    text.parse().map_err(|_| wrong())
}

fn family(value: &Dynamic) -> Result<Family> {
    match text_of(value)?.as_str() {
        "4" | "ipv4" => Ok(Family::V4),
        "6" | "ipv6" => Ok(Family::V6),
        other => {
            Err(Error::usage(format!("`{other}` is not a family")).hint("family: 4 or family: 6"))
        }
    }
}
