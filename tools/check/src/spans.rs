//! Ranges of addresses, in one of which an address is or not.

use std::ops::Range;

/// Ranges, merged where they overlap.
#[derive(Debug, Default)]
pub(crate) struct Spans(Vec<Range<u64>>);

impl FromIterator<Range<u64>> for Spans {
    fn from_iter<T: IntoIterator<Item = Range<u64>>>(ranges: T) -> Self {
        let mut sorted: Vec<Range<u64>> = ranges.into_iter().collect();
        sorted.sort_unstable_by_key(|range| range.start);
        let mut merged: Vec<Range<u64>> = Vec::new();
        for range in sorted {
            match merged.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        Self(merged)
    }
}

impl Spans {
    /// Whether an address is in one of the ranges.
    pub(crate) fn contains(&self, address: u64) -> bool {
        let before = self.0.partition_point(|range| range.start <= address);
        self.0[..before].last().is_some_and(|range| range.contains(&address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_address_is_in_them_as_in_one_of_them(ranges in vec((0_u64..40, 0_u64..9), 0..9)) {
            let ranges: Vec<Range<u64>> =
                ranges.into_iter().map(|(start, len)| start..start + len).collect();
            let spans: Spans = ranges.iter().cloned().collect();
            for address in 0..50 {
                let is_inside = ranges.iter().any(|range| range.contains(&address));
                prop_assert_eq!(spans.contains(address), is_inside);
            }
        }
    }
}
