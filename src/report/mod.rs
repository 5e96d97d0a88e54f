//! Outcomes to text, a file for each format. Nothing else knows how they are worded.

mod human;

pub use human::{Human, Tally};
