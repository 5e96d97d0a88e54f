//! The layers of the crate: a module imports only from its own layer, from layers below, and from
//! its own subtree.

use std::path::Path;

use crate::program::project;

/// The modules by layer, lowest first, as `src/lib.rs` draws them under "Layout".
const LAYERS: [&[&str]; 5] = [
    &[
        "lacking",
        "assignment",
        "buffer",
        "chance",
        "duration",
        "error",
        "message",
        "outcome",
        "pattern",
        "proto",
        "quoted",
        "secrets",
        "redaction",
        "reply",
        "room",
        "sasl",
        "suggest",
        "target",
        "transcript",
        "visible",
    ],
    &["file", "logs", "regular", "runtime", "stoppable", "tls", "transport"],
    &["session", "probe", "doctor", "server"],
    &["script"],
    &[
        "cli",
        "fuzz",
        "golden",
        "import",
        "interrupt",
        "plan",
        "project",
        "report",
        "testing",
        "trace",
        "workers",
    ],
];

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

pub(crate) fn sources(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The modules that a source file names by `crate::`, with the line.
fn imports(text: &str) -> Vec<(usize, String)> {
    let code = text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
    let mut found = Vec::new();
    for (n, line) in code {
        for rest in line.split("crate::").skip(1) {
            // `crate::{a, b::C}` names several.
            let names = rest.strip_prefix('{').map_or(vec![rest], |list| list.split(',').collect());
            for name in names {
                let name: String =
                    name.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                found.push((n + 1, name));
            }
        }
    }
    found
}

#[test]
fn every_module_imports_from_its_own_layer_or_below() {
    let source = project().join("src");
    let mut seen = 0;
    for path in sources(&source) {
        let inside = path.strip_prefix(&source).unwrap();
        let module = inside
            .components()
            .next()
            .unwrap()
            .as_os_str()
            .to_str()
            .unwrap()
            .trim_end_matches(".rs")
            .to_owned();
        if ["lib", "main"].contains(&module.as_str()) {
            continue;
        }
        let own = layer(&module).unwrap_or_else(|| panic!("{module} has no place in the layers"));
        for (line, name) in imports(&std::fs::read_to_string(&path).unwrap()) {
            // A type that is re-exported at the top belongs to no layer. The names of modules are
            // in lower case.
            let Some(other) = layer(&name) else { continue };
            seen += 1;
            assert!(
                other <= own,
                "{}:{line} imports `{name}` from a layer above",
                inside.display()
            );
        }
    }
    assert!(seen > 100, "only {seen} imports were seen");
}

#[test]
fn unsafe_code_is_in_the_coroutine_module_alone() {
    let source = project().join("src");
    for path in sources(&source) {
        let text = std::fs::read_to_string(&path).unwrap();
        let inside = path.strip_prefix(&source).unwrap();
        let allowed =
            inside.starts_with("script/coroutine") || inside == Path::new("script/coroutine.rs");
        assert!(allowed || !text.contains("allow(unsafe_code"), "{}", path.display());
    }
}
