//! Blocks of lines that end with a lone dot, as POP3 sends messages and lists (RFC 1939 section 3).
//!
//! Only CRLF, a dot and CRLF end a block. A dot between bare LFs is content: taking it for the end
//! is how mail is smuggled (RFC 5321 section 4.1.1.4).

use bytes::BytesMut;
use memchr::memmem;

/// The line that ends a block.
const LAST_LINE: &[u8] = b".\r\n";
/// A line end, followed by the dot at the beginning of the next line.
const DOTTED: &[u8] = b"\r\n.";

/// A lone dot between two lines.
const LONE_DOT: &[u8] = b"\r\n.\r\n";

/// Finds the end of a block in a stream that is passed in pieces. The first piece begins at the
/// start of a line.
#[derive(Clone, Debug, Default)]
pub(crate) struct LoneDot {
    /// The last bytes of earlier pieces, at most four.
    tail: Option<Vec<u8>>,
}

impl LoneDot {
    /// The offset in this piece at which the block ends, after its last line; `None` if the end is
    /// still to come.
    pub(crate) fn find(&mut self, piece: &[u8]) -> Option<usize> {
        let reach = LONE_DOT.len() - 1;
        let mut seam = self.tail.take().unwrap_or_else(|| b"\r\n".to_vec());
        let before = seam.len();
        seam.extend_from_slice(&piece[..piece.len().min(reach)]);
        let end = memmem::find(&seam, LONE_DOT).map(|at| at + LONE_DOT.len() - before);
        if let Some(end) =
            end.or_else(|| memmem::find(piece, LONE_DOT).map(|at| at + LONE_DOT.len()))
        {
            return Some(end);
        }
        if piece.len() > reach {
            seam = piece[piece.len() - reach..].to_vec();
        }
        seam.drain(..seam.len().saturating_sub(reach));
        self.tail = Some(seam);
        None
    }
}

/// What errors call a block, and the section that says how it ends.
pub(crate) type Name = (&'static str, &'static str);

/// A block of POP3.
pub(crate) const BLOCK: Name = ("block", "RFC 1939, 3");
/// A message of SMTP.
pub(crate) const MESSAGE: Name = ("message", "RFC 5321, 4.1.1.4");

/// Finds the end of a block in buffered bytes, and looks at each byte once. The block begins at the
/// start of the buffer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Multiline {
    /// The offset in the buffer before which all lines are known to be content.
    at: usize,
    /// The number of lines that begin with a dot before others.
    stuffed: u64,
    /// The offset in the block of the first of them whose dot is not doubled.
    single: Option<u64>,
    /// The number of bytes that were dropped from the front of the buffer.
    gone: u64,
}

impl Multiline {
    /// The length of the rest of the block in the buffer, with its last line; `None` while the
    /// block is incomplete.
    pub(crate) fn advance(&mut self, held: &[u8]) -> Option<usize> {
        if self.gone == 0 && self.at == 0 && held.first() == Some(&b'.') {
            match dot_line(held) {
                Line::Last => return Some(LAST_LINE.len()),
                Line::Unknown => return None,
                Line::Stuffed { doubled } => self.pass(1, doubled),
            }
        }
        while let Some(place) = memmem::find(&held[self.at..], DOTTED) {
            let dot = self.at + place + 2;
            match dot_line(&held[dot..]) {
                Line::Last => return Some(dot + LAST_LINE.len()),
                Line::Unknown => {
                    self.at = dot - 2;
                    return None;
                }
                Line::Stuffed { doubled } => self.pass(dot + 1, doubled),
            }
        }
        self.at = self.at.max(held.len().saturating_sub(DOTTED.len() - 1));
        None
    }

    /// Describes what the block, which has this name, still lacks, given its bytes in the buffer.
    pub(crate) fn missing(&self, held: &[u8], (name, rfc): Name) -> String {
        let is_alone = |at: usize| {
            let (before, after) = (&held[..at], &held[at + 1..]);
            (before.is_empty() && self.gone == 0 || before.ends_with(b"\n"))
                && (after.starts_with(b"\n") || after.starts_with(b"\r\n"))
        };
        let bare = if memchr::memchr_iter(b'.', held).any(is_alone) {
            format!("; a lone dot came with a bare LF before or after it, which ends no {name}")
        } else {
            String::new()
        };
        format!("its last line, a lone dot between CR LF and CR LF ({rfc}){bare}")
    }

