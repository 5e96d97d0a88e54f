//! Makes names unique.

use std::collections::HashSet;

/// The names, with a number after each one that occurred before: two samples of Prometheus must not
/// have the same labels, nor two metrics of a monitoring plugin the same name.
pub(super) fn unique<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut seen = HashSet::new();
    let told_apart = names.map(|name| {
        let mut number = 1;
        let mut unique = name.to_owned();
        while !seen.insert(unique.clone()) {
            number += 1;
            unique = format!("{name} #{number}");
        }
        unique
    });
    told_apart.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_taken_is_passed_over() {
        let names = unique(["a", "a", "a #2", "a", "b"].into_iter());
        assert_eq!(names, ["a", "a #2", "a #2 #2", "a #3", "b"]);
    }
}
