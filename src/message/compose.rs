//! Composes messages.

use std::borrow::Cow;

use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::raw::Raw;
use mail_builder::headers::text::Text;
use mail_builder::mime::MimePart;
use sha2::{Digest as _, Sha256};

/// The date of a message if the draft gives none: the same in every run.
const DATE: &str = "Thu, 1 Jan 2026 00:00:00 +0000";

/// A word in each Message-ID that is made here, by which goldens recognise it: the rest varies with
/// the content.
const OURS: &str = "mailexpect";

/// The parts of a message.
///
/// Fields that are not set get values such that the same draft gives the same bytes in every run:
/// the date is fixed, and the Message-ID and the boundaries are derived from the content.
///
/// ```
/// use mailexpect::message::{Attachment, Draft};
///
/// let draft = Draft {
///     from: "Kim <kim@example.com>".into(),
///     to: vec!["ted@example.com".into()],
///     subject: "The list".into(),
///     text: Some("See below.\n".into()),
///     attachments: vec![Attachment { name: "list.csv".into(), kind: "text/csv".into(), content: b"a,b\r\n".to_vec() }],
///     ..Draft::default()
/// };
/// assert_eq!(draft.compose(), draft.clone().compose());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// The author: `kim@example.com` or `Kim <kim@example.com>`.
    pub from: String,
    /// The recipients.
    pub to: Vec<String>,
    /// The recipients of a copy.
    pub cc: Vec<String>,
    /// The subject, which is encoded if it is not ASCII (RFC 2047).
    pub subject: String,
    /// The body as plain text.
    pub text: Option<String>,
    /// The body as HTML, as an alternative to the text if both are given.
    pub html: Option<String>,
    /// The attachments.
    pub attachments: Vec<Attachment>,
    /// More headers, which are encoded if they are not ASCII. A `Date` or `Message-ID` here
    /// replaces the one made from the other fields.
    pub headers: Vec<(String, String)>,
    /// The Date header; a fixed date if `None`.
    pub date: Option<String>,
    /// The Message-ID without its angle brackets; derived from the content if `None`.
    pub message_id: Option<String>,
    /// The transfer encoding that is declared for text and HTML, which are put into the message
    /// unchanged, however long their lines: `8bit`, `7bit` or `binary`. For any other, they have to
    /// be encoded already. By default they are encoded if needed (RFC 2045 section 6).
    pub encoding: Option<String>,
}

/// A file attached to a message.
#[derive(Clone, Debug)]
pub struct Attachment {
    /// The file name.
    pub name: String,
    /// The type, such as `text/csv`.
    pub kind: String,
    /// The content of the file.
    pub content: Vec<u8>,
}

impl Draft {
    /// The message, with CRLF at its line ends.
    #[must_use]
    pub fn compose(&self) -> Vec<u8> {
        let mark = &*self.mark();
        let has =
            |name: &str| self.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
        let mut builder = MessageBuilder::new();
        if !self.from.is_empty() {
            builder = builder.from(address(&self.from));
        }
        for (name, list) in [("To", &self.to), ("Cc", &self.cc)] {
            if !list.is_empty() {
                builder = builder
                    .header(name, Address::new_list(list.iter().map(|one| address(one)).collect()));
            }
        }
        if !self.subject.is_empty() {
            builder = builder.header("Subject", Text::new(self.subject.as_str()));
        }
        for (name, value) in [("Date", self.date()), ("Message-ID", self.message_id(mark))] {
            builder = if has(name) { builder } else { builder.header(name, Raw::new(value)) };
        }
        for (name, value) in &self.headers {
            builder = builder.header(canonical(name), Text::new(value.as_str()));
        }
        let mut message = Vec::new();
        builder.body(self.body(mark)).serialize(&mut message);
        if !message.ends_with(b"\r\n") {
            message.extend_from_slice(b"\r\n");
        }
        message
    }

    /// A mark derived from the whole draft. It is the same with any release of any compiler.
    fn mark(&self) -> String {
        let options = [&self.text, &self.html, &self.date, &self.message_id, &self.encoding];
        let options =
            options.map(|said| said.as_ref().map_or(String::new(), |said| format!("={said}")));
        let texts = [self.from.clone(), self.subject.clone()].into_iter().chain(options);
        let lists = [&self.to, &self.cc].map(|list| list.join("\0"));
        let headers = self.headers.iter().flat_map(|(name, value)| [name, value]).cloned();
        let texts = texts.chain(lists).chain(headers).map(String::into_bytes);
        let attached = self.attachments.iter().flat_map(|attachment| {
            let Attachment { name, kind, content } = attachment;
            [name.clone().into_bytes(), kind.clone().into_bytes(), content.clone()]
        });
        mark_of(texts.chain(attached))
    }

