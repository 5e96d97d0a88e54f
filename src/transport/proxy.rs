//! The PROXY protocol: tells the server which client the connection is made for, before anything
//! else.
//!
//! The header follows `HAProxy`'s specification, version 1 (a line of text) or version 2 (binary).

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// The signature at the beginning of a version 2 header.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// The byte for version 2 and the command PROXY: a connection on behalf of another client.
const VERSION_2_PROXY: u8 = 0x21;

/// A PROXY header to begin a connection with.
///
/// ```
/// use mailexpect::Proxy;
///
/// let proxy = Proxy::V1.from("192.0.2.7:4711".parse()?);
/// assert_eq!(proxy.to_string(), "PROXY v1 from 192.0.2.7:4711");
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proxy {
    version: Version,
    source: Option<SocketAddr>,
    destination: Option<SocketAddr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

impl Proxy {
    /// Version 1, a line of text, with the addresses of the connection itself.
    pub const V1: Self = Self { version: Version::V1, source: None, destination: None };
    /// Version 2, binary, with the addresses of the connection itself.
    pub const V2: Self = Self { version: Version::V2, source: None, destination: None };

    /// Sets the client address that the server shall see.
    #[must_use]
    pub const fn from(mut self, source: SocketAddr) -> Self {
        self.source = Some(source);
        self
    }

    /// Sets the server address that the client shall appear to have connected to.
    #[must_use]
    pub const fn to(mut self, destination: SocketAddr) -> Self {
        self.destination = Some(destination);
        self
    }

    /// The header for a connection between these addresses.
    pub(crate) fn header(&self, local: SocketAddr, peer: SocketAddr) -> Vec<u8> {
        let (source, destination) =
            (self.source.unwrap_or(local), self.destination.unwrap_or(peer));
        match self.version {
            Version::V1 => text(source, destination),
            Version::V2 => binary(source, destination),
        }
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = if self.version == Version::V1 { 1 } else { 2 };
        write!(f, "PROXY v{version}")?;
        self.source.map_or(Ok(()), |source| write!(f, " from {source}"))?;
        self.destination.map_or(Ok(()), |destination| write!(f, " to {destination}"))
    }
}

/// Both addresses in one family: if one is IPv4 and the other IPv6, the IPv4 address is mapped to
/// IPv6.
fn alike(source: SocketAddr, destination: SocketAddr) -> (SocketAddr, SocketAddr) {
    let wide = |address: SocketAddr| match address.ip() {
        IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), address.port()),
        IpAddr::V6(_) => address,
    };
    if source.is_ipv4() == destination.is_ipv4() {
        (source, destination)
    } else {
        (wide(source), wide(destination))
    }
}

fn text(source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    let (source, destination) = alike(source, destination);
    let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
    let (from, to) = (source.ip(), destination.ip());
    format!("PROXY {family} {from} {to} {} {}\r\n", source.port(), destination.port()).into_bytes()
}

fn binary(source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    let (source, destination) = alike(source, destination);
    let mut addresses = Vec::new();
    for address in [source, destination] {
        match address.ip() {
            IpAddr::V4(ip) => addresses.extend(ip.octets()),
            IpAddr::V6(ip) => addresses.extend(ip.octets()),
        }
    }
    for address in [source, destination] {
        addresses.extend(address.port().to_be_bytes());
    }
    // The address family is in the upper half of the byte, the stream transport in the lower half.
    let (family, length): (u8, u16) = if source.is_ipv4() { (0x11, 12) } else { (0x21, 36) };
    [&SIGNATURE[..], &[VERSION_2_PROXY, family], &length.to_be_bytes(), &addresses].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn version_1_is_a_line_of_text() {
        let header = Proxy::V1
            .from(address("192.0.2.7:4711"))
            .header(address("127.0.0.1:9"), address("127.0.0.1:25"));
        assert_eq!(
            String::from_utf8(header).unwrap(),
            "PROXY TCP4 192.0.2.7 127.0.0.1 4711 25\r\n"
        );
        let header = Proxy::V1
            .from(address("[2001:db8::7]:4711"))
            .header(address("127.0.0.1:9"), address("127.0.0.1:25"));
        assert_eq!(
            String::from_utf8(header).unwrap(),
            "PROXY TCP6 2001:db8::7 ::ffff:127.0.0.1 4711 25\r\n"
        );
    }

    #[test]
    fn version_2_says_how_long_it_is() {
        let header = Proxy::V2
            .from(address("192.0.2.7:258"))
            .header(address("127.0.0.1:9"), address("127.0.0.1:25"));
        assert_eq!(header[..16], *b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c");
        assert_eq!(header[16..], [192, 0, 2, 7, 127, 0, 0, 1, 1, 2, 0, 25]);
        let wide =
            Proxy::V2.to(address("[::1]:25")).header(address("[::1]:9"), address("[::1]:25"));
        assert_eq!((wide.len(), wide[13], wide[15]), (16 + 36, 0x21, 36));
    }
}
