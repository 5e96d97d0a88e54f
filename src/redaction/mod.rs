//! What varies from run to run, made the same: identifiers, dates, addresses, and the order of what
//! has none.
//!
//! It is done to events and not to text: a rule knows whose line it looks at, in which protocol,
//! and which command is being answered. A value becomes a token, `[DATE]`, or `[QUEUE_ID#1]` where
//! values are told apart: then the same value has the same number through all sessions of a run, in
//! the reply to a message as in its `Received` over POP3.
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
//! // What is redacted stays as it is.
//! assert!(redaction.apply(&redacted.events)?.changes.is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! # What is on
//!
//! The groups `secrets`, `structure`, `ids`, `dates`, `net`, `hosts`, `tls` and `timing` are;
//! `headers`, `sizes`, `imap`, `pop3`, `sasl` and `banner` are to be asked for. [`presets`] has
//! them all with samples. Beside them, there are the normalisers, which put what has no order into
//! one:
//!
//! | name | group | what it does |
//! | --- | --- | --- |
//! | `ehlo` | `structure` | sorts the lines of a reply to EHLO or LHLO, and the mechanisms of AUTH |
//! | `capability` | `structure` | sorts the keywords of CAPABILITY (IMAP) and the lines of CAPA (POP3) |
//! | `fetch` | `structure` | sorts the attributes of an IMAP FETCH, and flags |
//! | `mime` | `structure` | boundaries become `[BOUNDARY#1]`, in the header and in the body |
//! | `received` | `headers` | `Received: from [HOST] by [HOST] with ESMTPSA id [QUEUE_ID#1]; [DATE]` |
//! | `dkim` | `headers` | signatures keep the tags that last, sorted by name |
//!
//! # How lines are read
//!
//! A rule sees one line at a time, a folded header field as one. The first rule that finds
//! something keeps it: secrets, then known values, then the caller's regexes, then presets in their
//! order: those with a form of their own before numbers that may be times. What the client says has
//! no form of its own; there, a value that has a token already gets the same. What tells the kind of a line is never replaced: the code of a reply, the verb of a
//! command. A line with a token in it has been redacted before and stays as it is.

mod apply;
mod challenge;
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
mod strictness;
mod structure;
#[cfg(test)]
mod tests;
mod tokens;

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::ops::Range;

use apply::{Rules, Run};
use known::Known;
#[cfg(feature = "cli")]
pub(crate) use learned::without_secrets;
pub(crate) use presets::sample;
pub use presets::{Preset, presets};
use rule::{Label, Rule};
pub use strictness::Strictness;

use crate::error::{Error, Result};
use crate::transcript::Event;
use crate::visible;

/// The token of secrets, which are masked before they get into a transcript.
const SECRET: &str = "SECRET";

/// The token of ports: a number of five digits that comes again need not be one.
const PORT: &str = "PORT";

/// The group that is never off.
const SECRETS: &str = "secrets";

/// The groups that are on unless they are taken out.
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

/// The preset that does what `mime` does, by its own name.
const BOUNDARY: &str = "header.boundary";

/// What is to be redacted; see the [module](self).
#[derive(Clone, Debug)]
pub struct Redaction {
    active: BTreeSet<&'static str>,
    known: Vec<Known>,
    own: Vec<Rule>,
    strictness: Strictness,
}

/// Events after redaction.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Redacted {
    /// As many as before, in the same order.
    pub events: Vec<Event>,
    /// What was done to them, event by event.
    pub changes: Vec<Change>,
}

/// One thing that was done: which rule put what in place of what.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// Which event, from 0.
    pub event: usize,
    /// Where it stood in the event's bytes as they were given. Of a line that was rearranged
    /// before, all of the line; of a long run, the head's bytes are counted, then the tail's, then
    /// those of what its last line says in base64.
    pub span: Range<usize>,
    /// The name of a preset or a normaliser, `known` and the token, or a regex between backticks.
    pub rule: Box<str>,
    /// What stood there.
    pub was: Box<[u8]>,
    /// What stands there now.
    pub now: Box<[u8]>,
}

impl Change {
    fn new(event: usize, span: Range<usize>, rule: &str, was: &[u8], now: &[u8]) -> Self {
        Self { event, span, rule: rule.into(), was: was.into(), now: now.into() }
    }
}

/// One line: the place, the rule, what was and what is.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { event, span: Range { start, end }, rule, was, now } = self;
        let (was, now) = (visible::escape(was), visible::escape(now));
        write!(f, "event {event}, bytes {start}..{end}: {rule}: {was} -> {now}")
    }
}

impl Default for Redaction {
    fn default() -> Self {
        Self::new()
    }
}

impl Redaction {
    /// What is on unless it is taken out.
    #[must_use]
    pub fn new() -> Self {
        Self { active: default().collect(), ..Self::none() }
    }

    /// Secrets alone.
    #[must_use]
    pub fn none() -> Self {
        let active = of_group(SECRETS).collect();
        Self { active, known: Vec::new(), own: Vec::new(), strictness: Strictness::Text }
    }

