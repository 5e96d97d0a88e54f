//! The names of commands.

/// A command that this server knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Helo,
    Ehlo,
    Lhlo,
    Auth,
    Mail,
    Rcpt,
    Data,
    Rset,
    Noop,
    Vrfy,
    Expn,
    Help,
    StartTls,
    Quit,
}

impl Verb {
    /// The command of this name, in upper or lower case (RFC 5321 section 2.4).
    pub(super) fn of(word: &str) -> Option<Self> {
        Some(match word.to_ascii_uppercase().as_str() {
            "HELO" => Self::Helo,
            "EHLO" => Self::Ehlo,
            "LHLO" => Self::Lhlo,
            "AUTH" => Self::Auth,
            "MAIL" => Self::Mail,
            "RCPT" => Self::Rcpt,
            "DATA" => Self::Data,
            "RSET" => Self::Rset,
            "NOOP" => Self::Noop,
            "VRFY" => Self::Vrfy,
            "EXPN" => Self::Expn,
            "HELP" => Self::Help,
            "STARTTLS" => Self::StartTls,
            "QUIT" => Self::Quit,
            _ => return None,
        })
    }
}
