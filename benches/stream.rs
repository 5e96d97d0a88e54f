//! Measures whether the end of a long stream is found in linear time, near the speed of the socket:
//! 1, 10 and 100 MiB of lines over loopback.
//!
//! The first table is the library alone, for each kind of pattern, compared with a plain read of
//! the same bytes. The second is the program, from its start to its exit, compared with `nc` to
//! `/dev/null`. Each row is measured in several rounds, in turn with the others, and the medians
//! are shown. `linear` is the time of 100 MiB divided by ten times that of 10 MiB.
//!
//! `cargo bench --bench stream`
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench prints a table and stops where it cannot go on"
)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use mailexpect::{IntoPattern as _, Pattern, Session};

const SIZES: [usize; 3] = [1, 10, 100];
const ROUNDS: usize = 7;
const END: &[u8] = b"A1 OK done\r\n.\r\n";
const MEBIBYTE: usize = 1 << 20;

/// Serves one connection with base64-like lines of this many MiB, and then the end. A `Replay`
/// would answer the client's line before the client's memory could be read.
struct Server {
    address: String,
    thread: std::thread::JoinHandle<Option<u64>>,
}

impl Server {
    /// `client` gives the process whose memory is measured after the process has sent a line.
    /// Without it, the connection is just closed.
    fn new(mebibytes: usize, client: Option<Receiver<u32>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let line: &[u8] =
                b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/ABCDEFGHIJKL\r\n";
            let block = line.repeat(MEBIBYTE / line.len());
            (0..mebibytes)
                .try_for_each(|_| stream.write_all(&block))
                .and_then(|()| stream.write_all(END))
                .ok()?;
            let mut heard = String::new();
            let process = client?.recv().ok()?;
            BufReader::new(&stream).read_line(&mut heard).ok()?;
            let memory = peak_memory(process);
            stream.write_all(b"+OK\r\n").ok()?;
            memory
        });
        Self { address, thread }
    }
}

/// The peak of a process's resident memory so far, in bytes, if the system tells it.
fn peak_memory(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? << 10)
}

/// One measured row of a table.
struct Row {
    name: &'static str,
    what: What,
    times: [Vec<Duration>; SIZES.len()],
    memory: u64,
}

enum What {
    PlainRead,
    Search(Pattern),
    Multiline,
    Nc,
    Script(&'static str),
}

impl Row {
    fn new(name: &'static str, what: What) -> Self {
        Self { name, what, times: Default::default(), memory: 0 }
    }

    fn regex(name: &'static str, source: &str) -> Self {
        Self::new(name, What::Search(Pattern::regex(source).unwrap()))
    }

    fn measure(&mut self, size: usize) {
        let mebibytes = SIZES[size];
        let time = match &self.what {
            What::PlainRead => plain_read(mebibytes),
            What::Search(pattern) => in_process(mebibytes, async |session| {
                session.expect_bytes(pattern).keep(false).await.unwrap();
            }),
            What::Multiline => in_process(mebibytes, async |session| {
                session.expect_multiline().keep(false).await.unwrap();
            }),
            What::Nc => nc(mebibytes),
            What::Script(word) => {
                let (time, memory) = script(word, mebibytes);
                self.memory = self.memory.max(memory);
                time
            }
        };
        self.times[size].push(time);
    }

    fn median(&self, size: usize) -> f64 {
        let mut times = self.times[size].clone();
        times.sort_unstable();
        times[times.len() / 2].as_secs_f64()
    }
}

fn plain_read(mebibytes: usize) -> Duration {
    let server = Server::new(mebibytes, None);
    let started = Instant::now();
    let mut stream = TcpStream::connect(server.address).unwrap();
    let mut room = vec![0; 64 << 10];
    while stream.read(&mut room).unwrap() > 0 {}
    started.elapsed()
}

fn in_process(mebibytes: usize, operation: impl AsyncFnOnce(&mut Session)) -> Duration {
    let server = Server::new(mebibytes, None);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let started = Instant::now();
        let mut session = Session::connect(&format!("tcp://{}", server.address)).await.unwrap();
        operation(&mut session).await;
        let elapsed = started.elapsed();
        session.leave();
        elapsed
    })
}

fn nc(mebibytes: usize) -> Duration {
    let server = Server::new(mebibytes, None);
    let (host, port) = server.address.split_once(':').unwrap();
    let started = Instant::now();
    let status = Command::new("nc")
        .args([host, port])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    started.elapsed()
}

