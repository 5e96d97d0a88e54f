//! Is the search for the end of a long stream linear, and near the speed of the socket? For each kind of pattern: 1, 10 and
//! 100 MiB over loopback, not kept, beside a plain read of the same bytes in the same run.
//!
//! `cargo bench --bench stream`
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench prints a table and stops where it cannot go on"
)]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use mailexpect::{IntoPattern as _, Pattern, Session};

const SIZES: [usize; 3] = [1, 10, 100];
const END: &[u8] = b"\r\n.\r\nA1 OK done\r\n";

/// Serves one connection with so many MiB of base64-like lines and then the end.
fn serve(mebibytes: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let line: Vec<u8> = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/ABCDEFGHIJKL\r\n".to_vec();
        let block = line.repeat((1 << 20) / line.len());
        for _ in 0..mebibytes {
            if stream.write_all(&block).is_err() {
                return;
            }
        }
        // A client that has seen enough is gone by now.
        let _ = stream.write_all(END);
    });
    address.to_string()
}

fn plain_read(mebibytes: usize) -> Duration {
    let address = serve(mebibytes);
    let started = Instant::now();
    let mut stream = TcpStream::connect(address).unwrap();
    let mut room = vec![0; 64 << 10];
    while stream.read(&mut room).unwrap() > 0 {}
    started.elapsed()
}

fn search(pattern: &Pattern, mebibytes: usize) -> Duration {
    let address = serve(mebibytes);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let started = Instant::now();
        let mut session = Session::connect(&format!("tcp://{address}")).await.unwrap();
        session.skip_to(pattern).await.unwrap();
        started.elapsed()
    })
}

fn main() {
    let patterns = [
        ("literal", "\r\n.\r\n".into_pattern().unwrap()),
        ("regex with a literal start", Pattern::regex(r"^A1 (OK|NO|BAD) [a-z]+\r\n").unwrap()),
        ("regex without", Pattern::regex(r"[a-z]+@[a-z]+\.example|^[A-Z]1 OK").unwrap()),
        ("regex too wide for a whole DFA", Pattern::regex(r"^A[0-9] .{0,60}done").unwrap()),
        ("alternatives", Pattern::any(["A1 NO".into_pattern().unwrap(), Pattern::regex("A1 (OK|BAD)").unwrap()]).unwrap()),
    ];
    println!("{:<32} {:>9} {:>9} {:>9}   100 MiB: MB/s, against a plain read", "", "1 MiB", "10 MiB", "100 MiB");
    let plain: Vec<_> = SIZES.iter().map(|size| plain_read(*size)).collect();
    row("plain read", &plain, plain[2]);
    for (name, pattern) in &patterns {
        let times: Vec<_> = SIZES.iter().map(|size| search(pattern, *size)).collect();
        row(name, &times, plain[2]);
    }
}

fn row(name: &str, times: &[Duration], plain: Duration) {
    let millis: Vec<_> = times.iter().map(|time| format!("{:>6.1} ms", time.as_secs_f64() * 1e3)).collect();
    let rate = 104.857_6 / times[2].as_secs_f64();
    println!("{name:<32} {}   {rate:.0} MB/s, {:.2} times", millis.join(" "), times[2].as_secs_f64() / plain.as_secs_f64());
}
