//! The copies that Rhai makes when a variable is read.
//!
//! Rhai copies a list or a map if it is read as a value: after `t.push(t)`, `[t, t]` and
//! `for x in t` the script holds `t` twice. Rhai makes the copy within one operation, so a script
//! that may not hold the copy has to be stopped before. Rhai does not tell for what a variable is
//! read, but the source does: a script that only indexes a list is not charged for a copy of the
//! list.

use std::collections::BTreeMap;

use rhai::{AST, ASTFlags, ASTNode, Dynamic, Expr, FnPtr, Identifier, Stmt};

/// The bytes that an element of a list takes.
pub(super) const ELEMENT: usize = size_of::<Dynamic>();
/// The bytes that a node of a map takes: room for eleven entries, each with its key, its value and
/// a pointer to the node below.
const NODE: usize = 11 * (ELEMENT + size_of::<Identifier>() + size_of::<usize>());
/// The entries of a node in a map that has grown one by one. A full node is split into two halves.
const ENTRIES: usize = 6;
/// The bytes that any other value takes on the heap.
const OBJECT: usize = 64;
/// The greatest depth at which values within values are counted. A value that is put into itself
/// nests at most two levels deeper each time.
const DEEPEST: usize = 200;
/// The methods that copy the value they are called on, or the values that a function has curried.
const COPYING: [&str; 5] = ["call", "extract", "keys", "to_array", "values"];
/// The methods that copy no element of the value they are called on. A function that a script
/// defines may copy elements, as may one that calls a closure for each.
const IN_PLACE: [&str; 16] = [
    "append", "chop", "clear", "contains", "insert", "is_empty", "len", "pad", "pop", "push",
    "remove", "reverse", "set", "shift", "splice", "truncate",
];
/// How much of a variable's value is copied when it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Copies {
    /// One of its elements, or a part of an element.
    Element,
    /// The whole value.
    Whole,
    /// The whole value, of which the elements then go into another value before the copy is freed.
    Twice,
}

/// The variables of which a source copies the value anywhere, by name.
#[derive(Debug, Default)]
pub(super) struct Copied {
    read: BTreeMap<String, Copies>,
    /// How many copies Rhai makes of what a module exports: two for each name, of which one may be
    /// the variable itself.
    exported: BTreeMap<String, usize>,
}

impl Copied {
    pub(super) fn of(ast: &AST) -> Self {
        let mut copied = Self::default();
        ast.walk(&mut |path| {
            if let Some((name, copies)) = read(path) {
                let known = copied.read.entry(name.to_owned()).or_insert(copies);
                *known = copies.max(*known);
            }
            true
        });
        for statement in ast.statements() {
            let name = match statement {
                Stmt::Export(names, _) => &names.0.name,
                Stmt::Var(parts, flags, _) if flags.contains(ASTFlags::EXPORTED) => &parts.0.name,
                _ => continue,
            };
            let times = copied.exported.entry(name.to_string()).or_default();
            *times += if *times == 0 { 1 } else { 2 };
        }
        copied
    }

    pub(super) fn get(&self, name: &str) -> Option<Copies> {
        self.read.get(name).copied()
    }

    /// The variables that a module exports, with the number of copies that Rhai makes of each.
    pub(super) fn exported(&self) -> impl Iterator<Item = (&str, usize)> {
        self.exported.iter().map(|(name, copies)| (name.as_str(), *copies))
    }
}

/// Returns the variable at the end of a path in the syntax tree, and how much of it is copied
/// there.
fn read<'a>(path: &[ASTNode<'a>]) -> Option<(&'a str, Copies)> {
    let (last, above) = path.split_last()?;
    let ASTNode::Expr(variable) = *last else { return None };
    let Expr::Variable(named, ..) = variable else { return None };
    let name = named.1.as_str();
    let copies = match above.split_last() {
        Some((ASTNode::Expr(chain @ (Expr::Dot(pair, ..) | Expr::Index(pair, ..))), above))
            if std::ptr::eq(&raw const pair.lhs, variable) =>
        {
            let is_set = above.last().is_some_and(|above| is_assigned(above, chain));
            if is_set { None } else { of_chain(chain) }
        }
        Some((above, _)) if is_assigned(above, variable) => None,
        Some((above, _)) if is_added(above, variable) => Some(Copies::Twice),
        _ => Some(Copies::Whole),
    };
    copies.map(|copies| (name, copies))
}

