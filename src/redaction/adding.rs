//! Adding values and regexes of the caller to a redaction, within bounds.

use super::known::Known;
use super::rule::Rule;
use super::{Redaction, checked};
use crate::error::{Error, Result};
use crate::visible;

/// How much memory the caller's regexes may take together. Each is compiled before anything else is
/// done, and looked for in every line: 9000 large ones took 4.6 GB and 13 s.
const HEAVIEST: usize = 16 << 20;

impl Redaction {
    /// Adds a known value, see [`Redaction::known`].
    ///
    /// # Errors
    /// Those of [`Redaction::known`]; then nothing is changed.
    pub(crate) fn add_known(&mut self, value: &[u8], token: &str) -> Result<()> {
        if value.is_empty() || value.contains(&b'\n') {
            let error = Error::usage(format!(
                "a known value for [{}] that no line can hold",
                visible::quoted(token)
            ));
            return Err(error
                .with_got(visible::escape(value))
                .hint("give some text without line ends"));
        }
        self.insert(Known::new(value, checked(token)?));
        Ok(())
    }

    /// Inserts a known value. Longer values come first, and those of one length in the order in
    /// which they were added.
    fn insert(&mut self, known: Known) {
        let at = self.known.partition_point(|other| other.value.len() >= known.value.len());
        self.known.insert(at, known);
    }

    /// Adds a regex, see [`Redaction::regex`].
    ///
    /// # Errors
    /// Those of [`Redaction::regex`]; then nothing is changed.
    pub(super) fn add_regex(&mut self, regex: &str, token: &str, numbered: bool) -> Result<()> {
        let rule = Rule::own(regex, checked(token)?, numbered)?;
        let weight: usize = self.own.iter().map(|rule| rule.weight).sum();
        if weight + rule.weight > HEAVIEST {
            let error = Error::usage(format!(
                "the {} regexes for redaction take more than {} MiB",
                self.own.len() + 1,
                HEAVIEST >> 20
            ));
            return Err(error.hint(
                "redact with fewer regexes or simpler ones: `\\d+` in place of `\\d{1,100}`",
            ));
        }
        self.own.push(rule);
        Ok(())
    }

    /// Adds a port as a known value. A port is replaced only where its context shows that it is one,
    /// because the bare number may mean anything. Ports do not count among the caller's regexes.
    ///
    /// # Errors
    /// Usage for a token that is not written like `SMTP_PORT`; then nothing is changed.
    #[cfg(feature = "script")]
    pub(crate) fn add_port(&mut self, port: &str, token: &str) -> Result<()> {
        let regex = format!(r"(?::|\bport[= ])(?P<v>{port})\b");
        self.own.push(Rule { weight: 0, ..Rule::own(&regex, checked(token)?, false)? });
        Ok(())
    }

    /// Adds a port that the run chose as a known value. It is also replaced where it stands alone:
    /// only by chance, in one of thousands of runs, is another number of the transcript equal to it.
    ///
    /// # Errors
    /// Those of [`Redaction::add_port`].
    #[cfg(feature = "script")]
    pub(crate) fn add_own_port(&mut self, port: &str, token: &str) -> Result<()> {
        self.insert(Known::port(port, checked(token)?));
        self.add_port(port, token)
    }

    /// Adds a known value that other text may equal by chance, such as the day of the month. It is
    /// replaced only in client lines and as the whole of a value, after all other rules.
    ///
    /// # Errors
    /// Usage for a token that is not written like `NOW`; then nothing is changed.
    #[cfg(feature = "script")]
    pub(crate) fn add_common(&mut self, value: &str, token: &str) -> Result<()> {
        self.insert(Known::common(value, checked(token)?));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regexes_are_bounded_together() {
        let mut redaction = Redaction::new();
        let mut add = |regex: &str| {
            (0..2000).find_map(|n| redaction.add_regex(regex, &format!("T{n}"), true).err())
        };
        let error = add("(a{100}){90}").unwrap();
        assert!(error.is_usage() && error.message().ends_with("more than 16 MiB"));
        assert!(redaction.own.len() < 100, "{}", redaction.own.len());
        let mut redaction = Redaction::new();
        for n in 0..200 {
            redaction.add_regex("x", &format!("T{n}"), true).unwrap();
        }
        let error = (0..100).find_map(|_| redaction.add_regex("x", "T", true).err());
        assert!(error.is_some_and(|error| error.is_usage()));
        #[cfg(feature = "script")]
        redaction.add_port("2525", "PORT").unwrap();
    }

    #[test]
    fn longer_values_are_known_first() {
        let mut redaction = Redaction::new();
        for (value, token) in [("bb", "A"), ("a", "B"), ("ccc", "C"), ("dd", "D")] {
            redaction.add_known(value.as_bytes(), token).unwrap();
        }
        let order: Vec<_> = redaction.known.iter().map(|known| &*known.value).collect();
        assert_eq!(order, [&b"ccc"[..], b"bb", b"dd", b"a"]);
    }
}
