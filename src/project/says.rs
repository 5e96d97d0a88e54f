//! The types that the project file is read into, and from which its JSON schema is made.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};

use crate::duration;

/// The project file of mailexpect, `mailexpect.toml`.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "cli", schemars(rename = "mailexpect.toml"))]
pub(super) struct Says {
    /// The settings of all runs, unless a target or the command line sets others.
    #[serde(default)]
    pub(super) run: Run,
    /// How golden transcripts are compared.
    #[serde(default)]
    pub(super) golden: Golden,
    /// The project's own regexes for redaction, each under a name of your choice.
    #[serde(default)]
    pub(super) redact: BTreeMap<String, Rule>,
    /// The servers that scripts are run against, by the names that `--target` takes.
    #[serde(default)]
    pub(super) target: BTreeMap<String, Target>,
}

/// The settings of all runs.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Run {
    /// The deadline of each operation that sets none itself.
    pub(super) timeout: Option<Span>,
    /// How long to wait at the end of a dialogue for the server to close.
    pub(super) grace: Option<Span>,
    /// The deadline of each script as a whole.
    pub(super) deadline: Option<Span>,
    /// Cancel all scripts after this time.
    pub(super) global_timeout: Option<Span>,
    /// How many scripts run at once.
    pub(super) jobs: Option<NonZeroU32>,
    /// How often a script that fails is run again.
    pub(super) retries: Option<u32>,
    /// Whether flaky scripts pass or fail.
    pub(super) flaky_result: Option<FlakyResult>,
    /// Begin no further script after one has failed.
    pub(super) fail_fast: Option<bool>,
    /// The hosts that scripts may connect to; all if none is named.
    #[serde(default)]
    pub(super) allow_host: Vec<String>,
    /// How TLS is set up.
    #[serde(default)]
    pub(super) tls: Tls,
    /// Values of parameters, for all targets.
    #[serde(default)]
    pub(super) params: BTreeMap<String, Value>,
}

/// The keys of a target that are not parameters.
pub(super) const TARGET: [&str; 7] =
    ["strictness", "redact", "timeout", "grace", "deadline", "tls", "params"];
/// The message about a value that no parameter can have.
pub(super) const VALUE: &str = "the value of a parameter is text, a number, true or false";

/// A server that scripts are run against.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub(super) struct Target {
    /// How much of replies is compared: text, enhanced or codes.
    pub(super) strictness: Option<String>,
    /// Presets and groups to add to what is redacted, or to remove with a minus.
    #[serde(default)]
    pub(super) redact: Vec<String>,
    /// The deadline of each operation that sets none itself.
    pub(super) timeout: Option<Span>,
    /// How long to wait at the end of a dialogue for the server to close.
    pub(super) grace: Option<Span>,
    /// The deadline of each script as a whole.
    pub(super) deadline: Option<Span>,
    /// How TLS is set up.
    #[serde(default)]
    pub(super) tls: Tls,
    /// Values of parameters whose names are options of a target, such as `timeout`.
    #[serde(default)]
    pub(super) params: BTreeMap<String, Value>,
    /// Everything else is the value of a parameter: `smtp = "smtp://localhost:2525"`. A secret is
    /// fetched: `password = "env:NAME"`, `"file:PATH"` or `"cmd:PROGRAM"`; `"@PATH"` is the content
    /// of a file. Paths are relative to the project file, and programs run in its folder.
    #[serde(flatten)]
    pub(super) others: BTreeMap<String, Value>,
}

/// How golden transcripts are compared.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Golden {
    /// How much of replies is compared: text, enhanced or codes.
    pub(super) strictness: Option<String>,
    /// Presets and groups to add to what is redacted, or to remove with a minus.
    #[serde(default)]
    pub(super) redact: Vec<String>,
}

/// A regex whose matches are redacted.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    /// The regex. What its group `v` matches is redacted, or the whole match without such a group.
    pub(super) regex: String,
    /// The token that replaces what is redacted, with a number.
    pub(super) token: String,
}

/// How TLS is set up. Paths are relative to the project file.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "the command line runs targets"))]
#[serde(deny_unknown_fields)]
pub(super) struct Tls {
    /// Trust the certificates in this PEM file instead of the system's.
    pub(super) cacert: Option<PathBuf>,
    /// Accept any certificate.
    pub(super) insecure: Option<bool>,
    /// Present this certificate (PEM) to servers that want one.
    pub(super) cert: Option<PathBuf>,
    /// The private key (PEM) of `cert`.
    pub(super) key: Option<PathBuf>,
    /// Ask for this name (SNI), which the certificate has to contain.
    pub(super) sni: Option<String>,
    /// The oldest version that is offered, 1.2 or 1.3.
    pub(super) min: Option<String>,
    /// The newest version that is offered, 1.2 or 1.3.
    pub(super) max: Option<String>,
}

/// Whether a script that passes only after a retry counts as passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum, schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum FlakyResult {
    /// The script counts as passed.
    #[default]
    Pass,
    /// The script counts as failed.
    Fail,
}

/// The value of a parameter.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "the value of a parameter is text, a number, true or false")]
pub(super) enum Value {
    /// Text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// A number.
    Fraction(f64),
    /// `true` or `false`.
    Truth(bool),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
            Self::Fraction(number) => number.fmt(f),
            Self::Truth(truth) => truth.fmt(f),
        }
    }
}

/// A duration: text such as `"500ms"`, `"30s"` or `"2m"`, or a number of seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span(
    #[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "the command line runs targets"))]
    pub(super) Duration,
);

/// A duration as it is written.
#[derive(Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "a duration is text such as \"30s\", or a number of seconds")]
enum Written {
    Text(String),
    Seconds(f64),
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (parsed, text) = match Written::deserialize(deserializer)? {
            Written::Text(text) => (duration::parse(&text).ok(), text),
            Written::Seconds(seconds) => (duration::from_seconds(seconds), seconds.to_string()),
        };
        match parsed {
            Some(duration) if !duration.is_zero() => Ok(Self(duration)),
            _ => Err(de::Error::custom(format!(
                "`{text}` is not a duration: write \"500ms\", \"5s\", \"2m\", or seconds as a number above 0"
            ))),
        }
    }
}

#[cfg(feature = "cli")]
impl schemars::JsonSchema for Span {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let mut schema = Written::json_schema(generator);
        let what = "A duration: text such as \"500ms\", \"30s\" or \"2m\", or a number of seconds.";
        schema.insert("description".to_owned(), what.into());
        schema
    }
}
