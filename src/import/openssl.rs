//! Reads sessions with `openssl s_client`, which prints a report on TLS before the dialogue.

use super::layout::Line;
use super::pasted::Paste;
use super::shell::{shell, target};
use super::{Act, Read};
use crate::proto::Speech;

/// The beginnings of lines that `s_client` itself prints in the middle of a dialogue.
const OWN: [&str; 8] = [
    "read:errno",
    "read R BLOCK",
    "RENEGOTIATING",
    "KEYUPDATE",
    "DONE",
    "closed",
    "write:errno",
    "depth=",
];

pub(super) fn read(lines: &[Line]) -> Read {
    let (mut paste, lines) = Paste::of(lines);
    let (mut reports, mut left_over) = (false, false);
    for (at, line) in lines {
        let command = shell(&line).unwrap_or(line.trim());
        if let Some(place) = target(command).filter(|_| command.starts_with("openssl ")) {
            paste.assembler.connect(at, Some(&place));
            let speech = place.starttls.as_deref().map(|name| format!("{name}://"));
            if let Some(speech) = speech.as_deref().and_then(crate::target::speech) {
                begin(&mut paste, at, speech);
                left_over = speech != Speech::Pop3;
            }
            reports = true;
            continue;
        }
        if line.starts_with("CONNECTED(") {
            if !paste.assembler.is_open() {
                paste.assembler.connect(at, None);
                paste.assembler.begin_with_tls();
            }
            reports = true;
            continue;
        }
        if line.contains("New Session Ticket arrived") {
            reports = true;
            continue;
        }
        if reports {
            if !is_said(&line) {
                // Skip the report: certificates, ciphers, sessions.
                continue;
            }
            reports = false;
        }
        if left_over && is_said(&line) {
            // `s_client` sends EHLO itself before TLS, and prints the last line of the reply after
            // the handshake.
            left_over = false;
            paste.assembler.unread(
                at,
                &line,
                "the answer to a command of s_client's own, before TLS",
            );
            continue;
        }
        left_over &= line.trim().is_empty() || line == "---";
        if is_own(&paste, &line) {
            of_its_own(&mut paste, at, &line);
            continue;
        }
        paste.line(at, &line);
    }
    paste.finish()
}

/// Whether `s_client` itself prints this line. A message of either side may have any line, and `DONE`
/// is the client's command that ends IDLE (RFC 2177).
fn is_own(paste: &Paste, line: &str) -> bool {
    let Paste { assembler, .. } = paste;
    if assembler.is_in_message() || assembler.is_in_block() {
        return false;
    }
    let ends_idle = line.eq_ignore_ascii_case("DONE") && assembler.is_idle();
    !ends_idle && (line == "---" || OWN.iter().any(|own| line.starts_with(own)))
}

/// Takes a line that `s_client` itself prints in the middle of a dialogue. Without -quiet,
/// `s_client` takes a line that begins with Q or R as its own command and does not send it: Q ends
/// the program, and R starts another handshake.
fn of_its_own(paste: &mut Paste, at: usize, line: &str) {
    let taken = match () {
        () if line.starts_with("DONE") => Some("Q"),
        () if line.starts_with("RENEGOTIATING") => Some("R"),
        () => None,
    };
    if let Some(taken) = taken {
        let why =
            format!("s_client took the {taken} for a command of its own, and did not send it");
        if paste.assembler.take_back(&why) && taken == "Q" {
            paste.assembler.act(at, Act::Close);
        }
    }
    if line.starts_with("closed") || line.starts_with("read:errno") {
        paste.assembler.act(at, Act::Closed);
    }
}

/// Whether a mail server says this line.
fn is_said(line: &str) -> bool {
    super::words::is_said(line) || line.starts_with(". OK ")
}

/// Adds the dialogue that `s_client` itself holds before the TLS handshake.
fn begin(paste: &mut Paste, at: usize, speech: Speech) {
    paste.assembler.speak(speech);
    let greeting = super::success::Success::greeting(speech);
    let hello = match speech {
        Speech::Smtp => "$.ehlo(\"mail.example.com\");\n",
        Speech::Lmtp => "$.lhlo(\"mail.example.com\");\n",
        _ => "",
    };
    let statement = format!("{greeting}\n{hello}$.starttls();");
    paste.assembler.act(at, Act::Statement(statement));
}
