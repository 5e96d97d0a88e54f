//! Names that tell apart what may be called the same.

use std::collections::HashSet;

/// The names, with a number after one that was there before: no two samples of Prometheus may have
/// the same labels, and no two metrics of a monitoring plugin the same name.
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
