//! Normalisers: they bring lines into one order and one shape where servers are free to choose.

mod capability;
mod dkim;
mod ehlo;
mod fetch;
mod received;

use capability::sort_capa;
pub(super) use capability::{sort_keywords, sort_sieve};
pub(super) use dkim::signature;
use ehlo::sort_ehlo;
pub(super) use fetch::{is_rest, sort_attributes, sort_rest};
pub(super) use received::hop;

use super::scope::Verb;
use crate::proto::chomp;

/// Sorts the lines of a complete reply; `None` if the lines are not one.
type Sort = fn(&[Vec<u8>]) -> Option<Vec<Vec<u8>>>;

/// A normaliser that sorts the lines of a reply.
#[derive(Clone, Copy)]
pub(super) struct Sorting {
    pub(super) rule: &'static str,
    pub(super) answering: Verb,
    pub(super) is_last: fn(&[u8]) -> bool,
    pub(super) sort: Sort,
}

pub(super) const EHLO: Sorting = Sorting {
    rule: "ehlo",
    answering: Verb::Ehlo,
    is_last: |line| line.get(3) == Some(&b' '),
    sort: sort_ehlo,
};
pub(super) const CAPA: Sorting = Sorting {
    rule: "capability",
    answering: Verb::Capa,
    is_last: |line| chomp(line) == b".",
    sort: sort_capa,
};

/// An unfolded header field, split into its name with the colon and its body.
fn field(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr::memchr(b':', text)?;
    Some(text.split_at(colon + 1))
}

/// A field's name without the colon.
fn name(name: &[u8]) -> &[u8] {
    name.strip_suffix(b":").unwrap_or(name).trim_ascii_end()
}
