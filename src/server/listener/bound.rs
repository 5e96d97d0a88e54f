//! The address at which a listener listens.

use std::fs::DirBuilder;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use socket2::{Domain, SockAddr, Socket, Type};

use crate::error::{Error, Result};
use crate::proto::Scheme;
use crate::target::{self, Endpoint, Target};

/// The address at which a listener listens.
#[derive(Clone, Debug)]
pub(super) enum Bound {
    Tcp(SocketAddr),
    /// The path of the socket, and the folder if one was made for it.
    Unix(PathBuf, Option<PathBuf>),
}

/// The address that `to` names: a scheme alone stands for a free port of loopback, or for a socket
/// in a new folder.
pub(super) fn destination(to: &str) -> Result<(&'static Scheme, Endpoint)> {
    if to.contains("://") {
        return match Target::parse(to)? {
            Target { endpoint: Endpoint::Exchangers { .. }, .. } => Err(nobody_on_mx()),
            target => Ok((target.scheme, target.endpoint)),
        };
    }
    let (name, is_unix) = to.strip_suffix("+unix").map_or((to, false), |name| (name, true));
    let scheme = target::scheme(name)?;
    if scheme.name == "mx" {
        return Err(nobody_on_mx());
    }
    let loopback = || Endpoint::Host { host: Ipv4Addr::LOCALHOST.to_string(), port: 0 };
    Ok((scheme, if is_unix { Endpoint::Unix(PathBuf::new()) } else { loopback() }))
}

fn nobody_on_mx() -> Error {
    Error::usage("mx:// looks mail exchangers up, and nobody can listen on it")
        .hint("listen(\"smtp\")")
}

pub(super) fn bound(endpoint: &Endpoint) -> io::Result<(Socket, Bound)> {
    match endpoint {
        Endpoint::Host { host, port } => {
            let ip: IpAddr = match host.as_str() {
                "localhost" => Ipv4Addr::LOCALHOST.into(),
                host => host.parse().map_err(|_| {
                    io::Error::new(io::ErrorKind::InvalidInput, "its host is no IP address")
                })?,
            };
            let socket = socket_at((ip, *port).into())?;
            let address = socket.local_addr()?.as_socket();
            let address = address.ok_or_else(|| io::Error::other("the socket has no address"))?;
            Ok((socket, Bound::Tcp(address)))
        }
        Endpoint::Unix(path) if path.as_os_str().is_empty() => {
            let folder = own_folder()?;
            let path = folder.join("socket");
            Ok((socket_of(&path)?, Bound::Unix(path, Some(folder))))
        }
        Endpoint::Unix(path) => Ok((socket_of(path)?, Bound::Unix(path.clone(), None))),
        Endpoint::Exchangers { .. } => Err(io::ErrorKind::InvalidInput.into()),
    }
}

/// A socket that is bound but does not listen yet.
pub(super) fn socket_at(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

pub(super) fn socket_of(path: &Path) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    Ok(socket)
}

/// Makes a folder that only its owner can read.
fn own_folder() -> io::Result<PathBuf> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    for _ in 0..1000 {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("mailexpect-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        match DirBuilder::new().mode(0o700).create(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|()| folder),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}
