//! `mailexpect base64` encodes and decodes text, and `mailexpect sasl` makes SASL responses.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use clap::Args;
use zeroize::Zeroizing;

use super::screen::Screen;
use super::value;
use crate::error::{Error, Result};
use crate::file;
use crate::outcome::ExitCode;
use crate::sasl::{Known, Opening, Service};
use crate::{Credentials, suggest, visible};

/// How many bytes of stdin are read at most.
const LARGEST: u64 = 16 << 20;

/// The arguments of `base64`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  mailexpect base64 hoge@example.com
  mailexpect base64 '\\0sample\\0password'   # AUTH PLAIN; better: mailexpect sasl
  mailexpect base64 -d VXNlcm5hbWU6
  mailexpect base64 < file

A line end at the end of stdin is left out. Decoded bytes that are not text are
shown as escapes.")]
pub(super) struct Base64 {
    /// Decode the text.
    #[arg(short, long)]
    decode: bool,
    /// The text, in which \0, \r, \n, \\ and \xHH are escapes; by default stdin.
    #[arg(value_name = "TEXT", allow_hyphen_values = true)]
    text: Option<String>,
}

pub(super) fn base64(args: &Base64, screen: &mut Screen) -> Result<ExitCode> {
    let given = args.text.as_ref();
    let bytes = match given {
        Some(text) if args.decode => text.clone().into_bytes(),
        Some(text) => visible::unescape(&text.replace("\\0", "\\x00")),
        None => stdin()?,
    };
    if !args.decode {
        screen.show(&(BASE64_STANDARD.encode(bytes) + "\n"));
        return Ok(ExitCode::Passed);
    }
    let packed: Vec<u8> = bytes.into_iter().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let decoded = BASE64_STANDARD.decode(packed).map_err(|error| {
        Error::usage(format!("that is not base64 (RFC 4648): {error}"))
            .hint("a challenge is what follows 334 or + in a reply")
    })?;
    screen.show(&(visible::escape(&decoded).replace("\\x00", "\\0") + "\n"));
    Ok(ExitCode::Passed)
}

fn stdin() -> Result<Vec<u8>> {
    let read = file::stdin_up_to(LARGEST);
    let mut bytes = read.map_err(|error| Error::unreadable("stdin", error))?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        bytes.pop_if(|last| *last == b'\r');
    }
    Ok(bytes)
}

/// The mechanisms of which a client can send all responses after one challenge at most.
const MECHANISMS: [&str; 7] =
    ["plain", "login", "cram-md5", "xoauth2", "oauthbearer", "external", "anonymous"];

/// The arguments of `sasl`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  mailexpect sasl plain hoge@example.com        # asks for the password
  mailexpect sasl plain hoge --password env:PASSWORD
  mailexpect sasl login hoge --password file:secret
  mailexpect sasl cram-md5 hoge --challenge PDE4OTYuNjk3QG1haWw+
  mailexpect sasl xoauth2 hoge --password cmd:'oauth-token hoge'

Each line is a response to send after AUTH or 334. For mechanisms with more than
one challenge, such as SCRAM, use `:auth` of `mailexpect talk`.")]
pub(super) struct Sasl {
    /// The mechanism: plain, login, cram-md5, xoauth2, oauthbearer, external or anonymous.
    #[arg(value_name = "MECHANISM")]
    mechanism: String,
    /// The user who authenticates.
    #[arg(value_name = "USER")]
    user: String,
    /// Take the password, or the token, from `env:NAME`, `file:PATH` or `cmd:PROGRAM`; by default
    /// the terminal is asked for it.
    #[arg(short, long, value_name = "SOURCE")]
    password: Option<String>,
    /// Act as this user.
    #[arg(long, value_name = "USER")]
    authzid: Option<String>,
    /// Answer this challenge, in base64 as the server sent it.
    #[arg(long, value_name = "BASE64")]
    challenge: Option<String>,
    /// The server's name and port, which are part of OAUTHBEARER.
    #[arg(long, value_name = "HOST[:PORT]", default_value = "localhost:587")]
    host: String,
}

pub(super) fn sasl(args: &Sasl, screen: &mut Screen) -> Result<ExitCode> {
    let known = Known::find(&args.mechanism).ok_or_else(|| {
        let shown = visible::escape(args.mechanism.as_bytes());
        let error = Error::usage(format!("there is no mechanism `{shown}` here"));
        match suggest::nearest(&args.mechanism.to_lowercase(), MECHANISMS) {
            Some(near) => error.hint(format!("did you mean {near}?")),
            None => error.hint(format!("there are {}", MECHANISMS.join(", "))),
        }
    })?;
    let service = service(&args.host)?;
    // RFC 4616 section 2; other mechanisms with a password need a user as well.
    if args.user.is_empty() && !Known::takes_no_secret(known.name) && known.name != "OAUTHBEARER" {
        return Err(Error::usage(format!("the user of {} is empty", known.name)));
    }
    let mut mechanism = known.begin(&credentials(args, known)?, &service)?;
    let challenge = match &args.challenge {
        Some(challenge) => BASE64_STANDARD
            .decode(challenge.trim())
            .map_err(|error| Error::usage(format!("the challenge is not base64: {error}")))?,
        None if mechanism.opening() == Opening::Server => {
            let error = Error::usage(format!("{} answers a challenge of the server", known.name));
            return Err(error.hint("--challenge BASE64 gives what follows 334 in the reply"));
        }
        None => Vec::new(),
    };
    let mut responses = vec![mechanism.respond(&challenge)?];
    if known.name == "LOGIN" {
        responses.push(mechanism.respond(b"Password:")?);
    } else if !mechanism.is_done() {
        let error = Error::usage(format!("{} needs more than one challenge", known.name));
        return Err(error.hint("mailexpect talk URL and its :auth speak it with the server"));
    }
    for response in responses.into_iter().map(Zeroizing::new) {
        screen.show(&(BASE64_STANDARD.encode(&response) + "\n"));
    }
    Ok(ExitCode::Passed)
}

fn credentials(args: &Sasl, known: &Known) -> Result<Credentials> {
    let credentials = if Known::takes_no_secret(known.name) {
        Credentials::new(&args.user, "")
    } else {
        let source = args.password.as_deref().unwrap_or(value::PROMPT);
        Credentials::new(&args.user, value::secret("password", source)?.as_str())
    };
    Ok(match &args.authzid {
        Some(authzid) => credentials.authzid(authzid),
        None => credentials,
    })
}

fn service(host: &str) -> Result<Service> {
    let wrong = |why: String| {
        let error = Error::usage(format!("--host: {why}"));
        error.hint("it is the name of the server, and a port if need be: mail.example.com:587")
    };
    let (name, port) = match host.rsplit_once(':').filter(|_| !host.ends_with(']')) {
        Some((name, port)) => {
            let number = port
                .parse()
                .map_err(|_| wrong(format!("`{}` is no port", visible::escape(port.as_bytes()))))?;
            (name, Some(number))
        }
        None => (host, None),
    };
    if name.is_empty() {
        return Err(wrong("the name of the server is empty".to_owned()));
    }
    Ok(Service { name: "smtp", host: name.to_owned(), port })
}
