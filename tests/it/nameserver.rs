//! A name server that gives any answer to any question.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};

use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, CNAME, MX, NS, NULL};
use hickory_proto::rr::{Name, RData, Record, RecordType};

/// An answer.
pub(crate) enum Says {
    Code(u16),
    Records(Vec<RData>),
    /// An error code, and records nevertheless.
    Both(u16, Vec<RData>),
    /// Records of another name.
    OfAnother(Vec<RData>),
    /// The name servers of the zone, which know the answer.
    Referral,
    /// An error code, without the question.
    Header(u16),
    /// The first if the question has EDNS, the second if not.
    Edns(Box<(Says, Says)>),
    Nothing,
}

pub(crate) struct NameServer {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<(String, RecordType)>>>,
}

impl NameServer {
    /// Starts a name server that answers questions for a name and a type. It lives until the test
    /// ends.
    pub(crate) fn start(answer: impl Fn(&str, RecordType) -> Says + Send + 'static) -> NameServer {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<_>>>::default();
        let seen = Arc::clone(&asked);
        std::thread::spawn(move || {
            let mut packet = [0; 1500];
            while let Ok((length, client)) = socket.recv_from(&mut packet) {
                let question = Message::from_vec(&packet[..length]).unwrap();
                let query = &question.queries[0];
                let name = query.name().to_ascii().trim_end_matches('.').to_lowercase();
                seen.lock().unwrap().push((name.clone(), query.query_type()));
                let says = answer(&name, query.query_type());
                if let Some(message) = message(&question, says) {
                    socket.send_to(&message, client).unwrap();
                }
            }
        });
        NameServer { address, asked }
    }

    /// Whether the records of this type were asked for.
    pub(crate) fn was_asked(&self, kind: RecordType) -> bool {
        self.asked.lock().unwrap().iter().any(|(_, asked)| *asked == kind)
    }
}

fn message(question: &Message, says: Says) -> Option<Vec<u8>> {
    let query = question.queries[0].clone();
    let mut answer = Message::response(question.metadata.id, OpCode::Query);
    let (code, owner, records) = match says {
        Says::Code(code) => (code, query.name().clone(), Vec::new()),
        Says::Records(records) => (0, query.name().clone(), records),
        Says::Both(code, records) => (code, query.name().clone(), records),
        Says::OfAnother(records) => (0, name("another.example"), records),
        Says::Referral => {
            let ns = RData::NS(NS(name("ns.example")));
            answer.add_authority(Record::from_rdata(name("example"), 60, ns));
            (0, query.name().clone(), Vec::new())
        }
        Says::Header(code) => {
            answer.metadata.response_code = ResponseCode::from(0, u8::try_from(code).unwrap());
            return Some(answer.to_vec().unwrap());
        }
        Says::Edns(says) => {
            let (new, old) = *says;
            return message(question, if question.edns.is_some() { new } else { old });
        }
        Says::Nothing => return None,
    };
    answer.metadata.response_code = ResponseCode::from(0, u8::try_from(code).unwrap());
    answer.add_query(query);
    for data in records {
        answer.add_answer(Record::from_rdata(owner.clone(), 60, data));
    }
    Some(answer.to_vec().unwrap())
}

pub(crate) fn name(name: &str) -> Name {
    Name::from_ascii(format!("{name}.")).unwrap()
}

pub(crate) fn mx(preference: u16, host: &str) -> RData {
    let host = if host.is_empty() { Name::root() } else { name(host) };
    RData::MX(MX::new(preference, host))
}

pub(crate) fn a(ip: [u8; 4]) -> RData {
    RData::A(A(ip.into()))
}

pub(crate) fn cname(alias: &str) -> RData {
    RData::CNAME(CNAME(name(alias)))
}

/// A record of this type with any bytes.
pub(crate) fn bytes(code: RecordType, bytes: &[u8]) -> RData {
    RData::Unknown { code, rdata: NULL::with(bytes.to_vec()) }
}
