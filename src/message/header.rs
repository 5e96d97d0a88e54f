//! Tells the header fields of a message apart (RFC 5322 section 2.2).

use std::ops::Range;

use crate::proto::chomp;

/// The header fields at the beginning of a message.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    /// The fields in order: the name, and the value as it came, with its continuation lines.
    pub(super) known: Vec<(&'a [u8], &'a [u8])>,
    /// The first line that neither begins nor continues a field.
    pub(super) stray: Option<&'a [u8]>,
}

/// Reads the lines before the empty line. A line that continues no field, like a folded line at the
/// very beginning, is no field.
pub(super) fn fields(head: &[u8]) -> Fields<'_> {
    let mut found: Vec<(&[u8], Range<usize>)> = Vec::new();
    let (mut stray, mut is_in_field, mut start) = (None, false, 0);
    for line in head.split_inclusive(|byte| *byte == b'\n') {
        let end = start + line.len();
        match (continues(line), found.last_mut(), name(line)) {
            (true, Some((_, value)), _) if is_in_field => value.end = end,
            (false, _, Some((name, value))) => {
                found.push((name, start + value..end));
                is_in_field = true;
            }
            _ => {
                stray.get_or_insert(chomp(line));
                is_in_field = false;
            }
        }
        start = end;
    }
    let known = found.into_iter().map(|(name, value)| (name, &head[value])).collect();
    Fields { known, stray }
}

/// Whether a line continues the field in the line before (RFC 5322 section 2.2.3).
pub(super) fn continues(line: &[u8]) -> bool {
    line.starts_with(b" ") || line.starts_with(b"\t")
}

/// The name of the field that begins in this line, if one does (RFC 5322 section 3.6.8), and the
/// offset of its value.
pub(super) fn name(line: &[u8]) -> Option<(&[u8], usize)> {
    let colon = memchr::memchr(b':', line)?;
    let name = line[..colon].trim_ascii_end();
    (!name.is_empty() && name.iter().all(u8::is_ascii_graphic)).then_some((name, colon + 1))
}
