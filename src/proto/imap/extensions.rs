//! The data of extensions: ACL (RFC 4314), QUOTA (RFC 9208), METADATA (RFC 5464) and NAMESPACE (RFC
//! 2342). Data about another mailbox or another quota root than the one that was asked for is left
//! out.

use std::collections::HashMap;

use super::answer::Answer;
use super::mailbox::{is_delimiter, is_same};
use super::response::unlike;
use super::value::Value;
use crate::error::Result;

/// A resource of a quota root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    pub(crate) name: String,
    pub(crate) used: u64,
    pub(crate) limit: u64,
}

/// A namespace: what the names of its mailboxes begin with, and what separates their levels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Namespace {
    pub(crate) prefix: String,
    pub(crate) delimiter: Option<String>,
}

impl Answer {
    /// The rights of each identifier in a mailbox (RFC 4314 section 3.6); `None` without an ACL
    /// response for it.
    ///
    /// # Errors
    /// Malformed if a response cannot be read.
    pub(crate) fn rights(&self, mailbox: &str) -> Result<Option<Vec<(String, String)>>> {
        let form = "a mailbox, and identifiers and rights by turns";
        let name = |(identifier, _): &(String, String)| identifier.clone();
        self.read("ACL", form, name, |values| {
            let (name, pairs) = values.split_first()?;
            let pairs: Option<Vec<_>> = alternate(pairs)?
                .map(|(identifier, rights)| Some((identifier.text()?, rights.text()?)))
                .collect();
            Some((is_same(&name.text()?, mailbox), pairs?))
        })
    }

    /// The resources of a quota root (RFC 9208 section 5.1); `None` without a QUOTA response for
    /// it.
    ///
    /// # Errors
    /// Malformed if a response cannot be read.
    pub(crate) fn quota(&self, root: &str) -> Result<Option<Vec<Resource>>> {
        let form = "a quota root, and a list of resources with usage and limit";
        let name = |resource: &Resource| resource.name.to_ascii_uppercase();
        self.read("QUOTA", form, name, |values| {
            let [name, resources] = values else { return None };
            let resources = resources.list()?.chunks(3).map(|resource| {
                let [name, used, limit] = resource else { return None };
                let (used, limit) = (used.number()?, limit.number()?);
                Some(Resource { name: name.text()?, used, limit })
            });
            Some((name.text()? == root, resources.collect::<Option<_>>()?))
        })
    }

    /// The annotations of a mailbox with their values (RFC 5464 section 4.4.1); `None` without a
    /// METADATA response for it. A response that only names entries reports that they changed
    /// (section 4.4.2), and is left out.
    ///
    /// # Errors
    /// Malformed if a response cannot be read.
    pub(crate) fn annotations(&self, mailbox: &str) -> Result<Option<Vec<(String, Value)>>> {
        let form = "a mailbox, and a list of entries and values by turns";
        let name = |(entry, _): &(String, Value)| entry.to_ascii_lowercase();
        self.read("METADATA", form, name, |values| {
            let (name, entries) = values.split_first()?;
            let is_of_it = is_same(&name.text()?, mailbox);
            let [Value::List(entries)] = entries else {
                let names_only = !entries.is_empty() && entries.iter().all(is_entry);
                return names_only.then(|| (false, Vec::new()));
            };
            let is_value = |value: &Value| !matches!(value, Value::List(_));
            let pairs: Option<Vec<_>> = alternate(entries)?
                .map(|(entry, value)| {
                    (is_entry(entry) && is_value(value))
                        .then(|| Some((entry.text()?, value.clone())))?
                })
                .collect();
            Some((is_of_it, pairs?))
        })
    }

    /// The personal namespaces, those of other users, and the shared ones (RFC 2342 section 5);
    /// `None` without a NAMESPACE response.
    ///
    /// # Errors
    /// Malformed if a response cannot be read.
    pub(crate) fn namespaces(&self) -> Result<Option<[Vec<Namespace>; 3]>> {
        let form = "three lists of namespaces, or NIL for each";
        let name = |_: &[Vec<Namespace>; 3]| "NAMESPACE".to_owned();
        let all = self.read("NAMESPACE", form, name, |values| {
            let [personal, others, shared] = values else { return None };
            Some((true, vec![[spaces(personal)?, spaces(others)?, spaces(shared)?]]))
        })?;
        Ok(all.and_then(|mut all| all.pop()))
    }

    /// The data in all responses with this name for which `of` says that they are about what was
    /// asked for; `None` without such a response. Two data with the same `key` are an error, unless
    /// they are equal.
    fn read<T: PartialEq>(
        &self,
        name: &str,
        form: &str,
        key: impl Fn(&T) -> String,
        of: impl Fn(&[Value]) -> Option<(bool, Vec<T>)>,
    ) -> Result<Option<Vec<T>>> {
        let mut all: Option<Vec<T>> = None;
        let mut places = HashMap::new();
        for response in self.named(name) {
            let values = response.values()?;
            let (is_asked, data) = of(&values).ok_or_else(|| unlike(response, form))?;
            if !is_asked {
                continue;
            }
            let all = all.get_or_insert_with(Vec::new);
            for one in data {
                let place = *places.entry(key(&one)).or_insert(all.len());
                if all.get(place).is_some_and(|known| *known != one) {
                    return Err(unlike(response, &format!("one value of {}", key(&one))));
                }
                all.push(one);
            }
        }
        Ok(all)
    }
}

/// Values two by two; `None` if one is left over.
fn alternate(values: &[Value]) -> Option<impl Iterator<Item = (&Value, &Value)>> {
    let pairs = values.chunks_exact(2);
    pairs.remainder().is_empty().then(|| pairs.map(|pair| (&pair[0], &pair[1])))
}

