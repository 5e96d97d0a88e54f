//! Reads shell commands and the prompts in front of them: which commands connect, the server that
//! they connect to, and the lines that they send.

use super::line::without_remark;
use crate::target;

/// Returns the command in a line of a shell, without the prompt. Returns `None` if the line has no
/// prompt.
pub(super) fn shell(line: &str) -> Option<&str> {
    let line = line.trim_start();
    for mark in ["$ ", "# ", "% ", "> "] {
        if let Some((prompt, command)) = line.split_once(mark) {
            let is_prompt = prompt.is_empty()
                || (prompt.len() < 60
                    && prompt.contains(['@', '~', ':', '\\', '['])
                    && !prompt.contains('<'));
            if is_prompt
                && command.starts_with(|c: char| c.is_ascii_alphanumeric() || "./({".contains(c))
            {
                return Some(command);
            }
        }
    }
    // The Windows prompt, such as `C:\>`, has no blank after it.
    let (drive, command) = line.split_once('>')?;
    let is_drive = drive.len() >= 2 && drive.as_bytes()[1] == b':';
    is_drive.then(|| command.trim_start())
}

/// Whether a line consists of a shell prompt only.
pub(super) fn is_prompt(line: &str) -> bool {
    let line = line.trim();
    let Some(before) = line.strip_suffix(['$', '#', '%', '>']) else { return false };
    before.is_empty()
        || (before.len() < 60
            && !before.contains('<')
            && (!before.contains(' ') || (before.starts_with('[') && before.ends_with(']')))
            && before.contains(['@', '~', ':', '\\', ']']))
}

/// Returns the lines that the first commands of a pipe write, and the target that the last command
/// connects to. The lines are `None` if a command other than `echo`, `printf` and `sleep` writes
/// them, because only that command knows its output.
pub(super) fn piped(command: &str) -> Option<(Option<Vec<String>>, Target)> {
    let (before, last) = command.rsplit_once('|')?;
    let place = target(last.trim())?;
    let before = before.trim().trim_start_matches(['(', '{']).trim_end_matches([')', '}']);
    let mut said = String::new();
    for part in before.replace("&&", ";").split(';').map(str::trim).filter(|part| !part.is_empty())
    {
        let words = shlex::split(part)?;
        let (program, arguments) = words.split_first()?;
        match program.as_str() {
            "sleep" => {}
            "printf" => said.push_str(&escapes(arguments.first()?)),
            "echo" => {
                let plain = |word: &&String| !["-e", "-n", "-ne", "-en"].contains(&word.as_str());
                let text = arguments.iter().filter(plain).map(String::as_str).collect::<Vec<_>>();
                said.push_str(&escapes(&text.join(" ")));
                said.push('\n');
            }
            _ => return Some((None, place)),
        }
    }
    let mut lines: Vec<_> =
        said.split('\n').map(|line| line.trim_end_matches('\r').to_owned()).collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    Some((Some(lines), place))
}

/// Replaces the escapes `\r`, `\n` and `\t` by the characters that they stand for.
fn escapes(text: &str) -> String {
    text.replace("\\r", "\r").replace("\\n", "\n").replace("\\t", "\t")
}

/// The word that ends the here-document of a command: `EOF` in `nc host 25 << EOF`.
pub(super) fn here_document(command: &str) -> Option<String> {
    let (_, word) = command.split_once("<<")?;
    let word = word.trim_start_matches('-').trim();
    let word = word.split_whitespace().next()?.trim_matches(['"', '\'', '\\']);
    (!word.is_empty()).then(|| word.to_owned())
}

/// The server that a shell command connects to. `starttls` is the protocol given to `-starttls`.
/// `is_tls` means that the connection begins with TLS.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) host: String,
    pub(super) port: Option<u16>,
    pub(super) starttls: Option<String>,
    pub(super) is_tls: bool,
}

