//! Sorts the extensions in a reply to EHLO, whose order means nothing (RFC 5321 section 4.1.1.1).

/// The lines of a reply to EHLO, sorted: the first stays, the others are sorted by keyword. `None`
/// if the lines are not one complete reply with the code 250.
///
/// ```text
/// 250-mail.example.com       250-mail.example.com
/// 250-SIZE 10240000          250-AUTH LOGIN PLAIN
/// 250 AUTH PLAIN LOGIN       250 SIZE 10240000
/// ```
pub(in crate::redaction) fn sort_ehlo(lines: &[Vec<u8>]) -> Option<Vec<Vec<u8>>> {
    let code = lines.first()?.get(..3)?;
    let last = lines.len() - 1;
    let is_whole = lines.iter().enumerate().all(|(n, line)| {
        let separator = if n == last { b' ' } else { b'-' };
        line.starts_with(code) && line.get(3) == Some(&separator) && line.ends_with(b"\n")
    });
    if !is_whole || code != b"250" {
        return None;
    }
    let mut rest: Vec<(Vec<u8>, Vec<u8>)> =
        lines[1..].iter().map(|line| keyed(&line[4..])).collect();
    rest.sort();
    let placed = rest.into_iter().enumerate().map(|(n, (_, line))| {
        let separator = if n + 1 == last { &b" "[..] } else { b"-" };
        [code, separator, &line].concat()
    });
    Some(std::iter::once(lines[0].clone()).chain(placed).collect())
}

/// The key to sort a line by, and the line with the mechanisms of AUTH sorted: they are a set as
/// well (RFC 4954 section 3).
fn keyed(line: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let text = line.trim_ascii_end();
    let mut words: Vec<&[u8]> = text.split(|byte| *byte == b' ').collect();
    let is_auth = words[0].eq_ignore_ascii_case(b"AUTH");
    if is_auth {
        words[1..].sort_unstable();
    }
    let line = [&words.join(&b' ')[..], &line[text.len()..]].concat();
    (line.to_ascii_uppercase(), line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(reply: &str) -> Option<String> {
        let lines: Vec<Vec<u8>> =
            reply.split_inclusive('\n').map(|line| line.as_bytes().to_vec()).collect();
        sort_ehlo(&lines).map(|lines| String::from_utf8(lines.concat()).unwrap())
    }

    #[test]
    fn capabilities_are_a_set() {
        let once = sorted(
            "250-mail\r\n250-SIZE 1\r\n250-AUTH PLAIN LOGIN\r\n250-vrfy\r\n250 8BITMIME\r\n",
        )
        .unwrap();
        assert_eq!(
            once,
            "250-mail\r\n250-8BITMIME\r\n250-AUTH LOGIN PLAIN\r\n250-SIZE 1\r\n250 vrfy\r\n"
        );
        assert_eq!(sorted(&once).unwrap(), once);
    }

    #[test]
    fn a_reply_that_is_not_whole_is_left_alone() {
        assert_eq!(sorted("250-mail\r\n250-SIZE 1\r\n"), None);
        assert_eq!(sorted("250-mail\r\n550 SIZE 1\r\n"), None);
        assert_eq!(sorted("550 no\r\n"), None);
        assert_eq!(sorted("250 mail"), None);
        assert_eq!(sorted(""), None);
    }
}
