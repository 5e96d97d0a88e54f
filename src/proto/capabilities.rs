//! The capabilities that a server announces.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use bytes::Bytes;

use crate::pattern::Match;
use crate::proto::chomp;
use crate::reply::Reply;

/// The word before the capabilities in IMAP.
pub(crate) const CAPABILITY: &[u8] = b"CAPABILITY";

/// The keyword whose parameters may begin with `=`.
const AUTH: &[u8] = b"AUTH";

/// What a reply announces about the server's capabilities.
pub(crate) enum Told {
    Nothing,
    /// Earlier capabilities are void.
    Void,
    /// The reply announces capabilities.
    Capabilities(Box<Capabilities>),
}

/// Whether `answered` is this command.
pub(crate) fn is_answer_to(answered: &[u8], command: &str) -> bool {
    let word = answered.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    word.eq_ignore_ascii_case(command.as_bytes())
}

/// The most mechanisms that are returned; real servers have far fewer.
const MOST_MECHANISMS: usize = 1000;

/// The most keywords that are kept; real servers have some dozens.
const MOST_KEYWORDS: usize = 1_000_000;

/// The capabilities that a server announces: keywords in the server's order, each with its
/// parameters.
///
/// Keywords match in letters of either case. All keywords are kept, including verbs that are not
/// registered (`X-...`). Of more than a million keywords, the first million are kept.
///
/// ```
/// use mailexpect::{Session, server::Embedded};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = Embedded::start()?;
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let mut session = Session::connect(&server.submission()).await?;
/// session.expect(220).await?;
/// let capabilities = session.ehlo("client.example").await?;
/// assert!(capabilities.has("pipelining") && capabilities.has("AUTH PLAIN"));
/// assert_eq!(capabilities.get("SIZE").as_deref(), Some("10485760"));
/// assert_eq!(capabilities.auth()[..2], ["PLAIN", "LOGIN"]);
/// assert_eq!(capabilities.domain(), "localhost");
/// session.quit().await?;
/// # Ok::<_, mailexpect::Error>(())
/// # })?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Capabilities {
    reply: Reply,
    /// The range of the server's domain in the reply.
    domain: Range<usize>,
    /// Keywords with their parameters, for replies that have them in an encoded form.
    text: Option<Vec<u8>>,
    /// The ranges of keywords with their parameters, in `text` if it is set, otherwise in the
    /// reply.
    entries: Vec<Range<usize>>,
}

impl Capabilities {
    /// Reads a reply to EHLO or LHLO (RFC 5321 section 4.1.1.1): the first line names the server,
    /// and each other line is a keyword with its parameters. A refusal has no capabilities.
    pub(crate) fn of_hello(reply: Reply) -> Self {
        if !reply.bytes().starts_with(b"2") {
            return Self::none(reply);
        }
        let (mut domain, mut entries, mut start) = (None, Vec::new(), 0);
        for line in reply.bytes().split_inclusive(|byte| *byte == b'\n') {
            let text = chomp(line);
            // After the code and its separator.
            let code = text.len().min(4);
            let said = start + code..start + text.len();
            if domain.is_none() {
                domain = Some(said);
            } else if !text[code..].trim_ascii().is_empty() {
                keep(&mut entries, said);
            }
            start += line.len();
        }
        Self { reply, domain: domain.unwrap_or_default(), text: None, entries }
    }

    /// Reads a block of lines, each a keyword with its parameters (RFC 2449 section 5).
    pub(crate) fn of_lines(reply: Reply) -> Self {
        let mut entries = Vec::new();
        let mut start = 0;
        for line in reply.bytes().split_inclusive(|byte| *byte == b'\n') {
            if !chomp(line).trim_ascii().is_empty() {
                keep(&mut entries, start..start + chomp(line).len());
            }
            start += line.len();
        }
        Self { reply, domain: 0..0, text: None, entries }
    }

    /// Takes pairs, as ManageSieve sends them: a keyword, and its parameters as one text (RFC 5804
    /// section 1.7).
    pub(crate) fn of_pairs(
        reply: Reply,
        pairs: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>,
    ) -> Self {
        let mut text = Vec::new();
        let mut entries = Vec::new();
        for (keyword, parameters) in pairs {
            let start = text.len();
            text.extend_from_slice(&keyword);
            text.push(b' ');
            text.extend_from_slice(&parameters);
            keep(&mut entries, start..text.len());
        }
        Self { reply, domain: 0..0, text: Some(text), entries }
    }

    /// No capabilities, as of a refusal.
    pub(crate) fn none(reply: Reply) -> Self {
        Self { reply, domain: 0..0, text: None, entries: Vec::new() }
    }

