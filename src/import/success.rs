//! Finds the answers that mean success, for dialogues that hold only the client's lines.

use super::literal::text;
use super::words::{first_word, has_block};
use crate::proto::{self, Speech};

/// The state of a dialogue of which only the client's lines are known.
#[derive(Debug, Default)]
pub(super) struct Success {
    is_message: bool,
    exchange: Option<Exchange>,
}

/// A SASL exchange that the client has begun.
#[derive(Debug)]
struct Exchange {
    /// How many SASL responses follow after the next response.
    responses: usize,
    /// The tag of the AUTHENTICATE command, in IMAP.
    tag: String,
}

/// The answer that the server owes to a line of the client.
#[derive(Debug)]
pub(super) struct Answer {
    /// The statements that take the answer; `None` if the line gets no answer.
    pub(super) statements: Option<String>,
    /// Whether the line is the last response of a SASL exchange, which holds the secret.
    pub(super) is_secret: bool,
}

impl Success {
    /// The statements that take the greeting.
    pub(super) fn greeting(speech: Speech) -> String {
        match speech.facts().greeting.first() {
            Some(proto::Success::Code(code)) => format!("$.expect({code});"),
            Some(proto::Success::Word(word)) => format!("$.expect({});", text(word)),
            None => String::new(),
        }
    }

    /// Whether the next lines belong to a message.
    pub(super) fn is_in_message(&self) -> bool {
        self.is_message
    }

    /// The answer to a line of the client.
    pub(super) fn answer(&mut self, speech: Speech, line: &str) -> Answer {
        if let Some(exchange) = self.exchange.take() {
            let is_cancelled = line == "*";
            let is_last = is_cancelled || exchange.responses == 0;
            let statements = Some(ended(speech, &exchange, is_cancelled));
            if !is_last {
                self.exchange = Some(Exchange { responses: exchange.responses - 1, ..exchange });
            }
            return Answer { statements, is_secret: is_last && !is_cancelled };
        }
        let statements = match speech {
            Speech::Smtp | Speech::Lmtp => self.smtp(line),
            Speech::Pop3 => Some(self.pop3(line)),
            Speech::Imap => Some(self.imap(line)),
            Speech::Sieve => Some("$.expect(\"OK\");".to_owned()),
            Speech::Stream => None,
        };
        Answer { statements, is_secret: false }
    }

    fn pop3(&mut self, line: &str) -> String {
        let word = first_word(line);
        let words: Vec<_> = line.split_whitespace().collect();
        if word == "AUTH" && self.begins(&words[1..], "") {
            return "$.expect(\"+\");".to_owned();
        }
        let is_one = words.len() > 1 && ["LIST", "UIDL"].contains(&word.as_str());
        // AUTH without an argument lists the mechanisms in a block.
        let has_block = has_block(&word) || (word == "AUTH" && words.len() == 1);
        let block = if has_block && !is_one { "\n$.expect_multiline();" } else { "" };
        format!("$.expect(\"+OK\");{block}")
    }

    fn imap(&mut self, line: &str) -> String {
        let words: Vec<_> = line.split_whitespace().collect();
        let tag = words.first().copied().unwrap_or_default();
        let is_authenticate = words.get(1).is_some_and(|w| w.eq_ignore_ascii_case("AUTHENTICATE"));
        if is_authenticate && self.begins(&words[2..], tag) {
            return "$.expect(\"+\");".to_owned();
        }
        format!("$.expect_until({});", text(&format!("{tag} OK")))
    }

    fn smtp(&mut self, line: &str) -> Option<String> {
        if self.is_message {
            self.is_message = line != ".";
            return (!self.is_message).then(|| "$.expect(250);".to_owned());
        }
        let words: Vec<_> = line.split_whitespace().collect();
        let code = match first_word(line).as_str() {
            "RCPT" | "VRFY" | "EXPN" => "25",
            "QUIT" => "221",
            "HELP" => "21",
            "STARTTLS" => return Some("$.expect(220);\n$.tls_handshake();".to_owned()),
            "DATA" => {
                self.is_message = true;
                "354"
            }
            "AUTH" if self.begins(&words[1..], "") => "334",
            "AUTH" => "235",
            "EHLO" | "HELO" | "LHLO" | "MAIL" | "RSET" | "NOOP" | "ETRN" => "250",
            _ => "2",
        };
        Some(format!("$.expect({code});"))
    }

    /// Begins a SASL exchange, if the server has to ask for responses after a command with these
    /// arguments: the mechanism, and perhaps an initial response. Returns whether the exchange has
    /// begun.
    fn begins(&mut self, arguments: &[&str], tag: &str) -> bool {
        let Some(mechanism) = arguments.first() else { return false };
        let is_login = mechanism.eq_ignore_ascii_case("LOGIN");
        let has_response = arguments.len() > 1;
        if has_response && !is_login {
            return false;
        }
        let responses = usize::from(is_login && !has_response);
        self.exchange = Some(Exchange { responses, tag: tag.to_owned() });
        true
    }
}

/// The statements that take the answer to a SASL response.
fn ended(speech: Speech, exchange: &Exchange, is_cancelled: bool) -> String {
    let goes_on = exchange.responses > 0 && !is_cancelled;
    match (speech, goes_on, is_cancelled) {
        (Speech::Imap | Speech::Pop3, true, _) => "$.expect(\"+\");".to_owned(),
        (Speech::Imap, _, true) => {
            format!("$.expect_until({});", text(&format!("{} BAD", exchange.tag)))
        }
        (Speech::Imap, ..) => {
            format!("$.expect_until({});", text(&format!("{} OK", exchange.tag)))
        }
        (Speech::Pop3, _, true) => "$.expect(\"-ERR\");".to_owned(),
        (Speech::Pop3, ..) => "$.expect(\"+OK\");".to_owned(),
        (_, true, _) => "$.expect(334);".to_owned(),
        (_, _, true) => "$.expect(501);".to_owned(),
        _ => "$.expect(235);".to_owned(),
    }
}
