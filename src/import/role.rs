//! Writes statements for tools that read line by line: whatever the protocol is, each line is taken
//! alone, so a line more or less in a reply is noticed. The endpoint may be a client, a server, or a
//! command whose input and output are used.

use super::literal::{escaped, grouped, regex, text};

/// Returns a place to listen at, as the part of a URL after `tcp`: an address with a port, or a
/// socket with an absolute path. Returns `None` for any other path, because it is relative to a
/// folder that the script does not know.
pub(super) fn place(address: &str) -> Option<String> {
    if address.starts_with('/') {
        return Some(format!("+unix://{address}"));
    }
    let (host, port) = address.rsplit_once(':')?;
    let port: u16 = port.parse().ok()?;
    let host = if host == "localhost" || host.is_empty() { "127.0.0.1" } else { host };
    Some(format!("://{host}:{port}"))
}

/// The statement that takes a line with this beginning.
pub(super) fn line_begins(beginning: &str) -> String {
    if beginning.is_empty() {
        return "$.expect_line();".to_owned();
    }
    format!("$.expect_line({});", text(beginning))
}

/// The statement that takes exactly this line. A line is taken without its line end.
pub(super) fn line_is(line: &str) -> String {
    format!("$.expect_line({});", regex(&format!("\\A{}\\z", escaped(line))))
}

/// The statement that takes a line whose beginning matches a regex.
pub(super) fn line_matches(pattern: &str) -> String {
    if escaped(pattern) == pattern {
        return line_begins(pattern);
    }
    format!("$.expect_line({});", regex(&format!("\\A{}", grouped(pattern))))
}

/// The statement that takes lines up to and including a line whose beginning matches a regex. It
/// searches the stream, because the line may be in the middle of a reply.
pub(super) fn lines_until(pattern: &str) -> String {
    format!("$.expect_bytes({});", regex(&format!("^{}.*\\r?\\n", grouped(pattern))))
}

/// The statement that takes a reply of which a line matches a regex at its beginning.
pub(super) fn reply_with_line(pattern: &str) -> String {
    format!("$.expect({});", regex(&format!("^{}", grouped(pattern))))
}

/// The expression for a shell command whose input and output lines are used.
pub(super) fn piped(command: &str) -> String {
    format!("pipe([\"sh\", \"-c\", {}])", text(&format!("({command}) 2>&1")))
}

/// The expression for a shell command whose exit status is expected, too. The shell prints the
/// status as the last line.
pub(super) fn piped_with_status(command: &str) -> String {
    let command = format!("({command}) 2>&1; echo \"exit status: $?\"");
    format!("pipe([\"sh\", \"-c\", {}])", text(&command))
}

/// The expression that starts a shell command without using its input and output.
pub(super) fn started(command: &str) -> String {
    format!("start([\"sh\", \"-c\", {}])", text(command))
}
