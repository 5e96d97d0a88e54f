//! Puts expectations of single lines together to the expectation of a whole reply. This is needed if
//! a line may be missing: no statement of a script takes a line only if it is there.

/// A line of a reply.
#[derive(Debug)]
struct Line {
    at: usize,
    /// The line of the file.
    text: String,
    /// The regex for the beginning of the line.
    regex: String,
    /// Whether the line may be missing, or may come more than once.
    is_optional: bool,
}

/// The lines of a reply from the first that may be missing on.
#[derive(Debug, Default)]
pub(super) struct Lines(Vec<Line>);

/// A line of the file, and its number.
type Place = (usize, String);

impl Lines {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a line that may be missing.
    pub(super) fn may_have(&mut self, at: usize, text: &str, regex: &str) {
        self.push(at, text, regex, true);
    }

    /// Adds a line that has to come.
    pub(super) fn must_have(&mut self, at: usize, text: &str, regex: &str) {
        self.push(at, text, regex, false);
    }

    fn push(&mut self, at: usize, text: &str, regex: &str, is_optional: bool) {
        let (text, regex) = (text.to_owned(), regex.to_owned());
        self.0.push(Line { at, text, regex, is_optional });
    }

    /// Removes the lines, and returns the number of the first and their regex. `None` if there are
    /// no lines.
    ///
    /// # Errors
    /// The lines, if none of them has to come: there may be no reply to expect.
    pub(super) fn take(&mut self) -> Result<Option<(usize, String)>, Vec<Place>> {
        let lines = std::mem::take(&mut self.0);
        let Some(first) = lines.first() else { return Ok(None) };
        let Some(last) = lines.iter().rposition(|line| !line.is_optional) else {
            return Err(lines.into_iter().map(|line| (line.at, line.text)).collect());
        };
        let regex: String = lines
            .iter()
            .enumerate()
            .map(|(n, Line { regex, is_optional, .. })| match (is_optional, n < last) {
                (true, true) => format!("(?:{regex}.*\\r\\n)*"),
                (true, false) => format!("(?:\\r\\n{regex}.*)*"),
                (false, true) => format!("{regex}.*\\r\\n"),
                (false, false) => format!("{regex}.*"),
            })
            .collect();
        Ok(Some((first.at, format!("\\A{regex}\\z"))))
    }
}

#[cfg(test)]
mod tests {
    use super::Lines;
    use crate::pattern::Pattern;

    /// The regex of lines; a line with `?` before it may be missing.
    fn regex(lines: &[&str]) -> String {
        let mut reply = Lines::default();
        for (at, line) in lines.iter().enumerate() {
            match line.strip_prefix('?') {
                Some(prefix) => reply.may_have(at, line, prefix),
                None => reply.must_have(at, line, line),
            }
        }
        reply.take().unwrap().unwrap().1
    }

    #[test]
    fn only_the_line_that_may_be_missing_may_be_missing() {
        let pattern = Pattern::regex(&regex(&["?250-8BIT", "250-PIPE", "250 HELP"])).unwrap();
        let holds = |reply: &str| pattern.matches(reply.as_bytes()).is_some();
        assert!(holds("250-8BITMIME\r\n250-PIPELINING\r\n250 HELP"));
        assert!(holds("250-PIPELINING\r\n250 HELP"));
        assert!(!holds("250-VRFY\r\n250-PIPELINING\r\n250 HELP"), "another line in its place");
        assert!(!holds("250-8BITMIME\r\n250-PIPELINING\r\n250-X\r\n250 HELP"), "a line more");
        assert!(!holds("250-a\r\n250-8BITMIME\r\n250-PIPELINING\r\n250 HELP"), "a line before");
    }

    #[test]
    fn a_line_that_may_be_missing_may_come_last() {
        let pattern = Pattern::regex(&regex(&["?220-", "220", "?220 b"])).unwrap();
        let holds = |reply: &str| pattern.matches(reply.as_bytes()).is_some();
        assert!(holds("220 a") && holds("220-a\r\n220 b"));
        let mut alone = Lines::default();
        alone.may_have(7, "???? 421", "421");
        assert_eq!(alone.take(), Err(vec![(7, "???? 421".to_owned())]));
        assert_eq!(alone.take(), Ok(None));
    }
}
