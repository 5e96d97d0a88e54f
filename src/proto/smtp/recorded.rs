//! Tests with dialogues of real servers in `tests/transcripts`. `S:` and `C:` lines get CRLF added;
//! `S-` and `C-` lines have escapes, and get no CRLF.

use std::path::Path;

use super::*;
use crate::proto::Malformed;

/// What the client and the server said, in turns; `true` marks the server.
type Turns = Vec<(bool, Vec<u8>)>;

/// The recorded dialogues of a protocol, with their names.
fn recorded(protocol: &str) -> Vec<(String, Turns)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts").join(protocol);
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|file| {
            (
                file.file_stem().unwrap().to_str().unwrap().to_owned(),
                turns(&std::fs::read_to_string(file).unwrap()),
            )
        })
        .collect()
}

fn turns(text: &str) -> Turns {
    let mut turns = Turns::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && *line != "close") {
        let (mark, said) = line.split_at(2);
        let said = said.strip_prefix(' ').unwrap_or(said);
        let bytes = match mark.as_bytes()[1] {
            b':' => [said.as_bytes(), b"\r\n"].concat(),
            _ => unescape(said),
        };
        let is_server = mark.starts_with('S');
        match turns.last_mut() {
            Some((who, turn)) if *who == is_server => turn.extend_from_slice(&bytes),
            _ => turns.push((is_server, bytes)),
        }
    }
    turns
}

fn unescape(text: &str) -> Vec<u8> {
    let mut parts = text.split('\\');
    let mut bytes = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        let (byte, used) = match part.as_bytes()[0] {
            b'r' => (b'\r', 1),
            b'n' => (b'\n', 1),
            _ => (u8::from_str_radix(&part[1..3], 16).unwrap(), 3),
        };
        bytes.push(byte);
        bytes.extend_from_slice(&part.as_bytes()[used..]);
    }
    bytes
}

/// The replies that are found if the stream is cut into these pieces.
fn frames<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Vec<u8>>, Malformed> {
    let mut replies = Replies::default();
    let mut held = Vec::new();
    let mut found = Vec::new();
    for piece in pieces {
        held.extend_from_slice(piece);
        while let Some(length) = replies.frame(&held)? {
            found.push(held.drain(..length).collect());
        }
    }
    assert!(held.is_empty(), "the last reply is whole");
    Ok(found)
}

/// The number of lines that end a reply.
fn last_lines(stream: &[u8]) -> usize {
    stream.split_inclusive(|byte| *byte == b'\n').filter(|line| line.get(3) != Some(&b'-')).count()
}

#[test]
fn the_replies_of_real_servers_are_the_same_however_they_are_cut() {
    let mut seen = 0;
    for (name, turns) in recorded("smtp").into_iter().chain(recorded("lmtp")) {
        let stream: Vec<u8> = turns
            .into_iter()
            .filter(|(is_server, _)| *is_server)
            .flat_map(|(_, bytes)| bytes)
            .collect();
        let whole = frames([&stream[..]]);
        match &whole {
            // The last line of the greeting never comes: the reply to the early EHLO comes instead.
            Err(malformed) => {
                assert!(
                    name.contains("early-talker") && malformed.why.contains("from 220 to 250"),
                    "{name}: {malformed:?}"
                );
            }
            Ok(replies) => assert_eq!(replies.len(), last_lines(&stream), "{name}"),
        }
        assert_eq!(frames(stream.chunks(1)), whole, "{name}, byte by byte");
        for cut in 1..stream.len() {
            let (head, tail) = stream.split_at(cut);
            assert_eq!(frames([head, tail]), whole, "{name}, cut at {cut}");
        }
        seen += 1;
    }
    assert!(seen > 30, "{seen} dialogues");
}

#[test]
fn real_servers_owe_nothing_when_it_is_the_clients_turn() {
    for (protocol, name, turns) in ["smtp", "lmtp"]
        .into_iter()
        .flat_map(|protocol| {
            recorded(protocol).into_iter().map(move |(name, turns)| (protocol, name, turns))
        })
        .filter(|(_, name, _)| !name.contains("early-talker"))
    {
        let mut smtp = if protocol == "lmtp" { Smtp::lmtp(protocol) } else { Smtp::new(protocol) };
        let mut secrets = Secrets::default();
        for (is_server, bytes) in turns {
            if is_server {
                assert!(
                    smtp.owed() > 0,
                    "{name}: nothing is owed, and it says {}",
                    bytes.escape_ascii()
                );
                smtp.received(&bytes);
                continue;
            }
            assert_eq!(smtp.owed(), 0, "{name}: before {}", bytes.escape_ascii());
            smtp.sent(&bytes, &mut secrets);
        }
    }
}

#[test]
fn every_recipient_of_a_recorded_message_is_owed_its_reply() {
    for (name, verdicts) in [
        ("dovecot-lmtp", 4),
        ("dovecot-lmtp-pipelined", 5),
        ("sink-lmtp", 4),
        ("sink-lmtp-pipelined", 5),
    ] {
        let turns = recorded("lmtp").into_iter().find(|(known, _)| known == name).unwrap().1;
        let mut lmtp = Smtp::lmtp("lmtp");
        let mut most = 0;
        for (is_server, bytes) in turns {
            if is_server {
                bytes.split_inclusive(|byte| *byte == b'\n').for_each(|line| lmtp.received(line));
            } else {
                lmtp.sent(&bytes, &mut Secrets::default());
                if memchr::memmem::find(&bytes, b"\r\n.\r\n").is_some() {
                    most = lmtp.owed();
                }
            }
        }
        assert_eq!(
            most, verdicts,
            "{name}: those of the message, and that of QUIT where it was sent with it"
        );
    }
}
