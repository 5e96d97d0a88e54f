//! What is known of a protocol: a table for each, in its own folder, read by all that needs to know.

use super::capabilities::Told;
use super::{Protocol, Speech, starts};
use crate::error::Result;
use crate::pattern::{Code, IntoPattern, Pattern};

/// The facts of one protocol.
#[derive(Debug)]
pub(crate) struct Facts {
    /// Its name, as people write it.
    pub(crate) name: &'static str,
    pub(crate) schemes: &'static [Scheme],
    /// Makes a dialogue that begins with the greeting; it is named by the scheme without TLS.
    pub(crate) dialogue: fn(&'static str) -> Box<dyn Protocol>,
    /// How its first line begins, in letters of either case.
    pub(crate) greetings: &'static [&'static str],
    /// What to hold the whole greeting against.
    pub(crate) greeting: &'static [Success],
    /// What success begins with, if the answer to a command says no more than that.
    pub(crate) success: Success,
    /// The words that say how a command went, in letters of either case; none if reply codes do.
    pub(crate) statuses: &'static [&'static str],
    /// How a reply begins that a server may send without being asked.
    pub(crate) unasked: Option<&'static str>,
    /// The commands that are registered, in capitals, as far as they are the same each time.
    pub(crate) commands: &'static [&'static [&'static str]],
    /// Each command begins with a tag of the client's, and the reply that ends it with the same.
    pub(crate) has_tags: bool,
    /// Some replies are followed by a block of lines up to a lone dot.
    pub(crate) has_blocks: bool,
    pub(crate) farewell: Option<Farewell>,
    pub(crate) tls: Option<Tls>,
    pub(crate) sasl: &'static Sasl,
    /// What a reply, or the block behind one, says of what the server can do: it answers this
    /// command, or is the greeting if that is empty.
    pub(crate) told: fn(answered: &[u8], said: &[u8]) -> Told,
    /// What a server says if its script leaves that open.
    pub(crate) server: Server,
    /// Replies that everybody meets, in the order in which they are tried.
    pub(crate) advice: &'static [Advice],
}

/// What is spoken at a URL with this scheme, and where that usually is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Scheme {
    pub(crate) name: &'static str,
    pub(crate) speech: Speech,
    /// The registered port, if there is one.
    pub(crate) port: Option<u16>,
}

/// What an answer has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Success {
    /// The reply code.
    Code(u16),
    /// How the line begins that says how it went.
    Word(&'static str),
}

/// How a client ends the dialogue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Farewell {
    pub(crate) command: &'static str,
    pub(crate) success: Success,
    /// The lines that a server answers it with; a status is tagged where there are tags.
    pub(crate) answer: &'static [&'static str],
}

/// Lines of a server; a status is tagged where there are tags.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Server {
    pub(crate) greeting: &'static [&'static str],
    /// The greeting of one that has too many connections.
    pub(crate) too_many: &'static str,
    /// The answer to what it does not understand, `{}` being the reason.
    pub(crate) refusal: &'static str,
}

/// How TLS is begun on a session in clear.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tls {
    pub(crate) command: &'static str,
    pub(crate) success: Success,
    /// The line with which a server lets the client begin.
    pub(crate) go_ahead: &'static str,
    /// The server speaks first when TLS is up.
    pub(crate) greets_again: bool,
}

/// How an exchange of SASL is written down: RFC 4422 section 4 leaves that to the protocols.
#[derive(Debug)]
pub(crate) struct Sasl {
    /// The protocol's name as a service, as registered for GSSAPI.
    pub(crate) service: &'static str,
    /// The command that begins an exchange.
    pub(crate) command: &'static str,
    /// How a challenge begins; if that is nothing, it comes in quotes or as a literal.
    pub(crate) challenge: &'static [u8],
    /// How the reply begins to an exchange that succeeded, and to one that was cancelled.
    pub(crate) success: Success,
    pub(crate) cancelled: Success,
    /// The lines with which a server ends one, if the client is let in and if not.
    pub(crate) granted: &'static str,
    pub(crate) denied: &'static str,
    /// Octets of a command line with its line end, beyond which the first response goes alone.
    pub(crate) longest: usize,
    /// What asks for the mechanisms, if that can be asked any time.
    pub(crate) question: Option<&'static str>,
}

/// What to try next after a reply: its code, or its status without a tag, and a word of its text
/// (both lower case). An empty text fits all replies of the code.
#[derive(Debug)]
pub(crate) struct Advice {
    pub(crate) code: &'static str,
    pub(crate) text: &'static str,
    pub(crate) says: &'static str,
}

impl Facts {
    /// Whether it has a command of this name, in capitals.
    pub(crate) fn has_command(&self, name: &str) -> bool {
        self.commands().any(|command| command.split(' ').next() == Some(name))
    }

    /// Its commands, as far as they are the same each time.
    pub(crate) fn commands(&self) -> impl Iterator<Item = &'static str> {
        self.commands.iter().flat_map(|commands| commands.iter().copied())
    }

    /// The scheme of its URLs with TLS from the start.
    pub(crate) fn tls_scheme(&self) -> &'static str {
        self.schemes.iter().find(|scheme| scheme.is_tls()).map_or("tls", |scheme| scheme.name)
    }

    /// How success begins if replies have no codes, to be shown to who asks for one.
    pub(crate) fn codeless(&self) -> Option<&'static str> {
        match self.greeting.first() {
            Some(Success::Word(word)) => Some(word),
            Some(Success::Code(_)) | None => None,
        }
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
    /// Whether TLS comes before anything is said: the names of these end in s.
    pub(crate) fn is_tls(&self) -> bool {
        self.name.ends_with('s')
    }

    /// The name of the protocol, TLS or not.
    pub(crate) fn plain_name(&self) -> &'static str {
        self.name.strip_suffix('s').unwrap_or(self.name)
    }
}
