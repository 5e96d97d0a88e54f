//! What stands in place of secrets, and which of them it stands in place of.

/// What stands where a secret stood.
pub(crate) const SECRET: &[u8] = b"[SECRET]";

/// Shorter values are not looked for elsewhere: they would be found everywhere.
pub(super) const SHORTEST: usize = 4;
