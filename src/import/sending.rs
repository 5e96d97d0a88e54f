//! The literal of a client's command, and the rest of the command after the literal.

use super::words::{announced, sends_response};

/// The secret part of a client's line, and whether the server owes a reply to the line.
pub(super) type Said = (Option<std::ops::Range<usize>>, bool);

/// The part of a command that is still to come after the command has announced a literal.
#[derive(Default)]
pub(super) struct Sending {
    /// How many octets of the literal are still to come.
    octets: usize,
    /// Whether the server has to send `+` before the client sends the literal.
    waits: bool,
    /// Whether the literal is complete, so that the next line continues or ends its command.
    is_closing: bool,
    /// The number of arguments before the literal, if the command is LOGIN. The second argument is
    /// the password.
    login: Option<usize>,
    /// Whether the literal is a SASL response, and so a secret.
    responds: bool,
}

impl Sending {
    /// Whether the next line is part of the literal, or the rest of the command.
    pub(super) fn is_open(&self) -> bool {
        self.is_closing || self.octets > 0
    }

    /// Whether the client is in the middle of the literal.
    pub(super) fn is_in_literal(&self) -> bool {
        self.octets > 0 && !self.waits
    }

    /// Whether the next line ends the command.
    pub(super) fn is_closing(&self) -> bool {
        self.is_closing && !self.waits
    }

    /// Notes that the server has sent `+`.
    pub(super) fn go_ahead(&mut self) {
        self.waits = false;
    }

    /// Takes the first line of a command. Returns whether the rest of the command follows without
    /// `+`.
    pub(super) fn begin(&mut self, line: &str, is_imap: bool) -> bool {
        let mut words = line.split_whitespace().skip(1);
        let verb = words.next().unwrap_or_default();
        // The last word announces the literal, so it does not count as an argument before the
        // literal.
        self.login = (is_imap && verb.eq_ignore_ascii_case("LOGIN"))
            .then(|| words.count().saturating_sub(1));
        self.responds = sends_response(line);
        self.announces(line, is_imap) && !self.waits
    }

    /// Takes a line of the literal, or the rest of the command after the literal.
    pub(super) fn go_on(&mut self, line: &str, is_imap: bool) -> Said {
        let is_password = (self.login == Some(1) || self.responds) && self.octets > 0;
        self.waits = false;
        if line.len() < self.octets {
            self.octets = self.octets.saturating_sub(line.len() + 2);
            self.is_closing = self.octets == 0;
            return (is_password.then_some(0..line.len()), false);
        }
        let start = std::mem::take(&mut self.octets);
        self.is_closing = false;
        let rest = line.get(start..).unwrap_or_default();
        if self.announces(rest, is_imap) {
            self.login = self.login.map(|arguments| arguments + 1);
            return (is_password.then_some(0..start), self.waits);
        }
        if is_password {
            return (Some(0..start), true);
        }
        let blanks = rest.len() - rest.trim_start().len();
        let follows_user = self.login == Some(0) && blanks < rest.len();
        (follows_user.then(|| start + blanks..line.trim_end().len()), true)
    }

    /// Whether a line announces a literal. If so, the next lines are read as that literal.
    fn announces(&mut self, line: &str, is_imap: bool) -> bool {
        let Some((octets, _)) = announced(line) else { return false };
        self.octets = octets;
        self.is_closing = octets == 0;
        // A literal with a sign needs no go-ahead (RFC 7888). A ManageSieve client sends its literal at
        // once (RFC 5804, section 4: `literal-c2s`).
        self.waits = is_imap && !(line.ends_with("+}") || line.ends_with("-}"));
        true
    }
}
