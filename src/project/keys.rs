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
    is_table: bool,
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
            let (start, is_table) = (key.span().start, value.is_table());
            self.found.push(Key { start, line: 0, path, is_plain, is_table });
        }
    }

    /// The line of a key such as `target.exim.smtp`.
    pub(super) fn line(&self, dotted: &str) -> Option<usize> {
        self.found.iter().find(|key| key.path.join(".") == dotted).map(|key| key.line)
    }

    /// Returns the first key that needs a table as its value and has none.
    pub(super) fn check_tables(&self) -> Result<(), Wrong> {
        let needs_table = |path: &[String]| {
            let path: Vec<_> = path.iter().map(String::as_str).collect();
            matches!(
                *path,
                ["run" | "golden" | "redact" | "target"]
                    | ["redact" | "target", _]
                    | ["run", "tls" | "params"]
                    | ["target", _, "tls" | "params"]
            )
        };
        let wrong = self.found.iter().find(|key| !key.is_table && needs_table(&key.path));
        wrong.map_or(Ok(()), |key| {
            let dotted = key.path.join(".");
            let hint = format!("write [{dotted}] on a line of its own, and the settings below it");
            let why = "its value has to be a table".to_owned();
            Err(Wrong { line: Some(key.line), key: Some(dotted), why, hint })
        })
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
        let why = visible::printable(&worded(error.message()).replace('\n', ", "));
        // The error is about a key, about the value after it, or about the table that begins there
        // and has no such key.
        let is_missing = error.message().starts_with(MISSING);
        let is_it = |key: &&Key, start| {
            if is_missing { key.is_table && Some(key.line) == line } else { key.start <= start }
        };
        let key = start.and_then(|start| self.found.iter().rfind(|key| is_it(key, start)));
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

/// How the deserializer says that a table has no key that it needs.
const MISSING: &str = "missing field ";

/// The deserializer's message without the names of Rust's types.
fn worded(message: &str) -> String {
    const WANTED: [(&str, &str); 5] = [
        ("u32", "a whole number from 0 to 4294967295"),
        ("a nonzero u32", "a whole number from 1 to 4294967295"),
        ("path string", "the path of a file, as text"),
        ("a string", "text"),
        ("a sequence", "a list"),
    ];
    const CAME: [(&str, &str); 6] = [
        ("integer ", "the number "),
        ("floating point ", "the number "),
        ("string ", "the text "),
        ("boolean ", ""),
        ("sequence", "a list"),
        ("map", "a table"),
    ];
    if let Some(field) = message.strip_prefix(MISSING) {
        return format!("it has no {field}");
    }
    let parts = ["invalid type: ", "invalid value: ", "unknown variant "]
        .into_iter()
        .find_map(|start| message.strip_prefix(start)?.rsplit_once(", expected "));
    let Some((came, wanted)) = parts else { return message.to_owned() };
    // The type follows a number that is larger than those of TOML.
    let came = came.strip_suffix(" as i128").unwrap_or(came);
    let in_plain_words =
        |(word, plain)| Some(format!("{plain}{}", came.strip_prefix::<&str>(word)?));
    let came = CAME.into_iter().find_map(in_plain_words).unwrap_or_else(|| came.to_owned());
    let plain = WANTED.into_iter().find_map(|(name, plain)| (name == wanted).then_some(plain));
    format!("it is {came}, and has to be {}", plain.unwrap_or(wanted))
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