    fn pass(&mut self, at: usize, doubled: bool) {
        self.stuffed += 1;
        self.at = at;
        if !doubled && self.single.is_none() {
            self.single = Some(self.gone + at as u64 - 1);
        }
    }

    /// The offset in the block of the first line that begins with one dot. Only a peer that does not
    /// double dots sends such a line, and taking a dot from it changes the content.
    pub(crate) fn single_dot(&self) -> Option<u64> {
        self.single
    }

    /// The number of bytes at the start of the buffer that are content, whatever comes next.
    pub(crate) fn spare(&self) -> usize {
        self.at
    }

    /// Records that the first `count` bytes of the buffer were dropped, at most
    /// [`Multiline::spare`] of them.
    pub(crate) fn dropped(&mut self, count: usize) {
        self.at -= count;
        self.gone += count as u64;
    }

    /// The number of octets of the block, without the doubled dots and the last line. `length` is
    /// the result of [`Multiline::advance`].
    pub(crate) fn octets(&self, length: usize) -> u64 {
        self.gone + (length - LAST_LINE.len()) as u64 - self.stuffed
    }

    /// Removes the doubled dots and the last line from a whole block. Bytes before the first
    /// doubled dot are not moved.
    pub(crate) fn unstuff(&self, block: &mut BytesMut) {
        block.truncate(block.len() - LAST_LINE.len());
        if self.stuffed > 0 {
            remove_dots(block);
        }
    }
}

/// The kind of a line that begins with a dot.
enum Line {
    Last,
    Stuffed {
        doubled: bool,
    },
    /// More bytes of the line are needed to tell.
    Unknown,
}

fn dot_line(line: &[u8]) -> Line {
    if line.starts_with(LAST_LINE) {
        Line::Last
    } else if LAST_LINE.starts_with(line) {
        Line::Unknown
    } else {
        Line::Stuffed { doubled: line.starts_with(b"..") }
    }
}

