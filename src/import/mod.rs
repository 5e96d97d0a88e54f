//! Imports dialogues of other tools as scripts: sessions that were pasted from a terminal, and
//! files of other test tools. Each line that cannot be read is reported, because a script that
//! silently lacks a line would test less than the file.

mod assembler;
mod blackbox;
mod chamuyero;
mod counted;
mod exim;
mod expected;
mod imaptest;
mod incoming;
mod layout;
mod line;
mod lines;
mod literal;
mod marked;
mod mpt;
mod netcat;
mod open;
mod openssl;
mod pasted;
mod prose;
mod recorded;
mod role;
mod sending;
mod shell;
mod success;
mod tokens;
mod words;
mod write;

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::suggest;
use crate::visible;

/// The format of an imported file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// A session with telnet or nc, pasted from a terminal.
    Telnet,
    /// The input that was piped into nc.
    Netcat,
    /// The output of swaks.
    Swaks,
    /// A session with `openssl s_client`.
    Openssl,
    /// Lines with `C:` and `S:`, as in the examples of RFCs.
    Marked,
    /// A transcript or a golden of this program.
    Transcript,
    /// A script of the Mail Protocol Tester of Apache James.
    Mpt,
    /// A script of chasquid's chamuyero.
    Chamuyero,
    /// A script of Dovecot's `ImapTest`.
    Imaptest,
    /// A script of Exim's test suite.
    Exim,
    /// The configuration of `blackbox_exporter`.
    Blackbox,
}

impl Format {
    const ALL: [(Self, &str, &str); 11] = [
        (Self::Telnet, "telnet", "a session that was pasted from a terminal"),
        (Self::Netcat, "nc", "what nc was given to send"),
        (Self::Swaks, "swaks", "what swaks printed"),
        (Self::Openssl, "openssl", "a session with openssl s_client"),
        (Self::Marked, "marked", "lines with C: and S:"),
        (Self::Transcript, "transcript", "a transcript of mailexpect"),
        (Self::Mpt, "mpt", "a script of James' Mail Protocol Tester"),
        (Self::Chamuyero, "chamuyero", "a script of chasquid's chamuyero"),
        (Self::Imaptest, "imaptest", "a script of ImapTest"),
        (Self::Exim, "exim", "a client script of Exim's test suite"),
        (Self::Blackbox, "blackbox", "a configuration of blackbox_exporter"),
    ];

    pub(crate) fn names() -> Vec<&'static str> {
        Self::ALL.iter().map(|(_, name, _)| *name).collect()
    }

    pub(crate) fn describe(self) -> &'static str {
        Self::ALL.iter().find(|(format, ..)| *format == self).map_or("", |(.., what)| *what)
    }

    /// Recognises the format of a text by marks that no other format has. The order matters: a
    /// format with more specific marks is tried first.
    fn of(name: &str, text: &str) -> Self {
        let any = |is: &dyn Fn(&str) -> bool| text.lines().any(is);
        let ends = |end| std::path::Path::new(name).extension().is_some_and(|is| is == end);
        if any(&|line| line.contains("query_response:")) {
            Self::Blackbox
        } else if ends("cmy") || any(&chamuyero::is_line) {
            Self::Chamuyero
        } else if any(&|line| exim::is_command(line) || exim::is_server(line))
            || any(&|line| line.starts_with("??? "))
        {
            Self::Exim
        } else if any(&|line| line.contains("*** connecting to ") || line.starts_with("source: ")) {
            Self::Transcript
        } else if any(&marked::is_of_an_rfc) && (ends("test") || mpt::looks_like(text)) {
            Self::Mpt
        } else {
            Self::of_a_session(&layout::lines(text), text)
        }
    }

    /// Recognises the format of a pasted session, or of a file without such marks.
    fn of_a_session(lines: &[layout::Line], text: &str) -> Self {
        let any = |is: &dyn Fn(&str) -> bool| lines.iter().any(|(_, line)| is(line));
        if any(&|line| line.starts_with("CONNECTED(") || line.contains("openssl s_client")) {
            Self::Openssl
        } else if any(&|line| line.starts_with("=== ")) && any(&marked::is_of_swaks) {
            Self::Swaks
        } else if any(&marked::is_marked) {
            Self::Marked
        } else if imaptest::looks_like(text) {
            Self::Imaptest
        } else if netcat::looks_like(text) {
            Self::Netcat
        } else {
            Self::Telnet
        }
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(_, known, _)| *known == name);
        found.map(|(format, ..)| *format).ok_or_else(|| {
            let near = suggest::nearest(name, Self::names());
            let near = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            format!("a format is one of {}{near}", Self::names().join(", "))
        })
    }
}

/// A line of the file that could not be read. If `text` is empty, `why` is a note on a difference
/// between the script and the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unread {
    /// The number of the line, from 1.
    pub(crate) line: usize,
    pub(crate) text: String,
    pub(crate) why: String,
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.text.is_empty() {
            return write!(f, "line {}: {}", self.line, self.why);
        }
        let text = visible::excerpt(self.text.trim().as_bytes(), 100);
        write!(f, "line {}: not read: {text} ({})", self.line, self.why)
    }
}

