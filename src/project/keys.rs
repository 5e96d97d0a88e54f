//! The keys of a project file with their lines, so that errors can name the line.

use toml::de::{DeTable, DeValue};

use super::says::{TARGET, VALUE};
use crate::suggest;
use crate::visible;

/// All keys of a file, in the order of the file.
#[derive(Debug, Default)]
pub(super) struct Keys {
    found: Vec<Key>,
}

#[derive(Debug)]
struct Key {
    /// The offset at which the key begins, in bytes.
    start: usize,
    line: usize,
    /// The names of the tables around the key, from the outermost on, and the name of the key.
    path: Vec<String>,
    /// Whether the value is text, a number, true or false.
    is_plain: bool,
}

/// A mistake in a project file.
pub(super) struct Wrong {
    pub(super) line: Option<usize>,
    /// The key with its tables, separated by dots.
    pub(super) key: Option<String>,
    pub(super) why: String,
    pub(super) hint: String,
}

impl Keys {
    pub(super) fn of(text: &str) -> Self {
        let mut keys = Self::default();
        if let Ok(table) = DeTable::parse(text) {
            keys.walk(table.get_ref(), &[]);
        }
        keys.found.sort_by_key(|key| key.start);
        let (mut at, mut line) = (0, 1);
        for key in &mut keys.found {
            line += line_of(&text[at..], key.start - at) - 1;
            (at, key.line) = (key.start, line);
        }
        keys
    }

    /// Finds the keys of a table and of the tables in it, without their lines.
    fn walk(&mut self, table: &DeTable<'_>, above: &[String]) {
        for (key, value) in table {
            let path: Vec<_> = above.iter().cloned().chain([key.get_ref().to_string()]).collect();
            let value = value.get_ref();
            if let DeValue::Table(table) = value {
                self.walk(table, &path);
            }
            let is_plain =
                value.is_str() || value.is_integer() || value.is_float() || value.is_bool();
            let start = key.span().start;
            self.found.push(Key { start, line: 0, path, is_plain });
        }
    }

    /// The line of a key such as `target.exim.smtp`.
    pub(super) fn line(&self, dotted: &str) -> Option<usize> {
        self.found.iter().find(|key| key.path.join(".") == dotted).map(|key| key.line)
    }

    /// Returns the first mistake in the keys of targets: a misspelled option, which would be taken
    /// for a parameter, or a value that a parameter cannot have.
    pub(super) fn check_targets(&self) -> Result<(), Wrong> {
        for key in &self.found {
            let [first, _, name] = key.path.as_slice() else { continue };
            if first != "target" || TARGET.contains(&name.as_str()) {
                continue;
            }
            let wrong = |why: String, hint: String| {
                Err(Wrong { line: Some(key.line), key: Some(key.path.join(".")), why, hint })
            };
            if let Some(near) = suggest::nearest(name, TARGET) {
                let why = "a target has no such option".to_owned();
                return wrong(
                    why,
                    format!(
                        "did you mean `{near}`? A parameter of that name is in the target's table `params`"
                    ),
                );
            }
            if !key.is_plain {
                return wrong(VALUE.to_owned(), SHOWN.to_owned());
            }
        }
        Ok(())
    }

    /// Converts an error of the deserializer.
    pub(super) fn wrong(&self, text: &str, error: &toml::de::Error) -> Wrong {
        let start = error.span().map(|span| span.start);
        let line = start.map(|start| line_of(text, start));
        let why = visible::printable(&error.message().replace('\n', ", "));
        // The error is about a key, or about the value after it.
        let key = start.and_then(|start| self.found.iter().rfind(|key| key.start <= start));
        let dotted = key.map(|key| key.path.join("."));
        match Unknown::of(error.message()) {
            Some(unknown) => {
                let table = key.and_then(|key| key.path.split_last()).map(|(_, table)| table);
                let table = table.filter(|table| !table.is_empty());
                let there = table.map_or("the project file".to_owned(), |table| {
                    format!("[{}]", table.join("."))
                });
                Wrong {
                    line,
                    key: dotted,
                    why: format!("{there} has no such key"),
                    hint: unknown.hint(),
                }
            }
            None => Wrong { line, key: dotted, why, hint: SHOWN.to_owned() },
        }
    }
}

const SHOWN: &str = "the README shows what it may say, under \"The project file\"";

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}

/// A key that a table does not have, as serde words it: "unknown field `a`, expected `b` or `c`".
struct Unknown<'a> {
    name: &'a str,
    there_are: Vec<&'a str>,
}

impl<'a> Unknown<'a> {
    fn of(message: &'a str) -> Option<Self> {
        let (name, expected) = message.strip_prefix("unknown field `")?.split_once('`')?;
        let there_are = expected.split('`').skip(1).step_by(2).collect();
        Some(Self { name, there_are })
    }

    fn hint(&self) -> String {
        let near = suggest::nearest(self.name, self.there_are.iter().copied());
        // The beginning of a name counts as well: `strict` for `strictness` is no typing error.
        let half = || self.there_are.iter().copied().find(|known| known.starts_with(self.name));
        match near.or_else(half) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", self.there_are.join(", ")),
        }
    }
}