    /// Reads a reply with the capabilities as words in one place, like CAPABILITY in IMAP, which is
    /// a response or a response code (RFC 3501 section 7.2.1).
    pub(crate) fn of_words(reply: Reply) -> Self {
        let bytes = reply.bytes();
        let start = words_of_response(bytes).unwrap_or(bytes.len());
        let length = bytes[start..]
            .iter()
            .position(|byte| b"]\r\n".contains(byte))
            .unwrap_or(bytes.len() - start);
        let mut entries = Vec::new();
        let mut at = start;
        for word in bytes[start..start + length].split(|byte| *byte == b' ') {
            if !word.is_empty() {
                keep(&mut entries, at..at + word.len());
            }
            at += word.len() + 1;
        }
        Self { reply, domain: 0..0, text: None, entries }
    }

    /// Reads a reply to EHLO or LHLO for a session to remember. It copies the reply, so that no
    /// larger buffer stays in memory.
    pub(crate) fn remembered(reply: &[u8]) -> Self {
        Self::of_hello(Reply::whole(Bytes::copy_from_slice(reply), Match::default()))
    }

    /// Reads a block of lines for a session to remember, from a copy.
    pub(crate) fn remembered_lines(block: &[u8]) -> Self {
        Self::of_lines(Reply::whole(Bytes::copy_from_slice(block), Match::default()))
    }

    /// Reads an IMAP response for a session to remember, from a copy.
    pub(crate) fn remembered_words(response: &[u8]) -> Self {
        Self::of_words(Reply::whole(Bytes::copy_from_slice(response), Match::default()))
    }

    /// The whole reply that announced the capabilities.
    #[must_use]
    pub fn reply(&self) -> &Reply {
        &self.reply
    }

    /// The server's name for itself: the first word of the reply.
    #[must_use]
    pub fn domain(&self) -> Cow<'_, str> {
        let text = &self.reply.bytes()[self.domain.clone()];
        String::from_utf8_lossy(text.split(u8::is_ascii_whitespace).next().unwrap_or_default())
    }

    /// The keywords as they came, in order.
    #[must_use]
    pub fn keywords(&self) -> Vec<Cow<'_, str>> {
        self.each_keyword().collect()
    }

    /// Goes through what [`Capabilities::keywords`] returns.
    pub(crate) fn each_keyword(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.entries().map(|(keyword, _)| String::from_utf8_lossy(keyword))
    }

    /// The parameters of a keyword as they came, empty if it has none; `None` if the server did not
    /// announce the keyword.
    #[must_use]
    pub fn get(&self, keyword: &str) -> Option<Cow<'_, str>> {
        self.all(keyword.as_bytes()).next().map(String::from_utf8_lossy)
    }

    /// Whether the server announced the keyword. `"AUTH PLAIN"` or `"AUTH=PLAIN"` also require this
    /// parameter. Any other `=` is a part of the keyword: `"THREAD=REFERENCES"` is one, and
    /// `STARTTLS=no` is not STARTTLS.
    #[must_use]
    pub fn has(&self, capability: &str) -> bool {
        let (keyword, wanted) = split(capability.as_bytes());
        if keyword.is_empty() {
            return false;
        }
        // A server may say millions of parameters, so they are not collected.
        let mut missing: HashSet<_> = parameters(wanted).map(in_capitals).collect();
        let mut said = self.all(keyword).peekable();
        let is_said = said.peek().is_some();
        said.flat_map(parameters).for_each(|word| drop(missing.take(&in_capitals(word))));
        is_said && missing.is_empty()
    }

    /// The mechanisms of AUTH (of SASL in POP3 and ManageSieve), in upper case, each once. All
    /// lines count, including the form `AUTH=LOGIN` of old servers (RFC 4954 section 3, RFC 5034
    /// section 3, RFC 5804 section 1.7). If a malicious server announces thousands of mechanisms,
    /// the first thousand are returned.
    #[must_use]
    pub fn auth(&self) -> Vec<String> {
        let mut seen = HashSet::new();
        let mechanisms =
            self.all(AUTH).chain(self.all(b"SASL")).flat_map(parameters).map(in_capitals);
        let each_once = mechanisms.filter(|mechanism| seen.insert(mechanism.clone()));
        each_once.take(MOST_MECHANISMS).map(Cow::into_owned).collect()
    }

    /// The parameters of each entry with this keyword.
    fn all<'a>(&'a self, keyword: &[u8]) -> impl Iterator<Item = &'a [u8]> {
        self.entries()
            .filter(move |(said, _)| said.eq_ignore_ascii_case(keyword))
            .map(|(_, parameters)| parameters)
    }

    fn entries(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let text = self.text.as_deref().unwrap_or(self.reply.bytes());
        self.entries.iter().map(|entry| split(&text[entry.clone()]))
    }
}

