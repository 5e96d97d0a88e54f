//! The identifiers of sessions.

use std::fmt;
use std::num::NonZeroU64;

/// A session of a run: its number, from 1, in the order in which sessions were opened. Sessions
/// that branches of a script open in parallel are numbered per branch: `b2.s1` is the first session
/// of the second branch, and `b2.1.s1` that of the first branch within it, whichever was quicker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(NonZeroU64);

/// A branch of a script, by its number and those of the branches around it. By default outside of
/// all branches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BranchId(u64);

/// The number of bits that hold a session's number within its branch: 4095 sessions.
const NUMBER: u32 = 12;
/// The number of bits that hold a branch's number: of a branch that is in no other, and of those in
/// it, down to the deepest.
const LEVELS: [u32; 4] = [19, 10, 10, 10];
/// The bit that is set if the session belongs to a branch.
const IN_BRANCH: u64 = 1 << 63;

const fn last(bits: u32) -> u64 {
    (1 << bits) - 1
}

/// The place of the bits of each level, and their count.
fn levels() -> impl Iterator<Item = (u32, u32)> {
    let mut shift = NUMBER + LEVELS.iter().sum::<u32>();
    LEVELS.into_iter().map(move |bits| {
        shift -= bits;
        (shift, bits)
    })
}

impl BranchId {
    /// The branch with this number, from 1, of those that this one runs. Later branches share the
    /// last number. Deeper branches than there are levels share the sessions of the one around them.
    pub(crate) fn branch(self, number: u64) -> Self {
        let Some((shift, bits)) = levels().nth(self.numbers().count()) else { return self };
        Self(self.0 | IN_BRANCH | number.min(last(bits)) << shift)
    }

    /// The numbers of the branches, the outermost first.
    fn numbers(self) -> impl Iterator<Item = u64> {
        levels().map(move |(shift, bits)| self.0 >> shift & last(bits)).take_while(|n| *n > 0)
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.get() & IN_BRANCH == 0 {
            return write!(f, "s{}", self.0);
        }
        for (place, number) in BranchId(self.0.get()).numbers().enumerate() {
            write!(f, "{}{number}.", if place == 0 { "b" } else { "" })?;
        }
        write!(f, "s{}", self.0.get() & last(NUMBER))
    }
}

impl SessionId {
    /// The session with this number outside of all branches.
    pub(crate) fn of(number: u32) -> Self {
        Self(NonZeroU64::new(number.into()).unwrap_or(NonZeroU64::MIN))
    }

    /// The session with this number in a branch.
    pub(crate) fn new(branch: BranchId, number: u32) -> Self {
        if branch == BranchId::default() {
            return Self::of(number);
        }
        let number = u64::from(number.max(1)).min(last(NUMBER));
        Self(NonZeroU64::new(branch.0 | number).unwrap_or(NonZeroU64::MIN))
    }

    /// Parses the text form of a session, such as `s1` or `b2.s1`.
    pub(super) fn read(shown: &str) -> Option<Self> {
        let (branches, number) = shown.split_once('s')?;
        let number = number.parse().ok()?;
        if branches.is_empty() {
            return Some(Self::of(number));
        }
        let mut branch = BranchId::default();
        let numbers = branches.strip_prefix('b')?.strip_suffix('.')?.split('.');
        for (place, shown) in numbers.enumerate() {
            let bits = *LEVELS.get(place)?;
            let number = shown.parse().ok().filter(|number| (1..=last(bits)).contains(number))?;
            branch = branch.branch(number);
        }
        Some(Self::new(branch, number))
    }
}
