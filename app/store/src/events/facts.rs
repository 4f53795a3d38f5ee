//! What a batch says about units, between the transaction that took the events in and the one that
//! adds them up.

use chrono::{DateTime, Utc};
use domain::monitor::{
    Kind,
    unit::{Fact, What},
};
use sqlx::PgConnection;
use uuid::Uuid;

use super::place::{Placed, Plan};

/// Stands in the place of an arm for a success of the primary metric.
const SUCCESS: i16 = -1;
/// Stands in the place of an arm for a measurement.
const MEASUREMENT: i16 = -2;

/// Facts in parallel lists, as the table keeps them.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub units: Vec<String>,
    pub times: Vec<DateTime<Utc>>,
    pub arms: Vec<i16>,
    pub metrics: Vec<String>,
    pub measurements: Vec<f64>,
}

impl Facts {
    /// Adds what an event says; nothing if it names no unit.
    pub fn add(&mut self, one: &Placed<'_>, plan: &Plan) {
        let event = one.event;
        let Some(unit) = &event.unit else {
            return;
        };
        let mut push = |arm: i16, metric: &str, value: f64| {
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
        experiment: Uuid,
    ) -> Result<(), sqlx::Error> {
        if self.units.is_empty() {
            return Ok(());
        }
        sqlx::query!(
            "insert into event_batch
                 (project_id, experiment_id, units, times, arms, metrics, measurements)
             values ($1, $2, $3, $4, $5, $6, $7)",
            project,
            experiment,
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

    /// Each with its unit.
    pub fn into_each(self) -> impl Iterator<Item = (String, Fact)> {
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
        self.units
            .into_iter()
            .zip(self.times.into_iter().zip(whats))
            .map(|(unit, (at, what))| (unit, Fact { at, what }))
    }
}
