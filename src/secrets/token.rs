//! The mask for secrets, and the minimum length of the values that are masked.

/// The text shown in place of a secret.
pub(crate) const SECRET: &[u8] = b"[SECRET]";

/// The minimum length of a value that is searched for. Shorter values would be found everywhere.
pub(super) const SHORTEST: usize = 4;
