//! Puts expectations of single lines together to expectations of whole replies: other tools read
//! one line at a time, but a reply may have several.

/// The regexes of the lines of a reply, in order.
#[derive(Debug, Default)]
pub(super) struct Lines {
    began: usize,
    regex: String,
    /// Whether the line that ends the reply is still to come.
    goes_on: bool,
}

impl Lines {
    /// Adds a line. With `skips`, other lines of the reply may come before it.
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

    /// Whether the reply is not complete.
    pub(super) fn goes_on(&self) -> bool {
        self.goes_on
    }

    /// The line at which the reply began, and its regex; `None` if nothing was added.
    pub(super) fn take(&mut self) -> Option<(usize, String)> {
        self.goes_on = false;
        let regex = std::mem::take(&mut self.regex);
        (!regex.is_empty()).then_some((self.began, regex))
    }
}
