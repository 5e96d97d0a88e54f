//! Files must not import each other in a circle, however many files lie between.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::layers::sources;
use crate::program::project;

/// A file, by the path of its module.
type Module = Vec<String>;

/// The module of a file; `None` for the root of the crate, which only lists the others.
fn module(inside: &Path) -> Option<Module> {
    let mut names: Module = inside
        .with_extension("")
        .components()
        .map(|part| part.as_os_str().to_str().unwrap().to_owned())
        .collect();
    names.pop_if(|last| last == "mod");
    (names != ["lib"] && names != ["main"]).then_some(names)
}

/// The code of a file, without its comments and its tests.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The paths in a tree of imports: `a::{b, c::{d, e}}`.
fn paths(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((before, inside)) = tree.split_once('{') else {
        return vec![tree.split(" as ").next().unwrap().trim().to_owned()];
    };
    let inside = inside.strip_suffix('}').unwrap_or(inside);
    let (mut found, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, character) in inside.char_indices().chain([(inside.len(), ',')]) {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let branch = inside[start..at].trim();
                if !branch.is_empty() {
                    found.extend(paths(branch).iter().map(|path| format!("{before}{path}")));
                }
                start = at + 1;
            }
            _ => {}
        }
    }
    found
}

/// All paths that a file names: its imports, and paths in its code that begin at the root of the
/// crate or above the file. A re-export is a name for others, and does not count as an import.
fn named(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = String::new();
    for statement in code.split_inclusive(';') {
        let begin = statement.rfind("use ").filter(|at| {
            let before = statement[..*at].rsplit('\n').next().unwrap_or_default().trim();
            before.is_empty() || before.starts_with("pub")
        });
        let Some(at) = begin else {
            rest.push_str(statement);
            continue;
        };
        let is_exported = statement[..at].trim_end().ends_with(['b', ')'])
            && statement[..at].rsplit('\n').next().unwrap_or_default().trim().starts_with("pub");
        if !is_exported {
            found.extend(paths(statement[at + 4..].trim_end_matches(';')));
        }
        rest.push_str(&statement[..at]);
    }
    for root in ["crate::", "super::"] {
        for (at, _) in rest.match_indices(root) {
            if rest[..at].ends_with(|c: char| c.is_alphanumeric() || "_:$".contains(c)) {
                continue;
            }
            let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
            found.push(rest[at..].chars().take_while(|c| is_path(*c)).collect());
        }
    }
    found
}

/// The file that a path in a module leads to: the last file on the path.
fn target(from: &Module, path: &str, files: &BTreeMap<Module, String>) -> Option<Module> {
    let mut names: Vec<&str> = path.split("::").map(str::trim).filter(|s| !s.is_empty()).collect();
    let mut at = from.clone();
    match *names.first()? {
        "crate" => {
            at.clear();
            names.remove(0);
        }
        "super" | "self" => {
            while let Some("super" | "self") = names.first().copied() {
                if names.remove(0) == "super" {
                    at.pop();
                }
            }
        }
        first => {
            let child = [at.as_slice(), &[first.to_owned()]].concat();
            files.get(&child)?;
        }
    }
    for name in names {
        let child = [at.as_slice(), &[name.to_owned()]].concat();
        if !files.contains_key(&child) {
            break;
        }
        at = child;
    }
    (files.contains_key(&at) && at != *from).then_some(at)
}

/// All files that a file can reach by imports.
fn reachable(imports: &BTreeMap<Module, BTreeSet<Module>>, from: &Module) -> BTreeSet<Module> {
    let mut seen = BTreeSet::new();
    let mut left: Vec<_> = imports[from].iter().collect();
    while let Some(next) = left.pop() {
        if seen.insert(next.clone()) {
            left.extend(&imports[next]);
        }
    }
    seen
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let source = project().join("src");
    let mut files = BTreeMap::new();
    for path in sources(&source) {
        let inside = path.strip_prefix(&source).unwrap();
        let Some(module) = module(inside) else { continue };
        files.insert(module, code(&std::fs::read_to_string(&path).unwrap()));
    }
    let imports: BTreeMap<_, BTreeSet<_>> = files
        .iter()
        .map(|(module, code)| {
            let targets = named(code).into_iter().filter_map(|path| target(module, &path, &files));
            (module.clone(), targets.collect())
        })
        .collect();
    assert!(imports.values().map(BTreeSet::len).sum::<usize>() > 300, "{imports:?}");
    let mut circles = Vec::new();
    for (module, targets) in &imports {
        for target in targets {
            if reachable(&imports, target).contains(module) {
                let (from, to) = (module.join("::"), target.join("::"));
                circles.push(format!("{from} imports {to}, which leads back to it"));
            }
        }
    }
    assert!(circles.is_empty(), "files import each other in circles:\n{}", circles.join("\n"));
}

#[test]
fn imports_are_read_as_the_compiler_reads_them() {
    assert_eq!(paths("a::{b, c::{d as x, e}}"), ["a::b", "a::c::d", "a::c::e"]);
    let code = "use super::a::B;\npub(crate) use c::D;\nfn f() -> crate::e::F { super::g::h() }\n";
    assert_eq!(named(code), ["super::a::B", "crate::e::F", "super::g::h"]);
}
