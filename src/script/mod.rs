//! Scripts: the Rhai language with words for mail dialogues, and the code that runs them.

mod aside;
mod bindings;
mod bounds;
mod branch;
mod branches;
mod captured;
mod case;
mod catching;
mod chains;
mod check;
mod checks;
mod columns;
mod compared;
mod copies;
mod coroutine;
mod deferred;
mod ended;
mod engine;
mod failure;
mod finally;
mod fixtures;
mod following;
mod guard;
mod guarded;
mod handle;
mod heading;
mod lengths;
mod library;
mod listening;
mod lists;
mod literals;
mod memory;
mod native;
mod near;
mod operate;
mod order;
mod output;
mod params;
mod parsing;
mod places;
mod plain;
mod predicates;
mod program;
mod programs;
mod questions;
mod raise;
mod reading;
pub mod reference;
mod regexes;
mod rhai_error;
mod run;
mod runner;
mod scope;
mod searching;
mod serial;
mod settings;
pub(crate) mod shipped;
mod showing;
mod sizes;
mod survey;
mod table;
mod texts;
mod unlike;
mod variables;
mod vocabulary;
#[cfg(feature = "cli")]
pub(crate) mod written;

pub use case::Case;
pub use check::Problem;
pub use coroutine::CountingAllocator;
#[cfg(feature = "cli")]
pub(crate) use coroutine::wipe_what_is_freed;
pub(crate) use fixtures::Fixtures;
pub(crate) use fixtures::is_fixture;
#[cfg(feature = "cli")]
pub(crate) use heading::Heading;
#[cfg(feature = "cli")]
pub(crate) use heading::serial_names_of as serial_names;
pub(crate) use heading::why_ignored;
#[cfg(feature = "cli")]
pub(crate) use library::LARGEST as LARGEST_SCRIPT;
#[cfg(feature = "cli")]
pub(crate) use listening::{Listens, Told};
pub use params::Params;
pub use runner::Runner;
pub use settings::{Servers, Settings};
pub use survey::Survey;
