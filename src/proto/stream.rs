//! A plain stream, without replies or verbs. `expect` searches in it, as in expect(1).

use std::borrow::Cow;
use std::ops::Range;

use super::capabilities::Told;
use super::facts::{Facts, Scheme, Server, Success};
use super::{Framing, Lines, Protocol, Speech, chomp};
use crate::secrets::{self, Secrets};

/// The facts about a plain stream: there are none.
pub(super) static FACTS: Facts = Facts {
    name: "no protocol that is known",
    schemes: &[
        Scheme { name: "tcp", speech: Speech::Stream, port: None, suggested_by: &[] },
        Scheme { name: "tls", speech: Speech::Stream, port: None, suggested_by: &[] },
    ],
    dialogue: |_| Box::new(Stream::default()),
    greetings: &[],
    greeting: &[],
    refusals: &[],
    success: Success::Code(250),
    successes: &[],
    statuses: &[],
    unasked: None,
    commands: &[],
    has_tags: false,
    has_literals: false,
    has_messages: false,
    block: None,
    farewell: None,
    tls: None,
    // A client that authenticates on a plain stream most likely speaks SMTP.
    sasl: &super::smtp::SASL,
    told: |_, _| Told::Nothing,
    server: Server {
        greeting: &["220 localhost ESMTP"],
        too_many: "421 4.7.0 Too many connections",
        refusal: "500 5.5.1 {}",
    },
    advice: &[],
};

/// The turns on a plain stream, whose protocol is not known: what was sent needs some answer before
/// more is sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stream {
    unanswered: bool,
    sent: Lines,
    /// The mechanism of the last command, if that was an AUTH, and the number of responses after
    /// it. Lines after AUTH that look like responses count as responses.
    auth: Option<(String, usize)>,
}

impl Stream {
    /// The span of a line that is secret in any mail protocol.
    fn secret(&self, line: &[u8]) -> Option<Range<usize>> {
        let text = chomp(line);
        secrets::secret_of_command(text).or_else(|| self.is_response(text).then_some(0..text.len()))
    }

    /// Whether a line is a response. `QUIT` is valid base64, but must not count as one: every later
    /// `QUIT` would be masked.
    fn is_response(&self, line: &[u8]) -> bool {
        let has_form = if self.auth.is_some() {
            secrets::is_base64(line)
        } else {
            secrets::is_stray_response(line, false)
        };
        has_form && !super::smtp::is_verb(line)
    }
}

impl Stream {
    /// Tracks a line that was sent.
    fn sent_line(&mut self, line: &[u8], secrets: &mut Secrets) {
        let secret = self.secret(line);
        let mut words = line.split(u8::is_ascii_whitespace).skip_while(|word| {
            !word.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"AUTH"))
        });
        let exchange = words.next().map(|_| {
            let mechanism = words.next().unwrap_or_default();
            (String::from_utf8_lossy(mechanism).into_owned(), 0)
        });
        let is_response = exchange.is_none() && self.auth.is_some() && self.is_response(line);
        if !is_response {
            self.auth = exchange;
        }
        match (&mut self.auth, secret) {
            (Some((mechanism, step)), Some(span)) => {
                secrets.learn_sasl(mechanism, *step, &line[span]);
                *step += 1;
            }
            (None, Some(span)) if span.start == 0 => secrets.learn_sasl("", 0, line),
            (None, Some(span)) => secrets.learn(&line[span]),
            (_, None) => {}
        }
    }
}

impl Protocol for Stream {
    fn name(&self) -> &'static str {
        "stream"
    }

    fn speech(&self) -> Speech {
        Speech::Stream
    }

    fn framing(&mut self) -> Option<&mut dyn Framing> {
        None
    }

    fn requests(&mut self) -> Option<&mut dyn Framing> {
        None
    }

    fn fork(&self) -> Box<dyn Protocol> {
        Box::new(self.clone())
    }

    fn sent(&mut self, bytes: &[u8], secrets: &mut Secrets) -> Vec<Range<usize>> {
        self.unanswered = true;
        let spans = self.secrets(bytes);
        let mut lines = std::mem::take(&mut self.sent);
        lines.push(bytes, |line, _| self.sent_line(chomp(line), secrets));
        self.sent = lines;
        spans
    }

    fn secrets(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        let before = self.sent.unfinished().len();
        let whole = if before == 0 {
            Cow::Borrowed(bytes)
        } else {
            [self.sent.unfinished(), bytes].concat().into()
        };
        let mut spans = Vec::new();
        let mut start = 0;
        for line in whole.split_inclusive(|byte| *byte == b'\n') {
            if let Some(span) = self.secret(line) {
                let span = (start + span.start).saturating_sub(before)
                    ..(start + span.end).saturating_sub(before);
                spans.extend((!span.is_empty()).then_some(span));
            }
            start += line.len();
        }
        spans
    }

    fn received(&mut self, bytes: &[u8]) {
        self.unanswered &= bytes.is_empty();
    }

    fn owed(&self) -> usize {
        usize::from(self.unanswered)
    }

    fn waive(&mut self) {
        self.unanswered = false;
    }

    fn is_closing(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_where_nothing_is_known_of_the_protocol() {
        let mut stream = Stream::default();
        let mut secrets = Secrets::default();
        let mut shown = Vec::new();
        for bytes in [
            "USER me\r\n",
            "PASS hunter22\r\n",
            "AUTH LOGIN\r\n",
            "aG9nZQ==\r\n",
            "cHBw",
            "d3d3\r\n",
            "NOOP hunter22\r\n",
            "AUTH LOGIN\r\n",
            "QUIT\r\n",
            "AG1lAHdvbmRlcjEy\r\n",
            "NOOP wonder12\r\n",
        ] {
            let spans = stream.sent(bytes.as_bytes(), &mut secrets);
            shown.extend_from_slice(&secrets.mask(bytes.as_bytes(), &spans));
        }
        let shown = String::from_utf8(shown).unwrap();
        assert_eq!(
            shown,
            "USER me\r\nPASS [SECRET]\r\nAUTH LOGIN\r\n[SECRET]\r\n[SECRET][SECRET]\r\nNOOP [SECRET]\r\nAUTH LOGIN\r\nQUIT\r\n[SECRET]\r\nNOOP [SECRET]\r\n"
        );
    }
}