fn is_assigned(node: &ASTNode<'_>, target: &Expr) -> bool {
    let ASTNode::Stmt(Stmt::Assignment(assigned)) = node else { return false };
    std::ptr::eq(&raw const assigned.1.lhs, target)
}

/// Whether the elements of a value go into another value.
fn is_added(node: &ASTNode<'_>, value: &Expr) -> bool {
    match node {
        ASTNode::Stmt(Stmt::Assignment(assigned)) => {
            assigned.0.is_op_assignment() && std::ptr::eq(&raw const assigned.1.rhs, value)
        }
        ASTNode::Expr(Expr::MethodCall(call, _)) => {
            ["append", "splice"].contains(&call.name.as_str())
        }
        _ => false,
    }
}

/// Returns how much of a value the links of a chain copy, such as `.call()` or `[0].x`.
pub(super) fn of_chain(chain: &Expr) -> Option<Copies> {
    let (mut copies, mut is_first, mut chain) = (None, true, chain);
    while let Expr::Dot(pair, flags, _) | Expr::Index(pair, flags, _) = chain {
        let next = match &pair.rhs {
            // The links that follow are below the next one. An index may be a chain of its own.
            Expr::Dot(next, ..) | Expr::Index(next, ..) if !flags.contains(ASTFlags::BREAK) => {
                Some(&next.lhs)
            }
            _ => None,
        };
        let is_dot = matches!(chain, Expr::Dot(..));
        copies = copies.max(match next.unwrap_or(&pair.rhs) {
            Expr::MethodCall(call, _) if is_dot => of_method(&call.name, is_first),
            _ if next.is_none() => Some(Copies::Element),
            _ => None,
        });
        if next.is_none() {
            break;
        }
        (is_first, chain) = (false, &pair.rhs);
    }
    copies
}

/// Returns how much a method copies of the value that it is called on.
fn of_method(name: &str, is_first: bool) -> Option<Copies> {
    match name {
        _ if IN_PLACE.contains(&name) => None,
        _ if is_first && COPYING.contains(&name) => Some(Copies::Whole),
        _ => Some(Copies::Element),
    }
}

/// Returns about how many bytes a copy of a value takes, or a copy of its largest element. Counting
/// ends soon after `most`.
pub(super) fn size(value: &Dynamic, copies: Copies, most: usize) -> usize {
    let mut largest = 0;
    let whole = |value: &Dynamic| {
        let mut taken = 0;
        add(value, 0, most, &mut taken);
        // Each call of a function copies the values that it has curried.
        if value.is_fnptr() { taken * 2 } else { taken }
    };
    match copies {
        Copies::Whole => largest = whole(value),
        Copies::Twice => largest = whole(value) * 2,
        Copies::Element => {
            each(value, |part| {
                largest = whole(part).max(largest);
                largest <= most
            });
        }
    }
    largest
}

/// Returns how many bytes are looked at by something that goes through a whole value: a text counts
/// each time that the value has it. Counting ends soon after `most`.
pub(super) fn walked(value: &Dynamic, most: usize) -> usize {
    fn add(value: &Dynamic, depth: usize, most: usize, seen: &mut usize) {
        *seen += ELEMENT;
        if let Ok(text) = value.as_immutable_string_ref() {
            *seen += text.len();
        } else if let Ok(blob) = value.as_blob_ref() {
            *seen += blob.len();
        } else if depth < DEEPEST {
            each(value, |part| {
                add(part, depth + 1, most, seen);
                *seen <= most
            });
        }
    }
    let mut seen = 0;
    add(value, 0, most, &mut seen);
    seen
}

/// Adds the heap bytes that a copy of a value takes. A copy shares the bytes of texts, and the
/// values within it that closures share.
fn add(value: &Dynamic, depth: usize, most: usize, taken: &mut usize) {
    if value.is_string() || depth > 0 && value.is_shared() {
        return;
    }
    if let Ok(blob) = value.as_blob_ref() {
        *taken += OBJECT + blob.len();
        return;
    }
    *taken += own(value);
    if depth < DEEPEST {
        each(value, |part| {
            add(part, depth + 1, most, taken);
            *taken <= most
        });
    }
}