/// Removes the first dot of each line that begins with a dot, in place.
fn remove_dots(block: &mut BytesMut) {
    let mut from = usize::from(block.starts_with(b"."));
    let mut to = 0;
    while let Some(place) = memmem::find(&block[from..], DOTTED) {
        let line_end = from + place + 2;
        if to < from {
            block.copy_within(from..line_end, to);
        }
        to += line_end - from;
        from = line_end + 1;
    }
    block.copy_within(from.., to);
    let removed = from - to;
    block.truncate(block.len() - removed);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dot_stuff;
    use proptest::prelude::*;

    /// The block, its octets, and the number of bytes that it took from the stream, if the stream
    /// comes in these pieces.
    fn block(pieces: &[&[u8]]) -> Option<(Vec<u8>, u64, usize)> {
        let mut multiline = Multiline::default();
        let mut held = Vec::new();
        for piece in pieces {
            held.extend_from_slice(piece);
            if let Some(length) = multiline.advance(&held) {
                let mut block = BytesMut::from(&held[..length]);
                multiline.unstuff(&mut block);
                return Some((block.to_vec(), multiline.octets(length), length));
            }
        }
        None
    }

    /// The octets of the block and the number of bytes that it took from the stream, if nothing is
    /// kept; and the most bytes that were buffered.
    fn skipped(pieces: &[&[u8]]) -> Option<(u64, usize, usize)> {
        let mut multiline = Multiline::default();
        let (mut held, mut gone, mut most) = (Vec::new(), 0, 0);
        for piece in pieces {
            held.extend_from_slice(piece);
            if let Some(length) = multiline.advance(&held) {
                return Some((multiline.octets(length), gone + length, most));
            }
            let spare = multiline.spare();
            held.drain(..spare);
            multiline.dropped(spare);
            gone += spare;
            most = most.max(held.len());
        }
        None
    }

    #[test]
    fn a_block_ends_with_a_lone_dot_and_has_its_dots_undoubled() {
        for (stream, content, taken) in [
            (".\r\n+OK", "", 3),
            ("a\r\n.\r\n", "a\r\n", 6),
            ("\r\n.\r\n", "\r\n", 5),
            ("..\r\n.\r\n", ".\r\n", 7),
            ("a\r\n..b\r\n.c\r\n\r\n....\r\n.\r\n.\r\n", "a\r\n.b\r\nc\r\n\r\n...\r\n", 23),
            (".\r.\r\n.\r\n", "\r.\r\n", 8),
        ] {
            let whole = block(&[stream.as_bytes()]).unwrap();
            assert_eq!(
                (String::from_utf8(whole.0).unwrap().as_str(), whole.1, whole.2),
                (content, content.len() as u64, taken)
            );
        }
    }

    #[test]
    fn a_dot_between_bare_line_feeds_is_no_end() {
        for stream in [
            ".\n",
            "a\n.\n",
            "a\n.\r\n",
            "a\r\n.\n",
            "a\r\r\n.\r\r\n",
            "a\r.\r\n",
            " .\r\n",
            "a.\r\n",
        ] {
            assert_eq!(block(&[stream.as_bytes()]), None, "{stream:?}");
        }
        assert_eq!(block(&[b"a\n.\nb\r\n.\nc\r\n.\r\n"]).unwrap().0, b"a\n.\nb\r\n\nc\r\n");
    }

    #[test]
    fn a_lone_dot_with_a_bare_line_feed_is_named_when_the_block_does_not_end() {
        for (held, named) in [
            (&b"1 120\n2 200\n.\n"[..], true),
            (b".\n", true),
            (b"a\r\n.\n", true),
            (b"a\n.\r\n", true),
            (b"a\r\n", false),
            (b"a.\n b", false),
            (b"a\r\n.", false),
        ] {
            let mut multiline = Multiline::default();
            assert_eq!(multiline.advance(held), None);
            assert_eq!(multiline.missing(held, BLOCK).contains("bare LF"), named, "{held:?}");
        }
    }

    #[test]
    fn a_dot_that_is_not_doubled_is_noticed_however_it_comes() {
        for (stream, single) in [
            ("a\r\n..\r\n..b\r\n.\r\n", None),
            (".x\r\n..\r\n.\r\n", Some(0)),
            ("a\r\n..b\r\n.\rc\r\n.d\r\n.\r\n", Some(8)),
            ("a\n.b\r\n.\r\n", None),
        ] {
            for size in [1, 2, 100] {
                let (mut multiline, mut held) = (Multiline::default(), Vec::new());
                for piece in stream.as_bytes().chunks(size) {
                    held.extend_from_slice(piece);
                    if multiline.advance(&held).is_none() && size == 1 {
                        held.drain(..multiline.spare());
                        multiline.dropped(multiline.spare());
                    }
                }
                assert_eq!(multiline.single_dot(), single, "{stream:?} {size}");
            }
        }
    }

    #[test]
    fn little_is_held_of_a_block_that_is_not_kept() {
        let stream = dot_stuff(&b"0123456789\r\n.0123456789\r\n".repeat(100));
        let pieces: Vec<_> = stream.chunks(1).collect();
        let (octets, taken, most) = skipped(&pieces).unwrap();
        assert_eq!((octets, taken), (2500, stream.len()));
        assert!(most <= 4, "{most} bytes held");
    }

    proptest! {
        #[test]
        fn a_stuffed_message_comes_back_however_it_is_cut(
            lines in proptest::collection::vec("[.\r\nab]{0,5}", 0..6),
            cuts in proptest::collection::vec(0usize..50, 0..6),
        ) {
            let message = lines.iter().flat_map(|line| [line.as_bytes(), b"\r\n"].concat()).collect::<Vec<_>>();
            let stuffed = dot_stuff(&message);
            let stream = [&stuffed[..], b"+OK\r\n.\r\n"].concat();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(stream.len())).chain([0, stream.len()]).collect();
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
            let bytewise: Vec<_> = stream.chunks(1).collect();
            let octets = message.len() as u64;
            for pieces in [&pieces[..], &bytewise[..], &[&stream[..]]] {
                prop_assert_eq!(block(pieces), Some((message.clone(), octets, stuffed.len())));
                let (counted, taken, _) = skipped(pieces).unwrap();
                prop_assert_eq!((counted, taken), (octets, stuffed.len()));
            }
        }
    }
}
