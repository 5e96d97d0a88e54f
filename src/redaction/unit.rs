//! Redacts one line or folded header field: gives it its normal shape, and replaces what the rules
//! claim in it.

use std::ops::Range;

use super::apply::{Around, Run};
use super::claims::Claims;
use super::dialogue::{Seen, Unit};
use super::rule::Rule;
use super::scope::{Part, Verb};
use super::{SECRET, structure, tokens};
use crate::proto::{Speech, chomp};

impl<'a> Run<'a> {
    pub(super) fn unit(
        &mut self,
        bytes: &[u8],
        unit: &Unit,
        around: Around<'_>,
        offset: usize,
    ) -> Vec<u8> {
        let line = &bytes[unit.span.clone()];
        let (text, end) = line.split_at(chomp(line).len());
        let mut text = text.to_vec();
        let mut flat = unfolded(&text);
        if (self.is_stopped)() || self.is_redacted(&flat) {
            return line.to_vec();
        }
        let span = unit.span.start + offset..unit.span.start + offset + text.len();
        let shaped =
            self.shaped(&flat, &unit.seen, around.speech).filter(|(_, shape)| *shape != flat);
        let is_shaped = shaped.is_some();
        if let Some((rule, shape)) = shaped {
            self.rearranged(rule, span.clone(), &text, &shape);
            text.clone_from(&shape);
            flat = shape;
        }
        if !(is_shaped && self.is_redacted(&flat)) {
            let boundaries = if is_shaped { &[] } else { &unit.boundaries[..] };
            let inside: Vec<_> = boundaries
                .iter()
                .map(|b| b.start - unit.span.start..b.end - unit.span.start)
                .collect();
            let claims = self.claims(&flat, &unit.seen, around, &inside);
            text = self.replaced(&text, &claims, &span, is_shaped);
        }
        text.extend_from_slice(end);
        text
    }

    /// Whether the line contains a token and so has been redacted before. `[SECRET]` does not
    /// count: secrets are masked before redaction.
    fn is_redacted(&self, text: &[u8]) -> bool {
        tokens::standing(text, &self.rules.names).iter().any(|(_, name)| *name != SECRET)
    }

    /// The line in the normal shape for its kind, and the name of the normaliser that applies;
    /// `None` if none does.
    fn shaped(
        &mut self,
        text: &[u8],
        seen: &Seen,
        speech: Speech,
    ) -> Option<(&'static str, Vec<u8>)> {
        if matches!(seen.part, Part::Greeting | Part::Reply) && speech == Speech::Imap {
            let capability =
                structure::sort_keywords(text).filter(|_| self.rules.is_on("capability"));
            let sort =
                if seen.continues { structure::sort_rest } else { structure::sort_attributes };
            let fetch = || sort(text).filter(|_| self.rules.is_on("fetch"));
            return capability
                .map(|shape| ("capability", shape))
                .or_else(|| Some(("fetch", fetch()?)));
        }
        if seen.part != Part::Header {
            return None;
        }
        if let Some(shape) = structure::signature(text).filter(|_| self.rules.is_on("dkim")) {
            return Some(("dkim", shape));
        }
        let hop = structure::hop(text).filter(|_| self.rules.is_on("received"))?;
        let id = hop.id.map(|id| {
            let token =
                if self.tokens.knows("DELIVERY_ID", id) { "DELIVERY_ID" } else { "QUEUE_ID" };
            self.tokens.numbered(token, id)
        });
        Some(("received", hop.shape(id.as_deref())))
    }

    fn claims(
        &self,
        text: &[u8],
        seen: &Seen,
        around: Around<'_>,
        boundaries: &[Range<usize>],
    ) -> Claims<'a> {
        let rules = self.rules;
        let mut claims = Claims::default();
        claims.claim(0..seen.fixed.min(text.len()), None);
        for (span, name) in tokens::standing(text, &rules.names) {
            if name == SECRET { claims.claim_mask(span) } else { claims.claim(span, None) }
        }
        let fitting = |rule: &&Rule| {
            rule.scope.holds(seen.part, around.speech, seen.answering, around.greeting)
                && rule.scope.starts(text)
        };
        self.claim_all(text, rules.secrets.iter().filter(fitting), &mut claims);
        // In a note about TLS, the host name is recognised by its position, so this rule comes
        // before known values that may equal it.
        if seen.part == Part::Tls {
            self.claim_all(text, rules.others.iter().filter(fitting), &mut claims);
        }
        // In a greeting or a reply to EHLO, such a word is more likely the server's own than a
        // known value.
        let says_what_it_is = seen.part == Part::Greeting || seen.answering == Verb::Ehlo;
        let (common, telling): (Vec<_>, Vec<_>) =
            rules.known.iter().partition(|known| known.is_common);
        for known in telling.iter().filter(|known| !(says_what_it_is && known.is_word())) {
            known.spans(text).for_each(|span| claims.claim(span, Some(&known.label)));
        }
        if let Some(label) = &rules.boundary {
            for span in boundaries {
                claims.claim(span.clone(), Some(label));
            }
        }
        self.claim_all(text, rules.others.iter().filter(fitting), &mut claims);
        if around.is_client {
            for (span, name) in self.tokens.again(text) {
                claims.claim(span, rules.again.get(name));
            }
        }
        let is_value = |value: &[u8]| seen.part == Part::Value && *value == *text;
        for known in common.iter().filter(|known| around.is_client || is_value(&known.value)) {
            known.spans(text).for_each(|span| claims.claim(span, Some(&known.label)));
        }
        claims
    }

    /// Claims every span that these rules match.
    fn claim_all(
        &self,
        text: &[u8],
        rules: impl Iterator<Item = &'a Rule>,
        claims: &mut Claims<'a>,
    ) {
        for rule in rules {
            let spans = rule.spans(text).take_while(|_| !(self.is_stopped)());
            spans.for_each(|span| claims.claim(span, Some(&rule.label)));
        }
    }

    /// The text with all claimed spans replaced. The changes of a line that was rearranged refer to
    /// the `whole` line, because positions in the rearranged text are not those in the event.
    fn replaced(
        &mut self,
        text: &[u8],
        claims: &Claims<'_>,
        whole: &Range<usize>,
        is_shaped: bool,
    ) -> Vec<u8> {
        let mut redacted = Vec::with_capacity(text.len());
        let mut from = 0;
        for (span, label) in claims.replaced() {
            let was = &text[span.clone()];
            let now = if label.numbered {
                self.tokens.numbered(&label.token, was)
            } else {
                tokens::plain(&label.token)
            };
            redacted.extend_from_slice(&text[from..span.start]);
            redacted.extend_from_slice(now.as_bytes());
            from = span.end;
            let place = if is_shaped {
                whole.clone()
            } else {
                whole.start + span.start..whole.start + span.end
            };
            self.changed(place, &label.rule, was, now.as_bytes());
        }
        redacted.extend_from_slice(&text[from..]);
        redacted
    }
}

/// A folded header field as one line of the same length: line ends become blanks.
fn unfolded(text: &[u8]) -> Vec<u8> {
    let mut flat = text.to_vec();
    for at in memchr::memchr_iter(b'\n', text) {
        flat[at] = b' ';
        if at > 0 && text[at - 1] == b'\r' {
            flat[at - 1] = b' ';
        }
    }
    flat
}