/// Returns the heap bytes of a value, without those of the values within it.
fn own(value: &Dynamic) -> usize {
    if let Ok(list) = value.as_array_ref() {
        return OBJECT + list.len() * ELEMENT;
    }
    if let Ok(map) = value.as_map_ref() {
        return OBJECT + map.len().div_ceil(ENTRIES) * NODE;
    }
    let is_object = !(value.is_int() || value.is_bool() || value.is_unit() || value.is_char());
    if is_object { OBJECT } else { 0 }
}

/// Calls a function with each value that is directly within a value, until the function returns
/// false.
fn each(value: &Dynamic, goes_on: impl FnMut(&Dynamic) -> bool) {
    if let Ok(list) = value.as_array_ref() {
        let _ = list.iter().all(goes_on);
    } else if let Ok(map) = value.as_map_ref() {
        let _ = map.values().all(goes_on);
    } else if let Some(function) = value.read_lock::<FnPtr>() {
        let _ = function.iter_curry().all(goes_on);
    }
}

#[cfg(test)]
mod tests {
    use rhai::{Array, Engine};

    use super::*;

    fn copied(script: &str) -> Option<Copies> {
        Copied::of(&Engine::new().compile(script).unwrap()).get("t")
    }

    #[test]
    fn a_variable_that_is_read_as_a_value_is_copied_whole() {
        for script in [
            "t.push(t)",
            "u = [t]",
            "u = #{a: t}",
            "let u = t",
            "for x in t {}",
            "f(t)",
            "f.curry(t)",
            "t.call()",
            "t.extract(0..1)",
            "fn f(t) { t }",
            "let f = || u.push(t);",
            "u[t.x] = t",
        ] {
            assert_eq!(copied(script), Some(Copies::Whole), "{script}");
        }
    }

    #[test]
    fn a_variable_of_which_an_element_is_read_is_copied_in_part() {
        for script in [
            "u.push(t[0])",
            "let u = t.x.y",
            "if t[0].x == 1 {}",
            "t.x.values()",
            "t[u.len()]",
            "t.pop()[0]",
            "t.map(|x| 1)",
            "fn f() {} t.f()",
        ] {
            assert_eq!(copied(script), Some(Copies::Element), "{script}");
        }
    }

    #[test]
    fn a_variable_whose_elements_go_into_another_value_is_counted_twice() {
        for script in ["u += t", "u.append(t)", "u.splice(0, 1, t)"] {
            assert_eq!(copied(script), Some(Copies::Twice), "{script}");
        }
    }

    #[test]
    fn each_name_of_an_export_is_counted() {
        let script = "let t = 1; export t as a; export t as b; export const u = 2;";
        let copied = Copied::of(&Engine::new().compile(script).unwrap());
        assert_eq!(copied.exported().collect::<Vec<_>>(), [("t", 3), ("u", 1)]);
    }

    #[test]
    fn a_variable_that_is_changed_in_its_place_is_not_copied() {
        for script in ["t = 1", "t += 1", "t[0] = 1", "t.x.y += 1", "t.push(1)", "t[0].len()"] {
            assert_eq!(copied(script), None, "{script}");
        }
    }

    #[test]
    fn the_size_of_a_value_is_about_what_a_copy_of_it_takes() {
        let list = Dynamic::from(vec![Dynamic::from(1_i64); 1000]);
        let lists: Array = vec![list.clone(); 10];
        assert!((16_000..17_000).contains(&size(&list, Copies::Whole, usize::MAX)));
        assert_eq!(size(&list, Copies::Element, usize::MAX), 0);
        let lists = Dynamic::from(lists);
        assert!((160_000..170_000).contains(&size(&lists, Copies::Whole, usize::MAX)));
        assert!((16_000..17_000).contains(&size(&lists, Copies::Element, usize::MAX)));
        assert!(size(&lists, Copies::Whole, 20_000) < 40_000);
        let text = Dynamic::from("x".repeat(1000));
        assert_eq!(size(&text, Copies::Whole, usize::MAX), 0);
        assert!(size(&Dynamic::from(vec![0_u8; 1000]), Copies::Whole, usize::MAX) >= 1000);
    }
}
