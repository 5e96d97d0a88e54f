//! The identifiers of sessions.

use std::fmt;

/// A session of a run: its number, from 1, in the order in which sessions were opened. Sessions
/// that branches of a script open in parallel are numbered per branch: `b2.s1` is the first session
/// of the second branch, whichever branch was quicker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub(crate) u32);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts() {
            (0, number) => write!(f, "s{number}"),
            (branch, number) => write!(f, "b{branch}.s{number}"),
        }
    }
}

impl SessionId {
    /// The number of bits that hold a session's number within its branch: 4095 sessions.
    const NUMBER: u32 = 12;
    /// The greatest number of a branch; later branches share it.
    const LAST_BRANCH: u32 = (1 << (31 - Self::NUMBER)) - 1;
    /// The bit that is set if the session belongs to a branch.
    const IN_BRANCH: u32 = 1 << 31;

    /// The session with this number in a branch; branch 0 means outside of all branches.
    pub(crate) fn new(branch: u32, number: u32) -> Self {
        if branch == 0 {
            return Self(number);
        }
        let (branch, number) = (branch.min(Self::LAST_BRANCH), number.min((1 << Self::NUMBER) - 1));
        Self(Self::IN_BRANCH | branch << Self::NUMBER | number)
    }

    /// The branch and the session's number in it.
    fn parts(self) -> (u32, u32) {
        if self.0 & Self::IN_BRANCH == 0 {
            return (0, self.0);
        }
        let rest = self.0 & !Self::IN_BRANCH;
        (rest >> Self::NUMBER, rest & ((1 << Self::NUMBER) - 1))
    }

    /// Parses the text form of a session, such as `s1` or `b2.s1`.
    pub(super) fn read(shown: &str) -> Option<Self> {
        let number = |text: &str| text.strip_prefix('s')?.parse().ok();
        match shown.strip_prefix('b') {
            Some(rest) => {
                let (branch, rest) = rest.split_once('.')?;
                Some(Self::new(
                    branch.parse().ok().filter(|branch| *branch <= Self::LAST_BRANCH)?,
                    number(rest)?,
                ))
            }
            None => number(shown).map(Self),
        }
    }
}
