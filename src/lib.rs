//! Scripted mail dialogues, held against real servers.

pub mod duration;
mod error;
pub mod visible;

pub use error::{Error, Result, Waited};
