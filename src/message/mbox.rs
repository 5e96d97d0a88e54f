//! Reads mailboxes in one file (RFC 4155).

use crate::error::{Error, Result};
use crate::proto::chomp;
use crate::visible;

/// The messages of an mbox file, with CRLF at all line ends.
///
/// ```
/// use mailexpect::message::mbox;
///
/// let mails = mbox(b"From a@b Thu Jan  1 00:00:00 1970\nSubject: hi\n\n>From here\n\nFrom c@d x\nSubject: ho\n\n")?;
/// assert_eq!(mails, [&b"Subject: hi\r\n\r\nFrom here\r\n"[..], b"Subject: ho\r\n\r\n"]);
/// # Ok::<(), mailexpect::Error>(())
/// ```
///
/// # Errors
/// Usage if the file does not begin with a `From ` line.
pub fn mbox(bytes: &[u8]) -> Result<Vec<Vec<u8>>> {
    let mut mails: Vec<Vec<u8>> = Vec::new();
    let mut is_after_blank = true;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let text = chomp(line);
        if is_after_blank && text.starts_with(b"From ") {
            mails.iter_mut().last().into_iter().for_each(without_blank);
            mails.push(Vec::new());
        } else if let Some(mail) = mails.last_mut() {
            mail.extend_from_slice(unquoted(text));
            mail.extend_from_slice(b"\r\n");
        } else {
            return Err(Error::usage("this is no mbox: its first line is no `From ` line")
                .with_expected("From sender@example.com Thu Jan  1 00:00:00 1970")
                .with_got(visible::excerpt(text, 100)));
        }
        is_after_blank = text.is_empty();
    }
    mails.iter_mut().last().into_iter().for_each(without_blank);
    Ok(mails)
}

/// A line without the `>` that distinguishes it from the `From ` line between messages.
fn unquoted(line: &[u8]) -> &[u8] {
    let quotes = line.iter().take_while(|byte| **byte == b'>').count();
    if quotes > 0 && line[quotes..].starts_with(b"From ") { &line[1..] } else { line }
}

/// Removes the empty line that ends a message in the file, unless that line ends a header without a
/// body.
fn without_blank(mail: &mut Vec<u8>) {
    let has_body = mail.windows(4).position(|end| end == b"\r\n\r\n");
    if has_body.is_some_and(|end| end + 4 < mail.len()) && mail.ends_with(b"\r\n\r\n") {
        mail.truncate(mail.len() - 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_from_line_within_a_paragraph_parts_no_messages() {
        let mails = mbox(b"From a\r\nA: b\r\n\r\nhi\r\nFrom here on\r\n>>From x\r\n").unwrap();
        assert_eq!(mails, [b"A: b\r\n\r\nhi\r\nFrom here on\r\n>From x\r\n"]);
        assert!(mbox(b"Subject: x\n").unwrap_err().is_usage());
        assert!(mbox(b"").unwrap().is_empty());
    }
}
