//! Scripted mail dialogues, held against real servers.

pub mod duration;
mod error;
mod pattern;
pub mod visible;

pub use error::{Error, Result, Waited};
pub use pattern::{Code, Enhanced, IntoPattern, Pattern, Regex};
