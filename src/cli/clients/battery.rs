//! The servers of the battery: `battery.toml`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::{Error, Kind, Result};
use crate::tls::Flaw;

/// The words in each line that a server injects before TLS.
pub(super) const INJECTED: &str = "injected before TLS";

/// One server of the battery, and what a client should do with it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    pub(super) name: String,
    /// The families of protocols for which the case is: `smtp`, `imap`, `pop3`.
    pub(super) on: Vec<String>,
    #[serde(default)]
    pub(super) needs: Vec<String>,
    #[serde(default)]
    pub(super) unless: Vec<String>,
    #[serde(default)]
    pub(super) rules: BTreeMap<String, String>,
    certificate: Option<Certificate>,
    #[serde(default)]
    pub(super) clear: bool,
    pub(super) should: Should,
    #[serde(default)]
    pub(super) never: Vec<String>,
    #[serde(default)]
    pub(super) waits: bool,
}

/// What the client should do.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Should {
    Fail,
    Succeed,
    Either,
    /// Ignore a reply that was injected before TLS, or fail. The client must not take it for a
    /// reply within TLS.
    Unfooled,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Certificate {
    Expired,
    NotYetValid,
    AnotherName,
    SelfSigned,
    WeakKey,
    Sha1,
}

#[derive(Deserialize)]
struct Battery {
    case: Vec<Case>,
}

impl Case {
    /// What the client should do, in words: `fail, no AUTH`.
    pub(super) fn wanted(&self) -> String {
        let should = match self.should {
            Should::Fail => "fail",
            Should::Succeed => "succeed",
            Should::Either => "end",
            Should::Unfooled => "ignore it or fail",
        };
        // The first command stands for all, because they belong to the same stage of the protocol.
        let never = self.never.first().map(|words| format!(", no {words}"));
        let waits = if self.waits { " or wait" } else { "" };
        format!("{should}{waits}{}", never.unwrap_or_default())
    }

    pub(super) fn flaw(&self) -> Flaw {
        self.certificate.map_or(Flaw::None, |certificate| match certificate {
            Certificate::Expired => Flaw::Expired,
            Certificate::NotYetValid => Flaw::NotYetValid,
            Certificate::AnotherName => Flaw::AnotherName,
            Certificate::SelfSigned => Flaw::SelfSigned,
            Certificate::WeakKey => Flaw::WeakKey,
            Certificate::Sha1 => Flaw::Sha1,
        })
    }

    /// A server that behaves well. The baseline of a client is measured with it.
    pub(super) fn well() -> Self {
        Self {
            name: "well-behaved".to_owned(),
            on: Vec::new(),
            needs: Vec::new(),
            unless: Vec::new(),
            rules: BTreeMap::new(),
            certificate: None,
            clear: false,
            should: Should::Succeed,
            never: Vec::new(),
            waits: false,
        }
    }
}

/// All cases for a family of protocols.
///
/// # Errors
/// Usage if the battery cannot be read. A test makes sure that it can.
pub(super) fn cases(family: &str) -> Result<Vec<Case>> {
    let battery: Battery = toml::from_str(include_str!("battery.toml"))
        .map_err(|error| Error::new(Kind::Io, format!("the battery cannot be read: {error}")))?;
    let is_for = |case: &Case| case.on.iter().any(|on| on == family);
    Ok(battery.case.into_iter().filter(is_for).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    use crate::server::Embedded;

    #[test]
    fn every_family_has_its_servers_and_each_a_name_of_its_own_and_rules_that_can_be_read() {
        let mut count = 0;
        for family in ["smtp", "imap", "pop3"] {
            let cases = cases(family).unwrap();
            count += cases.len();
            let names: BTreeSet<_> = cases.iter().map(|case| &case.name).collect();
            assert_eq!(names.len(), cases.len(), "{family}");
            for case in &cases {
                assert!(
                    !case.rules.is_empty() || case.certificate.is_some() || case.clear,
                    "{} does nothing",
                    case.name
                );
                // A client that sends HELO never meets a rule for EHLO, so the case must have
                // `needs`.
                assert!(
                    !case.rules.contains_key("EHLO") || !case.needs.is_empty(),
                    "{}",
                    case.name
                );
                let injects = case.rules.values().any(|turn| turn.contains(INJECTED));
                assert_eq!(case.should == Should::Unfooled, injects, "{}", case.name);
                for (command, turn) in &case.rules {
                    drop(Embedded::options().always(command, turn.clone()).unwrap());
                }
            }
        }
        assert!(count >= 60, "{count}");
    }
}