/// Returns the server that `telnet`, `nc`, `gnutls-cli` or `openssl s_client` connects to.
pub(super) fn target(command: &str) -> Option<Target> {
    let (command, _) = without_remark(command);
    let mut words = command.split_whitespace();
    let program = words.next()?.rsplit('/').next()?.trim_end_matches(".exe").to_ascii_lowercase();
    let words: Vec<_> = words.collect();
    match program.as_str() {
        "telnet" | "nc" | "ncat" | "netcat" | "o" | "open" => {
            let words: Vec<_> =
                words.iter().take_while(|word| !word.starts_with(['<', '>', '|'])).collect();
            let plain = operands(&words);
            let host = plain.first()?;
            let (host, port) = match host.rsplit_once(':') {
                Some((host, port)) if port.parse::<u16>().is_ok() => (host, Some(port)),
                _ => (*host, plain.get(1).copied()),
            };
            let port = port.and_then(service);
            let is_tls = words.contains(&&"--ssl");
            let target = || Target { host: host.to_owned(), port, is_tls, ..Target::default() };
            (!host.is_empty()).then(target)
        }
        "gnutls-cli" => {
            let host = words.iter().enumerate().find(|(n, word)| {
                !word.starts_with('-') && (*n == 0 || !["-p", "--port"].contains(&words[n - 1]))
            });
            let after = words.iter().position(|word| ["-p", "--port"].contains(word));
            let port = after.and_then(|at| words.get(at + 1)).and_then(|port| service(port));
            let is_tls = !words.iter().any(|word| ["-s", "--starttls"].contains(word));
            Some(Target { host: (*host?.1).to_owned(), port, is_tls, ..Target::default() })
        }
        "openssl" if words.first() == Some(&"s_client") => {
            let after = |flag: &str| {
                let at = words.iter().position(|word| *word == flag)?;
                words.get(at + 1).copied()
            };
            let place = after("-connect").or_else(|| after("-host"))?;
            let (host, port) = place
                .rsplit_once(':')
                .map_or((place, after("-port")), |(host, port)| (host, Some(port)));
            let starttls = after("-starttls").map(str::to_ascii_lowercase);
            let is_tls = starttls.is_none();
            Some(Target { host: host.to_owned(), port: port.and_then(service), starttls, is_tls })
        }
        _ => None,
    }
}

/// Returns the operands of nc or telnet: the words that are neither options nor the values of
/// options. The letters below are the options that take a value.
fn operands<'a>(words: &[&&'a str]) -> Vec<&'a str> {
    let mut plain = Vec::new();
    let mut is_value = false;
    for word in words {
        if word.starts_with('-') && word.len() > 1 {
            is_value = word.len() == 2
                && word.ends_with(['w', 'i', 'q', 's', 'p', 'l', 'x', 'X', 'b', 'T']);
        } else if std::mem::take(&mut is_value) {
            // This word is the value of the option before it, such as the user after telnet's `-l`.
        } else {
            plain.push(**word);
        }
    }
    plain
}

/// The number of a port that is given as a number or as a service name.
fn service(text: &str) -> Option<u16> {
    let name = text.to_ascii_lowercase();
    let name = match name.as_str() {
        // The other names that these services have in /etc/services.
        "ssmtp" => "smtps",
        "pop" | "pop-3" => "pop3",
        "imap2" => "imap",
        name => name,
    };
    let named = target::schemes().find(|scheme| scheme.name == name);
    named.map_or_else(|| name.parse().ok(), |scheme| scheme.port)
}

/// The scheme of the protocol that usually runs on a port.
pub(super) fn scheme(port: u16) -> Option<&'static str> {
    target::likely_scheme(port).map(|scheme| scheme.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_no_part_of_the_command() {
        assert_eq!(shell("$ telnet localhost 25"), Some("telnet localhost 25"));
        assert_eq!(shell("[me@host ~]$ nc -v localhost 25"), Some("nc -v localhost 25"));
        assert_eq!(shell("root@host:~# telnet h 25"), Some("telnet h 25"));
        assert_eq!(shell("C:\\>telnet h 25"), Some("telnet h 25"));
        assert_eq!(shell("MAIL FROM:<a@b>"), None);
        assert_eq!(shell("250 2.1.0 Ok"), None);
    }

    #[test]
    fn a_command_says_where_it_connects_to() {
        let is = |command: &str| target(command).map(|target| (target.host, target.port));
        assert_eq!(is("telnet localhost 2525"), Some(("localhost".into(), Some(2525))));
        assert_eq!(is("nc -v -C mail.example smtp"), Some(("mail.example".into(), Some(25))));
        assert_eq!(is("o mail.example 25"), Some(("mail.example".into(), Some(25))));
        let tls = target("openssl s_client -starttls smtp -crlf -connect h:587").unwrap();
        assert_eq!(
            (tls.port, tls.starttls.as_deref(), tls.is_tls),
            (Some(587), Some("smtp"), false)
        );
        assert_eq!(target("perl -e x"), None);
    }

    #[test]
    fn a_pipe_says_what_is_sent() {
        let (lines, place) =
            piped("(echo HELO x; sleep 1; printf 'QUIT\\r\\n') | nc -w 5 h 25").unwrap();
        assert_eq!(lines.unwrap(), ["HELO x", "QUIT"]);
        assert_eq!((place.host.as_str(), place.port), ("h", Some(25)));
        assert_eq!(piped("cat mail | nc h 25").unwrap().0, None);
        assert_eq!(here_document("nc h 25 << 'EOF'").as_deref(), Some("EOF"));
    }
}
