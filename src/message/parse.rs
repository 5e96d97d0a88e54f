//! Reads messages.

use std::panic::{AssertUnwindSafe, catch_unwind};

use mail_parser::parsers::MessageStream;
use mail_parser::{HeaderName, Message, MessageParser, MessagePart, MimeHeaders as _, PartType};

use super::addresses::addresses;
use super::{Attachment, encoding, parameter};
use crate::error::{Error, Kind, Result};

/// The most parts of a message, counted by their Content-Type headers.
const MOST_PARTS: usize = 100_000;
/// The most parts that may contain other parts or messages. Each of them may have to be searched to
/// its end, and they can be nested, so more could take quadratic time.
const MOST_NESTED: usize = 250;

/// The most pieces of parameters (RFC 2231). Each piece of a header is compared with the others.
const MOST_PIECES: usize = 10_000;

/// A message that was read from its bytes.
///
/// ```
/// let message = mailexpect::message::parse(b"From: Kim <kim@example.com>\r\nSubject: =?utf-8?Q?=C3=BC?=\r\n\r\nHi\r\n")?;
/// assert_eq!(message.from, ["Kim <kim@example.com>"]);
/// assert_eq!(message.header("SUBJECT"), Some("ü"));
/// assert_eq!(message.text.as_deref(), Some("Hi\r\n"));
/// # Ok::<_, mailexpect::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Parsed {
    /// The headers in order, with their values unfolded and decoded (RFC 2047).
    pub headers: Vec<(String, String)>,
    /// The authors: `kim@example.com` or `Kim <kim@example.com>`.
    pub from: Vec<String>,
    /// The recipients.
    pub to: Vec<String>,
    /// The recipients of a copy.
    pub cc: Vec<String>,
    /// The first part of the body that is plain text, decoded.
    pub text: Option<String>,
    /// The first part of the body that is HTML, decoded.
    pub html: Option<String>,
    /// The attachments, decoded.
    pub attachments: Vec<Attachment>,
}

/// Reads a message. Any bytes give a result, even if they are no proper message.
///
/// # Errors
/// Malformed if the message has more parts than any message meant for reading, or if the parser
/// cannot read how its parts are nested.
pub fn parse(bytes: &[u8]) -> Result<Parsed> {
    check_parts(bytes)?;
    // The parser would also decode messages within messages, and nest in them without a limit.
    // Therefore the parts are decoded here.
    let parser =
        MessageParser::new().with_mime_headers().ignore_header(HeaderName::ContentTransferEncoding);
    let Some(message) = parsed(&parser, bytes)?.filter(|message| !message.parts.is_empty()) else {
        return Ok(Parsed::default());
    };
    // As bytes: the value of a field need not be UTF-8.
    let fields = message.parts[0].headers.iter();
    let fields = fields.map(|field| {
        let value = field.offset_start as usize..field.offset_end as usize;
        (field.name.as_str(), bytes.get(value).unwrap_or_default())
    });
    let addresses = |name: &str| -> Vec<_> {
        let fields = fields.clone().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        fields.map(|(_, value)| addresses(value)).collect()
    };
    Ok(Parsed {
        headers: fields.clone().map(|(name, value)| (name.to_owned(), unfolded(value))).collect(),
        from: addresses("From").pop().unwrap_or_default(),
        to: addresses("To").into_iter().flatten().collect(),
        cc: addresses("Cc").into_iter().flatten().collect(),
        text: message
            .text_bodies()
            .find(|part| matches!(part.body, PartType::Text(_)))
            .map(|part| text(bytes, part)),
        html: message
            .html_bodies()
            .find(|part| matches!(part.body, PartType::Html(_)))
            .map(|part| text(bytes, part)),
        attachments: message.attachments().map(|part| attachment(bytes, part)).collect(),
    })
}

