//! Messages (RFC 5322, MIME): composes them, reads them, and compares a delivered message with the
//! one that was sent.
//!
//! ```
//! use mailexpect::message::{Draft, delivered, parse};
//!
//! let sent = Draft { from: "hoge@example.com".into(), subject: "今日は".into(), text: Some("Hi\n".into()), ..Draft::default() }.compose();
//! let fetched = [b"Received: from somewhere\r\n".as_slice(), &sent].concat();
//! assert_eq!(delivered(&fetched, &sent)?, b"Received: from somewhere\r\n");
//! let message = parse(&fetched)?;
//! assert_eq!((message.subject(), message.text.as_deref()), (Some("今日は"), Some("Hi\r\n")));
//! # Ok::<_, mailexpect::Error>(())
//! ```

mod addresses;
mod compose;
mod delivered;
mod encoding;
mod header;
mod mbox;
mod parameter;
mod parse;
mod template;

pub use compose::{Attachment, Draft};
#[cfg(feature = "script")]
pub(crate) use compose::{now, unique_id};
pub use delivered::delivered;
pub use mbox::mbox;
pub use parse::{Parsed, parse};
pub use template::resembles;