/// Adds an entry, unless there are very many already.
fn keep(entries: &mut Vec<Range<usize>>, entry: Range<usize>) {
    if entries.len() < MOST_KEYWORDS {
        entries.push(entry);
    }
}

/// Splits an entry: the keyword ends at the first blank. Only AUTH may be followed by `=`, as in
/// IMAP and from old servers of SMTP; elsewhere, `=` is a part of the keyword
/// (`THREAD=REFERENCES`), and `UIDL=no` is not UIDL.
fn split(entry: &[u8]) -> (&[u8], &[u8]) {
    let entry = entry.trim_ascii();
    let is_auth =
        entry.get(AUTH.len()) == Some(&b'=') && entry[..AUTH.len()].eq_ignore_ascii_case(AUTH);
    let end = match entry.iter().position(u8::is_ascii_whitespace) {
        _ if is_auth => AUTH.len(),
        end => end.unwrap_or(entry.len()),
    };
    (&entry[..end], entry.get(end + 1..).unwrap_or_default().trim_ascii())
}

/// A word in upper case. It is not copied if it already is upper case, as servers usually send it.
fn in_capitals(word: &[u8]) -> Cow<'_, str> {
    match String::from_utf8_lossy(word) {
        Cow::Borrowed(text) if !word.iter().any(u8::is_ascii_lowercase) => text.into(),
        text => text.to_ascii_uppercase().into(),
    }
}

