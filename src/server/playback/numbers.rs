//! Line numbers of a recording.

/// The lines of a recording, to find line numbers.
pub(super) struct Numbers(Vec<String>);

impl Numbers {
    pub(super) fn of(text: &str) -> Self {
        Self(text.lines().map(|line| line.trim().to_owned()).collect())
    }

    /// The line number, from 1, of this line of a client; the search begins after line `from`.
    pub(super) fn find(&self, from: usize, line: &[u8]) -> usize {
        let shown = crate::visible::escape(line.strip_suffix(b"\r\n").unwrap_or(line));
        let wanted = format!("C: {shown}");
        let rest = self.0.iter().enumerate().skip(from);
        rest.clone()
            .find(|(_, line)| line.ends_with(wanted.trim_end()))
            .map_or(from, |(at, _)| at + 1)
    }
}
