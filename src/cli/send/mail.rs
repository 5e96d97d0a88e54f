//! The message of `mailexpect send`.

use std::collections::BTreeMap;
use std::path::Path;

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::args::{Content, Send};
use crate::error::{Error, Result};
use crate::file;
use crate::script::written::{self, string};

/// How many bytes a message or an attachment may have. As base64, it must fit in a value of a
/// script.
const LARGEST: u64 = 8 << 20;

/// How many bytes of a message stand in the script itself.
const LONGEST_LITERAL: usize = 256 << 10;

/// The media types of attachments, by file name extension.
const TYPES: [(&str, &str); 10] = [
    ("txt", "text/plain"),
    ("csv", "text/csv"),
    ("html", "text/html"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("json", "application/json"),
    ("zip", "application/zip"),
];

impl Content {
    /// The sender: the given address, or else the user at this host.
    pub(super) fn sender(args: &Send) -> String {
        args.from.clone().unwrap_or_else(|| format!("{}@{}", user(), host()))
    }

    /// The message as an expression of a script, whose long parts are parameters.
    ///
    /// # Errors
    /// If a file cannot be read; usage for a header that is given twice.
    pub(super) fn expression(
        &self,
        args: &Send,
        password: Option<&str>,
        long: &mut Long,
    ) -> Result<String> {
        let string = |text: &str| written::without_password(text, password);
        if let Some(path) = &self.data {
            return Ok(message(&read(path)?, password, long));
        }
        let mut parts = vec![
            format!("from: {}", self.header("From").map_or_else(|| "from".to_owned(), string)),
            match self.header("To") {
                Some(to) => format!("to: {}", string(to)),
                None => "to: recipients".to_owned(),
            },
            format!("date: {}", string(self.header("Date").unwrap_or("now"))),
            format!("message_id: {}", string(self.header("Message-ID").unwrap_or("unique"))),
        ];
        parts.extend(self.header("Cc").map(|cc| format!("cc: {}", string(cc))));
        let subject = self.header("Subject").unwrap_or("A test by mailexpect");
        parts.push(format!("subject: {}", string(subject)));
        let text = self.body.clone().unwrap_or_else(|| reason(args, &Self::sender(args)));
        parts.push(format!("text: {}", string(&ended(text))));
        parts.push(format!("headers: #{{{}}}", self.headers(password)?));
        if !self.attach.is_empty() {
            let attachments = self.attach.iter().map(|path| attachment(path, long));
            let attachments = attachments.collect::<Result<Vec<_>>>()?;
            parts.push(format!("attachments: [{}]", attachments.join(", ")));
        }
        Ok(format!("message(#{{\n    {},\n}})", parts.join(",\n    ")))
    }

    /// The given value of a header that every message has.
    fn header(&self, name: &str) -> Option<&str> {
        let is_it = |(known, _): &&(String, String)| known.eq_ignore_ascii_case(name);
        self.header.iter().find(is_it).map(|(_, value)| value.as_str())
    }

    /// The other headers, as entries of an object map.
    fn headers(&self, password: Option<&str>) -> Result<String> {
        const OWN: [&str; 6] = ["From", "To", "Cc", "Date", "Message-ID", "Subject"];
        let mut entries = Vec::new();
        for (at, (name, value)) in self.header.iter().enumerate() {
            if self.header[..at].iter().any(|(before, _)| before.eq_ignore_ascii_case(name)) {
                let error = Error::usage(format!("the header {name} is given twice"));
                return Err(error.hint("--data FILE sends any message as it is"));
            }
            if !OWN.iter().any(|own| own.eq_ignore_ascii_case(name)) {
                let value = written::without_password(value, password);
                entries.push(format!("{}: {value}", string(name)));
            }
        }
        if !self.header.iter().any(|(name, _)| name.eq_ignore_ascii_case("X-Mailer")) {
            let mailer = format!("mailexpect {}", env!("CARGO_PKG_VERSION"));
            entries.push(format!("\"X-Mailer\": {}", string(&mailer)));
        }
        Ok(entries.join(", "))
    }
}

/// The long parts of messages, which are parameters, because a script may not be as long as a
/// message.
#[derive(Default)]
pub(super) struct Long {
    /// Whether the script is to be saved, and must have all in it.
    pub(super) is_saved: bool,
    pub(super) params: BTreeMap<String, Vec<u8>>,
}

impl Long {
    /// The expression for bytes that are too long for a literal; `None` if they are not.
    fn part(&mut self, bytes: &[u8]) -> Option<String> {
        if self.is_saved || bytes.len() <= LONGEST_LITERAL {
            return None;
        }
        let name = format!("part {}", self.params.len() + 1);
        let param = format!("param({})", string(&name));
        let is_text = written::text_of(bytes).is_some();
        let kept = if is_text { bytes.to_vec() } else { BASE64_STANDARD.encode(bytes).into() };
        self.params.insert(name, kept);
        Some(if is_text { param } else { format!("base64_bytes({param})") })
    }
}

/// The whole message as an expression.
fn message(bytes: &[u8], password: Option<&str>, long: &mut Long) -> String {
    if let Some(part) = long.part(bytes) {
        return part;
    }
    match written::text_of(bytes) {
        Some(text) => written::without_password(&text.replace("\r\n", "\n"), password),
        None => written::message(bytes),
    }
}

/// The default text of a message. Whoever finds the message must learn who sent it and whom to ask.
fn reason(args: &Send, sender: &str) -> String {
    let server = args.server.as_deref().map_or_else(
        || "the mail exchangers of this address".to_owned(),
        |server| format!("the mail server {server}"),
    );
    format!(
        "This is a test message. {} on {} sent it with `mailexpect send`\n\
         to see whether {server} accepts mail.\n\n\
         It needs no answer. Questions go to {sender}.\n",
        user(),
        host()
    )
}

fn ended(text: String) -> String {
    if text.ends_with('\n') { text } else { text + "\n" }
}

fn user() -> String {
    let name = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    let name = name.unwrap_or_default();
    if name.is_empty() { "root".to_owned() } else { name }
}

/// The name of this host.
pub(super) fn host() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

fn attachment(path: &Path, long: &mut Long) -> Result<String> {
    let content = BASE64_STANDARD.encode(read(path)?);
    let content = long.part(content.as_bytes()).unwrap_or_else(|| string(&content));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let end = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let kind = TYPES.iter().find(|(known, _)| *known == end);
    let kind = kind.map_or("application/octet-stream", |(_, kind)| kind);
    Ok(format!(
        "#{{name: {}, type: {}, content: base64_bytes({content})}}",
        string(&name),
        string(kind)
    ))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let read = if path == Path::new("-") {
        file::stdin_up_to(LARGEST)
    } else {
        file::read_up_to(path, LARGEST)
    };
    read.map_err(|error| Error::unreadable(path.display(), error))
}