/// Whether a value is the name of an entry (RFC 5464 section 3.2).
fn is_entry(value: &Value) -> bool {
    value.bytes().is_some_and(|name| name.starts_with(b"/"))
}

/// The namespaces of one kind, at least one or NIL. Extensions may follow the delimiter of each.
fn spaces(kind: &Value) -> Option<Vec<Namespace>> {
    if *kind == Value::Nil {
        return Some(Vec::new());
    }
    let space = |space: &Value| {
        let [prefix, delimiter, ..] = space.list()? else { return None };
        let prefix = prefix.text()?;
        is_delimiter(delimiter).then(|| Namespace { prefix, delimiter: delimiter.text() })
    };
    kind.list().filter(|spaces| !spaces.is_empty())?.iter().map(space).collect()
}

#[cfg(test)]
mod tests {
    use super::super::answer::tests::{answer, named};

    #[test]
    fn data_about_something_else_is_left_out() {
        let other = answer(&[
            "* ACL Other alice lr",
            "* QUOTA other (STORAGE 1 2)",
            "* METADATA Other (/shared/comment x)",
            "* METADATA INBOX /shared/comment",
            "a1 OK",
        ]);
        assert_eq!(other.rights("INBOX").unwrap(), None);
        assert_eq!(other.quota("").unwrap(), None);
        assert_eq!(other.annotations("INBOX").unwrap(), None);
        assert_eq!(other.namespaces().unwrap(), None);
    }

    #[test]
    fn data_is_read_in_all_responses_to_the_command() {
        let own = answer(&[
            "* ACL inbox alice lr anyone \"\"",
            "* QUOTA \"\" (STORAGE 1 2 MESSAGE 3 4)",
            "* METADATA INBOX (/shared/comment NIL)",
            "* METADATA INBOX (/private/comment {2}\r\nhi)",
            "* NAMESPACE ((\"\" \"/\")(\"#x\" NIL \"X-P\" (\"v\"))) NIL NIL",
            "a1 OK",
        ]);
        let rights = own.rights("INBOX").unwrap().unwrap();
        assert_eq!(rights, [("alice".into(), "lr".into()), ("anyone".into(), String::new())]);
        let quota = own.quota("").unwrap().unwrap();
        assert_eq!((quota.len(), &*quota[1].name, quota[1].limit), (2, "MESSAGE", 4));
        let annotations = own.annotations("INBOX").unwrap().unwrap();
        assert_eq!(named(&annotations), "/shared/comment= /private/comment=hi");
        let [personal, others, shared] = own.namespaces().unwrap().unwrap();
        assert_eq!((personal.len(), others.len(), shared.len()), (2, 0, 0));
        assert_eq!((&*personal[1].prefix, &personal[1].delimiter), ("#x", &None));
    }

    #[test]
    fn data_with_two_values_for_one_name_is_malformed() {
        let twice = answer(&[
            "* ACL INBOX alice l bob l",
            "* ACL INBOX alice lr",
            "* QUOTA \"\" (STORAGE 1 2 storage 3 2)",
            "* METADATA INBOX (/shared/comment x /Shared/comment y)",
            "* NAMESPACE NIL NIL NIL",
            "* NAMESPACE ((\"\" NIL)) NIL NIL",
            "a1 OK",
        ]);
        assert!(twice.rights("INBOX").unwrap_err().is_malformed());
        assert!(twice.quota("").unwrap_err().is_malformed());
        assert!(twice.annotations("INBOX").unwrap_err().is_malformed());
        assert!(twice.namespaces().unwrap_err().is_malformed());
        let same = answer(&["* QUOTA \"\" (STORAGE 1 2)", "* QUOTA \"\" (STORAGE 1 2)", "a1 OK"]);
        assert_eq!(same.quota("").unwrap().unwrap().len(), 2);
    }

    #[test]
    fn data_that_is_not_of_its_form_is_malformed() {
        for wrong in
            ["* ACL", "* ACL INBOX alice", "* ACL (INBOX) alice lr", "* ACL INBOX alice (lr)"]
        {
            assert!(answer(&[wrong, "a1 OK"]).rights("x").unwrap_err().is_malformed(), "{wrong}");
        }
        for wrong in [
            "* QUOTA \"\"",
            "* QUOTA \"\" (STORAGE 1)",
            "* QUOTA \"\" (STORAGE x y)",
            "* QUOTA \"\" (STORAGE 1 2) more",
        ] {
            assert!(answer(&[wrong, "a1 OK"]).quota("x").unwrap_err().is_malformed(), "{wrong}");
        }
        for wrong in [
            "* METADATA INBOX",
            "* METADATA INBOX (/shared/comment)",
            "* METADATA INBOX (comment x)",
            "* METADATA INBOX (/shared/comment (x))",
            "* METADATA INBOX (/shared/comment x) more",
        ] {
            let error = answer(&[wrong, "a1 OK"]).annotations("x").unwrap_err();
            assert!(error.is_malformed(), "{wrong}");
        }
        for wrong in [
            "* NAMESPACE NIL",
            "* NAMESPACE NIL NIL NIL NIL",
            "* NAMESPACE x NIL NIL",
            "* NAMESPACE ((\"\")) NIL NIL",
            "* NAMESPACE ((\"\" x)) NIL NIL",
        ] {
            assert!(answer(&[wrong, "a1 OK"]).namespaces().unwrap_err().is_malformed(), "{wrong}");
        }
    }
}
