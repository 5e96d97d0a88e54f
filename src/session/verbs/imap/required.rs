//! The untagged data without which the OK of a command is no success (RFC 3501 section 6, RFC 9051
//! section 6).

use std::collections::HashSet;

use crate::error::Result;
use crate::proto::imap::{Answer, Argument, Count, Literals, compose};

/// What to do about an answer without the data that its command asks for.
pub(super) const BARE: &str = "#{bare: true} as the last argument accepts that";

/// The search option whose result is kept for the next command, and not sent (RFC 5182 section 2.1).
const SAVE: &str = "SAVE";

/// The data that the answer to a command has to contain.
#[derive(Clone, Debug, Default)]
pub(super) enum Required {
    #[default]
    Nothing,
    /// A response of this name; the second text describes it in errors.
    Data(&'static str, &'static str),
    /// The result of a search, as SEARCH or ESEARCH; whether it has unique identifiers.
    Found {
        by_uid: bool,
    },
    /// The results of a search as ESEARCH; whether they have unique identifiers, and whether COUNT
    /// was asked for.
    Results {
        by_uid: bool,
        asked: Vec<String>,
    },
    /// These items of this mailbox.
    Status(String, Vec<String>),
    /// The access rights of this mailbox.
    Rights(String),
    /// The quota of this quota root.
    Quota(String),
    /// These annotations of this mailbox.
    Annotations(String, Vec<String>),
    Namespaces,
    /// The data of a mailbox that was opened to be read only.
    Examined,
    /// The removal of these messages from the mailbox, which had that many.
    Moved(String, Count),
    /// Nothing, but COPYUID must agree with this set, which may have unique identifiers, of a
    /// mailbox with that many messages.
    Copied {
        messages: String,
        by_uid: bool,
        count: Count,
    },
    /// Nothing, but APPENDUID must have one unique identifier.
    Appended,
    /// Nothing, but mailboxes come in responses of this name, and match the reference and pattern.
    Listed(&'static str, String, String),
}

impl Required {
    /// The data that the verb `name` requires, given its command, whether it names messages by
    /// their unique identifiers, and how many messages the mailbox has.
    pub(super) fn of(
        name: &str,
        text: &[u8],
        arguments: &[Argument],
        by_uid: bool,
        count: Count,
    ) -> Self {
        match name {
            "select" => Self::Data("EXISTS", "FLAGS and EXISTS (RFC 3501, 6.3.1)"),
            "examine" => Self::Examined,
            "move" if !by_uid => Self::Moved(messages_of(text), count),
            "copy" | "move" => Self::Copied { messages: messages_of(text), by_uid, count },
            "append" => Self::Appended,
            "list" => Self::of_list("LIST", arguments),
            "lsub" => Self::of_list("LSUB", arguments),
            "capability" => Self::Data("CAPABILITY", "CAPABILITY (RFC 3501, 6.1.1)"),
            "enable" => Self::Data("ENABLED", "ENABLED (RFC 5161, 3.1)"),
            "logout" => Self::Data("BYE", "BYE (RFC 3501, 6.1.3)"),
            "sort" => Self::Data("SORT", "SORT (RFC 5256, 3)"),
            "threads" => Self::Data("THREAD", "THREAD (RFC 5256, 3)"),
            "namespace" => Self::Namespaces,
            "getquota" => of_texts(arguments, |root, _| Self::Quota(root)),
            "getacl" => of_texts(arguments, |mailbox, _| Self::Rights(mailbox)),
            "getmetadata" => of_texts(arguments, Self::Annotations),
            "search" if saves_only(arguments) => Self::Nothing,
            "search" => Self::Found { by_uid },
            "esearch" => Self::of_results(text, by_uid),
            "status" => Self::of_status(arguments),
            _ => Self::Nothing,
        }
    }

