//! Filter expressions, which select the scripts to run, in the syntax of nextest's filtersets.
//!
//! ```text
//! path(imap/)  title(relay)  tag(smoke)  all()  none()
//! not tag(slow)    path(imap/) and not tag(slow)    tag(smoke) | (title(/^TLS/) & !path(#*/old/*))
//! ```
//!
//! A matcher is one of `text`, which matches a part (of a tag: the whole), `=text`, which matches
//! the whole, `~text`, which matches a part, `/regex/`, and `#glob`.

use glob::Pattern;
use regex::Regex;

use crate::error::{Error, Result};
use crate::script::Heading;
use crate::suggest;

/// How deep expressions may be nested. The limit is needed because each level is a call on the
/// stack.
const DEEPEST: usize = 100;

/// A parsed expression.
#[derive(Clone, Debug)]
pub(crate) enum Filter {
    All,
    None,
    Path(Matcher),
    Title(Matcher),
    Tag(Matcher),
    Not(Box<Self>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
}

/// The condition on a text.
#[derive(Clone, Debug)]
pub(crate) enum Matcher {
    Is(String),
    Contains(String),
    Regex(Regex),
    Glob(Pattern),
}

impl Matcher {
    fn holds(&self, text: &str) -> bool {
        match self {
            Self::Is(whole) => text == whole,
            Self::Contains(part) => text.contains(part.as_str()),
            Self::Regex(regex) => regex.is_match(text),
            Self::Glob(glob) => glob.matches(text),
        }
    }
}

impl Filter {
    /// Parses an expression.
    ///
    /// # Errors
    /// Usage, with the mistake and its place.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut parser = Parser { text, at: 0, depth: 0 };
        let filter = parser.any()?;
        parser.blanks();
        if parser.at < text.len() {
            return Err(parser.wrong("expected `and`, `or` or the end"));
        }
        Ok(filter)
    }

    /// Whether the expression selects a script.
    pub(crate) fn selects(&self, path: &str, heading: &Heading) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Path(matcher) => matcher.holds(path),
            Self::Title(matcher) => matcher.holds(heading.title.as_deref().unwrap_or_default()),
            Self::Tag(matcher) => heading.tags.iter().any(|tag| matcher.holds(tag)),
            Self::Not(filter) => !filter.selects(path, heading),
            Self::And(one, other) => one.selects(path, heading) && other.selects(path, heading),
            Self::Or(one, other) => one.selects(path, heading) || other.selects(path, heading),
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn any(&mut self) -> Result<Filter> {
        let mut filter = self.all()?;
        while self.takes(&["|", "or"]) {
            filter = Filter::Or(Box::new(filter), Box::new(self.all()?));
        }
        Ok(filter)
    }

    fn all(&mut self) -> Result<Filter> {
        let mut filter = self.one()?;
        while self.takes(&["&", "and"]) {
            filter = Filter::And(Box::new(filter), Box::new(self.one()?));
        }
        Ok(filter)
    }

