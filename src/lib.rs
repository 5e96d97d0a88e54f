//! Scripted mail dialogues, held against real servers.

mod buffer;
pub mod duration;
mod error;
mod pattern;
mod proto;
mod redact;
mod reply;
pub mod server;
pub mod transcript;
pub mod visible;
pub use error::{Error, Result, Waited};
pub use pattern::{Code, Enhanced, IntoPattern, Pattern, Regex};
pub use proto::smtp::dot_stuff;
pub use reply::Reply;
