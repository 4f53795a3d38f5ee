//! What a batch says about units, between the transaction that took the events in and the one that
//! adds them up.

use chrono::{DateTime, Utc};
use domain::monitor::{
    Kind,
    unit::{Fact, What},
};
use sqlx::PgConnection;
use uuid::Uuid;

use super::place::Placed;

/// Stands in the place of an arm for a success of the primary metric.
const SUCCESS: i16 = -1;
/// Stands in the place of an arm for a measurement.
const MEASUREMENT: i16 = -2;

/// Facts in parallel lists, as the table keeps them.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub experiment_ids: Vec<Uuid>,
    pub units: Vec<String>,
    pub times: Vec<DateTime<Utc>>,
    pub arms: Vec<i16>,
    pub metrics: Vec<String>,
    pub measurements: Vec<f64>,
}

impl Facts {
    /// Adds what an event says; nothing if it names no experiment or no unit.
    pub fn add(&mut self, one: &Placed<'_>) {
        let event = one.event;
        let (Some(plan), Some(experiment), Some(unit)) = (one.plan, event.experiment, &event.unit)
        else {
            return;
        };
        let mut push = |arm: i16, metric: &str, value: f64| {
            self.experiment_ids.push(experiment);
            self.units.push(unit.clone());
            self.times.push(event.at);
            self.arms.push(arm);
            self.metrics.push(metric.to_owned());
            self.measurements.push(value);
        };
        match (event.kind, one.arm) {
            (Kind::Exposure, Some(arm)) => push(arm.into(), "", 0.0),
            (Kind::Exposure | Kind::Outcome | Kind::Generation | Kind::Feedback, _) => {}
        }
        for (metric, value) in event.readings() {
            // The primary metric is 0 or 1; whatever is not 1 changes nothing.
            if metric == plan.primary_metric && value > 0.5 {
                push(SUCCESS, "", 0.0);
            }
            if plan.guardrails.iter().any(|guarded| guarded == metric) {
                push(MEASUREMENT, metric, value);
            }
        }
    }

    /// Leaves them for whoever rolls up.
    pub async fn write(
        &self,
        db: &mut PgConnection,
        project: Uuid,
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        if self.units.is_empty() {
            return Ok(());
        }
        sqlx::query!(
            "insert into event_batch
                 (project_id, received_at, experiment_ids, units, times, arms, metrics, measurements)
             values ($1, $2, $3, $4, $5, $6, $7, $8)",
            project,
            now,
            &self.experiment_ids,
            &self.units,
            &self.times,
            &self.arms,
            &self.metrics,
            &self.measurements,
        )
        .execute(db)
        .await?;
        Ok(())
    }

    /// Each with its experiment and unit.
    pub fn into_each(self) -> impl Iterator<Item = ((Uuid, String), Fact)> {
        let whats = self
            .arms
            .into_iter()
            .zip(self.metrics)
            .zip(self.measurements)
            .map(|((arm, metric), value)| match u8::try_from(arm) {
                Ok(arm) => What::Exposed { arm },
                Err(_) if arm == SUCCESS => What::Succeeded,
                Err(_) => What::Read { metric, value },
            });
        self.experiment_ids
            .into_iter()
            .zip(self.units)
            .zip(self.times.into_iter().zip(whats))
            .map(|(place, (at, what))| (place, Fact { at, what }))
    }
}
