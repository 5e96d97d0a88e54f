//! Why a command is refused.

use crate::server::store::Refused;

/// Why a command failed: the text of its NO or BAD.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    No(String),
    Bad(String),
}

/// The result of a command: the text of its OK, or a refusal.
pub(super) type Done = Result<String, Refusal>;

pub(super) fn no(text: impl Into<String>) -> Refusal {
    Refusal::No(text.into())
}

pub(super) fn bad(text: impl Into<String>) -> Refusal {
    Refusal::Bad(text.into())
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        no(match refused {
            Refused::Missing => "[NONEXISTENT] No such mailbox",
            Refused::Exists => "[ALREADYEXISTS] There is such a mailbox",
            Refused::Name | Refused::Active => "[CANNOT] The mailbox cannot be had under that name",
            Refused::Full => "[OVERQUOTA] There is no more room",
        })
    }
}
