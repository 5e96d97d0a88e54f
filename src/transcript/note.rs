//! What a script does beside its dialogues, as its transcript tells it.

/// What a note is about; it begins with this word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum About {
    /// A row of a table begins.
    Case,
    /// It has ended.
    CaseEnded,
    /// Something is tried that may have to be tried again.
    Attempt,
    /// It failed. In a golden, an attempt that failed is left out: how many there are depends on
    /// the time.
    AttemptFailed,
    /// It did not fail.
    AttemptPassed,
    /// A command was started.
    Ran,
    /// How it ended.
    Ended,
    /// A line of a log that was waited for.
    Log,
    /// The script does something that is hardly meant.
    Warning,
    /// What was deferred begins.
    Deferred,
}

impl About {
    /// All of them.
    pub(crate) const ALL: [Self; 10] = [
        Self::Case,
        Self::CaseEnded,
        Self::Attempt,
        Self::AttemptFailed,
        Self::AttemptPassed,
        Self::Ran,
        Self::Ended,
        Self::Log,
        Self::Warning,
        Self::Deferred,
    ];

    /// What stands before the text.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Case => "case: ",
            Self::CaseEnded => "end of case: ",
            Self::Attempt => "attempt: ",
            Self::AttemptFailed => "attempt failed: ",
            Self::AttemptPassed => "attempt passed: ",
            Self::Ran => "command: ",
            Self::Ended => "command ended: ",
            Self::Log => "log: ",
            Self::Warning => "warning: ",
            Self::Deferred => "deferred: ",
        }
    }
}