/// What the parser makes of the message. At some messages within messages it panics, if its debug
/// assertions are on; otherwise it reads what it can.
fn parsed<'a>(parser: &MessageParser, bytes: &'a [u8]) -> Result<Option<Message<'a>>> {
    catch_unwind(AssertUnwindSafe(|| parser.parse(bytes))).map_err(|_| {
        Error::new(Kind::Malformed, "the message cannot be read: its parts are wrongly nested")
    })
}

/// Makes sure that the time to read the message is proportional to its length.
fn check_parts(bytes: &[u8]) -> Result<()> {
    let is_like = |start: &[u8], word: &[u8]| {
        start.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    let lines = bytes.split(|byte| *byte == b'\n');
    let parts = lines.filter(|line| is_like(line, b"content-type")).count();
    let too_many = |what: &str, most: usize, got: usize| {
        let message = format!("the message has too many {what} to be read");
        let error = Error::new(Kind::Malformed, message);
        Err(error.with_expected(format!("at most {most}")).with_got(got.to_string()))
    };
    let pieces =
        memchr::memchr_iter(b'*', bytes).filter(|star| is_number_of_piece(&bytes[star + 1..]));
    let pieces = pieces.count();
    if pieces > MOST_PIECES {
        return too_many("pieces of parameters", MOST_PIECES, pieces);
    }
    if parts > MOST_PARTS {
        return too_many("parts", MOST_PARTS, parts);
    }
    if parts <= MOST_NESTED {
        return Ok(());
    }
    // Counted anywhere in the message, because a folded header may have its type on another line
    // than its name.
    let slashes = memchr::memchr_iter(b'/', bytes);
    let nested = slashes.filter(|slash| {
        let is_behind = |word: &[u8]| {
            slash.checked_sub(word.len()).is_some_and(|start| is_like(&bytes[start..], word))
        };
        is_behind(b"multipart") || is_behind(b"message")
    });
    let nested = nested.count();
    if nested > MOST_NESTED {
        return too_many("parts", MOST_NESTED, nested);
    }
    Ok(())
}

/// Whether a text begins with the number of a piece of a parameter: `1=` or `1*=`.
fn is_number_of_piece(text: &[u8]) -> bool {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    digits > 0 && matches!(text[digits..].trim_ascii_start(), [b'=' | b'*', ..])
}

impl Parsed {
    /// The value of the first header with this name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The subject.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.header("Subject")
    }

    /// The Message-ID, without its angle brackets.
    #[must_use]
    pub fn message_id(&self) -> Option<&str> {
        self.header("Message-ID").map(|id| id.trim_start_matches('<').trim_end_matches('>'))
    }
}

/// The content of a part, decoded from its transfer encoding.
fn content(bytes: &[u8], part: &MessagePart<'_>) -> Vec<u8> {
    let body = bytes.get(part.offset_body as usize..part.offset_end as usize);
    encoding::decoded(head(bytes, part), body.unwrap_or_default())
}

/// The header of a part.
fn head<'a>(bytes: &'a [u8], part: &MessagePart<'_>) -> &'a [u8] {
    bytes.get(part.offset_header as usize..part.offset_body as usize).unwrap_or_default()
}

/// The content of a part as text, decoded from the part's charset.
fn text(bytes: &[u8], part: &MessagePart<'_>) -> String {
    let content = content(bytes, part);
    let charset = part.content_type().and_then(|kind| kind.attribute("charset"));
    encoding::text(charset, &content)
}

fn attachment(bytes: &[u8], part: &MessagePart<'_>) -> Attachment {
    let kind = part.content_type().map_or_else(
        // The parser tells parts of multipart/digest, which are messages by default (RFC 2046
        // section 5.1.5), from other parts.
        || if part.is_message() { "message/rfc822" } else { "text/plain" }.to_owned(),
        |kind| {
            kind.subtype().map_or_else(
                || kind.ctype().to_owned(),
                |subtype| format!("{}/{subtype}", kind.ctype()),
            )
        },
    );
    Attachment { name: name(bytes, part).unwrap_or_default(), kind, content: content(bytes, part) }
}

