//! Outcomes to text, a file for each format. Nothing else knows how they are worded.

mod difference;
mod human;
#[cfg(feature = "cli")]
mod redacting;
#[cfg(feature = "cli")]
mod repeated;
#[cfg(feature = "cli")]
mod review;

pub use human::{Human, Tally};
#[cfg(feature = "cli")]
pub(crate) use redacting::Redacting;
#[cfg(feature = "cli")]
pub(crate) use repeated::{Cost, Repeated};
#[cfg(feature = "cli")]
pub(crate) use review::Review;
