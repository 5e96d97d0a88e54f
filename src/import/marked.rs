//! Reads dialogues in which a mark on each line says who sent the line: examples of RFCs (`C:`,
//! `S:`), logs of libraries (`CLIENT -> SERVER:`), and the output of swaks and curl.

use super::Read;
use super::assembler::Assembler;
use super::counted::{self, Item};
use super::layout::Line;
use super::shell::Target;
use super::words::{is_said, speech_of};

/// Names that stand before a colon, and whether each is the server's.
const NAMES: [(&str, bool); 12] = [
    ("server -> client", true),
    ("reply", true),
    ("send", false),
    ("client -> server", false),
    ("server", true),
    ("client", false),
    ("you", false),
    ("s", true),
    ("c", false),
    ("\u{30b5}\u{30fc}\u{30d0}\u{30fc}", true),
    ("\u{30b5}\u{30fc}\u{30d0}", true),
    ("\u{30af}\u{30e9}\u{30a4}\u{30a2}\u{30f3}\u{30c8}", false),
];

/// Arrows, and whether each is the server's. A longer arrow comes before the shorter one that it
/// begins with, because the first match counts. swaks has other arrows for refusals (`<**`) and for
/// TLS (`<~`).
const ARROWS: [(&str, bool); 18] = [
    ("<<<", true),
    (">>>", false),
    ("<--", true),
    ("<**", true),
    ("<~*", true),
    ("<-", true),
    ("<~", true),
    ("<*", true),
    ("<<", true),
    ("-->", false),
    ("->", false),
    ("~>", false),
    (">>", false),
    ("\u{2190}", true),
    ("\u{2192}", false),
    ("<=", true),
    ("<", true),
    (">", false),
];

/// Splits a line at the name of its sender. Returns whether the server sent the line, and the rest
/// of the line with the blanks before it.
fn named(line: &str) -> Option<(bool, &str)> {
    let bare = line.trim_start();
    // RFCs write `Example:` in front of the first line.
    let bare = bare.strip_prefix("Example:").map_or(bare, str::trim_start);
    for (name, is_server) in NAMES {
        let Some(start) = bare.get(..name.len()).filter(|start| start.eq_ignore_ascii_case(name))
        else {
            continue;
        };
        let rest = &bare[start.len()..];
        let rest = rest.strip_prefix([':', '\u{ff1a}']);
        // `C:\>` is a Windows prompt, not the client's mark.
        if let Some(said) = rest.filter(|said| !said.starts_with('\\')) {
            return Some((is_server, said));
        }
    }
    None
}

/// Splits a line like [`named`], in RFCs that call the client the sender: `S:` is the sender, and
/// `R:` is the receiver, so `S:` is not the server.
fn of_a_sender(line: &str) -> Option<(bool, &str)> {
    let bare = line.trim_start();
    let receiver = bare.strip_prefix("R:").map(|said| (true, said));
    receiver.or_else(|| Some((false, bare.strip_prefix("S:")?)))
}

/// Splits a line like [`named`], at an arrow.
fn pointed(line: &str) -> Option<(bool, &str)> {
    let bare = line.trim_start();
    ARROWS.iter().find_map(|(arrow, is_server)| Some((*is_server, bare.strip_prefix(arrow)?)))
}

/// Whether a line has a mark that RFCs use, `C:` or `S:`.
pub(super) fn is_of_an_rfc(line: &str) -> bool {
    let line = line.trim_start();
    ["S: ", "C: "].iter().any(|mark| line.starts_with(mark))
}

/// Whether a line shows that the lines of a file are marked. The line has to be a server's reply,
/// because arrows and names stand in other texts, too. The marks of RFCs are enough by themselves.
pub(super) fn is_marked(line: &str) -> bool {
    let of_an_rfc = is_of_an_rfc(line);
    let says = |(is_server, said): (bool, &str)| {
        let lines = quoted(said);
        let said = lines.as_ref().and_then(|lines| lines.first()).map_or(said, String::as_str);
        is_server && is_said(said.trim_start())
    };
    of_an_rfc
        || line.trim_start().starts_with("R: ")
        || named(line).or_else(|| pointed(line)).is_some_and(says)
}

pub(super) fn is_of_swaks(line: &str) -> bool {
    let line = line.trim_start();
    ["<-  ", "<~  ", "<-- ", "<** "].iter().any(|mark| line.starts_with(mark))
}

