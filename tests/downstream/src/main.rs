//! A mail server whose next release is tested: `my-server --foreground --listen 127.0.0.1:2525`.

use std::io::{BufRead, BufReader, Result, Write};
use std::net::{TcpListener, TcpStream};

fn main() -> Result<()> {
    let address = std::env::args().next_back().unwrap_or_default();
    for client in TcpListener::bind(address)?.incoming() {
        let client = client?;
        std::thread::spawn(move || serve(&client));
    }
    Ok(())
}

/// The reply to EHLO in the golden of `scripts/relay.rhai`.
const HELLO: &str = "250-my-server.example\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n\
                     250-PIPELINING\r\n250-SIZE 10485760\r\n250 STARTTLS";

fn serve(mut client: &TcpStream) -> Result<()> {
    client.write_all(b"220 my-server.example ESMTP\r\n")?;
    for line in BufReader::new(client).lines() {
        let line = line?;
        let reply = match line.split(' ').next() {
            Some("EHLO") => HELLO,
            Some("MAIL") => "250 2.1.0 Sender ok",
            Some("RCPT") if !line.ends_with("@example.com>") => "550 5.7.1 Not for us",
            Some("RCPT") => "250 2.1.5 Recipient ok",
            Some("QUIT") => "221 2.0.0 Bye",
            _ => "500 5.5.1 What?",
        };
        client.write_all(format!("{reply}\r\n").as_bytes())?;
        if reply.starts_with("221") {
            break;
        }
    }
    Ok(())
}
