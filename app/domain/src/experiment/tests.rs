use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{assign::draw, *};
use crate::stats::{mean::Summary, simulate::Binomial};

mod assignment;
mod calibration;
mod layers;
mod plans;
mod verdicts;

fn at(days: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap() + TimeDelta::days(days)
}

fn plan(change: Value) -> Value {
    let mut plan = json!({
        "name": "shorter greeting",
        "prompt": "support/triage",
        "environment": "production",
        "arms": [{ "name": "A", "version": 1 }, { "name": "B", "version": 2 }],
        "primary_metric": "resolved",
        "baseline": 0.8,
        "minimum_effect": 0.05,
    });
    for (name, value) in change.as_object().unwrap() {
        plan[name] = value.clone();
    }
    plan
}

/// An experiment that has been running for five days.
fn running(change: Value) -> Experiment {
    let plan = Plan::parse(plan(change)).unwrap();
    Experiment {
        id: ExperimentId(uuid::Uuid::from_u128(1)),
        status: Status::Running,
        salt: "salt".to_owned(),
        planned_units: plan.planned_units().unwrap(),
        plan,
        by: Who::System {
            name: "test".to_owned(),
        },
        created_at: at(0),
        started_at: Some(at(0)),
        stopped_at: None,
        concluded_at: None,
        conclusion: None,
        frozen: None,
        versions: Vec::new(),
    }
}

fn counts(arms: &[(u64, u64)]) -> Vec<ArmCounts> {
    arms.iter()
        .map(|(successes, units)| ArmCounts {
            units: *units,
            successes: *successes,
        })
        .collect()
}

fn observed(arms: &[(u64, u64)]) -> Observed {
    Observed {
        arms: counts(arms),
        ..Observed::default()
    }
}

#[test]
fn an_experiment_goes_from_draft_to_concluded_and_nowhere_else() {
    assert_eq!(Status::Draft.start(), Ok(Status::Running));
    assert_eq!(Status::Running.stop(), Ok(Status::Stopped));
    assert_eq!(Status::Stopped.conclude(), Ok(Status::Concluded));
    for status in [Status::Running, Status::Stopped, Status::Concluded] {
        assert_eq!(status.start(), Err(Refusal::CannotStart(status)));
        assert_eq!(status.change(), Err(Refusal::CannotChange(status)));
    }
    for status in [Status::Draft, Status::Stopped, Status::Concluded] {
        assert_eq!(status.stop(), Err(Refusal::CannotStop(status)));
        assert_eq!(
            status.raise_traffic(0.1, 0.2),
            Err(Refusal::CannotRamp(status))
        );
    }
    for status in [Status::Draft, Status::Running, Status::Concluded] {
        assert_eq!(status.conclude(), Err(Refusal::CannotConclude(status)));
    }
    assert_eq!(
        Status::Running.raise_traffic(0.5, 0.2),
        Err(Refusal::OnlyUp { from: 0.5 })
    );
    assert_eq!(Status::Running.raise_traffic(0.2, 0.5), Ok(()));
}

#[test]
fn the_chart_adds_hours_up_and_ends_with_everything() {
    let experiment = running(json!({}));
    let series = (0..300)
        .map(|hour| Bucket {
            at: at(0) + TimeDelta::hours(hour),
            arms: counts(&[(8, 10), (9, 10)]),
        })
        .collect();
    let observed = Observed {
        series,
        ..observed(&[(2_400, 3_000), (2_700, 3_000)])
    };
    let points = EffectPoint::series(&experiment, &observed);
    assert!(points.len() <= 120, "{}", points.len());
    let last = points.last().unwrap();
    assert_eq!(
        (last.units, last.at),
        (6_000, at(0) + TimeDelta::hours(300))
    );
    assert!((last.difference - 0.1).abs() < 1e-12);
    assert!(last.interval.unwrap().lower > 0.0);
    assert!(EffectPoint::series(&experiment, &Observed::default()).is_empty());
}
