//! Endpoints that are no client: servers, which speak first, and commands, whose lines are written
//! and read. Both are streams, in which a line is a line, whatever protocol it is of.

use super::literal::{escaped, regex, text};

/// A place to listen at, as what follows `tcp` in a URL: of a port, or of a socket whose path is
/// absolute. Other paths are relative to a folder that a script does not know.
pub(super) fn place(address: &str) -> Option<String> {
    if address.starts_with('/') {
        return Some(format!("+unix://{address}"));
    }
    let (host, port) = address.rsplit_once(':')?;
    let port: u16 = port.parse().ok()?;
    let host = if host == "localhost" || host.is_empty() { "127.0.0.1" } else { host };
    Some(format!("://{host}:{port}"))
}

/// The statement that takes a line which begins so.
pub(super) fn line_begins(beginning: &str) -> String {
    format!("$.expect_line({});", text(beginning))
}

/// The statement that takes a line which is this one. A line is taken without its end.
pub(super) fn line_is(line: &str) -> String {
    format!("$.expect_line({});", regex(&format!("^{}$", escaped(line))))
}

/// The statement that takes a line which a regex matches at its start.
pub(super) fn line_matches(pattern: &str) -> String {
    format!("$.expect_line({});", regex(&format!("^(?:{pattern})")))
}

/// The statement that takes lines up to one which a regex matches at its start.
pub(super) fn lines_until(pattern: &str) -> String {
    format!("$.expect({});", regex(&format!("(?m)^(?:{pattern}).*\\r?\\n")))
}

/// The expression for a command of the shell whose lines are written and read.
pub(super) fn piped(command: &str) -> String {
    format!("pipe([\"sh\", \"-c\", {}])", text(&format!("({command}) 2>&1")))
}

/// The same for one whose exit status is waited for: the status is its last line.
pub(super) fn piped_with_status(command: &str) -> String {
    let command = format!("({command}) 2>&1; echo \"exit status: $?\"");
    format!("pipe([\"sh\", \"-c\", {}])", text(&command))
}

/// The expression for a command of the shell that only runs.
pub(super) fn started(command: &str) -> String {
    format!("start([\"sh\", \"-c\", {}])", text(command))
}