    fn date(&self) -> String {
        self.date.clone().unwrap_or_else(|| DATE.to_owned())
    }

    fn message_id(&self, mark: &str) -> String {
        let id = self
            .message_id
            .as_ref()
            .map(|id| Cow::Borrowed(id.trim_start_matches('<').trim_end_matches('>')));
        let id = id.unwrap_or_else(|| {
            let domain =
                mailbox(&self.from).1.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
            format!("{mark}.{OURS}@{domain}").into()
        });
        format!("<{id}>")
    }

    fn body(&self, mark: &str) -> MimePart<'_> {
        let text = self.text.as_ref().map(|text| self.inline("text/plain", text));
        let html = self.html.as_ref().map(|html| self.inline("text/html", html));
        let body = match (text, html) {
            (Some(text), Some(html)) => {
                multipart("multipart/alternative", format!("{mark}_2"), vec![text, html])
            }
            (Some(part), None) | (None, Some(part)) => part,
            (None, None) => self.inline("text/plain", ""),
        };
        if self.attachments.is_empty() {
            return body;
        }
        let parts =
            std::iter::once(body).chain(self.attachments.iter().map(Attachment::part)).collect();
        multipart("multipart/mixed", format!("{mark}_1"), parts)
    }

    fn inline<'a>(&'a self, kind: &'static str, text: &'a str) -> MimePart<'a> {
        let text = text.replace("\r\n", "\n").replace('\n', "\r\n");
        match &self.encoding {
            Some(encoding) => MimePart::new(kind, text).transfer_encoding(encoding.as_str()),
            None => MimePart::new(kind, text),
        }
    }
}

impl Attachment {
    fn part(&self) -> MimePart<'_> {
        let kind = self.kind.to_ascii_lowercase();
        let part = match std::str::from_utf8(&self.content) {
            // Text is passed as text, so that it may stay readable; other content keeps its exact bytes.
            Ok(text)
                if kind.starts_with("text/")
                    && !text.replace("\r\n", "").contains(['\r', '\n']) =>
            {
                MimePart::new(self.kind.as_str(), text)
            }
            _ => MimePart::new(self.kind.as_str(), self.content.as_slice()),
        };
        let part = part.attachment(self.name.as_str());
        // RFC 2046 section 5.2.1 forbids encoding an attached message.
        if kind.starts_with("message/") {
            return part.transfer_encoding(if self.content.is_ascii() { "7bit" } else { "8bit" });
        }
        part
    }
}

/// The current time, in the format of the Date header.
#[cfg(feature = "script")]
pub(crate) fn now() -> String {
    mail_builder::headers::date::Date::now().to_rfc822()
}

/// A Message-ID that no other message has.
#[cfg(feature = "script")]
pub(crate) fn unique_id() -> String {
    let mark = mark_of(std::iter::once(mail_builder::mime::make_boundary(".").into_bytes()));
    format!("{mark}.{OURS}@localhost")
}

/// 16 hexadecimal digits of the SHA-256 of these parts, each preceded by its length.
fn mark_of(parts: impl Iterator<Item = Vec<u8>>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let start = hash.finalize().first_chunk().copied().unwrap_or_default();
    format!("{:016x}", u64::from_be_bytes(start))
}

/// The name as the message builder writes it, if the builder has to recognise it.
fn canonical(name: &str) -> &str {
    ["Date", "Message-ID", "MIME-Version"]
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(name))
        .unwrap_or(name)
}

fn multipart<'a>(kind: &'static str, boundary: String, parts: Vec<MimePart<'a>>) -> MimePart<'a> {
    MimePart::new(ContentType::new(kind).attribute("boundary", boundary), parts)
}

/// The name and the address in `Kim <kim@example.com>`.
fn mailbox(text: &str) -> (Option<&str>, &str) {
    match text.trim().strip_suffix('>').and_then(|text| text.rsplit_once('<')) {
        Some((name, address)) => {
            (Some(name.trim().trim_matches('"')).filter(|name| !name.is_empty()), address)
        }
        None => (None, text.trim()),
    }
}

