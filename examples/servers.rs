//! Starts the real servers that the tests use, on free ports of the loopback, and shows how to
//! reach them: `cargo run --example servers`, as root. `cargo run --example servers exim` starts
//! only one. docs/servers.md names the packages. Ctrl-D or Enter ends the servers.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    dead_code,
    reason = "it shows something to a person, and uses a part of what tests do"
)]

#[path = "../tests/servers/mod.rs"]
mod servers;

use std::io::{self, Read as _};
use std::process::ExitCode;

use servers::{Server, Unavailable, exim, mailserver, sendmail};

type Start = fn() -> Result<Server, Unavailable>;

const SERVERS: [(&str, &str, Start); 3] = [
    ("postfix", "Postfix with Dovecot", mailserver::start),
    ("exim", "Exim", exim::start),
    ("sendmail", "Sendmail: M=A at noauth, M=Ea at submission", sendmail::start),
];

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) =
        wanted.iter().find(|name| SERVERS.iter().all(|(known, ..)| known != name))
    {
        eprintln!("there is no {unknown}: name postfix, exim or sendmail");
        return ExitCode::from(2);
    }
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|known| known == name);
    let mut running = Vec::new();
    for (_, title, start) in SERVERS.iter().filter(|(name, ..)| is_wanted(name)) {
        match start() {
            Ok(server) => {
                show(title, &server);
                running.push(server);
            }
            Err(why) => eprintln!("{title} is not started: {why}\n"),
        }
    }
    if running.is_empty() {
        return ExitCode::FAILURE;
    }
    println!("Enter ends them.");
    // Any input ends the servers, and so does the end of stdin.
    let _ = io::stdin().read(&mut [0]);
    ExitCode::SUCCESS
}

fn show(title: &str, server: &Server) {
    println!("{title}");
    for (name, value) in server.parameters() {
        println!("  --set {name}='{value}'");
    }
    println!();
}
