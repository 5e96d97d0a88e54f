//! Recorded dialogues of `benches/transcripts`. Each line of a file is a line of the dialogue, and
//! consecutive lines of one side are one turn.

/// The side that speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// What one side says before the other side speaks.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    pub(crate) side: Side,
    pub(crate) bytes: Vec<u8>,
}

/// A submission with AUTH to Postfix: eight replies with enhanced codes, one of which has several
/// lines.
pub(crate) fn postfix() -> Vec<Turn> {
    turns(include_str!("../transcripts/postfix-submission.txt"))
}

/// What Dovecot says in consecutive POP3 sessions, some 50 KB.
pub(crate) fn stream() -> Vec<u8> {
    let turns = turns(include_str!("../transcripts/dovecot-pop3.txt"));
    let said = turns.iter().filter(|turn| turn.side == Side::Server);
    said.flat_map(|turn| turn.bytes.clone()).collect::<Vec<u8>>().repeat(32)
}

fn turns(recording: &str) -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::new();
    for line in recording.lines() {
        let side = match line.split_once(':') {
            Some(("C", _)) => Side::Client,
            Some(("S", _)) => Side::Server,
            _ => continue,
        };
        let text = line[2..].strip_prefix(' ').unwrap_or_default();
        if turns.last().is_none_or(|turn| turn.side != side) {
            turns.push(Turn { side, bytes: Vec::new() });
        }
        turns.last_mut().unwrap().bytes.extend_from_slice(format!("{text}\r\n").as_bytes());
    }
    turns
}
