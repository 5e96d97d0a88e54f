//! Whether untagged data has the form that its name requires (RFC 3501 section 7).

use super::answer::Answer;
use super::compose::is_atom;
use super::fetched::Fetched;
use super::mailbox::Mailbox;
use super::response::{Response, unlike};
use super::search::{listed, results_of, threads};
use super::value::Value;
use crate::error::{Error, Kind, Result};
use crate::{room, visible};

/// Data that is about one message, or says how many messages there are.
const NUMBERED: [&str; 4] = ["EXISTS", "RECENT", "EXPUNGE", "FETCH"];
/// Data whose form is known, and that begins with its name.
const NAMED: [&str; 10] = [
    "FLAGS",
    "LIST",
    "LSUB",
    "STATUS",
    "SEARCH",
    "SORT",
    "THREAD",
    "ESEARCH",
    "CAPABILITY",
    "ENABLED",
];

impl Answer {
    /// Fails on the first untagged response that has another form than its name requires. Those
    /// with the name `read` need only their number or none: the rest is read afterwards.
    ///
    /// # Errors
    /// Malformed, with the response; unexpected for a PREAUTH, which is a greeting.
    pub(crate) fn check_forms(&self, read: &str) -> Result<()> {
        self.untagged().iter().try_for_each(|response| {
            room::check()?;
            response.check_form(read)
        })
    }
}

impl Response {
    /// The flags in a FLAGS response (RFC 3501 section 7.2.6).
    pub(super) fn flags(&self) -> Result<Vec<String>> {
        match &*self.values()? {
            [flags @ Value::List(_)] => flags.flags(),
            _ => None,
        }
        .ok_or_else(|| unlike(self, "a list of flags"))
    }

    fn check_form(&self, read: &str) -> Result<()> {
        let name = self.name();
        match (&*name, self.number()) {
            ("PREAUTH", _) => {
                let error = Error::new(Kind::Unexpected, "PREAUTH came after the greeting");
                let error = error.with_expected("PREAUTH as the greeting only (RFC 3501, 7.1.4)");
                Err(error.with_got(visible::excerpt(self.bytes(), super::response::SHOWN)))
            }
            (name, _) if !is_atom(name.as_bytes()) => {
                Err(unlike(self, "the name of a response (RFC 3501, 7)"))
            }
            (name, None) if NUMBERED.contains(&name) => {
                Err(unlike(self, &format!("a number before {name} (RFC 3501, 7)")))
            }
            (name, Some(_)) if NAMED.contains(&name) => {
                Err(unlike(self, &format!("no number before {name} (RFC 3501, 7)")))
            }
            (name, _) if name == read => Ok(()),
            ("FETCH", Some(number)) => Fetched::of(self, number).map(drop),
            ("FLAGS", _) => self.flags().map(drop),
            ("LIST" | "LSUB", _) => Mailbox::parse(self).map(drop),
            ("STATUS", _) => self.status_items().map(drop),
            ("SEARCH" | "SORT", _) => listed(self).map(drop),
            ("THREAD", _) => threads(self).map(drop),
            ("ESEARCH", _) => results_of(self, self.plain_values()?).map(drop),
            ("CAPABILITY" | "ENABLED", _) => match Value::List(self.values()?).atoms() {
                Some(_) => Ok(()),
                None => Err(unlike(self, "the names of capabilities")),
            },
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::answer::tests::answer;

    #[test]
    fn data_has_the_form_that_its_name_requires() {
        for response in [
            "* 5 EXISTS",
            "* 2 FETCH (FLAGS (\\Seen))",
            "* FLAGS ()",
            "* FLAGS (\\Seen $Junk a]b Gr\u{fc}n)",
            "* LIST () \"/\" INBOX",
            "* STATUS INBOX (MESSAGES 1)",
            "* SEARCH",
            "* SORT 3 1",
            "* THREAD (1 2)(3)",
            "* THREAD ((1)(2 (3)(4 5)))",
            "* ESEARCH (TAG \"a1\") UID COUNT 3",
            "* CAPABILITY IMAP4rev1 AUTH=PLAIN",
            "* ENABLED",
            "* OK [UIDNEXT 4] x",
            "* 7 X-OWN (a b",
            "* X-OWN \"never closed",
        ] {
            let answer = answer(&[response, "a1 OK"]);
            assert!(answer.check_forms("").is_ok(), "{response}");
        }
        for response in [
            "* 5",
            "* SEARCH(1)",
            "* EXISTS",
            "* EXPUNGE",
            "* FETCH (FLAGS ())",
            "* 2 FETCH (FLAGS (\\Seen",
            "* 2 FETCH (FLAGS)",
            "* FLAGS \\Seen",
            "* FLAGS (\\*)",
            "* 2 FETCH (FLAGS (\\*))",
            "* 2 FLAGS ()",
            "* LIST INBOX",
            "* STATUS INBOX (MESSAGES x)",
            "* SEARCH 0",
            "* SORT x",
            "* THREAD 1",
            "* THREAD (1 (2))",
            "* THREAD (1) (2)",
            "* THREAD (1 (2)(3) 4)",
            "* ESEARCH COUNT",
            "* CAPABILITY IMAP4rev1 (x)",
            "* PREAUTH hi",
        ] {
            let answer = answer(&["* 5 EXISTS", response, "a1 OK"]);
            let error = answer.check_forms("SELECT").unwrap_err();
            assert!(error.got().unwrap_or_default().starts_with(response), "{response}");
        }
        assert!(answer(&["* 2 FETCH (FLAGS)", "a1 OK"]).check_forms("FETCH").is_ok());
        assert!(answer(&["* FETCH (FLAGS ())", "a1 OK"]).check_forms("FETCH").is_err());
    }
}
