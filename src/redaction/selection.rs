//! Writes a redaction as a list of the names that are on, compares two redactions, and adds one to
//! another.

use std::collections::BTreeSet;

use super::{Redaction, Strictness, default, of_group, rules};

impl Redaction {
    /// How much of the servers' lines is kept.
    pub(crate) fn level(&self) -> Strictness {
        self.strictness
    }

    /// The presets and normalisers that are on in addition to the default, and with a minus those
    /// that are off, in the form that [`Redaction::select`] reads. A group stands for its members
    /// if all of them are listed.
    pub(crate) fn selection(&self) -> String {
        let defaults: BTreeSet<_> = default().collect();
        let differs = |name: &str| self.is_on(name) != defaults.contains(name);
        let mut words: Vec<String> = Vec::new();
        for (name, group) in rules().filter(|(name, _)| differs(name)) {
            let is_whole = of_group(group)
                .all(|other| differs(other) && self.is_on(other) == self.is_on(name));
            let sign = if self.is_on(name) { "" } else { "-" };
            let word = format!("{sign}{}", if is_whole { group } else { name });
            if !words.contains(&word) {
                words.push(word);
            }
        }
        words.join(", ")
    }

    /// The caller's regexes: the token, the regex, and whether values are numbered.
    pub(crate) fn own_regexes(&self) -> impl Iterator<Item = (&str, &str, bool)> {
        self.own.iter().map(|rule| {
            (&*rule.label.token, rule.label.rule.trim_matches('`'), rule.label.numbered)
        })
    }

    /// This redaction plus what `other` has on in addition to the default, at the lower strictness
    /// of the two. The known values are those of `other`.
    #[must_use]
    pub(crate) fn with_additions_of(mut self, other: &Self) -> Self {
        let defaults: BTreeSet<_> = default().collect();
        self.active.extend(other.active.iter().filter(|name| !defaults.contains(*name)));
        for rule in &other.own {
            let label = &rule.label;
            let is_known = self.own_regexes().any(|(token, regex, _)| {
                *token == *label.token && regex == label.rule.trim_matches('`')
            });
            if !is_known {
                self.own.push(rule.clone());
            }
        }
        self.known.clone_from(&other.known);
        self.strictness = self.strictness.min(other.strictness);
        self
    }

    /// Whether both redactions keep the same parts of a transcript. Known values are not compared.
    pub(crate) fn keeps_as(&self, other: &Self) -> bool {
        self.active == other.active
            && self.strictness == other.strictness
            && self.own_regexes().eq(other.own_regexes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_is_read_back() {
        for (list, selection) in [
            ("", ""),
            ("imap, -timing.seconds", "-timing.seconds, imap"),
            ("all", "headers, pop3, imap, sasl, sizes, banner"),
            ("-net imap.uidvalidity", "imap.uidvalidity, -net"),
        ] {
            let redaction = Redaction::new().select(list).unwrap();
            let words: BTreeSet<_> = selection.split(", ").map(str::to_owned).collect();
            let found = redaction.selection();
            assert_eq!(found.split(", ").map(str::to_owned).collect::<BTreeSet<_>>(), words);
            assert!(Redaction::new().select(&found).unwrap().keeps_as(&redaction), "{list}");
        }
    }

    #[test]
    fn additions_are_put_together_at_the_lower_strictness() {
        let golden = Redaction::new().select("-timing").unwrap().regex("a", "A").unwrap();
        let run = Redaction::new().select("imap").unwrap().regex("a", "A").unwrap();
        let both = golden.with_additions_of(&run.strictness(Strictness::Codes));
        assert!(both.is_on("imap.uid") && !both.is_on("timing.seconds"));
        assert_eq!((both.level(), both.own_regexes().count()), (Strictness::Codes, 1));
    }
}
