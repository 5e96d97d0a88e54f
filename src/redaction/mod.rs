//! Replaces what varies from run to run with tokens: identifiers, dates, addresses. Sorts what a
//! server may send in any order.
//!
//! Redaction works on events, not on text, so that a rule knows which side sent a line, in which
//! protocol, and which command a reply answers. A value becomes a token: `[DATE]`, or
//! `[QUEUE_ID#1]` if its rule numbers values. A numbered value has the same number in all sessions
//! of a run: a queue identifier in the reply to a message, for example, and later in the `Received`
//! field read over POP3.
//!
//! ```
//! use mailexpect::redaction::Redaction;
//! use mailexpect::transcript::{Transcript, What, lines};
//!
//! # fn main() -> Result<(), mailexpect::Error> {
//! let transcript = Transcript::new();
//! transcript.note(What::Printed("Thu, 13 Oct 2011 14:44:27 +0900: mail.example [192.0.2.7], job 17, job 18".into()));
//!
//! let redaction = Redaction::new().known("mail.example", "HOST")?.regex(r"job (?P<v>\d+)", "JOB")?;
//! let redacted = redaction.apply(&transcript.events())?;
//! assert_eq!(lines(&redacted.events)[0].text, "print: [DATE]: [HOST] [[IPV4#1]], job [JOB#1], job [JOB#2]");
//! assert_eq!(redacted.changes[0].to_string(), "event 0, bytes 0..31: date.rfc5322: Thu, 13 Oct 2011 14:44:27 +0900 -> [DATE]");
//!
//! // Redacting redacted events changes nothing.
//! assert!(redaction.apply(&redacted.events)?.changes.is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! # What is on
//!
//! The groups `secrets`, `structure`, `ids`, `dates`, `net`, `hosts`, `tls` and `timing` are on by
//! default; `headers`, `sizes`, `imap`, `pop3`, `sasl` and `banner` are off. [`presets`] lists all
//! presets with samples. Besides presets there are normalisers, which bring lines into one order or
//! shape:
//!
//! | name | group | what it does |
//! | --- | --- | --- |
//! | `ehlo` | `structure` | sorts the lines of a reply to EHLO or LHLO, and the mechanisms of AUTH |
//! | `capability` | `structure` | sorts the keywords of CAPABILITY (IMAP), and the lines of CAPA (POP3) and of ManageSieve's capabilities |
//! | `fetch` | `structure` | sorts the attributes of an IMAP FETCH, and flags |
//! | `mime` | `structure` | boundaries become `[BOUNDARY#1]`, in the header and in the body |
//! | `received` | `headers` | `Received: from [HOST] by [HOST] with ESMTPSA id [QUEUE_ID#1]; [DATE]` |
//! | `dkim` | `headers` | signatures keep the tags that last, sorted by name |
//!
//! # How lines are read
//!
//! A rule sees one line at a time; a folded header field counts as one line. The first rule that
//! matches some text decides what becomes of that text. Rules are tried in this order: secrets,
//! known values, the caller's regexes, then the presets; presets for values of a distinctive form
//! come before those for numbers that may be times. Client lines seldom show by their form what a
//! value is; a value in them that already has a token gets the same token. The part of a line that
//! tells its kind is never replaced: the code of a reply, the verb of a command. A line that
//! contains a token has been redacted before and stays as it is.

mod adding;
mod apply;
mod challenge;
mod change;
mod claims;
mod dialogue;
mod known;
#[cfg(feature = "cli")]
mod learned;
mod presets;
mod reduce;
mod rule;
mod scope;
#[cfg(feature = "script")]
mod selection;
mod spared;
mod strictness;
mod structure;
#[cfg(test)]
mod tests;
mod tokens;
mod unit;

use std::collections::{BTreeSet, HashSet};

use apply::{Rules, Run};
pub use change::{Change, Redacted};
use known::Known;
#[cfg(feature = "cli")]
pub(crate) use learned::without_secrets;
pub use presets::{Preset, presets};
pub(crate) use presets::{is_token, sample};
use rule::{Label, Rule};
pub use strictness::Strictness;

use crate::error::{Error, Result};
use crate::transcript::Event;
use crate::visible;

/// The token for secrets. They are masked before they get into a transcript.
const SECRET: &str = "SECRET";

/// The token for ports. A port is not looked for in client lines: another five-digit number may
/// equal it by chance.
const PORT: &str = "PORT";

/// The group that cannot be turned off.
const SECRETS: &str = "secrets";

/// The groups that are on by default.
const DEFAULT: [&str; 8] = [SECRETS, "structure", "ids", "dates", "net", "hosts", "tls", "timing"];

/// The normalisers, each with its group.
const NORMALISERS: [(&str, &str); 6] = [
    ("ehlo", "structure"),
    ("capability", "structure"),
    ("fetch", "structure"),
    ("mime", "structure"),
    ("received", "headers"),
    ("dkim", "headers"),
];