fn parameters(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// The offset of the capabilities in IMAP's CAPABILITY response, of which the last one holds, or
/// else in the first response code of that name.
fn words_of_response(bytes: &[u8]) -> Option<usize> {
    let offset_of = |rest: &[u8]| bytes.len() - rest.len();
    let starts = memchr::memchr_iter(b'\n', bytes).map(|at| at + 1);
    let of_line = |start: usize| behind(behind(&bytes[start..], b"*")?, CAPABILITY);
    let response = [0].into_iter().chain(starts).filter_map(of_line).next_back();
    let of_code = |at: usize| behind(&bytes[at + 1..], CAPABILITY);
    response.or_else(|| memchr::memchr_iter(b'[', bytes).find_map(of_code)).map(offset_of)
}

/// What comes behind this word, in letters of either case, and the blanks after it.
pub(crate) fn behind<'a>(text: &'a [u8], word: &[u8]) -> Option<&'a [u8]> {
    let (begins, rest) = text.split_at_checked(word.len())?;
    let is_word = begins.eq_ignore_ascii_case(word) && rest.first() == Some(&b' ');
    is_word.then(|| &rest[rest.iter().take_while(|byte| **byte == b' ').count()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn not_all_of_excessively_many_keywords_are_kept() {
        let line = format!("* CAPABILITY IMAP4rev1{}\r\n", " X".repeat(MOST_KEYWORDS + 5));
        let capabilities = Capabilities::remembered_words(line.as_bytes());
        assert!(capabilities.has("IMAP4rev1"));
        assert_eq!(capabilities.each_keyword().count(), MOST_KEYWORDS);
    }

    #[test]
    fn keywords_are_found_whatever_their_case_and_all_are_kept() {
        let exchange = "250-mail1.example.com Hello [192.0.2.1]\r\n250-TURN\r\n250-SIZE 5242880\r\n250-8bitmime\r\n\
            250-X-EXPS GSSAPI NTLM\r\n250-AUTH GSSAPI NTLM\r\n250-X-LINK2STATE\r\n250 OK\r\n";
        let capabilities = Capabilities::remembered(exchange.as_bytes());
        assert_eq!(capabilities.domain(), "mail1.example.com");
        assert_eq!(
            capabilities.keywords(),
            ["TURN", "SIZE", "8bitmime", "X-EXPS", "AUTH", "X-LINK2STATE", "OK"].map(Cow::Borrowed)
        );
        assert_eq!(capabilities.get("size").as_deref(), Some("5242880"));
        assert_eq!(capabilities.get("8BITMIME").as_deref(), Some(""));
        assert_eq!(capabilities.get("x-exps").as_deref(), Some("GSSAPI NTLM"));
        assert_eq!((capabilities.get("STARTTLS"), capabilities.has("STARTTLS")), (None, false));
        assert!(
            capabilities.has("x-exps ntlm gssapi")
                && !capabilities.has("AUTH PLAIN")
                && !capabilities.has(" ")
        );
    }

    #[test]
    fn the_old_form_of_auth_is_understood_and_mechanisms_come_once() {
        let postfix = "250-mail.example.com\r\n250-AUTH DIGEST-MD5 PLAIN\r\n250-AUTH=DIGEST-MD5 plain LOGIN\r\n250 DSN\r\n";
        let capabilities = Capabilities::remembered(postfix.as_bytes());
        assert_eq!(capabilities.auth(), ["DIGEST-MD5", "PLAIN", "LOGIN"]);
        assert_eq!(Capabilities::remembered(b"250-a\r\n250 AUTH=LOGIN\r\n").auth(), ["LOGIN"]);
    }

    #[test]
    fn a_keyword_is_cut_at_the_equals_sign_of_auth_alone() {
        let smtp = Capabilities::remembered(
            b"250-mx\r\n250-STARTTLS=no\r\n250-AUTHX=a\r\n250 auth=LOGIN PLAIN\r\n",
        );
        assert_eq!(smtp.keywords(), ["STARTTLS=no", "AUTHX=a", "auth"]);
        assert!(!smtp.has("STARTTLS") && smtp.has("starttls=no") && !smtp.has("AUTHX"));
        assert!(smtp.has("AUTH=PLAIN") && smtp.has("AUTH login") && smtp.get("STARTTLS").is_none());
        let pop3 = Capabilities::remembered_lines(b"UIDL=no\r\nSASL PLAIN\r\n");
        assert!(!pop3.has("UIDL") && pop3.has("SASL PLAIN") && !pop3.has("SASL=PLAIN"));
        let imap =
            Capabilities::remembered_words(b"* CAPABILITY IDLE=no THREAD=REFERENCES AUTH=\r\n");
        assert_eq!(imap.keywords(), ["IDLE=no", "THREAD=REFERENCES", "AUTH"]);
        assert!(!imap.has("IDLE") && imap.has("thread=references") && !imap.has("THREAD"));
        assert!(imap.auth().is_empty());
    }

    #[test]
    fn mechanisms_without_end_come_to_an_end() {
        let many: Vec<_> = (0..100_000).map(|n| format!("X-{n}")).collect();
        let capabilities = Capabilities::remembered(
            format!("250-a\r\n250 AUTH {}\r\n", many.join(" ")).as_bytes(),
        );
        assert_eq!(capabilities.auth(), many[..MOST_MECHANISMS]);
        assert!(capabilities.has("auth x-99999"), "all of them can be asked for");
    }

    #[test]
    fn the_words_of_imap_are_found_in_a_response_and_in_a_code() {
        for said in [
            "* CAPABILITY IMAP4rev1 IDLE AUTH=PLAIN AUTH=LOGIN\r\na1 OK done\r\n",
            "* OK [CAPABILITY IMAP4rev1 IDLE AUTH=PLAIN AUTH=LOGIN] hi\r\n",
            "* Capability  IMAP4rev1 IDLE AUTH=PLAIN AUTH=LOGIN\r\na1 ok done\r\n",
            "* ok [capability IMAP4rev1 IDLE AUTH=PLAIN AUTH=LOGIN] hi\r\n",
        ] {
            let capabilities = Capabilities::remembered_words(said.as_bytes());
            assert_eq!(capabilities.keywords(), ["IMAP4rev1", "IDLE", "AUTH", "AUTH"]);
            assert!(
                capabilities.has("idle")
                    && capabilities.has("AUTH=login")
                    && !capabilities.has("AUTH=EXTERNAL")
            );
            assert_eq!(capabilities.auth(), ["PLAIN", "LOGIN"]);
        }
        assert!(Capabilities::remembered_words(b"* OK hi\r\n").keywords().is_empty());
    }

    #[test]
    fn a_refusal_a_bare_reply_and_bytes_that_are_no_text_have_what_they_have() {
        for refusal in ["500 5.5.1 Unknown command\r\n", "502-no\r\n502 STARTTLS\r\n", ""] {
            let capabilities = Capabilities::remembered(refusal.as_bytes());
            assert!(
                capabilities.keywords().is_empty() && capabilities.domain().is_empty(),
                "{refusal}"
            );
        }
        assert_eq!(Capabilities::remembered(b"250 mx\r\n").domain(), "mx");
        let odd = Capabilities::remembered(b"250-mx\r\n250-\r\n250-\xff\0 \x1b[31m\r\n250 \r\n");
        assert_eq!(odd.keywords(), ["\u{fffd}\0"]);
        assert_eq!(odd.get("\u{fffd}\0"), None, "only what is text can be asked for");
    }
}