/// Stands for the variable that holds an answer, in a statement. Dialogues do not use private-use
/// characters, so no text of a dialogue is replaced.
const ANSWER: &str = "\u{e000}r";

/// Stands for lines of a reply or a block that the file leaves out. In front of a reply, it stands
/// for replies before that reply. Dialogues do not use private-use characters.
const GAP: &str = "\u{e004}";

/// A step of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Act {
    /// Connects, to `host:port` if the place is known.
    Connect { scheme: &'static str, place: Option<String> },
    /// Listens at a port or a socket, if the place is known. `listener` numbers its variable.
    Listen { listener: usize, place: Option<String> },
    /// Opens a session with the value of an expression. `@0.accept()` accepts a connection from the
    /// first listener.
    Let(String),
    /// The client sends a line. `secret` is the range of the line that is secret, and `owes` says
    /// whether the server owes a reply.
    Send { line: Vec<u8>, secret: Option<std::ops::Range<usize>>, owes: bool },
    /// The client sends these bytes as they are.
    Raw(Vec<u8>),
    /// A complete reply, as lines without line ends.
    Reply(Vec<Vec<u8>>),
    /// The lines of a multiline block, without the dot that ends it.
    Block(Vec<Vec<u8>>),
    /// A regex for the next reply.
    Match(String),
    /// Regexes for the next replies, in any order.
    Unordered(Vec<String>),
    /// The TLS handshake, without a command before it.
    Handshake,
    /// The server closes the connection.
    Closed,
    /// The client closes the connection.
    Close,
    /// A `step` of the script, with its title.
    Step(String),
    /// A statement of the script, in which `$` stands for the session.
    Statement(String),
}

/// A step of a session, and its line in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Step {
    line: usize,
    session: usize,
    act: Act,
    /// The remark beside the line.
    remark: Option<String>,
}

/// The steps of a file that was read, and the lines that could not be read.
#[derive(Debug, Default)]
struct Read {
    steps: Vec<Step>,
    unread: Vec<Unread>,
}

/// A script, and the lines of the file that the script leaves out.
#[derive(Debug)]
pub(crate) struct Imported {
    pub(crate) format: Format,
    pub(crate) script: String,
    pub(crate) unread: Vec<Unread>,
    /// The line of each secret, and the parameter that has the secret as its default. The name is
    /// empty if the file does not contain the secret.
    pub(crate) secrets: Vec<(usize, String)>,
}

/// Imports a file as a script.
///
/// # Errors
/// A usage error, if the file contains no dialogue.
pub(crate) fn import(name: &str, text: &str, format: Option<Format>) -> Result<Imported> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let format = format.unwrap_or_else(|| Format::of(name, text));
    let mut read = match format {
        Format::Telnet => pasted::read(&layout::lines(text)),
        Format::Netcat => netcat::read(text),
        Format::Swaks | Format::Marked => marked::read(&layout::lines(text)),
        Format::Openssl => openssl::read(&layout::lines(text)),
        Format::Transcript => recorded::read(text),
        Format::Mpt => mpt::read(text),
        Format::Chamuyero => chamuyero::read(text),
        Format::Imaptest => imaptest::read(text),
        Format::Exim => exim::read(text),
        Format::Blackbox => blackbox::read(text),
    };
    name_what_is_no_text(&mut read);
    read.unread.sort_by_key(|unread| unread.line);
    let says = |step: &Step| {
        let opens = matches!(step.act, Act::Connect { .. } | Act::Listen { .. } | Act::Let(_));
        !opens && !matches!(step.act, Act::Closed | Act::Close)
    };
    if !read.steps.iter().any(says) {
        let name = visible::escape(name.as_bytes());
        let error = Error::usage(format!("there is no dialogue in {name}"));
        let unread: Vec<_> = read.unread.iter().take(5).map(ToString::to_string).collect();
        return Err(error
            .with_got(if unread.is_empty() { "nothing".to_owned() } else { unread.join("\n") })
            .hint(format!("it was read as {}; --from says what it is", format.describe())));
    }
    Ok(write::script(name, format, read))
}

/// Reports the client's lines in which invalid UTF-8 was replaced when the file was read. The
/// script sends other bytes than the file has in these lines. The server's lines need no report,
/// because the script expects any bytes there.
fn name_what_is_no_text(read: &mut Read) {
    for step in &read.steps {
        let Act::Send { line, .. } = &step.act else { continue };
        let line = String::from_utf8_lossy(line);
        if line.contains(char::REPLACEMENT_CHARACTER) {
            let why = "it is sent with U+FFFD in place of bytes that are no UTF-8".to_owned();
            read.unread.push(Unread { line: step.line, text: line.into_owned(), why });
        }
    }
}
