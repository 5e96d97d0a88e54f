//! Dialogues in which each line is marked with its side: those of RFCs (`C:`, `S:`), and the output
//! of swaks.

use super::assembler::Assembler;
use super::line::{Target, plain};
use super::{Act, Read};

/// The marks of lines, and whether a mark is the server's.
const MARKS: [(&str, bool); 22] = [
    ("S: ", true),
    ("S:", true),
    ("C: ", false),
    ("C:", false),
    ("Server: ", true),
    ("Client: ", false),
    ("server: ", true),
    ("client: ", false),
    ("<-- ", true),
    ("<-  ", true),
    ("<~  ", true),
    ("<** ", true),
    ("<~* ", true),
    ("<<  ", true),
    (" -> ", false),
    (" ~> ", false),
    (" >> ", false),
    ("--> ", false),
    ("< ", true),
    ("> ", false),
    (" ->", false),
    (" ~>", false),
];

/// Whether a line is the server's, and its text without the mark.
fn marked(line: &str) -> Option<(bool, &str)> {
    // A whole paste may be indented, and swaks puts a blank before the client's arrows.
    let bare = line.trim_start();
    let arrow = line.len() - bare.len() > 0
        && (bare.starts_with("->") || bare.starts_with("~>") || bare.starts_with(">>"));
    if arrow {
        return Some((false, bare[2..].strip_prefix(' ').unwrap_or(&bare[2..])));
    }
    if bare.starts_with("<-")
        || bare.starts_with("<~")
        || bare.starts_with("<*")
        || bare.starts_with("<<")
    {
        let rest = bare.trim_start_matches(['<', '-', '~', '*']);
        return Some((true, rest.trim_start()));
    }
    MARKS.iter().find_map(|(mark, is_server)| Some((*is_server, bare.strip_prefix(mark)?)))
}

pub(super) fn is_marked(line: &str) -> bool {
    let line = line.trim_start();
    ["S: ", "C: "].iter().any(|mark| line.starts_with(mark))
}

pub(super) fn is_of_swaks(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("<-  ")
        || line.starts_with("<~  ")
        || line.starts_with("<-- ")
        || line.starts_with("<** ")
}

pub(super) fn read(text: &str) -> Read {
    let mut assembler = Assembler::default();
    for (n, line) in text.lines().enumerate() {
        let (at, line) = (n + 1, plain(line));
        if let Some(said) = line.trim_start().strip_prefix("=== ") {
            of_swaks(&mut assembler, at, said, &line);
        } else if let Some((is_server, said)) = marked(&line) {
            if is_server {
                assembler.server(at, said, None);
            } else {
                assembler.client(at, said, None);
            }
        } else if !line.trim().is_empty() {
            assembler.unread(at, &line, "nothing says whose line this is");
        }
    }
    assembler.finish()
}

/// Takes a line in which swaks reports on the connection.
fn of_swaks(assembler: &mut Assembler, at: usize, said: &str, line: &str) {
    if let Some(place) = said.strip_prefix("Trying ") {
        let place = place.trim_end_matches('.');
        let (host, port) = place.rsplit_once(':').unwrap_or((place, ""));
        let target = Target { host: host.to_owned(), port: port.parse().ok(), ..Target::default() };
        assembler.connect(at, Some(&target));
    } else if said.starts_with("TLS started") {
        if assembler.is_silent() {
            assembler.begin_with_tls();
        } else {
            assembler.act(at, Act::Handshake);
        }
    } else if said.starts_with("Connection closed with remote host") {
        // Swaks closes the connection after the reply to QUIT.
        assembler.act(at, Act::Close);
    } else if !said.starts_with("Connected to") && !said.starts_with("TLS ") {
        assembler.unread(at, line, "a word of swaks' own");
    }
}
