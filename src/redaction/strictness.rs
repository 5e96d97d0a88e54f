//! How much of a server's lines is kept.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;

/// How much of a server's replies is kept. Client lines and other events are always kept whole.
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
/// `enhanced` keeps what programs act on and leaves out prose. `codes` leaves out values as well,
/// and keeps which kinds of data were sent. Both keep what a server offers: the keywords of EHLO,
/// CAPA and CAPABILITY, and the mechanisms of AUTH and SASL, so that a missing STARTTLS is noticed.
/// In other replies of several lines, the last line with a code stands for all lines with that
/// code. Below `text`, the lines of messages and of literals are left out, and so are the values in
/// response codes (`[UIDVALIDITY 7]`). A plain stream is always kept
/// whole.
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
    /// The reply code or its equivalent in other protocols, and the keywords that a server offers.
    Codes,
    /// As `Codes`, with the enhanced status code (RFC 3463) or the response code, and with data.
    Enhanced,
    /// The whole text.
    #[default]
    Text,
}

impl Strictness {
    /// All strictnesses, from the one that keeps least to the one that keeps most.
    pub const ALL: [Self; 3] = [Self::Codes, Self::Enhanced, Self::Text];

    /// The name in scripts and on the command line.
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
    /// Usage if no strictness has this name.
    fn from_str(text: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|strictness| strictness.name() == text);
        found.ok_or_else(|| {
            let error =
                Error::usage(format!("there is no strictness `{}`", crate::visible::quoted(text)));
            error.hint("the strictnesses are text, enhanced and codes")
        })
    }
}
