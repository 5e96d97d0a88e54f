//! Parses a YAML file into a tree in which each node has its line number.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use saphyr_parser::{Event, Parser, Span};

/// The most nodes that are made of a file; a larger file is an error. Aliases can repeat the same
/// nodes many times, so a small file could otherwise use up the memory. A node counts once for
/// itself and once for each node that contains it.
const MOST: usize = 200_000;

/// The most levels of lists and mappings, without those that aliases add; a deeper file is an
/// error. The tree is walked by recursion, so a deep file could otherwise overflow the stack.
const DEEPEST: usize = 64;

/// A node, and the line in which it begins.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) line: usize,
    pub(super) value: Value,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

impl Node {
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn list(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    pub(super) fn entries(&self) -> &[(Node, Node)] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
    }

    fn size(&self) -> usize {
        1 + match &self.value {
            Value::Text(_) => 0,
            Value::List(items) => items.iter().map(Self::size).sum(),
            Value::Map(entries) => {
                entries.iter().map(|(key, value)| key.size() + value.size()).sum()
            }
        }
    }
}

/// A list or a mapping whose end has not been read. The items of a mapping are its keys and values
/// in turn.
struct Begun {
    line: usize,
    anchor: usize,
    is_map: bool,
    items: Vec<Node>,
}

/// Returns the documents of a file.
///
/// # Errors
/// The line and the reason, if the file is not YAML or is too large.
pub(super) fn documents(text: &str) -> Result<Vec<Node>, (usize, String)> {
    let mut documents = Vec::new();
    let mut begun: Vec<Begun> = Vec::new();
    let mut anchors: BTreeMap<usize, Node> = BTreeMap::new();
    let mut count = 0;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|e| (e.marker().line(), e.info().to_owned()))?;
        let (anchor, node) = match event {
            Event::Scalar(text, _, anchor, _) => {
                (anchor, Node { line: line(span), value: Value::Text(text.into_owned()) })
            }
            Event::Alias(anchor) => {
                let Some(node) = anchors.get(&anchor) else { continue };
                (0, node.clone())
            }
            Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) => {
                let is_map = matches!(event, Event::MappingStart(..));
                begun.push(Begun { line: line(span), anchor, is_map, items: Vec::new() });
                if begun.len() > DEEPEST {
                    return Err((line(span), format!("more than {DEEPEST} levels")));
                }
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(ended) = begun.pop() else { continue };
                let value = if ended.is_map {
                    Value::Map(pairs(ended.items))
                } else {
                    Value::List(ended.items)
                };
                (ended.anchor, Node { line: ended.line, value })
            }
            _ => continue,
        };
        count += node.size();
        if count > MOST {
            return Err((line(span), format!("more than {MOST} nodes")));
        }
        if anchor > 0 {
            anchors.insert(anchor, node.clone());
        }
        match begun.last_mut() {
            Some(above) => above.items.push(node),
            None => documents.push(node),
        }
    }
    Ok(documents)
}

fn line(span: Span) -> usize {
    span.start.line()
}

/// Makes the entries of a mapping from its keys and values, which come in turn. The last of equal
/// keys counts. The key `<<` adds the entries of another mapping.
fn pairs(items: Vec<Node>) -> Vec<(Node, Node)> {
    let mut entries: Vec<Option<(Node, Node)>> = Vec::new();
    // Where each key is: to look through all entries for each would take seconds for 50,000.
    let mut places: HashMap<Option<String>, usize> = HashMap::new();
    let name = |key: &Node| key.text().map(str::to_owned);
    let mut items = items.into_iter();
    while let (Some(key), Some(value)) = (items.next(), items.next()) {
        if key.text() == Some("<<") {
            for (key, value) in value.entries() {
                if let Entry::Vacant(place) = places.entry(name(key)) {
                    place.insert(entries.len());
                    entries.push(Some((key.clone(), value.clone())));
                }
            }
            continue;
        }
        if let Some(place) = places.insert(name(&key), entries.len()) {
            entries[place] = None;
        }
        entries.push(Some((key, value)));
    }
    entries.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_equal_keys_counts_however_many_there_are() {
        let keys: String = (0..40_000).map(|n| n.to_string() + ": x\n").collect();
        let text =
            format!("a: &a {{one: 1, two: 2}}\nb: {{two: 3, <<: *a, one: 4}}\nc: 1\nc: 2\n{keys}");
        let documents = documents(&text).unwrap();
        assert_eq!(documents[0].entries().len(), 40_003);
        let shown = |node: &Node| -> Vec<String> {
            let entries = node.entries().iter();
            entries
                .filter_map(|(key, value)| Some(format!("{}={}", key.text()?, value.text()?)))
                .collect()
        };
        assert_eq!(shown(documents[0].get("b").unwrap()), ["two=3", "one=4"]);
        assert_eq!(documents[0].get("c").unwrap().text(), Some("2"));
    }
}