/// The name of the preset that replaces MIME boundaries, as the normaliser `mime` does.
const BOUNDARY: &str = "header.boundary";

/// The rules that redact a transcript; see the [module](self).
#[derive(Clone, Debug)]
pub struct Redaction {
    active: BTreeSet<&'static str>,
    known: Vec<Known>,
    own: Vec<Rule>,
    strictness: Strictness,
}

impl Default for Redaction {
    fn default() -> Self {
        Self::new()
    }
}

impl Redaction {
    /// A redaction with the default groups on.
    #[must_use]
    pub fn new() -> Self {
        Self { active: default().collect(), ..Self::none() }
    }

    /// A redaction with only the group `secrets` on.
    #[must_use]
    pub fn none() -> Self {
        let active = of_group(SECRETS).collect();
        Self { active, known: Vec::new(), own: Vec::new(), strictness: Strictness::Text }
    }

    /// Turns on a preset, a normaliser or a group by its name; `default` and `all` are names, too.
    ///
    /// # Errors
    /// Usage if nothing has this name.
    pub fn preset(mut self, name: &str) -> Result<Self> {
        self.active.extend(named(name)?);
        Ok(self)
    }

    /// Turns off a preset, a normaliser or a group.
    ///
    /// # Errors
    /// Usage if nothing has this name, and for the group `secrets` and its presets.
    pub fn without(mut self, name: &str) -> Result<Self> {
        let secrets: Vec<_> = of_group(SECRETS).collect();
        if name == SECRETS || secrets.contains(&name) {
            let error = Error::usage(format!("the preset `{name}` is always on"));
            return Err(
                error.hint("secrets are masked before anything is kept of them; what can be left out are the other groups")
            );
        }
        for name in named(name)?.into_iter().filter(|name| !secrets.contains(name)) {
            self.active.remove(name);
        }
        Ok(self)
    }