pub(super) fn read(lines: &[Line]) -> Read {
    let mut items = items(lines);
    let mut assembler = Assembler::default();
    assembler.implies_tls();
    for (at, text, why) in counted::recount(&mut items) {
        assembler.note(at, &format!("{text}: {why}"));
    }
    for item in items {
        let (at, text) = (item.at, item.text.as_str());
        match item.is_server {
            None => own(&mut assembler, at, text),
            Some(is_server) if is_aside(text) && (is_server || !assembler.is_in_message()) => {
                assembler.gap(at, text, "what happened, and nothing said");
            }
            Some(true) => {
                assembler.end_message(at);
                assembler.server(at, text, None);
            }
            Some(false) => assembler.client(at, text, None),
        }
    }
    assembler.finish()
}

/// Splits the lines into marks and texts. A line that continues the line before is joined to that
/// line.
fn items(lines: &[Line]) -> Vec<Item> {
    let has_names = lines.iter().any(|(_, line)| named(line).is_some_and(|(server, _)| server));
    let receives = |line: &str| {
        line.trim_start().strip_prefix("R:").is_some_and(|said| is_said(said.trim_start()))
    };
    let marked = match () {
        () if lines.iter().any(|(_, line)| receives(line)) => of_a_sender,
        () if has_names => named,
        () => pointed,
    };
    let margins = [false, true].map(|is_server| {
        let said = lines.iter().filter_map(|(_, line)| marked(line));
        margin(said.filter(|(server, _)| *server == is_server).map(|(_, said)| said))
    });
    let mut items: Vec<Item> = Vec::new();
    for (at, line) in lines {
        let trimmed = line.trim();
        if trimmed.starts_with("=== ") {
            items.push(Item { at: *at, text: line.clone(), is_server: None });
        } else if let Some((is_server, said)) = marked(line) {
            let blanks = said.len() - said.trim_start_matches(' ').len();
            let text = &said[blanks.min(margins[usize::from(is_server)])..];
            // Python's libraries print each reply twice: as a quoted string, and in parts. Both
            // have the same name in front, but only the quoted string counts.
            let is_told = ["reply:", "send:"].iter().any(|name| trimmed.starts_with(name));
            let lines = quoted(text);
            let is_server = Some(is_server).filter(|_| !is_told || lines.is_some());
            let plain = || vec![without_ends(text, is_server == Some(true))];
            for text in lines.unwrap_or_else(plain) {
                items.push(Item { at: *at, text, is_server });
            }
        } else if !trimmed.is_empty()
            && !items.last_mut().is_some_and(|last| goes_on(last, trimmed))
        {
            let is_reply = items.last().is_some_and(|last| continues_reply(last, trimmed));
            let (text, is_server) =
                if is_reply { (trimmed.to_owned(), Some(true)) } else { (line.clone(), None) };
            items.push(Item { at: *at, text, is_server });
        }
    }
    items
}

/// Returns the lines in a string that Python has printed: `b'250 ok\r\n'`.
fn quoted(text: &str) -> Option<Vec<String>> {
    let text = text.trim();
    let text = text.strip_prefix('b').unwrap_or(text);
    let inside =
        ['\'', '"'].iter().find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote))?;
    let whole = inside.strip_suffix("\\r\\n")?;
    let unescaped = |line: &str| line.replace("\\'", "'").replace("\\\\", "\\");
    Some(whole.split("\\r\\n").map(unescaped).collect())
}

/// Removes the line ends, such as `<CRLF>`, that some RFCs write out in the client's lines.
fn without_ends(text: &str, is_server: bool) -> String {
    if is_server {
        return text.to_owned();
    }
    let ends = ["<CR><LF>", "<CRLF>"];
    let bare = ends.iter().find_map(|end| text.trim_end().strip_suffix(end));
    match bare {
        Some(bare) => {
            ends.iter().fold(bare, |bare, end| bare.strip_prefix(end).unwrap_or(bare)).to_owned()
        }
        None => text.to_owned(),
    }
}

/// Returns the number of blanks that most lines have between the mark and the text. Further blanks
/// belong to the text.
fn margin<'a>(said: impl Iterator<Item = &'a str>) -> usize {
    let mut counts = [0_usize; 12];
    for said in said.filter(|said| !said.trim().is_empty()) {
        let blanks = said.len() - said.trim_start_matches(' ').len();
        counts[blanks.min(counts.len() - 1)] += 1;
    }
    // If several numbers are equally frequent, the smallest one counts.
    let most = counts.iter().max().copied().unwrap_or(0);
    counts.iter().position(|count| *count == most).unwrap_or(0)
}

