//! The smoke subset: the few cases that answer within a minute. Chosen by tag, or drawn so that
//! every kind of case is in it; the seed is recorded, so that the draw can be repeated.

use sha2::{Digest, Sha256};

use super::{MUST_PASS_TAG, SMOKE_TAG};

/// How many cases the smoke subset has unless told otherwise.
pub const SMOKE: usize = 50;

/// The indices of the smoke subset, ascending; `cases` are the tags of each case in order.
///
/// Cases tagged `smoke` are the subset. If none are, all cases are candidates. More candidates
/// than `limit` are drawn from, stratified by each case's first tag (`smoke` and `must-pass`
/// aside; cases without a tag are a stratum too): places are shared in proportion to the
/// strata's sizes by largest remainder, ties going to the stratum met first, and within a
/// stratum the cases with the smallest SHA-256 of `"{seed}:{index}"` are taken.
pub fn smoke<T: AsRef<[String]>>(cases: &[T], limit: usize, seed: u64) -> Vec<usize> {
    let is_tagged = |index: &usize| cases[*index].as_ref().iter().any(|tag| tag == SMOKE_TAG);
    let mut candidates: Vec<usize> = (0..cases.len()).filter(is_tagged).collect();
    if candidates.is_empty() {
        candidates = (0..cases.len()).collect();
    }
    if candidates.len() <= limit {
        return candidates;
    }
    let n_candidates = candidates.len();
    let mut strata: Vec<(Option<&str>, Vec<usize>)> = Vec::new();
    let mut place_of = std::collections::HashMap::new();
    for index in candidates {
        let name = stratum(cases[index].as_ref());
        let place = *place_of.entry(name).or_insert_with(|| {
            strata.push((name, Vec::new()));
            strata.len() - 1
        });
        strata[place].1.push(index);
    }
    let sizes: Vec<usize> = strata.iter().map(|(_, members)| members.len()).collect();
    let shares = share(&sizes, n_candidates, limit);
    let mut drawn = Vec::with_capacity(limit);
    for ((_, mut members), n_wanted) in strata.into_iter().zip(shares) {
        members.sort_by_cached_key(|index| rank(seed, *index));
        drawn.extend(members.into_iter().take(n_wanted));
    }
    drawn.sort_unstable();
    drawn
}

fn stratum(tags: &[String]) -> Option<&str> {
    tags.iter()
        .map(String::as_str)
        .find(|tag| *tag != SMOKE_TAG && *tag != MUST_PASS_TAG)
}

/// Shares `limit` places among strata by largest remainder, in whole numbers throughout.
fn share(sizes: &[usize], n_all: usize, limit: usize) -> Vec<usize> {
    let mut places: Vec<usize> = sizes.iter().map(|size| size * limit / n_all).collect();
    let mut by_remainder: Vec<usize> = (0..sizes.len()).collect();
    by_remainder.sort_by_key(|place| std::cmp::Reverse(sizes[*place] * limit % n_all));
    let n_left = limit - places.iter().sum::<usize>();
    for place in by_remainder.into_iter().take(n_left) {
        places[place] += 1;
    }
    places
}

fn rank(seed: u64, index: usize) -> [u8; 32] {
    Sha256::digest(format!("{seed}:{index}")).into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tagged(tags: &[&str]) -> Vec<String> {
        tags.iter().map(|tag| (*tag).to_owned()).collect()
    }

    #[test]
    fn tagged_cases_are_the_subset() {
        let cases = [
            tagged(&["a"]),
            tagged(&["a", "smoke"]),
            tagged(&[]),
            tagged(&["smoke"]),
        ];
        assert_eq!(smoke(&cases, SMOKE, 1), [1, 3]);
        assert_eq!(smoke(&cases, 1, 1).len(), 1);
    }

    #[test]
    fn untagged_suites_are_drawn_in_proportion() {
        let cases: Vec<Vec<String>> = (0..1_000)
            .map(|index| tagged(&[if index % 10 == 0 { "rare" } else { "common" }]))
            .collect();
        let drawn = smoke(&cases, 50, 7);
        assert_eq!(drawn.len(), 50);
        assert_eq!(drawn.iter().filter(|index| **index % 10 == 0).count(), 5);
        assert_eq!(drawn, smoke(&cases, 50, 7));
        assert_ne!(drawn, smoke(&cases, 50, 8));
    }

    proptest! {
        #[test]
        fn a_draw_has_the_size_asked_for_and_no_case_twice(
            tags in proptest::collection::vec("[abc]?", 0..200), limit in 0..80_usize, seed: u64,
        ) {
            let cases: Vec<Vec<String>> = tags
                .iter()
                .map(|tag| if tag.is_empty() { Vec::new() } else { vec![tag.clone()] })
                .collect();
            let drawn = smoke(&cases, limit, seed);
            prop_assert_eq!(drawn.len(), limit.min(cases.len()));
            prop_assert!(drawn.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(drawn.iter().all(|index| *index < cases.len()));
        }
    }
}
