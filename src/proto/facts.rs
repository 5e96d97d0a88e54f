//! Facts about protocols: a table for each protocol, in its own folder, for all code that needs
//! them.

use super::capabilities::Told;
use super::{Protocol, Speech, last_line, starts};
use crate::error::Result;
use crate::pattern::{Code, IntoPattern, Pattern};

/// The facts about one protocol.
#[derive(Debug)]
pub(crate) struct Facts {
    /// The protocol's name, as people write it.
    pub(crate) name: &'static str,
    pub(crate) schemes: &'static [Scheme],
    /// Creates a dialogue that begins with the greeting. The argument is the scheme without TLS.
    pub(crate) dialogue: fn(&'static str) -> Box<dyn Protocol>,
    /// How the first line of a greeting begins, in letters of either case.
    pub(crate) greetings: &'static [&'static str],
    /// What the whole greeting has to match.
    pub(crate) greeting: &'static [Success],
    /// How greetings begin by which a server refuses the connection.
    pub(crate) refusals: &'static [Success],
    /// How a successful answer begins, for commands without a success of their own.
    pub(crate) success: Success,
    /// The commands with a success of their own, in capitals, besides those for TLS, SASL and the
    /// farewell.
    pub(crate) successes: &'static [(&'static str, Success)],
    /// The words that state the result of a command, in letters of either case; empty if reply
    /// codes do.
    pub(crate) statuses: &'static [&'static str],
    /// How replies begin that a server may send unasked.
    pub(crate) unasked: Option<&'static str>,
    /// The registered commands in capitals, as far as their words are fixed.
    pub(crate) commands: &'static [&'static [&'static str]],
    /// Whether each command begins with a tag, which the reply at its end repeats.
    pub(crate) has_tags: bool,
    /// Whether lines may announce literals, whose octets follow.
    pub(crate) has_literals: bool,
    /// Whether a client sends messages up to a lone dot, after the server has told it to in answer
    /// to [`MESSAGE_COMMAND`].
    pub(crate) has_messages: bool,
    /// Whether a block of lines up to a lone dot follows the success of this command; `None` if
    /// there are no such blocks.
    pub(crate) block: Option<fn(command: &[u8]) -> bool>,
    pub(crate) farewell: Option<Farewell>,
    pub(crate) tls: Option<Tls>,
    pub(crate) sasl: &'static Sasl,
    /// Reads the capabilities in a reply, or in the block after a reply. `answered` is the command
    /// that it answers; for the greeting, `answered` is empty.
    pub(crate) told: fn(answered: &[u8], said: &[u8]) -> Told,
    /// The words of a server that a script plays, unless the script sets others.
    pub(crate) server: Server,
    /// Advice on common replies, in the order in which it is tried.
    pub(crate) advice: &'static [Advice],
}

/// A URL scheme: the protocol that is spoken, and its usual port.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Scheme {
    pub(crate) name: &'static str,
    pub(crate) speech: Speech,
    /// The registered port, if there is one.
    pub(crate) port: Option<u16>,
    /// The ports that suggest this scheme, the most usual first. No port suggests two schemes.
    pub(crate) suggested_by: &'static [u16],
}

/// How a successful answer is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Success {
    /// The answer has this reply code, or one that begins with these digits.
    Code(u16),
    /// The line that states the result begins with this word.
    Word(&'static str),
}

/// How a client ends the dialogue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Farewell {
    pub(crate) command: &'static str,
    pub(crate) success: Success,
    /// The lines of the server's answer. If the protocol has tags, a status gets the tag.
    pub(crate) answer: &'static [&'static str],
}

/// The lines of a server. If the protocol has tags, a status gets the tag.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Server {
    pub(crate) greeting: &'static [&'static str],
    /// The greeting of a server that has too many connections.
    pub(crate) too_many: &'static str,
    /// The answer to a line that the server does not understand; `{}` stands for the reason.
    pub(crate) refusal: &'static str,
}

/// How TLS is started on a session that began in clear.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tls {
    pub(crate) command: &'static str,
    pub(crate) success: Success,
    /// The line by which a server lets the client begin the handshake.
    pub(crate) go_ahead: &'static str,
    /// Whether the server speaks first after the handshake.
    pub(crate) greets_again: bool,
}

