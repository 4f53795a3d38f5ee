//! The effect over time, for the chart.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{ArmCounts, Experiment, Observed};
use crate::stats::{Interval, sequential};

/// The most points of one line in the chart.
const MOST_POINTS: usize = 120;

/// The effect of one challenger as it was known at a moment: units first exposed up to then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EffectPoint {
    /// The end of the hour.
    pub at: DateTime<Utc>,
    /// The challenger.
    pub arm: String,
    /// Units of both arms up to here.
    pub units: u64,
    /// Challenger minus control, as a proportion.
    pub difference: f64,
    /// The always-valid band; none while there is no spread.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<f64>>))]
    pub interval: Option<Interval>,
}

impl EffectPoint {
    /// The lines of the chart, challenger by challenger, oldest point first; long ones thinned
    /// evenly, the last point always kept.
    #[must_use]
    pub fn series(experiment: &Experiment, observed: &Observed) -> Vec<Self> {
        let plan = &experiment.plan;
        let step = observed.series.len().div_ceil(MOST_POINTS).max(1);
        let last = observed.series.len().saturating_sub(1);
        let mut points = Vec::new();
        for (position, arm) in plan.arms.iter().enumerate().skip(1) {
            let (mut control, mut challenger) = (ArmCounts::default(), ArmCounts::default());
            for (index, bucket) in observed.series.iter().enumerate() {
                add(&mut control, bucket.arms.first());
                add(&mut challenger, bucket.arms.get(position));
                if !(last - index).is_multiple_of(step) {
                    continue;
                }
                let (left, right) = (control.sample(), challenger.sample());
                let Some((from, to)) = left.rate().zip(right.rate()) else {
                    continue;
                };
                points.push(Self {
                    at: bucket.at + chrono::TimeDelta::hours(1),
                    arm: arm.name.clone(),
                    units: left.n + right.n,
                    difference: to - from,
                    interval: sequential::difference(left, right, plan.alpha)
                        .map(|always| always.interval),
                });
            }
        }
        points
    }
}

fn add(sum: &mut ArmCounts, more: Option<&ArmCounts>) {
    if let Some(more) = more {
        sum.units += more.units;
        sum.successes += more.successes;
    }
}
