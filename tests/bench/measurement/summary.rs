//! Several samples in few numbers.

use super::{Results, Row, Sample};
use serde::{Deserialize, Serialize};

/// The medians of samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// The medians, one by one.
    pub(crate) median: Sample,
    /// How far the farthest value is from the median, as a part of it.
    pub(crate) spread: f64,
}

impl Summary {
    /// Nothing when there are no samples.
    pub(crate) fn of(results: &Results) -> Option<Self> {
        let samples = &results.samples;
        let of = |pick: fn(&Sample) -> Option<f64>| median(samples.iter().filter_map(pick).collect());
        let value = of(|sample| Some(sample.value))?;
        let farthest = samples.iter().map(|sample| (sample.value - value).abs()).fold(0.0, f64::max);
        let median = Sample {
            value,
            cpu: of(|sample| sample.cpu),
            peak: of(|sample| sample.peak),
            p50: of(|sample| sample.p50),
            p99: of(|sample| sample.p99),
        };
        Some(Self { median, spread: if value == 0.0 { 0.0 } else { farthest / value } })
    }

    /// How many times as good as another it is.
    pub(crate) fn ratio(&self, row: &Row, other: &Self) -> f64 {
        let (own, other) = (self.median.value, other.median.value);
        if row.definition.unit.is_a_cost() { other / own } else { own / other }
    }
}

impl Row {
    /// How many times as good as the reference a server is; nothing for what has not been measured.
    pub(crate) fn ratio(&self, results: &Results) -> Option<f64> {
        let reference = Summary::of(self.of(&self.definition.reference)?)?;
        Some(Summary::of(results)?.ratio(self, &reference))
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let above = *values.get(middle)?;
    Some(if values.len() % 2 == 1 { above } else { f64::midpoint(values[middle - 1], above) })
}

/// A count as a number that can be divided.
#[expect(clippy::cast_precision_loss, reason = "what is counted here is far below 2^52")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measurement::{Definition, Unit};

    fn results(server: &str, values: &[f64]) -> Results {
        let sample = |value: &f64| Sample { value: *value, ..Sample::default() };
        Results { server: server.into(), samples: values.iter().map(sample).collect(), failure: None }
    }

    #[test]
    fn the_median_and_the_spread_are_those_of_the_values() {
        let summary = Summary::of(&results("a", &[90.0, 100.0, 120.0])).unwrap();
        assert_eq!((summary.median.value, summary.spread), (100.0, 0.2));
        let even = Summary::of(&results("a", &[1.0, 2.0])).map(|summary| summary.median.value);
        assert_eq!(even, Some(1.5));
        assert_eq!(Summary::of(&results("a", &[])), None);
    }

    #[test]
    fn a_ratio_says_how_many_times_as_good_as_the_reference_a_server_is() {
        let row = |unit| Row {
            definition: Definition::new("start", unit, "b"),
            results: vec![results("a", &[20.0]), results("b", &[80.0])],
        };
        let (time, rate) = (row(Unit::Milliseconds), row(Unit::Requests));
        assert_eq!(time.ratio(&time.results[0]), Some(4.0));
        assert_eq!(rate.ratio(&rate.results[0]), Some(0.25));
        assert_eq!(rate.ratio(&rate.results[1]), Some(1.0));
    }
}