/// The file name of an attachment.
fn name(bytes: &[u8], part: &MessagePart<'_>) -> Option<String> {
    let head = head(bytes, part);
    let (disposition, kind) = (part.content_disposition(), part.content_type());
    let fields = [("Content-Disposition", "filename", disposition), ("Content-Type", "name", kind)];
    fields.into_iter().find_map(|(field, parameter, parsed)| {
        let plain = || Some(parsed?.attribute(parameter)?.to_owned());
        parameter::joined(head, field, parameter).or_else(plain)
    })
}

/// A header's value as text, unfolded and decoded.
pub(super) fn unfolded(value: &[u8]) -> String {
    let line = [value.trim_ascii(), b"\r\n"].concat();
    let value = MessageStream::new(&line).parse_unstructured();
    value.as_text().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_unfolded_decoded_and_found_whatever_their_case() {
        let message = parse(
            b"Received: one\r\nReceived: two\r\n\tmore\r\nTo: a@b, Kim K <c@d>\r\nX-Odd: =?iso-8859-1?Q?gr=FCn?= =?utf-8?B?w7w=?=\r\n\r\nx",
        )
        .unwrap();
        let names: Vec<_> = message.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["Received", "Received", "To", "X-Odd"]);
        assert_eq!(message.headers[1].1, "two more");
        assert_eq!(message.header("x-odd"), Some("grünü"));
        assert_eq!(message.to, ["a@b", "Kim K <c@d>"]);
        assert!(message.subject().is_none() && message.html.is_none() && message.cc.is_empty());
    }

    #[test]
    fn text_is_decoded_by_its_charset_and_attachments_keep_their_bytes() {
        let message = parse(
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\
            Content-Transfer-Encoding: Quoted-Printable\r\n\r\ngr=FCn\r\n--b\r\nContent-Type: text/plain\r\n\
            Content-Disposition: attachment; filename=a\r\nContent-Transfer-Encoding: base64\r\n\r\n/w==\r\n--b--\r\n",
        )
        .unwrap();
        assert_eq!(message.text.as_deref(), Some("grün"));
        assert_eq!(
            (message.attachments[0].name.as_str(), &message.attachments[0].content[..]),
            ("a", &b"\xff"[..])
        );
    }

    #[test]
    fn parts_of_a_digest_are_messages_and_names_may_be_in_pieces() {
        let message = parse(
            b"From: \"a b\"@x\r\nSubject: gr\xfcn\r\nContent-Type: multipart/digest; boundary=b\r\n\r\n\
            --b\r\n\r\nSubject: in\r\n\r\nbody\r\n--b\r\nContent-Type: a/b; name*0*=utf-8''gr%C3; name*1*=%BC\r\n\r\nx\r\n--b--\r\n",
        )
        .unwrap();
        let attachments = message.attachments.iter();
        let attachments: Vec<_> = attachments.map(|one| (&*one.name, &*one.kind)).collect();
        assert_eq!(attachments, [("", "message/rfc822"), ("grü", "a/b")]);
        // A field that is not UTF-8 is not left out.
        assert_eq!(message.subject(), Some("gr\u{fffd}n"));
        assert_eq!(message.from, ["\"a b\"@x"]);
    }

    #[test]
    fn whatever_comes_is_read_without_a_panic() {
        let nested = |part: &str| part.repeat(MOST_NESTED).into_bytes();
        let inner = base64::Engine::encode(
            &base64::prelude::BASE64_STANDARD,
            "Content-Type: message/rfc822\r\n\r\n".repeat(50_000),
        );
        let messages: [Vec<u8>; 9] = [
            Vec::new(),
            b"\r\n\r\n".to_vec(),
            b"no headers at all".to_vec(),
            b"Subject: x".to_vec(),
            b"Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n--\r\n\r\n".to_vec(),
            (0..=255).cycle().take(10_000).collect(),
            nested("Content-Type: message/rfc822\r\n\r\n"),
            nested("Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\n"),
            format!(
                "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n{inner}"
            )
            .into_bytes(),
        ];
        for bytes in messages {
            let message = parse(&bytes).unwrap();
            assert!(message.attachments.len() <= MOST_PARTS);
        }
        let error =
            parse("content-type: message/rfc822\n\n".repeat(20_000).as_bytes()).unwrap_err();
        assert!(error.is_malformed() && error.got() == Some("20000"), "{error}");
        let pieces = |count: usize| {
            let pieces: Vec<_> = (0..count).map(|n| format!("; a*{n}*=x")).collect();
            parse(format!("Content-Type: text/plain{}\r\n\r\n", pieces.concat()).as_bytes())
        };
        assert!(pieces(1000).is_ok());
        let error = pieces(200_000).unwrap_err();
        assert!(error.message().contains("too many pieces of parameters"), "{error}");
    }

    #[test]
    fn a_message_of_ten_thousand_parts_or_a_long_header_is_read() {
        let parts =
            "--b\r\nContent-Type: text/csv\r\nContent-Disposition: attachment\r\n\r\na,b\r\n";
        let header = format!("X-Long: {}\r\n", "x".repeat(1 << 20));
        let message = format!(
            "{header}Content-Type: multipart/mixed; boundary=b\r\n\r\n{}--b--\r\n",
            parts.repeat(10_000)
        );
        let message = parse(message.as_bytes()).unwrap();
        assert_eq!(message.attachments.len(), 10_000);
        assert_eq!(message.header("x-long").unwrap().len(), 1 << 20);
    }

    #[test]
    fn a_message_at_which_the_parser_panics_is_malformed_or_read() {
        let message = b"Rece00:00 +0000\r\n\
            Content-Type: multipart/mixed; boundary=\"x\"\r\n\
            \r\n\
            --x\r\n\
            Content-Type: te4t/plain; charset=iso-8859-1\r\n\
            Content-Transfer-Encoding: quoted-printabl\xa3\r\n\
            \r\n\
            =E9\r\n\
            --x\r\n\
            Content-Type: message/rfc822\r\n\
            Content-Tr\x00\x00g: base64rset=iso-8859-1\r\n\
            Content-Transfer-Encoding: quoted-printabl\xa3\r\n\
            \r\n\
            =E9\r\n\
            --x\r\n\
            Content-Type: message/rfc822\r\n\
            Content-Tr\x00\x00g: base64\r\n\
            \r\n\
            kNC\r\n\
            \r\n\
            kNCg==\r\n\
            --x--\r\n";
        let read = parse(message);
        assert!(
            read.as_ref().is_ok_and(|read| !read.headers.is_empty())
                || read.as_ref().is_err_and(Error::is_malformed),
            "{read:?}"
        );
    }

    proptest::proptest! {
        #[test]
        fn pieces_of_messages_in_any_order_are_read_or_malformed(pieces in proptest::collection::vec(proptest::sample::select(&[
            "Content-Type: multipart/mixed; boundary=b\r\n", "Content-Type: multipart/digest; boundary=c\r\n",
            "Content-Type: message/rfc822\r\n", "Content-Transfer-Encoding: base64\r\n", "\r\n", "--b\r\n", "--b--\r\n", "--c\r\n", "--",
            "\r", "\n", "b", ":", " ", "=?utf-8?B?=?=", "\"a\"@", "(", "\\", ">", "name*0*=", ";", "From: <a@b", ", \"c", "Subject:", "=\r\n", "\u{ff}",
        ][..]), 0..25)) {
            let read = parse(pieces.concat().as_bytes());
            proptest::prop_assert!(read.as_ref().err().is_none_or(Error::is_malformed), "{read:?}");
        }
    }
}