/// Runs a script with this call. Returns the time from the program's start to its exit, and its
/// peak memory.
fn script(word: &str, mebibytes: usize) -> (Duration, u64) {
    let (tell, client) = channel();
    let server = Server::new(mebibytes, Some(client));
    let url = format!("tcp://{}", server.address);
    let text = format!(
        "let s = connect(\"{url}\", #{{limit: 209715200}});\n{word}\ns.send(\"DONE\");\ns.expect_line(\"+OK\");\ns.expect_close();\n"
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stream.rhai");
    std::fs::write(&path, text).unwrap();
    let started = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mailexpect"));
    let command = command.arg("run").arg(&path);
    let child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    tell.send(child.id()).unwrap();
    let output = child.wait_with_output().unwrap();
    let time = started.elapsed();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    (time, server.thread.join().unwrap().unwrap_or(0))
}

fn library() -> Vec<Row> {
    let any =
        Pattern::any(["A1 NO".into_pattern().unwrap(), Pattern::regex("A1 (OK|BAD)").unwrap()])
            .unwrap();
    vec![
        Row::new("plain read", What::PlainRead),
        Row::new("literal", What::Search("\r\n.\r\n".into_pattern().unwrap())),
        Row::new("multi-line block", What::Multiline),
        Row::regex("a literal at the start", r"^A1 (OK|NO|BAD) [^\r\n]*\r\n"),
        Row::regex("a literal in any case", "(?i)a1 ok"),
        Row::new("alternatives", What::Search(any)),
        Row::regex("literals inside", r"[a-z]+@[a-z]+\.example|^[A-Z]1 OK"),
        Row::regex("too wide for a whole DFA", r"^A[0-9] .{0,60}done"),
        Row::regex("the start of a line", r"^[2-5][0-9][0-9] |^A1 OK"),
        Row::regex("within a line, no literal", r"[a-z]+[0-5][a-z]+|[A-Z][0-9] [A-Z]+"),
        Row::regex("across lines, no literal", r"[a-z]+[0-5][a-z]+|[A-Z][0-9]\s[A-Z]+\s"),
    ]
}

fn program() -> Vec<Row> {
    let mut rows = vec![
        Row::new("literal", What::Script(r#"s.expect_bytes("\r\n.\r\n", #{keep: false});"#)),
        Row::new(
            "regex",
            What::Script(
                r"s.expect_bytes(re(`^A1 (OK|NO|BAD) [^\r\n]*\r\n\.\r\n`), #{keep: false});",
            ),
        ),
        Row::new(
            "regex of the literal",
            What::Script(r"s.expect_bytes(re(`\r\n\.\r\n`), #{keep: false});"),
        ),
        Row::new("multi-line", What::Script("s.expect_multiline(#{keep: false});")),
        Row::new("literal, kept", What::Script(r#"let kept = s.expect_bytes("\r\n.\r\n");"#)),
        Row::new("multi-line, kept", What::Script("let kept = s.expect_multiline();")),
    ];
    if Command::new("nc")
        .arg("-h")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok()
    {
        rows.insert(0, Row::new("nc", What::Nc));
    } else {
        println!(
            "skipped: nc is not installed; the program is set against its own search for a literal"
        );
    }
    rows
}

fn table(title: &str, mut rows: Vec<Row>) {
    for _ in 0..ROUNDS {
        for size in 0..SIZES.len() {
            for row in &mut rows {
                row.measure(size);
            }
        }
    }
    println!(
        "\n{title:<28} {:>9} {:>9} {:>9}  {:>9}  against  linear  memory",
        "1 MiB", "10 MiB", "100 MiB", "rate"
    );
    let first = rows[0].median(2);
    for row in rows {
        let [one, ten, hundred] = [0, 1, 2].map(|size| row.median(size));
        let rate = 104.857_6 / hundred;
        print!(
            "{:<28} {:>6.1} ms {:>6.1} ms {:>6.1} ms",
            row.name,
            one * 1e3,
            ten * 1e3,
            hundred * 1e3
        );
        print!("  {rate:>4.0} MB/s  {:>7.2}  {:>6.2}", hundred / first, hundred / ten / 10.0);
        let memory = format!("  {:>3} MiB", row.memory >> 20);
        println!("{}", if row.memory > 0 { &memory } else { "" });
    }
}

fn main() {
    table("the library", library());
    table("the program", program());
}
