//! The options of one call, which hold for that call alone.

use std::time::Duration;

use super::{Fault, Untagged};
use crate::error::{Error, Result};
use crate::pattern::Pattern;
use crate::proto::imap::Literals;
use crate::tls;

/// The options of one call. Each operation takes out the options that it uses;
/// [`Call::check_spent`] refuses the others.
#[derive(Debug, Default)]
pub(crate) struct Call {
    pub(crate) timeout: Option<Duration>,
    /// The least time that the operation has to take.
    pub(crate) after: Option<Duration>,
    /// The pattern that the reply at the end of a verb must match, in place of the protocol's
    /// success.
    pub(crate) expect: Option<Result<Pattern>>,
    /// A pattern for each of the replies to a message, in place of the protocol's success.
    pub(crate) expect_each: Option<Result<Vec<Pattern>>>,
    /// Whether to keep the bytes that are taken; with `false`, only their number is kept.
    pub(crate) keep: Option<bool>,
    pub(crate) untagged: Option<Untagged>,
    pub(crate) literals: Option<Literals>,
    pub(crate) by_uid: bool,
    /// Whether the answer of IMAP may lack the data that the command asks for.
    pub(crate) bare: bool,
    pub(crate) tls: Option<Box<tls::Options>>,
    /// A fault that the server plays on purpose while it speaks.
    pub(crate) fault: Option<Box<Fault>>,
    /// Parameters of MAIL and RCPT, such as `SIZE=1000`.
    pub(crate) parameters: Vec<String>,
}

impl Call {
    /// Whether to keep the bytes that are taken.
    pub(super) fn keeps(&mut self) -> bool {
        self.keep.take().unwrap_or(true)
    }

    /// Refuses options that the operation does not use: ignoring one would let a test pass that
    /// checks nothing.
    pub(super) fn check_spent(&self, operation: &str) -> Result<()> {
        if self.expect_each.is_some() {
            let error =
                Error::usage(format!("a list of patterns for `{operation}`, which has one reply"));
            return Err(error.hint(
                "a list is for several replies, a pattern each, as `data` and `bdat` have them over LMTP; alternatives are any(250, 501)",
            ));
        }
        let left = [
            ("expect", self.expect.is_some()),
            ("keep", self.keep.is_some()),
            ("untagged", self.untagged.is_some()),
            ("literals", self.literals.is_some()),
            ("by_uid", self.by_uid),
            ("bare", self.bare),
            ("tls", self.tls.is_some()),
            ("fault", self.fault.is_some()),
            ("parameters", !self.parameters.is_empty()),
        ];
        match left.iter().find(|(_, is_left)| *is_left) {
            Some((option, _)) => {
                Err(Error::usage(format!("`{operation}` has no option `{option}`")))
            }
            None => Ok(()),
        }
    }
}
