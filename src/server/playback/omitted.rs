//! What a transcript has left out of a long run of bytes: it says how many they were in a line of
//! their own.

/// The most bytes that are made up for those that a recording has left out.
const MADE_UP: usize = 64 << 20;

/// The text of a recording, with as many other bytes in place of those that it has left out.
pub(super) fn filled(text: &str) -> String {
    let (mut filled, mut left) = (String::with_capacity(text.len()), MADE_UP);
    for line in text.split_inclusive('\n') {
        match omitted(line) {
            // The mark at the end says that no line ends there.
            Some((before, count)) => {
                let made_up = count.min(left);
                left -= made_up;
                filled.push_str(before);
                filled.extend(std::iter::repeat_n('x', made_up));
                filled.push_str("\\\n");
            }
            None => filled.push_str(line),
        }
    }
    filled
}

/// What is before the count, and the number of bytes that were left out here.
fn omitted(line: &str) -> Option<(&str, usize)> {
    let (before, said) = line.trim_end().split_at(line.find("... ")?);
    let (count, rest) = said.strip_prefix("... ")?.split_once(" bytes left out")?;
    let is_end = rest == " ..." || rest.starts_with(", SHA-256 ") && rest.ends_with(" ...");
    let count = count.parse().ok()?;
    let is_said = ["S: ", "C: "].iter().any(|mark| before.ends_with(mark));
    (is_end && is_said).then_some((before, count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::{self, Event, Excerpt, Transcript, What};

    #[test]
    fn what_a_transcript_leaves_out_has_its_length() {
        let said = [&b"* 1 FETCH (BODY[] {50000}\r\n"[..], &b"a".repeat(50_000), b")\r\n"].concat();
        let transcript = Transcript::new();
        let session = transcript.open();
        transcript.record_on(session, What::Server(Excerpt::of(&said)));
        let lines = transcript::lines(&transcript.events());
        let text = lines.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        assert!(text.len() < 30_000, "some of it was left out");
        let (events, _) = transcript::read(&filled(&text));
        let [Event { what: What::Server(read), .. }] = &events[..] else { panic!("{events:?}") };
        assert_eq!(
            read.head().len() as u64 + read.omitted() + read.tail().len() as u64,
            said.len() as u64
        );
        for line in [
            "S: ... x bytes left out ...",
            "S: ... 5 bytes left out",
            "*** ... 5 bytes left out ...",
        ] {
            assert_eq!(filled(line), line);
        }
    }
}
