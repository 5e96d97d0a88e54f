//! The lines of a log that were written since it is followed.

use std::collections::VecDeque;

use bytes::Bytes;

/// The number of newest lines that are kept, and the number of their bytes.
const KEPT: (usize, usize) = (20_000, 1 << 20);
/// The maximum length of a line. The rest of a longer line is dropped, because nobody searches for
/// text that far in a line.
const LONGEST: usize = 16 << 10;

/// The newest lines of a log.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    kept: VecDeque<Line>,
    bytes: usize,
    /// The number of lines that were dropped before those in `kept`.
    dropped: u64,
}

#[derive(Debug)]
struct Line {
    text: Bytes,
    /// Whether an operation has already waited for this line and found it.
    is_taken: bool,
}

impl Lines {
    fn push(&mut self, text: Bytes) {
        self.bytes += text.len();
        self.kept.push_back(Line { text, is_taken: false });
        while self.kept.len() > KEPT.0 || self.bytes > KEPT.1 {
            let Some(line) = self.kept.pop_front() else { return };
            self.bytes -= line.text.len();
            self.dropped += 1;
        }
    }

    /// The number of lines so far, including those that were dropped.
    pub(crate) fn count(&self) -> u64 {
        self.dropped + self.kept.len() as u64
    }

    /// The number of lines that were dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The kept lines from line `number` on, each with its number and whether it was taken.
    pub(crate) fn from(&self, number: u64) -> impl DoubleEndedIterator<Item = (u64, &Bytes, bool)> {
        let first = number.clamp(self.dropped, self.count());
        let lines = self.kept.range(self.place(first)..).enumerate();
        lines.map(move |(place, line)| (first + place as u64, &line.text, line.is_taken))
    }

    /// Takes line `number`, if it is still kept.
    pub(crate) fn take(&mut self, number: u64) {
        let place = self.place(number);
        if let Some(line) = self.kept.get_mut(place) {
            line.is_taken = true;
        }
    }

    /// The place of line `number` among the kept lines.
    fn place(&self, number: u64) -> usize {
        number.checked_sub(self.dropped).and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX)
    }
}

/// Splits incoming pieces into lines. A line is complete when its line end has come.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    unfinished: Vec<u8>,
}

impl Splitter {
    /// Adds a piece; complete lines are added to `lines`.
    pub(crate) fn push(&mut self, mut piece: &[u8], lines: &mut Lines) {
        while let Some(end) = memchr::memchr(b'\n', piece) {
            self.keep(&piece[..end]);
            let line = std::mem::take(&mut self.unfinished);
            let line = line.strip_suffix(b"\r").unwrap_or(&line);
            lines.push(Bytes::copy_from_slice(line));
            piece = &piece[end + 1..];
        }
        self.keep(piece);
    }

    fn keep(&mut self, piece: &[u8]) {
        let room = LONGEST.saturating_sub(self.unfinished.len());
        self.unfinished.extend_from_slice(&piece[..piece.len().min(room)]);
    }

    /// Drops the incomplete line.
    pub(crate) fn clear(&mut self) {
        self.unfinished.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(lines: &Lines) -> Vec<String> {
        lines.from(0).map(|(_, line, _)| String::from_utf8_lossy(line).into_owned()).collect()
    }

    #[test]
    fn lines_are_the_same_however_they_came() {
        let text = b"one\r\ntwo\n\nthree\nnot yet";
        for size in 1..text.len() {
            let (mut lines, mut splitter) = (Lines::default(), Splitter::default());
            text.chunks(size).for_each(|piece| splitter.push(piece, &mut lines));
            assert_eq!(texts(&lines), ["one", "two", "", "three"], "{size}");
        }
    }

    #[test]
    fn the_newest_lines_are_kept_and_long_ones_cut() {
        let (mut lines, mut splitter) = (Lines::default(), Splitter::default());
        for number in 0..50_000 {
            splitter.push(format!("line {number}\n").as_bytes(), &mut lines);
        }
        assert_eq!((lines.count(), lines.dropped()), (50_000, 30_000));
        assert_eq!(texts(&lines)[0], "line 30000");
        assert_eq!(lines.from(49_999).count(), 1);
        assert_eq!(lines.from(60_000).count(), 0);
        for _ in 0..200 {
            splitter.push(&vec![b'x'; 100_000], &mut lines);
            splitter.push(b"\n", &mut lines);
        }
        assert!(lines.bytes <= KEPT.1 && lines.kept.iter().all(|line| line.text.len() <= LONGEST));
    }

    #[test]
    fn lines_are_taken_by_their_numbers() {
        let (mut lines, mut splitter) = (Lines::default(), Splitter::default());
        for number in 0..KEPT.0 + 2 {
            splitter.push(format!("line {number}\n").as_bytes(), &mut lines);
        }
        lines.take(1);
        lines.take(3);
        lines.take(u64::MAX);
        let taken = lines.from(0).filter(|(_, _, is_taken)| *is_taken);
        let taken: Vec<_> = taken.map(|(number, line, _)| (number, line.clone())).collect();
        assert_eq!(taken, [(3, Bytes::from_static(b"line 3"))]);
    }
}