/// Joins a line without a mark to the line before, if that line was broken: a list whose
/// parentheses are open, or base64.
fn goes_on(last: &mut Item, line: &str) -> bool {
    let Some(is_server) = last.is_server else { return false };
    let is_list = last.text.matches('(').count() > last.text.matches(')').count();
    let is_untagged = is_server && last.text.starts_with("* ") && !last.text.ends_with('}');
    let is_command = !is_server && speech_of(&last.text) == Some(crate::proto::Speech::Imap);
    if is_list && (is_untagged || is_command) {
        last.text.push(' ');
        last.text.push_str(line);
        return true;
    }
    let is_base64 = |text: &str| {
        (text.len() >= 8 || text.ends_with('='))
            && text
                .trim_end_matches('=')
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+/".contains(&b))
    };
    let tail = last.text.rsplit(' ').next().unwrap_or_default();
    let is_challenge = is_server && (last.text.starts_with("334") || last.text.starts_with("+ "));
    // The command ends with a SASL mechanism, and its initial response is in the next line.
    let asks = !is_server
        && last.text.split(' ').rev().nth(1).is_some_and(|word| {
            ["AUTH", "AUTHENTICATE"].iter().any(|verb| word.eq_ignore_ascii_case(verb))
        });
    let begins = (is_challenge && ["334", ""].contains(&tail)) || asks;
    let responds =
        !is_server && (is_base64(&last.text) || last.text.to_ascii_uppercase().contains("AUTH"));
    if is_base64(line) && (begins || (is_base64(tail) && (is_challenge || responds))) {
        if tail == "334" || asks {
            last.text.push(' ');
        }
        last.text.push_str(line);
        return true;
    }
    false
}

/// Whether a line without a mark continues the SMTP reply before it.
fn continues_reply(last: &Item, line: &str) -> bool {
    last.is_server == Some(true)
        && super::words::is_smtp_reply(&last.text)
        && last.text.as_bytes().get(3) == Some(&b'-')
        && super::words::is_smtp_reply(line)
        && last.text[..3] == line[..3]
}

/// Whether a text in brackets describes an event instead of a line of the dialogue: `<wait for a
/// connection>`, `{the server closes}`.
fn is_aside(text: &str) -> bool {
    let text = text.trim();
    let pairs = [('<', '>'), ('{', '}'), ('[', ']'), ('(', ')')];
    let inside = pairs.iter().find_map(|(open, close)| {
        text.strip_prefix(*open)?.strip_suffix(*close).filter(|inside| !inside.contains(*open))
    });
    inside.is_some_and(|inside| {
        inside.contains(' ') && inside.starts_with(|first: char| first.is_alphabetic())
    })
}

/// Takes a line that neither side sent, such as a message of swaks about the connection.
fn own(assembler: &mut Assembler, at: usize, line: &str) {
    let Some(said) = line.trim_start().strip_prefix("=== ") else {
        if let Some(place) =
            super::shell::shell(line).or(Some(line.trim())).and_then(super::shell::target)
        {
            return assembler.connect(at, Some(&place));
        }
        if line.trim().to_ascii_lowercase().contains("connection closed by foreign host")
            && assembler.is_open()
        {
            return assembler.act(at, super::Act::Closed);
        }
        if super::prose::is_ellipsis(line.trim()) {
            return assembler.gap(at, line, "something was left out here");
        }
        return assembler.unread(at, line, "nothing says whose line this is");
    };
    if let Some(place) = said.strip_prefix("Trying ") {
        let place = place.trim_end_matches('.');
        let (host, port) = place.rsplit_once(':').unwrap_or((place, ""));
        let target = Target { host: host.to_owned(), port: port.parse().ok(), ..Target::default() };
        assembler.connect(at, Some(&target));
    } else if said.starts_with("TLS started") {
        if assembler.is_silent() {
            assembler.begin_with_tls();
        } else {
            assembler.act(at, super::Act::Handshake);
        }
    } else if said.starts_with("Connection closed with remote host") {
        // swaks itself closes the connection after the reply to QUIT.
        assembler.act(at, super::Act::Close);
    } else if !said.starts_with("Connected to") && !said.starts_with("TLS ") {
        assembler.unread(at, line, "a word of swaks' own");
    }
}