    fn of_results(text: &[u8], by_uid: bool) -> Self {
        let text = String::from_utf8_lossy(text).to_ascii_uppercase();
        let options: Vec<_> = text.split([' ', '(', ')']).filter(|word| !word.is_empty()).collect();
        match options.get(2..).unwrap_or_default() {
            [SAVE] => Self::Nothing,
            // Without a name, all are asked for (RFC 4731 section 3.1).
            [] => Self::Results { by_uid, asked: vec!["ALL".to_owned()] },
            results => {
                let asked = results.iter().map(ToString::to_string).collect();
                Self::Results { by_uid, asked }
            }
        }
    }

    fn of_list(name: &'static str, arguments: &[Argument]) -> Self {
        let [Argument::Text(reference), Argument::Text(pattern)] = arguments else {
            return Self::Nothing;
        };
        let text = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
        Self::Listed(name, text(reference), text(pattern))
    }

    fn of_status(arguments: &[Argument]) -> Self {
        let [Argument::Text(mailbox), Argument::Plain(items)] = arguments else {
            return Self::Nothing;
        };
        let items = String::from_utf8_lossy(items).to_ascii_uppercase();
        let items = items.trim_matches(['(', ')']).split_ascii_whitespace().map(str::to_owned);
        Self::Status(String::from_utf8_lossy(mailbox).into_owned(), items.collect())
    }

    /// Describes what the data in an answer should have been, if it contradicts itself or the
    /// command.
    ///
    /// # Errors
    /// Malformed if the data cannot be read.
    pub(super) fn contradiction(&self, answer: &Answer) -> Result<Option<String>> {
        match self {
            Self::Found { .. } | Self::Results { .. } => answer.check_results().map(|()| None),
            Self::Status(mailbox, _) => answer.status_contradiction(mailbox),
            Self::Data(name @ ("SORT" | "THREAD"), _) => {
                let twice = answer.repeated(name)?;
                Ok(twice.map(|number| format!("{name} with {number} once (RFC 5256, 3)")))
            }
            Self::Moved(messages, count) => Ok(answer.wrong_copies(messages, false, *count)),
            Self::Copied { messages, by_uid, count } => {
                Ok(answer.wrong_copies(messages, *by_uid, *count))
            }
            Self::Appended => Ok(answer.wrong_append()),
            Self::Listed(name, reference, pattern) => {
                answer.wrong_mailbox(name, reference, pattern)
            }
            _ => Ok(None),
        }
    }

    /// What a contradiction is called in errors.
    pub(super) fn contradicted(&self) -> &'static str {
        match self {
            Self::Moved(..) | Self::Copied { .. } | Self::Appended => {
                "the UIDs in the answer contradict the command"
            }
            Self::Listed(..) => "the answer has a mailbox that was not asked for",
            _ => "the data in the answer contradicts itself",
        }
    }

    /// Describes the required data that is missing in an answer that says OK; `None` if it is
    /// there.
    ///
    /// # Errors
    /// Malformed if the data cannot be read.
    pub(super) fn missing(&self, answer: &Answer) -> Result<Option<String>> {
        Ok(match self {
            Self::Nothing | Self::Copied { .. } | Self::Appended | Self::Listed(..) => None,
            Self::Data(name, what) => {
                let has = answer.untagged().iter().any(|response| response.name() == *name);
                (!has).then(|| (*what).to_owned())
            }
            Self::Found { by_uid } => (!answer.has_search(*by_uid)?).then(|| {
                "SEARCH, or ESEARCH with the tag of the command (RFC 3501, 6.4.4)".to_owned()
            }),
            Self::Results { by_uid, asked } => missing_results(answer, *by_uid, asked)?,
            Self::Examined => {
                let is_writable =
                    answer.tagged().code().is_some_and(|code| code.name == "READ-WRITE");
                (is_writable || answer.exists().is_none()).then(|| {
                    "FLAGS and EXISTS, and READ-ONLY at the end (RFC 3501, 6.3.2)".to_owned()
                })
            }
            Self::Moved(messages, count) => {
                let lacking = answer.lacks_removal(messages, *count);
                lacking.map(|removal| format!("{removal} (RFC 6851, 4.4)"))
            }
            Self::Namespaces => {
                answer.namespaces()?.is_none().then(|| "NAMESPACE (RFC 2342, 5)".to_owned())
            }
            Self::Rights(mailbox) => {
                let is_missing = answer.rights(mailbox)?.is_none();
                is_missing.then(|| format!("ACL of {mailbox} (RFC 4314, 3.3)"))
            }
            Self::Quota(root) => {
                let is_missing = answer.quota(root)?.is_none();
                is_missing.then(|| format!("QUOTA of \"{root}\" (RFC 9208, 4.1.1)"))
            }
            Self::Annotations(mailbox, entries) => missing_entry(answer, mailbox, entries)?,
            Self::Status(mailbox, items) => {
                let found = answer.status_items(mailbox)?;
                // The items are the script's, and those that came the server's; both may be many.
                let came: HashSet<_> = found.iter().map(|(name, _)| name).collect();
                let missing = items.iter().filter(|item| !came.contains(item));
                let missing: Vec<_> = missing.map(String::as_str).collect();
                (!missing.is_empty() || found.is_empty()).then(|| {
                    format!("STATUS of {mailbox} with {} (RFC 3501, 6.3.10)", missing.join(", "))
                })
            }
        })
    }
}

