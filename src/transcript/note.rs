//! The notes in a transcript about what a script does besides its dialogues.

/// What a note is about. The text form of a note begins with a word for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum About {
    /// The row of a table with this number begins. Rows are numbered over all tables of a run, from
    /// 0, in the order in which they begin.
    Case(u32),
    /// The row with this number has ended.
    CaseEnded(u32),
    /// An attempt begins that may have to be repeated.
    Attempt,
    /// An attempt failed. A golden leaves failed attempts out, because their number depends on
    /// timing.
    AttemptFailed,
    /// An attempt succeeded.
    AttemptPassed,
    /// A command was started.
    Ran,
    /// A command that was started has ended.
    Ended,
    /// The script waited for a line of a log, and it came.
    Log,
    /// The script does something that is probably a mistake.
    Warning,
    /// A deferred action begins.
    Deferred,
    /// A session is compressed from here on.
    Compression,
}

impl About {
    /// All kinds of notes. The text of a transcript does not have the numbers of rows.
    pub(crate) const ALL: [Self; 11] = [
        Self::Case(0),
        Self::CaseEnded(0),
        Self::Attempt,
        Self::AttemptFailed,
        Self::AttemptPassed,
        Self::Ran,
        Self::Ended,
        Self::Log,
        Self::Warning,
        Self::Deferred,
        Self::Compression,
    ];

    /// The text before the note's own text.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Case(_) => "case: ",
            Self::CaseEnded(_) => "end of case: ",
            Self::Attempt => "attempt: ",
            Self::AttemptFailed => "attempt failed: ",
            Self::AttemptPassed => "attempt passed: ",
            Self::Ran => "command: ",
            Self::Ended => "command ended: ",
            Self::Log => "log: ",
            Self::Warning => "warning: ",
            Self::Deferred => "deferred: ",
            Self::Compression => "compression: ",
        }
    }
}
