//! Masks secrets in what comes piece by piece.

use super::Learned;
use super::spans::without;

/// How many bytes are collected before they are searched.
const WAITING: usize = 64 << 10;
/// How many of these bytes wait for the next round, because they may be the beginning of a secret.
/// No secret is longer than a line.
const OVERLAP: usize = 4 << 10;

/// The last bytes of a stream, which are masked with those that follow: a secret may be split
/// between two pieces.
#[derive(Debug, Default)]
pub(crate) struct Pieces(Vec<u8>);

impl Pieces {
    /// Whether no byte waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes the next piece. Returns those bytes of the stream that are masked now, none of which
    /// were returned before.
    pub(crate) fn push(&mut self, piece: &[u8], secrets: &Learned) -> Vec<u8> {
        self.0.extend_from_slice(piece);
        if self.0.len() <= WAITING {
            return Vec::new();
        }
        let mut spans = secrets.spans(&self.0);
        let mut end = self.0.len() - OVERLAP;
        if let Some(span) = spans.iter().find(|span| span.start < end && end < span.end) {
            // A span that is longer than all that may wait is hostile, and is cut.
            end = if span.start > 0 { span.start } else { span.end };
        }
        spans.retain(|span| span.end <= end);
        let masked = without(&self.0[..end], &spans);
        self.0.drain(..end);
        masked
    }

    /// Ends the stream. Returns its last bytes, masked.
    pub(crate) fn finish(&mut self, secrets: &Learned) -> Vec<u8> {
        let rest = std::mem::take(&mut self.0);
        secrets.mask(&rest, &[]).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_masked_wherever_the_stream_is_cut() {
        let secrets = Learned::default();
        secrets.learn(b"hunter2|xyzab");
        for at in [0, 10, WAITING - OVERLAP - 5, WAITING - 6, WAITING - 1] {
            let mut stream = vec![b'.'; 3 * WAITING];
            stream.splice(at..at, *b"hunter2|xyzab");
            let wanted = secrets.mask(&stream, &[]).into_owned();
            for size in [1000, at + 7, WAITING] {
                let mut pieces = Pieces::default();
                let mut masked = Vec::new();
                for piece in stream.chunks(size) {
                    masked.extend(pieces.push(piece, &secrets));
                }
                masked.extend(pieces.finish(&secrets));
                assert!(masked == wanted && pieces.is_empty(), "{at} {size}");
            }
        }
    }

    #[test]
    fn a_flood_of_secrets_is_not_kept() {
        let secrets = Learned::default();
        secrets.learn(b"hunter2");
        let mut pieces = Pieces::default();
        for _ in 0..100 {
            pieces.push(&b"hunter2".repeat(1000), &secrets);
        }
        assert!(pieces.0.len() <= WAITING + 7000);
    }
}
