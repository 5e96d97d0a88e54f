//! The untagged data without which the OK of a command is no success (RFC 3501 section 6, RFC 9051
//! section 6).

use crate::error::Result;
use crate::proto::imap::{Answer, Argument};

/// The data that the answer to a command has to contain.
#[derive(Clone, Debug, Default)]
pub(super) enum Required {
    #[default]
    Nothing,
    /// A response of this name; the second text describes it in errors.
    Data(&'static str, &'static str),
    /// The result of a search, as SEARCH or ESEARCH.
    Found,
    /// These items of this mailbox.
    Status(String, Vec<String>),
}

impl Required {
    /// The data that the verb `name` requires, given its command.
    pub(super) fn of(name: &str, text: &[u8], arguments: &[Argument]) -> Self {
        match name {
            "select" => Self::Data("EXISTS", "FLAGS and EXISTS (RFC 3501, 6.3.1)"),
            "examine" => Self::Data("EXISTS", "FLAGS and EXISTS (RFC 3501, 6.3.2)"),
            "capability" => Self::Data("CAPABILITY", "CAPABILITY (RFC 3501, 6.1.1)"),
            "enable" => Self::Data("ENABLED", "ENABLED (RFC 5161, 3.1)"),
            "logout" => Self::Data("BYE", "BYE (RFC 3501, 6.1.3)"),
            "sort" => Self::Data("SORT", "SORT (RFC 5256, 3)"),
            "threads" => Self::Data("THREAD", "THREAD (RFC 5256, 3)"),
            "namespace" => Self::Data("NAMESPACE", "NAMESPACE (RFC 2342, 5)"),
            "getquota" => Self::Data("QUOTA", "QUOTA (RFC 9208, 4.1.1)"),
            "getacl" => Self::Data("ACL", "ACL (RFC 4314, 3.3)"),
            "getmetadata" => Self::Data("METADATA", "METADATA (RFC 5464, 4.2)"),
            // A result that is saved for the next command need not be sent (RFC 5182 section 2.1).
            "esearch" if text.starts_with(b"SEARCH RETURN (SAVE)") => Self::Nothing,
            "search" | "esearch" => Self::Found,
            "status" => Self::of_status(arguments),
            _ => Self::Nothing,
        }
    }

    fn of_status(arguments: &[Argument]) -> Self {
        let [Argument::Text(mailbox), Argument::Plain(items)] = arguments else {
            return Self::Nothing;
        };
        let items = String::from_utf8_lossy(items).to_ascii_uppercase();
        let items = items.trim_matches(['(', ')']).split_ascii_whitespace().map(str::to_owned);
        Self::Status(String::from_utf8_lossy(mailbox).into_owned(), items.collect())
    }

    /// Describes the required data that is missing in an answer that says OK; `None` if it is
    /// there.
    ///
    /// # Errors
    /// Malformed if the data cannot be read.
    pub(super) fn missing(&self, answer: &Answer) -> Result<Option<String>> {
        Ok(match self {
            Self::Nothing => None,
            Self::Data(name, what) => {
                let has = answer.untagged().iter().any(|response| response.name() == *name);
                (!has).then(|| (*what).to_owned())
            }
            Self::Found => (!answer.has_search()?).then(|| {
                "SEARCH, or ESEARCH with the tag of the command (RFC 3501, 6.4.4)".to_owned()
            }),
            Self::Status(mailbox, items) => {
                let found = answer.status_items(mailbox)?;
                let is_there = |item: &&String| found.iter().any(|(name, _)| name == *item);
                let missing: Vec<_> =
                    items.iter().filter(|item| !is_there(item)).map(String::as_str).collect();
                (!missing.is_empty() || found.is_empty()).then(|| {
                    format!("STATUS of {mailbox} with {} (RFC 3501, 6.3.10)", missing.join(", "))
                })
            }
        })
    }
}
