//! The parts of a script that end for themselves: a case of a table, an attempt, a branch. What the
//! words of one open, defer and prove belongs to it, whatever other branches do meanwhile.

use std::cell::Cell;
use std::rc::Rc;

use tokio::time::Instant;

use super::order::{Order, Strand};

/// A part of a script that ends for itself. The whole script is one, too.
#[derive(Debug, Default)]
pub(super) struct Scope {
    /// The scope in which this one began.
    around: Option<Rc<Self>>,
    /// The branch in which the scope began.
    strand: Rc<Strand>,
    is_case: bool,
    /// The deadline of the `eventually` in progress.
    limit: Cell<Option<Instant>>,
    /// How often something expected came, or an assertion held.
    proofs: Cell<u64>,
}

impl Scope {
    /// A scope for an attempt.
    pub(super) fn within(around: &Rc<Self>) -> Rc<Self> {
        Self::new(around, &around.strand, false)
    }

    /// A scope for a branch.
    pub(super) fn of_branch(around: &Rc<Self>, strand: &Rc<Strand>) -> Rc<Self> {
        Self::new(around, strand, false)
    }

    /// A scope for a case of a table.
    pub(super) fn of_case(around: &Rc<Self>) -> Rc<Self> {
        Self::new(around, &around.strand, true)
    }

    fn new(around: &Rc<Self>, strand: &Rc<Strand>, is_case: bool) -> Rc<Self> {
        let (limit, around) = (Cell::new(around.limit()), Some(Rc::clone(around)));
        let strand = Rc::clone(strand);
        Rc::new(Self { around, strand, is_case, limit, proofs: Cell::default() })
    }

    /// The branch in which the scope began.
    pub(super) fn strand(&self) -> &Strand {
        &self.strand
    }

    /// The place of what the scope does next.
    pub(super) fn order(&self) -> Order {
        self.strand.next()
    }

    /// This scope and those around it.
    fn chain(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |scope| scope.around.as_deref())
    }

    /// Whether a scope is this one or began within it.
    pub(super) fn has(&self, scope: &Self) -> bool {
        scope.chain().any(|scope| std::ptr::eq(scope, self))
    }

    /// Whether this scope is a case, or began within one.
    pub(super) fn is_in_case(&self) -> bool {
        self.chain().any(|scope| scope.is_case)
    }

    /// The deadline of the `eventually` in progress, if there is one.
    pub(super) fn limit(&self) -> Option<Instant> {
        self.limit.get()
    }

    pub(super) fn set_limit(&self, limit: Option<Instant>) {
        self.limit.set(limit);
    }

    /// Adds what was proved, here and in the scopes around this one.
    pub(super) fn count(&self, proofs: u64) {
        self.chain().for_each(|scope| scope.proofs.set(scope.proofs.get() + proofs));
    }

    /// How often something expected came in this scope, or an assertion held.
    pub(super) fn proofs(&self) -> u64 {
        self.proofs.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_has_what_began_within_it_and_counts_it() {
        let script = Rc::new(Scope::default());
        let case = Scope::of_case(&script);
        let attempt = Scope::within(&case);
        let branch = Scope::within(&script);
        assert!(script.has(&attempt) && case.has(&attempt) && case.has(&case));
        assert!(!case.has(&branch) && !attempt.has(&case));
        assert!(attempt.is_in_case() && !branch.is_in_case());
        attempt.count(2);
        branch.count(1);
        assert_eq!([&script, &case, &branch].map(|scope| scope.proofs()), [3, 2, 1]);
    }
}
