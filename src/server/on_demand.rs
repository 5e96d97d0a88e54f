//! Faults that a client asks for by the addresses and the name that it gives, so that a client in
//! any language can be tested without configuring the server.

use super::conduct::{Conduct, conduct, refuses, without};
use super::dialogue::Said;
use crate::proto::Speech;

/// What the addresses of a transaction ask for at later stages of the transaction.
#[derive(Debug, Default)]
pub(super) struct Demands {
    /// What to do at DATA. The first request counts.
    data: Option<Conduct>,
    /// What to do in place of the reply to the message. The first request counts. In LMTP, each
    /// recipient has its own request, by its index among the accepted recipients (RFC 2033 section
    /// 4.2).
    message: Vec<(usize, Conduct)>,
    /// How many recipients were accepted.
    accepted: usize,
}

impl Demands {
    /// What this command asks for; called before the command is answered.
    pub(super) fn of(&mut self, command: &str) -> Option<Conduct> {
        match (verb(command).as_str(), address(command)) {
            ("MAIL", Some(address)) => {
                *self = Self::default();
                self.note(address);
                asked("mail", address)
            }
            ("RCPT", Some(address)) => asked("rcpt", address),
            ("DATA", _) => self.data.take(),
            ("RSET" | "EHLO" | "HELO" | "LHLO", _) => {
                *self = Self::default();
                None
            }
            _ => None,
        }
    }

    /// Notes that a command was answered, and changes the answer to EHLO if the client asks for
    /// that.
    pub(super) fn answered(&mut self, command: &str, said: &mut Said) {
        match (verb(command).as_str(), address(command)) {
            ("RCPT", Some(address)) if said.bytes.starts_with(b"25") => {
                self.note(address);
                self.accepted += 1;
            }
            ("EHLO" | "LHLO", _) => offer(command, &mut said.bytes),
            _ => {}
        }
    }

    fn note(&mut self, address: &str) {
        self.data = self.data.take().or_else(|| asked("data", address));
        if let Some(conduct) = asked("message", address) {
            self.message.push((self.accepted, conduct));
        }
    }

    /// Whether the message is to be discarded. In LMTP it never is, because other recipients may
    /// get it.
    pub(super) fn refuse(&self, speech: Speech) -> bool {
        speech != Speech::Lmtp && self.message.first().is_some_and(|(_, asked)| refuses(asked))
    }

    /// The reply to the message; `good` is the reply without any request.
    pub(super) fn message(self, speech: Speech, good: Said) -> Said {
        let demands = self.message;
        if speech != Speech::Lmtp {
            return match demands.first() {
                Some((_, asked)) => conduct(asked, "", || good),
                None => good,
            };
        }
        let Said { bytes, next, mut wait, mut drip, read_rate } = good;
        let mut replies = Said { bytes: Vec::new(), next, wait, drip: None, read_rate };
        for (place, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let asked = demands.iter().find(|(of, _)| *of == place);
            let well = Said::new(line).then(next);
            let said = match asked {
                Some((_, asked)) => conduct(asked, "", || well),
                None => well,
            };
            replies.bytes.extend(said.bytes);
            (wait, drip) = (wait + said.wait, drip.or(said.drip));
            if said.next != next {
                // A request that changes what comes next ends the connection, so no reply follows.
                return Said { next: said.next, wait, drip, ..replies };
            }
        }
        Said { wait, drip, ..replies }
    }
}

/// What an address asks for at a stage: `rcpt452_4.2.2@x` a reply to RCPT, `messageclose@x` a close
/// in place of the reply to the message, `datawait2s@x` a late answer to DATA. The text after a
/// plus sign is free for the client to use.
fn asked(stage: &str, address: &str) -> Option<Conduct> {
    let local = address.rsplit_once('@').map_or(address, |(local, _)| local).to_ascii_lowercase();
    let local = local.split('+').next().unwrap_or_default();
    let asked = local.strip_prefix(stage)?;
    let text = match asked {
        "close" | "reset" | "stall" => asked.to_owned(),
        "drip" => "drip\nwell".to_owned(),
        _ => match asked.strip_prefix("wait") {
            Some("") => return None,
            Some(time) => format!("wait {time}\nwell"),
            None => reply(asked)?,
        },
    };
    Conduct::read(&text).ok()
}