fn address(text: &str) -> Address<'_> {
    let (name, address) = mailbox(text);
    Address::new_address(name, address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::parse;

    fn composed(draft: &Draft) -> String {
        String::from_utf8(draft.compose()).unwrap()
    }

    fn draft() -> Draft {
        Draft {
            from: "Kim <kim@example.com>".into(),
            to: vec!["ted@example.com".into()],
            ..Draft::default()
        }
    }

    #[test]
    fn a_plain_message_is_the_same_in_every_run() {
        let draft =
            Draft { subject: "hello".into(), text: Some("Hi,\nhow are you?".into()), ..draft() };
        insta::assert_snapshot!(composed(&draft).replace("\r\n", "\n"), @r#"
        From: "Kim" <kim@example.com>
        To: <ted@example.com>
        Subject: hello
        Date: Thu, 1 Jan 2026 00:00:00 +0000
        Message-ID: <71ff82ac3575f134.mailexpect@example.com>
        MIME-Version: 1.0
        Content-Type: text/plain; charset="utf-8"
        Content-Transfer-Encoding: 7bit

        Hi,
        how are you?
        "#);
    }

    #[test]
    fn text_html_and_attachments_nest_and_come_back() {
        let attachments = vec![
            Attachment {
                name: "naïve.bin".into(),
                kind: "application/octet-stream".into(),
                content: (0..=255).collect(),
            },
            Attachment {
                name: "a.csv".into(),
                kind: "text/csv".into(),
                content: b"a,b\r\nc,d".to_vec(),
            },
            Attachment {
                name: "old.csv".into(),
                kind: "text/csv".into(),
                content: b"a,\xff\nb".to_vec(),
            },
            Attachment {
                name: "mail.eml".into(),
                kind: "message/rfc822".into(),
                content: draft().compose(),
            },
        ];
        let html = Some("<p>grüße</p>".into());
        let draft = Draft {
            subject: "今日は".into(),
            text: Some("grüße\n".into()),
            html,
            attachments,
            ..draft()
        };
        let bytes = draft.compose();
        let message = parse(&bytes).unwrap();
        assert_eq!(message.subject().unwrap(), "今日は");
        assert_eq!(
            (message.text.as_deref(), message.html.as_deref()),
            (Some("grüße\r\n"), Some("<p>grüße</p>"))
        );
        let back = message.attachments;
        assert_eq!(
            back.iter().map(|back| back.name.as_str()).collect::<Vec<_>>(),
            ["naïve.bin", "a.csv", "old.csv", "mail.eml"]
        );
        for (attachment, back) in draft.attachments.iter().zip(&back) {
            assert_eq!(
                (&attachment.kind, &attachment.content),
                (&back.kind, &back.content),
                "{}",
                back.name
            );
        }
        assert!(bytes.is_ascii());
        assert!(
            bytes.split(|byte| *byte == b'\n').all(|line| line.len() < 999),
            "no line is over the limit"
        );
    }

    #[test]
    fn text_is_left_as_it_is_where_that_is_asked_for() {
        let line = "ü".repeat(600);
        let text = Some(format!("{line}\n.\n"));
        let message =
            composed(&Draft { text: text.clone(), encoding: Some("8bit".into()), ..draft() });
        assert!(
            message.contains(&format!("Content-Transfer-Encoding: 8bit\r\n\r\n{line}\r\n.\r\n")),
            "{message}"
        );
        let message = composed(&Draft { text, ..draft() });
        assert!(message.is_ascii() && message.lines().all(|line| line.len() < 999), "{message}");
        assert_eq!(parse(message.as_bytes()).unwrap().text.unwrap(), format!("{line}\r\n.\r\n"));
    }

    #[test]
    fn headers_of_the_drafts_own_stand_in_place_of_ours() {
        let own = [
            ("date", "Sat, 1 Jan 2000 00:00:00 +0000"),
            ("MESSAGE-ID", "<one@example.com>"),
            ("X-Test", "grün"),
        ];
        let headers = own.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let message = composed(&Draft { headers, ..draft() });
        assert_eq!(message.matches("Date: ").count(), 1, "{message}");
        assert_eq!(message.matches("Message-ID: ").count(), 1, "{message}");
        assert!(message.contains("Message-ID: <one@example.com>\r\n"), "{message}");
        assert_eq!(parse(message.as_bytes()).unwrap().header("x-test"), Some("grün"));
        let named =
            Draft { message_id: Some("<a@b>".into()), date: Some("today".into()), ..draft() };
        assert!(composed(&named).contains("Date: today\r\nMessage-ID: <a@b>\r\n"));
        assert_ne!(draft().compose(), Draft { subject: "x".into(), ..draft() }.compose());
    }

    #[test]
    fn a_line_end_in_a_header_begins_no_header() {
        let message = composed(&Draft {
            subject: "a\r\nBcc: victim@example.com\r\n\r\nbody".into(),
            ..draft()
        });
        assert!(parse(message.as_bytes()).unwrap().header("bcc").is_none(), "{message}");
    }
}
