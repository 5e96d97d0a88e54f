//! Writes a dialogue as a script that passes against the same server. The script expects codes,
//! takes secrets as parameters, and leaves other text that varies to a golden.

mod expected;

use std::collections::HashSet;
use std::fmt::Write as _;
use std::mem;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use memchr::memmem;

use crate::proto::{Protocol, Speech, starts};
use crate::script::written::{string, text_of};
use crate::secrets::{MASK, Secrets};

/// Data of more bytes than this is read from a file, if the script may have files beside it. A
/// script has at most 2 MiB.
const LARGE: usize = 64 << 10;

/// A script that is being written.
pub(super) struct Script {
    speech: Speech,
    text: String,
    /// What the server has said and no call expects yet, without literals.
    said: Vec<u8>,
    /// The lines before it that need no call of their own, such as untagged data.
    passed_over: String,
    /// Knows which commands are answered with a block of lines.
    tracker: Box<dyn Protocol>,
    /// The first words of the lines that the client sent, among them all tags.
    tags: HashSet<Vec<u8>>,
    /// Whether a SASL exchange has begun and has had no result.
    in_exchange: bool,
    /// How many bytes of a literal are still to come.
    literal: u64,
    /// The expression for the secret of the next line, in place of a parameter.
    composed: Option<String>,
    /// How many secrets have become parameters.
    secrets: usize,
    /// How the names of files beside the script begin; `None` if it has none.
    beside: Option<String>,
    files: Vec<Beside>,
}

/// A file that a script reads, in the folder of the script.
pub(super) struct Beside {
    pub(super) name: String,
    pub(super) content: Vec<u8>,
}

impl Script {
    /// Begins a script that connects to `url`. The title says where the dialogue comes from.
    pub(super) fn new(speech: Speech, url: &str, title: &str) -> Self {
        let scheme = url.split([':', '+']).next().unwrap_or("smtp");
        let mut script = Self::empty(speech);
        let _ = writeln!(script.text, "// {title}");
        script
            .line("// Codes are expected; `mailexpect run --record` keeps the words in a golden.");
        script.line(&format!("let s = connect(param({}, {}));", string(scheme), string(url)));
        script
    }

    fn empty(speech: Speech) -> Self {
        let facts = speech.facts();
        let name = facts.schemes.first().map_or("tcp", |scheme| scheme.plain_name());
        Self {
            speech,
            text: String::new(),
            said: Vec::new(),
            passed_over: String::new(),
            tracker: (facts.dialogue)(name),
            tags: HashSet::new(),
            in_exchange: false,
            literal: 0,
            composed: None,
            secrets: 0,
            beside: None,
            files: Vec::new(),
        }
    }

    /// This script, which reads large data from files whose names begin with `stem`.
    pub(super) fn beside(self, stem: &str) -> Self {
        Self { beside: Some(stem.to_owned()), ..self }
    }

    /// Takes the files that the script reads.
    pub(super) fn files(&mut self) -> Vec<Beside> {
        mem::take(&mut self.files)
    }

    /// The server said these bytes.
    pub(super) fn heard(&mut self, bytes: &[u8]) {
        self.heard_ends(bytes, 0, &[]);
    }

    /// The server said `head` and `tail`, with `omitted` bytes between them that were not kept.
    pub(super) fn heard_ends(&mut self, head: &[u8], omitted: u64, tail: &[u8]) {
        // A mask has another length than the secret, so the length of a literal cannot be trusted.
        let is_masked = memmem::find(head, MASK.as_bytes()).is_some();
        let has_literals = self.speech.facts().has_literals && !is_masked;
        self.lines(head, has_literals);
        self.literal = self.literal.saturating_sub(omitted);
        self.lines(tail, has_literals);
    }

