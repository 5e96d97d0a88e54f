//! What the terminal gets is harmless, and nobody waits for it. `terminal` feeds it from every source.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::program::program;
use crate::signals::ended;

/// Makes sure that a text is harmless for a terminal: no control characters except line ends, and
/// no characters that hide or reorder text. Our own colours are removed first.
pub(crate) fn assert_harmless(what: &str, bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).unwrap_or_else(|_| panic!("{what}: not UTF-8"));
    let ours = regex_of_colours();
    let plain = ours.iter().fold(text.to_owned(), |text, colour| text.replace(colour, ""));
    let control = plain.chars().find(|c| c.is_control() && *c != '\n');
    assert_eq!(control, None, "{what}: {plain:?}");
    for bad in ['\u{200b}', '\u{202e}', '\u{2066}', '\u{feff}', '\u{9b}'] {
        assert!(!plain.contains(bad), "{what}: {bad:?} in {plain:?}");
    }
}

fn regex_of_colours() -> Vec<String> {
    let codes = ["0", "1", "2", "31", "32", "33", "34", "36", "91", "92", "93", "94", "96"];
    codes.iter().map(|code| format!("\x1b[{code}m")).collect()
}

/// A server of the program whose output nobody reads, and its port.
fn serving() -> (Child, u16) {
    let mut child = program().args(["serve"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut said = String::new();
    while !said.contains("smtp://127.0.0.1:") {
        assert!(std::io::BufRead::read_line(&mut out, &mut said).unwrap() > 0, "{said}");
    }
    // The pipe stays open, but nothing more is read from it.
    std::mem::forget(out);
    let port = said.split("smtp://127.0.0.1:").nth(1).unwrap();
    let port = port.split(|c: char| !c.is_ascii_digit()).next().unwrap();
    (child, port.parse().unwrap())
}

#[test]
fn a_screen_that_nobody_reads_stops_neither_clients_nor_the_end() {
    let (child, port) = serving();
    let flood = "NOOP\r\n".repeat(20_000);
    let flooding: Vec<_> = (0..4)
        .map(|_| {
            let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
            let flood = flood.clone();
            std::thread::spawn(move || {
                let mut reader = stream.try_clone().unwrap();
                let reading = std::thread::spawn(move || {
                    // Read until the server ends.
                    let _ = std::io::copy(&mut reader, &mut std::io::sink());
                });
                while std::io::Write::write_all(&mut stream, flood.as_bytes()).is_ok() {}
                reading.join().unwrap();
            })
        })
        .collect();
    for _ in 0..5 {
        let began = Instant::now();
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        let mut greeting = [0; 3];
        std::io::Read::read_exact(&mut stream, &mut greeting).unwrap();
        assert_eq!(&greeting, b"220");
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
    let began = Instant::now();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let ran = ended(child);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    for thread in flooding {
        thread.join().unwrap();
    }
}