    fn one(&mut self) -> Result<Filter> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.wrong("the expression nests too deep"));
        }
        let filter = if self.takes(&["!", "not"]) {
            Filter::Not(Box::new(self.one()?))
        } else if self.takes(&["("]) {
            let inner = self.any()?;
            if !self.takes(&[")"]) {
                return Err(self.wrong("expected `and`, `or` or `)`"));
            }
            inner
        } else {
            self.predicate()?
        };
        self.depth -= 1;
        Ok(filter)
    }

    fn predicate(&mut self) -> Result<Filter> {
        const NAMES: [&str; 5] = ["path", "title", "tag", "all", "none"];
        self.blanks();
        let start = self.at;
        let rest = &self.text[start..];
        let name = &rest[..rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len())];
        if !NAMES.contains(&name) {
            let error = self.wrong("expected path(...), title(...), tag(...), all() or none()");
            return Err(match suggest::nearest(name, NAMES) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint(EXAMPLE),
            });
        }
        self.at += name.len();
        if !self.takes(&["("]) {
            return Err(self.wrong("expected `(`"));
        }
        let matcher = self.matcher(name == "tag")?;
        match (name, matcher) {
            ("path", Some(matcher)) => Ok(Filter::Path(matcher)),
            ("title", Some(matcher)) => Ok(Filter::Title(matcher)),
            ("tag", Some(matcher)) => Ok(Filter::Tag(matcher)),
            ("all", None) => Ok(Filter::All),
            ("none", None) => Ok(Filter::None),
            _ => {
                self.at = start;
                Err(self.wrong("all() and none() are empty, the others are not"))
            }
        }
    }

    /// The matcher between the parentheses, up to the closing one; `None` if they are empty.
    fn matcher(&mut self, is_whole: bool) -> Result<Option<Matcher>> {
        self.blanks();
        let (start, rest) = (self.at, &self.text[self.at..]);
        let end = if rest.starts_with('/') {
            rest.find("/)").filter(|end| *end > 0).map(|end| end + 1)
        } else {
            rest.find(')')
        };
        let Some(end) = end else { return Err(self.wrong("there is no closing `)`")) };
        self.at += end + 1;
        let said = rest[..end].trim_end();
        let Some(first) = said.chars().next() else { return Ok(None) };
        let matcher = match first {
            '=' => Matcher::Is(said[1..].to_owned()),
            '~' => Matcher::Contains(said[1..].to_owned()),
            '/' => {
                let regex = Regex::new(&said[1..said.len() - 1]).map_err(|error| {
                    self.at = start;
                    // The last line of the regex error tells what is wrong; the lines before show
                    // the place.
                    let said = error.to_string();
                    let said =
                        said.lines().last().unwrap_or_default().trim_start_matches("error: ");
                    self.wrong(&format!("the regex is wrong: {said}"))
                })?;
                Matcher::Regex(regex)
            }
            '#' => Matcher::Glob(Pattern::new(&said[1..]).map_err(|error| {
                self.at = start;
                self.wrong(&format!("the glob is wrong: {error}"))
            })?),
            _ if is_whole => Matcher::Is(said.to_owned()),
            _ => Matcher::Contains(said.to_owned()),
        };
        Ok(Some(matcher))
    }

    /// Skips one of these words and signs if it comes next. A word ends before a parenthesis, too:
    /// `not(tag(slow))`.
    fn takes(&mut self, words: &[&'a str]) -> bool {
        self.blanks();
        let is_next = |word: &&&str| {
            let behind = self.text[self.at..].strip_prefix(**word);
            let goes_on = |rest: &str| rest.starts_with(char::is_alphanumeric);
            behind.is_some_and(|rest| !word.ends_with(char::is_alphanumeric) || !goes_on(rest))
        };
        let word = words.iter().find(is_next);
        self.at += word.map_or(0, |word| word.len());
        word.is_some()
    }

    fn blanks(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    fn wrong(&self, what: &str) -> Error {
        let column = self.text[..self.at].chars().count() + 1;
        Error::usage(format!("the filter `{}` is wrong at column {column}: {what}", self.text))
    }
}

const EXAMPLE: &str = "for example: path(imap/) and not tag(slow)";

#[cfg(test)]
mod tests {
    use super::*;

    fn selects(filter: &str) -> bool {
        let heading = Heading {
            title: Some("Relaying is refused.".to_owned()),
            tags: vec!["smoke".to_owned(), "smtp".to_owned()],
            ..Heading::default()
        };
        Filter::parse(filter).unwrap().selects("scripts/relay (1).rhai", &heading)
    }

    #[test]
    fn an_expression_selects_by_path_title_and_tag() {
        for filter in [
            "all()",
            "path(relay)",
            "path(~relay)",
            "path(#scripts/*.rhai)",
            r"path(/relay \(\d\)/)",
            "title(refused)",
            "tag(smoke)",
            "tag(~smo)",
            "tag(slow) or tag(smtp)",
            "tag(smoke)&!tag(slow)",
            "not (tag(slow) | none())",
            "not tag(slow) and title(/^Relay/)",
            "not(tag(slow))",
            "tag(smoke) and(tag(smtp))",
            "tag(slow)or(not(tag(slow)))and(not(none()))",
            "tag(slow) and tag(x) or tag(smtp)",
        ] {
            assert!(selects(filter), "{filter}");
        }
        for filter in
            ["none()", "path(=relay)", "tag(smo)", "title(relay)", "tag(smoke) and tag(x)"]
        {
            assert!(!selects(filter), "{filter}");
        }
    }

    #[test]
    fn a_mistake_in_a_filter_is_named_with_its_column() {
        let wrong = |filter: &str| Filter::parse(filter).unwrap_err().to_string();
        let said = [
            "",
            "tga(x)",
            "tag(x",
            "tag(x) tag(y)",
            "(tag(x)",
            "path()",
            "path(/(/)",
            "tag",
            "tag(x) and",
            "tag(x) andtag(y)",
            "(tag(x) or)",
            "not",
        ]
        .map(wrong)
        .join("\n");
        insta::assert_snapshot!(said, @r"
        the filter `` is wrong at column 1: expected path(...), title(...), tag(...), all() or none()
          hint: for example: path(imap/) and not tag(slow)
        the filter `tga(x)` is wrong at column 1: expected path(...), title(...), tag(...), all() or none()
          hint: did you mean `tag`?
        the filter `tag(x` is wrong at column 5: there is no closing `)`
        the filter `tag(x) tag(y)` is wrong at column 8: expected `and`, `or` or the end
        the filter `(tag(x)` is wrong at column 8: expected `and`, `or` or `)`
        the filter `path()` is wrong at column 1: all() and none() are empty, the others are not
        the filter `path(/(/)` is wrong at column 6: the regex is wrong: unclosed group
        the filter `tag` is wrong at column 4: expected `(`
        the filter `tag(x) and` is wrong at column 11: expected path(...), title(...), tag(...), all() or none()
          hint: for example: path(imap/) and not tag(slow)
        the filter `tag(x) andtag(y)` is wrong at column 8: expected `and`, `or` or the end
        the filter `(tag(x) or)` is wrong at column 11: expected path(...), title(...), tag(...), all() or none()
          hint: for example: path(imap/) and not tag(slow)
        the filter `not` is wrong at column 4: expected path(...), title(...), tag(...), all() or none()
          hint: for example: path(imap/) and not tag(slow)
        ");
        assert!(wrong(&"!".repeat(100_000)).contains("nests too deep"));
    }
}
