//! A plain stream: no replies, no verbs; `expect` searches, as in expect(1).

use std::borrow::Cow;
use std::ops::Range;

use super::{Framing, Lines, Protocol, Speech, chomp};
use crate::secrets::{self, Secrets};

/// Turn-taking where nothing is known of the protocol: what was sent wants some answer before more
/// is sent.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    unanswered: bool,
    sent: Lines,
    /// The last command was an AUTH: lines that look like responses are some.
    in_auth: bool,
}

impl Stream {
    /// The span of a line that is secret in some mail protocol.
    fn secret(&self, line: &[u8]) -> Option<Range<usize>> {
        let text = chomp(line);
        secrets::secret_of_command(text)
            .or_else(|| (self.in_auth && secrets::is_base64(text)).then_some(0..text.len()))
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

    fn sent(&mut self, bytes: &[u8], secrets: &mut Secrets) -> Vec<Range<usize>> {
        self.unanswered = true;
        let spans = self.secrets(bytes);
        let mut lines = std::mem::take(&mut self.sent);
        lines.push(bytes, |line, _| {
            if let Some(span) = self.secret(line) {
                // A password that passes for base64 is one all the same.
                secrets.learn(&line[span.clone()]);
                secrets.learn_sasl("PLAIN", 0, &line[span]);
            }
            let mut words = line.split(u8::is_ascii_whitespace);
            let is_auth = words
                .any(|word| word.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"AUTH")));
            self.in_auth = is_auth || (self.in_auth && secrets::is_base64(chomp(line)));
        });
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
        ] {
            let spans = stream.sent(bytes.as_bytes(), &mut secrets);
            shown.extend_from_slice(&secrets.mask(bytes.as_bytes(), &spans));
        }
        let shown = String::from_utf8(shown).unwrap();
        assert_eq!(
            shown,
            "USER me\r\nPASS [SECRET]\r\nAUTH LOGIN\r\n[SECRET]\r\n[SECRET][SECRET]\r\nNOOP [SECRET]\r\n"
        );
    }
}