/// How a SASL exchange is written, which RFC 4422 section 4 leaves to the protocols.
#[derive(Debug)]
pub(crate) struct Sasl {
    /// The protocol's service name, as registered for GSSAPI.
    pub(crate) service: &'static str,
    /// The command that begins an exchange.
    pub(crate) command: &'static str,
    /// How a challenge begins; if this is empty, a challenge is a quoted string or a literal.
    pub(crate) challenge: &'static [u8],
    /// The beginning of the reply after success, and after the client has cancelled.
    pub(crate) success: Success,
    pub(crate) cancelled: Success,
    /// The lines by which a server grants or refuses access.
    pub(crate) granted: &'static str,
    pub(crate) denied: &'static str,
    /// The longest command line in octets, with its line end. If the initial response makes the
    /// command longer, it is sent in a line of its own.
    pub(crate) longest: usize,
    /// The command that asks for the mechanisms, if it is allowed at any time.
    pub(crate) question: Option<&'static str>,
}

/// Advice on what to try next after a reply. The reply is recognised by its code, or its status
/// without a tag, and by a word of its text (both in lower case). An empty text fits all replies
/// with the code.
#[derive(Debug)]
pub(crate) struct Advice {
    pub(crate) code: &'static str,
    pub(crate) text: &'static str,
    pub(crate) says: &'static str,
}

/// The command before a message (RFC 5321 section 4.1.1.4).
const MESSAGE_COMMAND: &str = "DATA";

/// The advice if credentials are refused.
pub(crate) const WRONG_CREDENTIALS: &str =
    "wrong credentials; if the user is name@domain, try only the name, or the other way round";

impl Facts {
    /// Whether the protocol has a command of this name, given in capitals.
    pub(crate) fn has_command(&self, name: &str) -> bool {
        self.commands().any(|command| command.split(' ').next() == Some(name))
    }

    /// The protocol's commands, as far as their words are fixed.
    pub(crate) fn commands(&self) -> impl Iterator<Item = &'static str> {
        self.commands.iter().flat_map(|commands| commands.iter().copied())
    }

    /// How a successful answer to this command begins. The command is given in capitals.
    pub(crate) fn success_of(&self, command: &str) -> Success {
        let farewell = self.farewell.map(|farewell| (farewell.command, farewell.success));
        let mut own = self.successes.iter().copied().chain(farewell);
        own.find(|(name, _)| *name == command).map_or(self.success, |(_, success)| success)
    }

    /// Whether a reply tells the client to send a message.
    pub(crate) fn asks_for_message(&self, reply: &[u8]) -> bool {
        self.has_messages && self.success_of(MESSAGE_COMMAND).fits(last_line(reply))
    }

    /// Whether a block of lines up to a lone dot follows the success of this command.
    pub(crate) fn has_block(&self, command: &[u8]) -> bool {
        self.block.is_some_and(|has_block| has_block(command))
    }

    /// Whether replies begin with a code of three digits.
    pub(crate) fn has_codes(&self) -> bool {
        matches!(self.greeting.first(), Some(Success::Code(_)))
    }

    /// The URL scheme with TLS from the start.
    pub(crate) fn tls_scheme(&self) -> &'static str {
        self.schemes.iter().find(|scheme| scheme.is_tls()).map_or("tls", |scheme| scheme.name)
    }

    /// The beginning of a successful answer, if replies have no codes: for the error about a
    /// pattern that is a code.
    pub(crate) fn codeless(&self) -> Option<&'static str> {
        match self.greeting.first() {
            Some(Success::Word(word)) => Some(word),
            Some(Success::Code(_)) | None => None,
        }
    }
}

impl Sasl {
    /// Whether a command, without its tag, begins an exchange.
    pub(crate) fn begins(&self, command: &str) -> bool {
        let word = command.get(..self.command.len());
        word.is_some_and(|word| word.eq_ignore_ascii_case(self.command))
    }

    /// Whether a reply is a challenge.
    pub(crate) fn is_challenge(&self, reply: &[u8]) -> bool {
        if self.challenge.is_empty() {
            return reply.starts_with(b"\"") || reply.starts_with(b"{");
        }
        let rest = reply.strip_prefix(self.challenge);
        rest.is_some_and(|rest| matches!(rest.first(), None | Some(b' ' | b'\r' | b'\n')))
    }
}

impl Success {
    /// Whether a line begins like this, in letters of either case.
    pub(crate) fn fits(self, line: &[u8]) -> bool {
        match self {
            Self::Code(code) => starts(line, &code.to_string()),
            Self::Word(word) => starts(line, word),
        }
    }
}

impl IntoPattern for Success {
    fn into_pattern(self) -> Result<Pattern> {
        match self {
            Self::Code(code) => Code::new(code.into()).map(Into::into),
            Self::Word(word) => word.into_pattern(),
        }
    }
}

impl Scheme {
    /// Whether TLS begins with the connection: the names of these schemes end in s.
    pub(crate) fn is_tls(&self) -> bool {
        self.name.ends_with('s')
    }

    /// The name of the protocol without TLS.
    pub(crate) fn plain_name(&self) -> &'static str {
        self.name.strip_suffix('s').unwrap_or(self.name)
    }
}