/// Reads a reply such as `452_4.2.2`, or `452` alone.
fn reply(asked: &str) -> Option<String> {
    let (code, enhanced) = asked.split_once('_').unwrap_or((asked, ""));
    let is_code = code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit());
    let is_class = matches!(code.as_bytes().first(), Some(b'2' | b'4' | b'5'));
    let is_number = |part: &str| {
        (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let is_enhanced = enhanced.is_empty()
        || (enhanced.split('.').count() == 3 && enhanced.split('.').all(is_number));
    if !is_code || !is_class || !is_enhanced {
        return None;
    }
    let enhanced = if enhanced.is_empty() { String::new() } else { format!("{enhanced} ") };
    Some(format!("{code} {enhanced}as the address asks for"))
}

fn verb(command: &str) -> String {
    command.split_whitespace().next().unwrap_or_default().to_ascii_uppercase()
}

/// The address in a MAIL or RCPT command.
fn address(command: &str) -> Option<&str> {
    let inside = command.split_once('<')?.1;
    Some(inside.split('>').next().unwrap_or(inside))
}

/// Changes the reply to EHLO by the first label of the client's name: to
/// `nostarttls-noauth.example` the server offers neither of the two, to `size1000.example` a
/// smaller SIZE.
fn offer(command: &str, reply: &mut Vec<u8>) {
    let name = command.split_whitespace().nth(1).unwrap_or_default();
    for word in name.split('.').next().unwrap_or_default().split('-') {
        let word = word.to_ascii_uppercase();
        if let Some(extension) = word.strip_prefix("NO").filter(|rest| !rest.is_empty()) {
            *reply = without(reply, extension);
        }
        if let Some(size) = word.strip_prefix("SIZE").filter(|size| size.parse::<u64>().is_ok()) {
            *reply = resized(reply, size);
        }
    }
}

/// The reply with another SIZE.
fn resized(reply: &[u8], size: &str) -> Vec<u8> {
    let lines = reply.split_inclusive(|byte| *byte == b'\n').map(|line| match line.get(4..8) {
        Some(b"SIZE") => [&line[..4], format!("SIZE {size}\r\n").as_bytes()].concat(),
        _ => line.to_vec(),
    });
    lines.collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests {
    use super::super::conduct::Step;
    use super::*;

    fn says(stage: &str, address: &str) -> Option<String> {
        asked(stage, address).and_then(|conduct| match conduct.steps.first() {
            Some(Step::Say(bytes)) => Some(String::from_utf8_lossy(bytes).trim_end().to_owned()),
            _ => None,
        })
    }

    #[test]
    fn addresses_ask_for_replies_at_their_stage() {
        let told = says("rcpt", "RCPT452_4.2.2+7@example.com");
        assert_eq!(told.as_deref(), Some("452 4.2.2 as the address asks for"));
        assert_eq!(says("mail", "mail550@x").as_deref(), Some("550 as the address asks for"));
        for (stage, address) in [
            ("mail", "rcpt550@x"),
            ("rcpt", "rcpt@x"),
            ("rcpt", "rcpt99@x"),
            ("rcpt", "rcpt354@x"),
            ("rcpt", "rcpt550_5.1@x"),
            ("rcpt", "rcpt550_x@x"),
            ("rcpt", "rcptwaitlong@x"),
            ("rcpt", "rcptwait@x"),
        ] {
            assert_eq!(says(stage, address), None, "{address}");
            assert_eq!(asked(stage, address), None, "{address}");
        }
        for address in ["messagestall@x", "messagewait2s@x", "messagedrip@x"] {
            assert!(asked("message", address).is_some(), "{address}");
        }
    }

    #[test]
    fn each_recipient_of_lmtp_has_its_own_reply_to_the_message() {
        let mut demands = Demands::default();
        assert_eq!(demands.of("MAIL FROM:<a@x>"), None);
        for to in ["a@x", "message452@x", "b@x"] {
            let command = format!("RCPT TO:<{to}>");
            assert_eq!(demands.of(&command), None);
            demands.answered(&command, &mut Said::new("250 ok\r\n"));
        }
        let good = Said::new("250 a\r\n250 m\r\n250 b\r\n");
        let said = demands.message(Speech::Lmtp, good.clone());
        assert_eq!(said.bytes, b"250 a\r\n452 as the address asks for\r\n250 b\r\n");
    }

    #[test]
    fn a_clients_name_asks_for_other_offers() {
        let mut reply =
            b"250-localhost\r\n250-SIZE 10485760\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n".to_vec();
        offer("EHLO nostarttls-size1000.example", &mut reply);
        assert_eq!(reply, b"250-localhost\r\n250-SIZE 1000\r\n250 AUTH PLAIN\r\n");
        offer("EHLO node-7.example", &mut reply);
        assert_eq!(reply, b"250-localhost\r\n250-SIZE 1000\r\n250 AUTH PLAIN\r\n");
    }
}