    /// Keeps the lines outside literals. A message in a literal may contain a line such as `a1 NO`.
    fn lines(&mut self, mut bytes: &[u8], has_literals: bool) {
        while !bytes.is_empty() {
            let length = usize::try_from(self.literal).unwrap_or(usize::MAX).min(bytes.len());
            self.literal -= length as u64;
            bytes = &bytes[length..];
            let end = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1);
            self.said.extend_from_slice(&bytes[..end]);
            bytes = &bytes[end..];
            if end > 0 && has_literals {
                self.literal = announced(&self.said);
            }
        }
    }

    /// Adds a line for what the client did by a call other than `send`.
    pub(super) fn call(&mut self, call: &str) {
        self.answered();
        self.line(call);
    }

    /// TLS began after the server's go-ahead.
    pub(super) fn handshake(&mut self) {
        self.call("s.tls_handshake();");
    }

    /// The server closed or reset the connection.
    pub(super) fn closed(&mut self) {
        self.answered();
        self.ended();
    }

    /// The names of the parameters that stand for secrets.
    pub(super) fn secrets(&self) -> impl Iterator<Item = String> + use<> {
        (1..=self.secrets).map(secret)
    }

    /// The whole script.
    pub(super) fn finish(mut self) -> String {
        self.answered();
        self.text
    }

    /// The client sent this. With `is_ahead`, the client did not wait for a reply before it.
    pub(super) fn sent(&mut self, sent: &[u8], is_ahead: bool) {
        self.answered();
        self.tracker.sent(sent, &mut Secrets::default());
        self.in_exchange |= starts(sent, self.speech.facts().sasl.command);
        let words = sent.split(|byte| *byte == b'\n');
        let words = words.filter_map(|line| line.split(u8::is_ascii_whitespace).next());
        self.tags.extend(words.map(<[u8]>::to_vec));
        let line = sent.strip_suffix(b"\r\n").filter(|line| !line.contains(&b'\n') && !is_ahead);
        let call = match line {
            Some(line) => format!("s.send({});", self.expression(line)),
            None => format!("s.send_raw({});", self.expression(sent)),
        };
        self.line(&call);
    }

    /// The client sent a line, in which this expression stands for the only secret.
    pub(super) fn sent_with(&mut self, sent: &[u8], secret: String) {
        self.composed = Some(secret);
        self.sent(sent, false);
        self.composed = None;
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// Adds the sending of a message, in which secrets are masked.
    pub(super) fn data(&mut self, message: &[u8]) {
        let text = text_of(message).map(|text| text.replace("\r\n", "\n"));
        let sent = self.expression(text.as_deref().map_or(message, str::as_bytes));
        self.call(&format!("s.data({sent});"));
    }

    /// A Rhai expression for what was sent, with parameters for secrets.
    fn expression(&mut self, sent: &[u8]) -> String {
        let is_large = |piece: &[u8]| piece.len() > LARGE;
        let pieces = pieces(sent);
        let has_files = self.beside.is_some() && pieces.iter().any(|piece| is_large(piece));
        // Texts and blobs cannot be joined byte for byte, so all parts are one or the other.
        let in_bytes = has_files || std::str::from_utf8(sent).is_err();
        let mut parts = Vec::new();
        for (n, piece) in pieces.into_iter().enumerate() {
            if let Some(composed) = self.composed.take_if(|_| n > 0) {
                parts.push(composed);
            } else if n > 0 {
                self.secrets += 1;
                let blob = if in_bytes { ".to_blob()" } else { "" };
                parts.push(format!("param(\"{}\"){blob}", secret(self.secrets)));
            }
            if piece.is_empty() {
                continue;
            }
            parts.push(match std::str::from_utf8(piece) {
                _ if has_files && is_large(piece) => self.file(piece),
                Ok(text) if in_bytes => format!("{}.to_blob()", string(text)),
                Ok(text) => string(text),
                Err(_) => format!("base64_bytes({})", string(&BASE64_STANDARD.encode(piece))),
            });
        }
        if parts.is_empty() { string("") } else { parts.join(" + ") }
    }

    /// Puts data into a file. Returns an expression that reads it.
    fn file(&mut self, content: &[u8]) -> String {
        let stem = self.beside.as_deref().unwrap_or_default();
        let name = format!("{stem}-{}.data", self.files.len() + 1);
        let read = format!("read({})", string(&name));
        self.files.push(Beside { name, content: content.to_vec() });
        read
    }
}

/// What stands between masked secrets.
fn pieces(sent: &[u8]) -> Vec<&[u8]> {
    let (mut pieces, mut from) = (Vec::new(), 0);
    for at in memmem::find_iter(sent, MASK) {
        pieces.push(&sent[from..at]);
        from = at + MASK.len();
    }
    pieces.push(&sent[from..]);
    pieces
}

/// The length of the literal that the last line announces; 0 if none (RFC 9051 section 4.3).
fn announced(said: &[u8]) -> u64 {
    let number = said.strip_suffix(b"}\r\n").and_then(|said| {
        let open = memchr::memrchr(b'{', said)?;
        let number = std::str::from_utf8(&said[open + 1..]).ok()?;
        number.trim_end_matches('+').parse().ok()
    });
    number.unwrap_or(0)
}

/// The name of the parameter for the secret of this number.
fn secret(number: usize) -> String {
    if number > 1 { format!("secret{number}") } else { "secret".to_owned() }
}

#[cfg(test)]
mod tests;