/// The set of messages in the text of COPY or MOVE.
fn messages_of(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.split_once(' ').map_or_else(String::new, |(_, messages)| messages.to_owned())
}

/// Whether the criteria of a search begin with `RETURN (SAVE)`.
fn saves_only(criteria: &[Argument]) -> bool {
    let written = compose("", b"", criteria, Literals::Plus).concat();
    let written = String::from_utf8_lossy(&written).to_ascii_uppercase();
    let options = written.trim_start().strip_prefix("RETURN").and_then(|rest| {
        let (options, _) = rest.trim_start().strip_prefix('(')?.split_once(')')?;
        Some(options.trim() == SAVE)
    });
    options.unwrap_or(false)
}

/// COUNT always comes. MIN, MAX and ALL come if a message was found, which any of them says.
fn missing_results(answer: &Answer, by_uid: bool, asked: &[String]) -> Result<Option<String>> {
    if !answer.has_results(by_uid)? {
        return Ok(Some("ESEARCH with the tag of the command (RFC 4731, 3.1)".to_owned()));
    }
    let results = answer.search_results()?;
    let has = |wanted: &str| results.iter().any(|(name, _)| name == wanted);
    let is_found = ["MIN", "MAX", "ALL"].iter().any(|name| has(name))
        || results.iter().any(|(name, value)| name == "COUNT" && value.number() > Some(0));
    let is_due = |name: &&&str| **name == "COUNT" || is_found;
    let known = ["COUNT", "MIN", "MAX", "ALL"];
    let mut due = known.iter().filter(|name| asked.iter().any(|asked| asked == *name));
    let missing = due.find(|name| is_due(name) && !has(name));
    Ok(missing.map(|name| format!("ESEARCH with {name} (RFC 4731, 3.1)")))
}

fn missing_entry(answer: &Answer, mailbox: &str, entries: &[String]) -> Result<Option<String>> {
    let found = answer.annotations(mailbox)?.unwrap_or_default();
    let came: HashSet<_> = found.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    let missing = entries.iter().find(|entry| !came.contains(&entry.to_ascii_lowercase()));
    Ok(missing.map(|entry| format!("METADATA of {mailbox} with {entry} (RFC 5464, 4.2)")))
}

/// Makes a requirement from the first argument and the texts of the second one, which is a text or a
/// list; none if the first argument is no text.
fn of_texts(
    arguments: &[Argument],
    make: impl FnOnce(String, Vec<String>) -> Required,
) -> Required {
    let text = |argument: &Argument| match argument {
        Argument::Text(text) | Argument::Literal(text) => {
            Some(String::from_utf8_lossy(text).into_owned())
        }
        _ => None,
    };
    let texts = match arguments.get(1) {
        Some(Argument::List(list)) => list.iter().filter_map(text).collect(),
        other => other.and_then(text).into_iter().collect(),
    };
    arguments.first().and_then(text).map_or(Required::Nothing, |first| make(first, texts))
}