    /// Adds a preset, a normaliser or a group by its name; `default` and `all` are names, too.
    ///
    /// # Errors
    /// Usage if there is none of that name.
    pub fn preset(mut self, name: &str) -> Result<Self> {
        self.active.extend(named(name)?);
        Ok(self)
    }

    /// Takes a preset, a normaliser or a group out.
    ///
    /// # Errors
    /// Usage if there is none of that name, and for those of secrets.
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

    /// Adds and takes out what a list names, with commas or blanks between the names: `+imap
    /// -net.ipv4 sizes`. What has a minus is taken out.
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

    /// Says how much of what servers say is kept at all: all of it, unless this says otherwise. It
    /// is not among the changes.
    #[must_use]
    pub fn strictness(self, strictness: Strictness) -> Self {
        Self { strictness, ..self }
    }

    /// Whether the preset or normaliser of that name is on.
    #[must_use]
    pub fn is_on(&self, name: &str) -> bool {
        self.active.contains(name)
    }

    /// The normalisers, each with its group.
    pub fn normalisers() -> impl Iterator<Item = (&'static str, &'static str)> {
        NORMALISERS.into_iter()
    }

    /// Gives a value that is known beforehand a name of its own: `known("mail.example", "HOST")`
    /// makes it `[HOST]` wherever it stands as a word. The longest value is looked for first. One
    /// that could be any word is left alone in greetings and in what a server says that it can do.
    ///
    /// # Errors
    /// Usage for an empty value, and for a token that is not written like `OWN_HOST`.
    pub fn known(mut self, value: impl AsRef<[u8]>, token: &str) -> Result<Self> {
        let value = value.as_ref();
        if value.is_empty() || value.contains(&b'\n') {
            let error = Error::usage(format!(
                "a known value for [{}] that no line can hold",
                visible::escape(token.as_bytes())
            ));
            return Err(error
                .with_got(visible::escape(value))
                .hint("give some text without line ends"));
        }
        self.known.push(Known::new(value, checked(token)?));
        self.known.sort_by_key(|known| std::cmp::Reverse(known.value.len()));
        Ok(self)
    }

    /// Adds a regex, looked for in every line: what its group `v` finds, or all of it, becomes
    /// `[TOKEN#1]`, each value with its own number.
    ///
    /// # Errors
    /// Usage for a regex that is wrong, and for a token that is not written like `TICKET_ID`.
    pub fn regex(self, regex: &str, token: &str) -> Result<Self> {
        self.own_rule(regex, token, true)
    }

    /// The same where values are not told apart, as two durations may be alike by chance:
    /// `[TOKEN]`.
    ///
    /// # Errors
    /// Those of [`Redaction::regex`].
    pub fn regex_without_numbers(self, regex: &str, token: &str) -> Result<Self> {
        self.own_rule(regex, token, false)
    }

    fn own_rule(mut self, regex: &str, token: &str, numbered: bool) -> Result<Self> {
        self.own.push(Rule::own(regex, checked(token)?, numbered)?);
        Ok(self)
    }

    /// Redacts the events of a run. Values are numbered from 1 in the order in which they come up.
    ///
    /// Of a literal, a chunk or a line that was announced with its size, the size stays as it was
    /// sent.
    ///
    /// # Errors
    /// Usage if the regexes that are on take too much memory.
    pub fn apply(&self, events: &[Event]) -> Result<Redacted> {
        let rules = self.rules()?;
        let mut run = Run::new(&rules);
        let events =
            events.iter().enumerate().map(|(number, event)| run.event(number, event)).collect();
        Ok(Redacted { events, changes: run.changes })
    }

    fn rules(&self) -> Result<Rules> {
        let (mut secrets, mut others) = (Vec::new(), self.own.clone());
        for preset in presets().filter(|preset| self.is_on(preset.name())) {
            let list = if preset.group() == SECRETS { &mut secrets } else { &mut others };
            list.push(Rule::of(preset)?);
        }
        let own = self
            .own
            .iter()
            .map(|rule| &rule.label)
            .chain(self.known.iter().map(|known| &known.label));
        let names: HashSet<Box<str>> = presets()
            .map(|preset| preset.token().into())
            .chain(own.map(|label| label.token.clone()))
            .collect();
        // A boundary is told apart in the body by what the header named, whichever of the two is
        // on.
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

/// What a name stands for.
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
        let error = Error::usage(format!(
            "there is no preset or group `{}`",
            visible::escape(name.as_bytes())
        ));
        return Err(error.hint(format!("the groups are {}, default and all", groups.join(", "))));
    }
    Ok(found)
}

/// The token of a rule of the caller's.
fn checked(token: &str) -> Result<&str> {
    if tokens::is_name(token) && token != SECRET {
        return Ok(token);
    }
    let error = Error::usage(format!("`{}` cannot be a token", visible::escape(token.as_bytes())));
    Err(error.hint(format!(
        "write at most {} capital letters, digits and underscores, such as TICKET_ID; SECRET is taken",
        tokens::LONGEST
    )))
}