    /// Turns on and off the presets, normalisers and groups in a list, separated by commas or
    /// blanks: `+imap -net.ipv4 sizes`. A minus before a name turns it off.
    ///
    /// ```
    /// use mailexpect::redaction::Redaction;
    ///
    /// # fn main() -> Result<(), mailexpect::Error> {
    /// let redaction = Redaction::new().select("+imap, -timing.seconds")?;
    /// assert!(redaction.is_on("imap.uidvalidity") && !redaction.is_on("timing.seconds"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`Redaction::preset`] and [`Redaction::without`].
    pub fn select(self, list: &str) -> Result<Self> {
        let mut words =
            list.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty());
        words.try_fold(self, |redaction, word| match word.strip_prefix('-') {
            Some(name) => redaction.without(name),
            None => redaction.preset(word.strip_prefix('+').unwrap_or(word)),
        })
    }

    /// Sets how much of the servers' lines is kept; all of it by default. Lines left out for this
    /// reason are not listed among the changes.
    #[must_use]
    pub fn strictness(self, strictness: Strictness) -> Self {
        Self { strictness, ..self }
    }

    /// Whether the preset or normaliser `name` is on.
    #[must_use]
    pub fn is_on(&self, name: &str) -> bool {
        self.active.contains(name)
    }

    /// The normalisers, each with its group.
    pub fn normalisers() -> impl Iterator<Item = (&'static str, &'static str)> {
        NORMALISERS.into_iter()
    }

    /// Gives a value known beforehand a token of its own: `known("mail.example", "HOST")` turns it
    /// into `[HOST]` wherever it stands as a word. Longer values are looked for first. A value of
    /// letters only could be any word, so it is left alone in greetings and in replies to EHLO.
    ///
    /// # Errors
    /// Usage for an empty value, and for a token that is not written like `OWN_HOST`.
    pub fn known(mut self, value: impl AsRef<[u8]>, token: &str) -> Result<Self> {
        self.add_known(value.as_ref(), token).map(|()| self)
    }

    /// Adds a regex, which is looked for in every line. What its group `v` matches becomes
    /// `[TOKEN#1]`, and each value has its own number. Without such a group, the whole match is
    /// replaced.
    ///
    /// # Errors
    /// Usage for an invalid regex, for a token that is not written like `TICKET_ID`, and if all
    /// these regexes take more than 16 MiB together: what each is compiled to, and 64 KiB for its
    /// searches.
    pub fn regex(mut self, regex: &str, token: &str) -> Result<Self> {
        self.add_regex(regex, token, true).map(|()| self)
    }

    /// Like [`Redaction::regex`], but every value becomes `[TOKEN]`, without a number. This is for
    /// values that may be equal by chance, such as durations.
    ///
    /// # Errors
    /// Those of [`Redaction::regex`].
    pub fn regex_without_numbers(mut self, regex: &str, token: &str) -> Result<Self> {
        self.add_regex(regex, token, false).map(|()| self)
    }

    /// Redacts the events of a run. Values are numbered from 1 in the order in which they appear.
    ///
    /// The announced size of a literal, a chunk or a line stays as it was sent, even if redaction
    /// changes the length.
    ///
    /// # Errors
    /// Usage if the regexes that are on take too much memory.
    pub fn apply(&self, events: &[Event]) -> Result<Redacted> {
        let rules = self.rules()?;
        let mut run = Run::new(&rules, true, || false);
        let events =
            events.iter().enumerate().map(|(number, event)| run.event(number, event)).collect();
        Ok(Redacted { events, changes: run.changes })
    }

    /// Redacts the events of a run, without a list of the changes, which takes several times the
    /// memory of the events. Returns `None` if the redacted events take more than `most` bytes, and
    /// something that is of no use once the work `is_stopped`.
    ///
    /// # Errors
    /// Those of [`Redaction::apply`].
    #[cfg(feature = "script")]
    pub(crate) fn apply_up_to(
        &self,
        most: usize,
        is_stopped: fn() -> bool,
        events: &[Event],
    ) -> Result<Option<Vec<Event>>> {
        let rules = self.rules()?;
        let mut run = Run::new(&rules, false, is_stopped);
        let mut bytes = 0;
        let redacted = events.iter().enumerate().map(|(number, event)| {
            let redacted = run.event(number, event);
            bytes += redacted.bytes();
            (bytes <= most).then_some(redacted)
        });
        Ok(redacted.collect())
    }

    /// Whether regexes of the caller are looked for, of which nobody knows how long that takes.
    #[cfg(feature = "script")]
    pub(crate) fn has_regexes(&self) -> bool {
        self.own.iter().any(|rule| rule.weight > 0)
    }

    /// The names of all tokens that may stand in what was redacted.
    pub(crate) fn token_names(&self) -> HashSet<Box<str>> {
        let own = self
            .own
            .iter()
            .map(|rule| &rule.label)
            .chain(self.known.iter().map(|known| &known.label));
        presets()
            .map(|preset| preset.token().into())
            .chain(own.map(|label| label.token.clone()))
            .collect()
    }

    fn rules(&self) -> Result<Rules> {
        let (mut secrets, mut others) = (Vec::new(), self.own.clone());
        for preset in presets().filter(|preset| self.is_on(preset.name())) {
            let list = if preset.group() == SECRETS { &mut secrets } else { &mut others };
            list.push(Rule::of(preset)?);
        }
        let names = self.token_names();
        // A boundary in the body is known from the header field that named it, so one label serves
        // both rules, whichever of them is on.
        let boundary = ["mime", BOUNDARY].into_iter().find(|name| self.is_on(name));
        let boundary = boundary.map(|name| Label::new(name, "BOUNDARY", true));
        Ok(Rules {
            secrets,
            known: self.known.clone(),
            others,
            again: names
                .iter()
                .filter(|name| &***name != PORT)
                .map(|name| (name.clone(), Label::new("said before", name, true)))
                .collect(),
            names,
            active: self.active.clone(),
            boundary,
            strictness: self.strictness,
        })
    }
}

/// All presets and normalisers, each with its group.
fn rules() -> impl Iterator<Item = (&'static str, &'static str)> {
    presets().map(|preset| (preset.name(), preset.group())).chain(NORMALISERS)
}

fn of_group(group: &str) -> impl Iterator<Item = &'static str> {
    rules().filter(move |(_, of)| *of == group).map(|(name, _)| name)
}

fn default() -> impl Iterator<Item = &'static str> {
    DEFAULT.into_iter().flat_map(of_group)
}

/// The presets and normalisers that a name stands for.
fn named(name: &str) -> Result<Vec<&'static str>> {
    let found: Vec<_> = match name {
        "default" => default().collect(),
        "all" => rules().map(|(name, _)| name).collect(),
        _ => rules()
            .filter(|(preset, group)| *preset == name || *group == name)
            .map(|(preset, _)| preset)
            .collect(),
    };
    if found.is_empty() {
        let mut groups: Vec<_> = rules().map(|(_, group)| group).collect();
        groups.dedup();
        groups.sort_unstable();
        groups.dedup();
        let error =
            Error::usage(format!("there is no preset or group `{}`", visible::quoted(name)));
        return Err(error.hint(format!("the groups are {}, default and all", groups.join(", "))));
    }
    Ok(found)
}

/// The token, if a rule of the caller may use it.
fn checked(token: &str) -> Result<&str> {
    if tokens::is_name(token) && token != SECRET {
        return Ok(token);
    }
    let error = Error::usage(format!("`{}` cannot be a token", visible::quoted(token)));
    Err(error.hint(format!(
        "write at most {} capital letters, digits and underscores, such as TICKET_ID; SECRET is taken",
        tokens::LONGEST
    )))
}
