//! The documentation of each verb names the RFC of its command and has an example, which
//! `cargo test --doc` runs.

use crate::layers::sources;
use crate::program::project;

/// A public method of `Session`.
struct Method {
    name: String,
    doc: String,
}

/// The public methods of `Session` in a source file, with their documentation.
fn methods(text: &str) -> Vec<Method> {
    let (mut found, mut doc, mut inside) = (Vec::new(), String::new(), false);
    for line in text.lines() {
        if line.starts_with("impl") || line == "}" {
            inside = line == "impl Session {";
        }
        let line = line.trim_start();
        if line.starts_with("///") {
            doc.extend([line, "\n"]);
        } else if !line.starts_with("#[") {
            found.extend(
                signature(line).filter(|_| inside).map(|name| Method { name, doc: doc.clone() }),
            );
            doc.clear();
        }
    }
    found
}

/// The name of a public function.
fn signature(line: &str) -> Option<String> {
    let rest = line.strip_prefix("pub ")?;
    let name = rest.strip_prefix("async ").unwrap_or(rest).strip_prefix("fn ")?;
    let name =
        name.trim_start_matches("r#").split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
    Some(name.to_owned())
}

#[test]
fn every_verb_has_an_example_and_says_which_rfc_has_it() {
    let (mut seen, mut lacking) = (0, Vec::new());
    for path in sources(&project().join("src/session/verbs")) {
        for method in methods(&std::fs::read_to_string(&path).unwrap()) {
            seen += 1;
            if !method.doc.contains("```") {
                lacking.push(format!("{} has no example", method.name));
            }
            if !method.doc.contains("RFC") {
                lacking.push(format!("{} names no RFC", method.name));
            }
        }
    }
    assert!(lacking.is_empty(), "{lacking:#?}");
    assert!(seen >= 50, "only {seen} verbs were seen");
}

#[test]
fn a_verb_without_an_example_is_seen() {
    let text = "impl Session {\n    /// RFC 1.\n    /// ```\n    #[must_use]\n    pub async fn r#move(&mut self) {\n    }\n\n    \
                /// Nothing.\n    pub fn quit<'a>(&mut self) {\n    }\n\n    fn own() {}\n}\n\nimpl
                /// Other {\n    pub fn other() {}\n}\n";
    let found: Vec<_> =
        methods(text).into_iter().map(|method| (method.name, method.doc.contains("```"))).collect();
    assert_eq!(found, [("move".to_owned(), true), ("quit".to_owned(), false)]);
}
