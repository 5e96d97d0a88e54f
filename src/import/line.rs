//! Lines as people paste them, with prompts, remarks and characters of the terminal.

/// The marks with which remarks begin, after a blank.
const REMARKS: [&str; 9] =
    ["#", "//", "<--", "<==", "\u{2190}", "\u{21d0}", "\u{21e6}", "\u{ff03}", ";;"];

/// Splits a line into its text and the remark that somebody wrote after it.
pub(super) fn without_remark(line: &str) -> (&str, Option<&str>) {
    let mut found: Option<usize> = None;
    for mark in REMARKS {
        for (at, _) in line.match_indices(mark) {
            let is_apart = line[..at].ends_with([' ', '\t', '\u{3000}']);
            // An arrow always begins a remark, even without a blank before it.
            let is_arrow = !mark.is_ascii() && at > 0;
            if is_apart || is_arrow {
                found = Some(found.map_or(at, |before| before.min(at)));
                break;
            }
        }
    }
    match found {
        Some(at) if !line[..at].trim().is_empty() => {
            (line[..at].trim_end(), Some(line[at..].trim()))
        }
        _ => (line, None),
    }
}

/// The same for a line of a message. There, a remark has to be three blanks away, to begin with an
/// arrow, or to follow the final dot.
pub(super) fn without_far_remark(line: &str) -> (&str, Option<&str>) {
    let (text, remark) = without_remark(line);
    let gap = line.len() - text.len() - remark.map_or(0, str::len);
    let is_arrow = remark.is_some_and(|remark| !remark.starts_with(|c: char| c.is_ascii()));
    let is_dot = text == ".";
    if gap >= 3 || is_arrow || is_dot { (text, remark) } else { (line, None) }
}

/// A line without colour sequences and CR, and with the HTML entities of web pages replaced.
pub(super) fn plain(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line.trim_end_matches('\r');
    while let Some(at) = rest.find("\u{1b}[") {
        text.push_str(&rest[..at]);
        let tail = &rest[at + 2..];
        let end = tail.find(|c: char| c.is_ascii_alphabetic()).map_or(tail.len(), |end| end + 1);
        rest = &tail[end..];
    }
    text.push_str(rest);
    let is_html = text.contains("&lt;") || text.contains("&gt;");
    if is_html {
        text = text.replace("&lt;", "<").replace("&gt;", ">");
        text = text.replace("&quot;", "\"").replace("&amp;", "&");
    }
    text
}

/// The command in a line of a shell, without the prompt.
pub(super) fn shell(line: &str) -> Option<&str> {
    let line = line.trim_start();
    for mark in ["$ ", "# ", "% ", "> "] {
        if let Some((prompt, command)) = line.split_once(mark) {
            let is_prompt = prompt.is_empty()
                || (prompt.len() < 60
                    && prompt.contains(['@', '~', ':', '\\', '['])
                    && !prompt.contains('<'));
            if is_prompt
                && command.starts_with(|c: char| c.is_ascii_alphanumeric() || "./".contains(c))
            {
                return Some(command);
            }
        }
    }
    // The Windows prompt has no blank after it.
    let (drive, command) = line.split_once('>')?;
    let is_drive = drive.len() >= 2 && drive.as_bytes()[1] == b':';
    is_drive.then(|| command.trim_start())
}

/// The place that a shell command connects to. `starttls` is the protocol of `-starttls`, and
/// `is_tls` means that TLS comes first.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) host: String,
    pub(super) port: Option<u16>,
    pub(super) starttls: Option<String>,
    pub(super) is_tls: bool,
}

/// The place that `telnet`, `nc` or `openssl s_client` connects to.
pub(super) fn target(command: &str) -> Option<Target> {
    let (command, _) = without_remark(command);
    let mut words = command.split_whitespace();
    let program = words.next()?.rsplit('/').next()?.trim_end_matches(".exe").to_ascii_lowercase();
    let words: Vec<_> = words.collect();
    match program.as_str() {
        "telnet" | "nc" | "ncat" | "netcat" | "o" | "open" => {
            let plain: Vec<_> = words.iter().filter(|word| !word.starts_with('-')).collect();
            let host = plain.first()?;
            let (host, port) = match host.rsplit_once(':') {
                Some((host, port)) if port.parse::<u16>().is_ok() => (host, Some(port)),
                _ => (**host, plain.get(1).map(|port| **port)),
            };
            let port = port.and_then(service);
            (!host.is_empty()).then(|| Target { host: host.to_owned(), port, ..Target::default() })
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

/// The number of a port that is given by number or name.
fn service(text: &str) -> Option<u16> {
    let named = match text.to_ascii_lowercase().as_str() {
        "smtp" => 25,
        "submission" => 587,
        "smtps" | "submissions" | "ssmtp" => 465,
        "pop3" | "pop-3" | "pop" => 110,
        "pop3s" => 995,
        "imap" | "imap2" => 143,
        "imaps" => 993,
        "sieve" => 4190,
        number => return number.parse().ok(),
    };
    Some(named)
}

/// The usual scheme of a port.
pub(super) fn scheme(port: u16) -> Option<&'static str> {
    Some(match port {
        25 | 26 | 2525 | 1025 => "smtp",
        587 => "submission",
        465 => "submissions",
        24 | 2003 => "lmtp",
        110 => "pop3",
        995 => "pop3s",
        143 => "imap",
        993 => "imaps",
        4190 | 2000 => "sieve",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remarks_are_told_from_what_was_typed() {
        assert_eq!(without_remark("EHLO x   # hello"), ("EHLO x", Some("# hello")));
        assert_eq!(
            without_remark("NOOP       //\u{2190} nothing"),
            ("NOOP", Some("//\u{2190} nothing"))
        );
        assert_eq!(without_remark("QUIT\u{2190} the end"), ("QUIT", Some("\u{2190} the end")));
        assert_eq!(without_remark("MAIL FROM:<a#b@c>"), ("MAIL FROM:<a#b@c>", None));
        assert_eq!(without_remark("# all of it"), ("# all of it", None));
        assert_eq!(without_far_remark("see # 5"), ("see # 5", None));
        assert_eq!(without_far_remark(". // the end"), (".", Some("// the end")));
    }

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
}
