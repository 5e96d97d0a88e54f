//! What success looks like if nothing was written down that the server said.

use super::literal::text;
use super::words::{first_word, has_block};
use crate::proto::Speech;

/// The state of a dialogue of which only the client's lines are known.
#[derive(Debug, Default)]
pub(super) struct Success {
    message: bool,
    /// How many responses an exchange of SASL still has, after the one that comes now.
    responses: Option<usize>,
}

impl Success {
    /// The statements that take the greeting.
    pub(super) fn greeting(speech: Speech) -> &'static str {
        match speech {
            Speech::Smtp | Speech::Lmtp => "$.expect(220);",
            Speech::Pop3 => "$.expect(\"+OK\");",
            Speech::Imap => "$.expect(\"* OK\");",
            Speech::Sieve => "$.expect(\"OK\");",
            Speech::Stream => "",
        }
    }

    /// The statements that take the answer to a line; none if there is no answer to it.
    pub(super) fn answer(&mut self, speech: Speech, line: &str) -> Option<String> {
        match speech {
            Speech::Smtp | Speech::Lmtp => self.smtp(line),
            Speech::Pop3 => {
                let word = first_word(line);
                let has_argument = line.split_whitespace().count() > 1;
                let is_one = has_argument && ["LIST", "UIDL"].contains(&word.as_str());
                let block =
                    if has_block(&word) && !is_one { "\n$.expect_multiline();" } else { "" };
                Some(format!("$.expect(\"+OK\");{block}"))
            }
            Speech::Imap => {
                let tag = line.split(' ').next().unwrap_or_default();
                Some(format!("$.expect_until({});", text(&format!("{tag} OK"))))
            }
            Speech::Sieve => Some("$.expect(\"OK\");".to_owned()),
            Speech::Stream => None,
        }
    }

    fn smtp(&mut self, line: &str) -> Option<String> {
        if self.message {
            self.message = line != ".";
            return (!self.message).then(|| "$.expect(250);".to_owned());
        }
        if let Some(left) = self.responses {
            self.responses = left.checked_sub(1);
            return Some(if left > 0 { "$.expect(334);" } else { "$.expect(235);" }.to_owned());
        }
        let words: Vec<_> = line.split_whitespace().collect();
        let code = match first_word(line).as_str() {
            "RCPT" | "VRFY" | "EXPN" => "25",
            "QUIT" => "221",
            "HELP" => "21",
            "STARTTLS" => return Some("$.expect(220);\n$.tls_handshake();".to_owned()),
            "DATA" => {
                self.message = true;
                "354"
            }
            "AUTH" if words.len() > 2 && !words[1].eq_ignore_ascii_case("LOGIN") => "235",
            "AUTH" => {
                let is_login = words.get(1).is_some_and(|word| word.eq_ignore_ascii_case("LOGIN"));
                self.responses = Some(usize::from(is_login && words.len() < 3));
                "334"
            }
            "EHLO" | "HELO" | "LHLO" | "MAIL" | "RSET" | "NOOP" | "ETRN" => "250",
            _ => "2",
        };
        Some(format!("$.expect({code});"))
    }
}
