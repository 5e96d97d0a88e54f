//! The mask for secrets, and the minimum length of the values that are masked.

/// The text shown in place of a secret.
pub(crate) const MASK: &str = "[SECRET]";

/// The same as bytes.
pub(crate) const SECRET: &[u8] = MASK.as_bytes();

/// The minimum length of a value that is searched for. Shorter values would be found everywhere.
pub(super) const SHORTEST: usize = 4;
