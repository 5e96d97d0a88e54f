//! How much of what a server says counts.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;

/// How much of a server's replies is kept. What a client says, and what happens, is kept whole in
/// any case.
///
/// | | `text` | `enhanced` | `codes` |
/// | --- | --- | --- | --- |
/// | SMTP, LMTP | `250 2.1.0 Ok` | `250 2.1.0` | `250` |
/// | EHLO | `250-SIZE 10240000` | `250-SIZE 10240000` | `250-SIZE` |
/// | POP3 | `-ERR [IN-USE] locked` | `-ERR [IN-USE]` | `-ERR` |
/// | POP3's CAPA | `LOGIN-DELAY 60` | `LOGIN-DELAY 60` | `LOGIN-DELAY` |
/// | POP3's LIST | `1 120` | `1 120` | `1` |
/// | IMAP | `a1 NO [TRYCREATE] no such` | `a1 NO [TRYCREATE]` | `a1 NO` |
/// | IMAP's data | `* 3 EXISTS` | `* 3 EXISTS` | `* EXISTS` |
/// | ManageSieve | `NO (QUOTA/MAXSIZE) "big"` | `NO (QUOTA/MAXSIZE)` | `NO` |
///
/// `enhanced` keeps what programs act on and leaves prose out; `codes` leaves values out as well, and
/// keeps which kinds of data were sent. Both keep what a server offers: the keywords of EHLO, CAPA and
/// CAPABILITY, and the mechanisms of AUTH and SASL, so that a STARTTLS that is gone is noticed. Of the
/// other replies of several lines, the last line of a code stands for all with that code. Messages
/// that are read from a server are left out below `text`. A plain stream is always kept whole.
///
/// ```
/// use mailexpect::redaction::Strictness;
///
/// assert_eq!("enhanced".parse::<Strictness>()?, Strictness::Enhanced);
/// # Ok::<(), mailexpect::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Strictness {
    /// The reply code, or what is one in other protocols, and the keywords of what a server offers.
    Codes,
    /// The same with the enhanced status code (RFC 3463) or the response code, and with data.
    Enhanced,
    /// All that is said.
    #[default]
    Text,
}

impl Strictness {
    /// Every one, from the least to the most.
    pub const ALL: [Self; 3] = [Self::Codes, Self::Enhanced, Self::Text];

    /// Its name, as scripts and the command line say it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Codes => "codes",
            Self::Enhanced => "enhanced",
            Self::Text => "text",
        }
    }
}

impl fmt::Display for Strictness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Strictness {
    type Err = Error;

    /// # Errors
    /// Usage if there is none of that name.
    fn from_str(text: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|strictness| strictness.name() == text);
        found.ok_or_else(|| {
            let error = Error::usage(format!(
                "there is no strictness `{}`",
                crate::visible::escape(text.as_bytes())
            ));
            error.hint("the strictnesses are text, enhanced and codes")
        })
    }
}
