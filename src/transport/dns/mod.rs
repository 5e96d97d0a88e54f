//! Questions to name servers, and what the answers mean (RFC 1034, RFC 2308): there are records,
//! there are none, there is no such name, or the look-up failed and shows none of these.

mod both;
mod name;
mod socket;

use std::net::SocketAddr;
use std::sync::Arc;

use hickory_resolver::config::{NameServerConfig, ResolverOpts};
use hickory_resolver::net::xfer::{DnsHandle as _, FirstAnswer as _, RetryDnsHandle};
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::{DnsRequestOptions, DnsResponse, Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use hickory_resolver::{NameServerPool, PoolContext, TlsConfig};

pub(super) use both::both;
pub(super) use name::relative;
use socket::Sockets;

/// The most aliases that are followed. A longer chain is a mistake in the zone.
const MOST_ALIASES: usize = 8;

/// Why a look-up without an answer failed.
const SILENT: &str = "the look-up timed out: the name server does not answer";

/// What a look-up found out.
#[derive(Debug)]
pub(super) enum Answer {
    /// The records, of the type that was asked for; at least one.
    Records(Vec<RData>),
    /// The name exists, and has no records of this type.
    NoRecords,
    /// There is no such name, or an alias leads to a name that does not exist: then this says why.
    NoName(Option<String>),
}

/// Why a look-up failed.
type Failure = String;

/// Asks name servers. It caches nothing, so that every run sees the current records. hickory's own
/// resolver is not used, because it returns the same error for no records and for too many aliases.
pub(super) struct Resolver {
    servers: RetryDnsHandle<NameServerPool<Sockets>>,
    options: DnsRequestOptions,
}

impl Resolver {
    /// Creates a resolver that asks one name server, or those of the system.
    pub(super) fn new(nameserver: Option<SocketAddr>) -> Result<Self, Failure> {
        let (servers, options) = if let Some(address) = nameserver {
            (vec![server(address)], ResolverOpts::default())
        } else {
            let (config, options) = read_system_conf()
                .map_err(|error| format!("the system names no name server: {error}"))?;
            (config.name_servers, options)
        };
        let mut request = DnsRequestOptions::default();
        request.recursion_desired = options.recursion_desired;
        request.use_edns = options.edns0;
        request.edns_payload_len = options.edns_payload_len;
        let attempts = options.attempts;
        let tls = TlsConfig::new().map_err(|error| failure(&error))?;
        let context = Arc::new(PoolContext::new(options, tls));
        let pool = NameServerPool::from_config(servers, context, Sockets::default());
        Ok(Self { servers: RetryDnsHandle::new(pool, attempts), options: request })
    }

    /// Looks up the records of a name, and follows its aliases (RFC 1034 section 3.6.2).
    pub(super) async fn ask(&self, name: &str, kind: RecordType) -> Result<Answer, Failure> {
        let name = match name::absolute(name) {
            Ok(name) => name,
            Err(why) => return Ok(Answer::NoName(Some(why))),
        };
        if let Some(known) = special(&name) {
            return Ok(known);
        }
        let mut names = vec![name];
        loop {
            let query = Query::query(names[names.len() - 1].clone(), kind);
            let answer = match self.lookup(query).await {
                Ok(response) => read(&response, kind, &mut names)?,
                Err(error) => Some(negative(&error, &names)?),
            };
            if let Some(answer) = answer {
                return Ok(answer);
            }
        }
    }

    /// Asks a question, and once more without EDNS if the name server does not know that (RFC 6891
    /// sections 6.2.2 and 7).
    async fn lookup(&self, query: Query) -> Result<DnsResponse, NetError> {
        let answer = self.servers.lookup(query.clone(), self.options).first_answer().await;
        match answer {
            Err(NetError::Dns(DnsError::ResponseCode(
                ResponseCode::FormErr | ResponseCode::NotImp,
            ))) if self.options.use_edns => {
                let mut plain = self.options;
                plain.use_edns = false;
                self.servers.lookup(query, plain).first_answer().await
            }
            answer => answer,
        }
    }
}

fn server(address: SocketAddr) -> NameServerConfig {
    let mut server = NameServerConfig::udp_and_tcp(address.ip());
    for connection in &mut server.connections {
        connection.port = address.port();
    }
    server
}

/// The answer for a name that no name server is asked for (RFC 6761 section 6).
fn special(name: &Name) -> Option<Answer> {
    let last = name.iter().next_back()?;
    if last.eq_ignore_ascii_case(b"localhost") {
        Some(Answer::NoRecords)
    } else if last.eq_ignore_ascii_case(b"invalid") || last.eq_ignore_ascii_case(b"onion") {
        Some(Answer::NoName(None))
    } else {
        None
    }
}

/// Reads a response with records. `None` if it gives an alias and not the records of the alias:
/// then the last of `names` has to be asked for.
fn read(
    response: &DnsResponse,
    kind: RecordType,
    names: &mut Vec<Name>,
) -> Result<Option<Answer>, Failure> {
    let code = response.response_code;
    if !matches!(code, ResponseCode::NoError | ResponseCode::NXDomain) {
        return Err(coded(code));
    }
    let asked = names.len();
    loop {
        let name = &names[names.len() - 1];
        let of_name = response.answers.iter().filter(|record| record.name == *name);
        let records: Vec<_> = of_name
            .clone()
            .filter(|record| record.record_type() == kind)
            .map(|record| record.data.clone())
            .collect();
        if !records.is_empty() {
            return Ok(Some(Answer::Records(records)));
        }
        let alias = of_name.clone().find_map(|record| match &record.data {
            RData::CNAME(alias) => Some(alias.0.clone()),
            _ => None,
        });
        match alias {
            Some(alias) => follow(alias, names)?,
            None => break,
        }
    }
    if code == ResponseCode::NXDomain {
        return Ok(Some(absent(names)));
    }
    if names.len() == asked {
        let name = relative(&names[asked - 1]);
        return Err(format!("the answer of the name server has no record of {name}"));
    }
    Ok(None)
}

/// Adds the name to which an alias leads.
fn follow(alias: Name, names: &mut Vec<Name>) -> Result<(), Failure> {
    let is_circle = names.contains(&alias);
    names.push(alias);
    if is_circle || names.len() > MOST_ALIASES + 1 {
        let how = if is_circle { "lead in a circle" } else { "lead too far" };
        let names: Vec<_> = names.iter().map(relative).collect();
        return Err(format!("its aliases (CNAME) {how}: {}", names.join(", ")));
    }
    Ok(())
}

/// The meaning of an answer without records, or of none.
fn negative(error: &NetError, names: &[Name]) -> Result<Answer, Failure> {
    let NetError::Dns(DnsError::NoRecordsFound(none)) = error else { return Err(failure(error)) };
    match none.response_code {
        ResponseCode::NXDomain => Ok(absent(names)),
        // Name servers of another zone, without the start of this one: a referral (RFC 2308
        // section 2.2).
        ResponseCode::NoError if none.ns.is_some() && none.soa.is_none() => {
            Err("the name server refers to other name servers, and looks nothing up itself"
                .to_owned())
        }
        ResponseCode::NoError => Ok(Answer::NoRecords),
        code => Err(coded(code)),
    }
}

fn absent(names: &[Name]) -> Answer {
    let alias = names.get(1..).and_then(<[Name]>::last);
    Answer::NoName(alias.map(|alias| {
        format!("it is an alias (CNAME) of {}, and there is no such name", relative(alias))
    }))
}

fn failure(error: &NetError) -> Failure {
    match error {
        NetError::Dns(DnsError::ResponseCode(code)) => coded(*code),
        NetError::Timeout => SILENT.to_owned(),
        NetError::Io(error) => format!("the name server cannot be asked: {}", super::reason(error)),
        NetError::NoConnections => "no name server can be reached".to_owned(),
        NetError::Proto(error) => format!("the answer of the name server cannot be read: {error}"),
        NetError::ForeignClassRecord { .. } => {
            format!("the answer of the name server cannot be read: {error}")
        }
        NetError::Truncated => {
            "the answer of the name server is cut, and TCP brings no whole one".to_owned()
        }
        _ => error.to_string(),
    }
}

fn coded(code: ResponseCode) -> Failure {
    format!("the name server answered with error {} ({code})", u16::from(code))
}
