//! Expectations of single lines, put together to those of whole replies: other tools read a line
//! at a time, and a reply has several.

/// Regexes of the lines of a reply, in their order.
#[derive(Debug, Default)]
pub(super) struct Lines {
    began: usize,
    regex: String,
    /// Whether a line is to come that ends the reply.
    goes_on: bool,
}

impl Lines {
    /// One more line. With `skips`, other lines of the reply may be in front of it.
    pub(super) fn push(&mut self, at: usize, regex: &str, skips: bool, goes_on: bool) {
        if self.regex.is_empty() {
            self.began = at;
            self.regex.push_str(if skips { "(?m)^" } else { "^" });
        } else if skips {
            self.regex.push_str(".*\\r\\n(?:.*\\r\\n)*?");
        } else {
            self.regex.push_str(".*\\r\\n");
        }
        self.regex.push_str(regex);
        self.goes_on = goes_on;
    }

    /// Whether what was pushed is not all of a reply.
    pub(super) fn goes_on(&self) -> bool {
        self.goes_on
    }

    /// All of it; nothing if nothing was pushed.
    pub(super) fn take(&mut self) -> Option<(usize, String)> {
        self.goes_on = false;
        let regex = std::mem::take(&mut self.regex);
        (!regex.is_empty()).then_some((self.began, regex))
    }
}
