//! The commands of the prompt: lines that begin with a colon.

use crate::error::{Error, Result};
use crate::sasl::Known;
use crate::suggest;
use crate::visible;

/// The commands, their arguments, and what they do.
pub(super) const NAMES: [(&str, &str, &str); 8] = [
    (":starttls", "", "begin TLS: STARTTLS, or STLS, and the handshake"),
    (":auth", "USER [MECHANISM]", "authenticate; the password is asked for and not shown"),
    (":data", "FILE", "send the message in a file: DATA, it, the final dot"),
    (":raw", "TEXT", "send bytes without a line end; \\r \\n \\xHH are escapes"),
    (":save", "FILE", "write the dialogue as a script when it ends"),
    (":reset", "", "end the connection at once (RST)"),
    (":quit", "", "leave, as Ctrl-D does; nothing is sent"),
    (":help", "", "show this"),
];

/// A parsed command.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    Starttls,
    Auth { user: String, mechanism: Option<String> },
    Data(String),
    Raw(Vec<u8>),
    Save(String),
    Reset,
    Quit,
    Help,
}

/// Parses a line. `Ok(None)` means that the line is to be sent. A line that begins with two colons
/// is sent with one.
///
/// # Errors
/// Usage for an unknown command, and for a command without its argument.
pub(super) fn parse(line: &str) -> Result<Option<Command>> {
    if !line.starts_with(':') || line.starts_with("::") {
        return Ok(None);
    }
    let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
    let argument = rest.trim();
    let (known, takes, _) = *NAMES
        .iter()
        .find(|(known, ..)| known.eq_ignore_ascii_case(name))
        .ok_or_else(|| unknown(name))?;
    let is_needed = takes.chars().next().is_some_and(|first| first != '[');
    if argument.is_empty() && is_needed {
        return Err(
            Error::usage(format!("{known} lacks something")).hint(format!("{known} {takes}"))
        );
    }
    Ok(Some(match known {
        ":starttls" => Command::Starttls,
        ":auth" => {
            let mut words = argument.split_whitespace().map(str::to_owned);
            let user = words.next().unwrap_or_default();
            Command::Auth { user, mechanism: words.next() }
        }
        ":data" => Command::Data(argument.to_owned()),
        // Not trimmed, because a blank at the end may be meant.
        ":raw" => Command::Raw(visible::unescape(rest)),
        ":save" => Command::Save(argument.to_owned()),
        ":reset" => Command::Reset,
        ":quit" => Command::Quit,
        _ => Command::Help,
    }))
}

fn unknown(name: &str) -> Error {
    let shown = visible::escape(name.as_bytes());
    let error = Error::usage(format!("there is no command {shown}"));
    match suggest::nearest(name, NAMES.iter().map(|(known, ..)| *known)) {
        Some(near) => error.hint(format!("did you mean {near}?")),
        None => error.hint(":help shows all; a line that begins with a colon is sent with two"),
    }
}

/// The question to ask before a line is handled: for the password, if `:auth` needs one.
pub(super) fn question(line: &str) -> Option<String> {
    match parse(line) {
        Ok(Some(Command::Auth { user, mechanism })) => {
            let is_needed = !mechanism.is_some_and(|name| Known::takes_no_secret(&name));
            is_needed.then(|| format!("password for {}: ", visible::escape(user.as_bytes())))
        }
        _ => None,
    }
}

/// Whether a line is a command that takes a file.
pub(super) fn takes_file(line: &str) -> bool {
    let name = line.split(' ').next().unwrap_or_default();
    NAMES.iter().any(|(known, takes, _)| *known == name && *takes == "FILE")
}

/// The text of `:help`.
pub(super) fn help() -> String {
    let width = NAMES.iter().map(|(name, takes, _)| name.len() + takes.len()).max().unwrap_or(0);
    let line = |(name, takes, does): &(&str, &str, &str)| {
        format!("  {:width$}  {does}\n", format!("{name} {takes}"), width = width + 1)
    };
    let commands: String = NAMES.iter().map(line).collect();
    format!(
        "A line is sent as it is typed, with CRLF; Tab completes.\n{commands}\
         A line that begins with a colon is sent with two. Ctrl-D leaves, Ctrl-C too.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_a_colon_is_a_command() {
        assert_eq!(parse("EHLO x").unwrap(), None);
        assert_eq!(parse("::x").unwrap(), None);
        assert_eq!(parse(":STARTTLS").unwrap(), Some(Command::Starttls));
        assert_eq!(parse(":raw a\\r\\n").unwrap(), Some(Command::Raw(b"a\r\n".to_vec())));
        let auth = Command::Auth { user: "hoge".into(), mechanism: Some("PLAIN".into()) };
        assert_eq!(parse(":auth hoge PLAIN").unwrap(), Some(auth));
        assert!(parse(":auth").unwrap_err().next_step().unwrap().contains("USER"));
        assert!(parse(":strattls").unwrap_err().next_step().unwrap().contains(":starttls"));
        assert!(parse(":x").unwrap_err().next_step().unwrap().contains(":help"));
    }

    #[test]
    fn the_help_fits_a_terminal() {
        assert!(help().lines().all(|line| line.chars().count() <= 80), "{}", help());
    }
}
