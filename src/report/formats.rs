//! The formats of `--format`.
//!
//! # How to add a format
//!
//! Write a file beside this one with a type that implements [`Report`], name the file in `mod.rs`,
//! and add a line to [`FORMATS`]. The help, the errors and the completions of the command line are
//! made from that table. A test fails until the README names the format. A failure is worded by
//! [`Human::fault`] and `explained::notes`, so that all formats say the same.

use super::{Human, Json, Nagios, Plain, Pretty, Prometheus, Report, Tap, Thresholds};

/// What the command line says about how to report. Each format reads what it needs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setup {
    pub(crate) human: Human,
    /// Whether only failures are shown.
    pub(crate) quiet: bool,
    /// Whether only failures and the last line are shown.
    pub(crate) brief: bool,
    pub(crate) thresholds: Thresholds,
}

/// A format, by its name on the command line.
#[derive(Debug)]
pub(crate) struct Format {
    pub(crate) name: &'static str,
    /// Whether the report is that of a monitoring plugin: it judges by thresholds, and also reports
    /// that the program cannot run.
    pub(crate) is_plugin: bool,
    pub(crate) begin: fn(&Setup) -> Box<dyn Report>,
}

/// All formats. The first is the default.
pub(crate) static FORMATS: [Format; 6] = [
    format("pretty", |setup| Box::new(Pretty::new(setup.human, setup.quiet, setup.brief))),
    format("plain", |_| Box::<Plain>::default()),
    format("json", |_| Box::<Json>::default()),
    format("tap", |_| Box::<Tap>::default()),
    Format {
        is_plugin: true,
        ..format("nagios", |setup| Box::new(Nagios::new(setup.thresholds.clone())))
    },
    format("prometheus", |_| Box::<Prometheus>::default()),
];

const fn format(name: &'static str, begin: fn(&Setup) -> Box<dyn Report>) -> Format {
    Format { name, is_plugin: false, begin }
}

impl Format {
    /// The format with this name.
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        FORMATS.iter().find(|format| format.name == name)
    }

    /// The names of all formats, as words of a sentence.
    pub(crate) fn names() -> String {
        let [others @ .., last] = FORMATS.each_ref().map(|format| format.name);
        format!("{} or {last}", others.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_names_every_format() {
        let readme = include_str!("../../README.md");
        let list = readme.lines().find(|line| line.starts_with("`--format` is ")).unwrap();
        for Format { name, .. } in &FORMATS {
            assert!(list.contains(&format!("`{name}`")), "the README lacks `{name}`: {list}");
        }
    }
}
