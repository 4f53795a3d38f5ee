//! What the rules are given of an experiment: read from the roll-ups alone, so that it takes as
//! long after ten million events as after ten.

use domain::{
    experiment::{ArmCounts, Bucket, Observed},
    id::ExperimentId,
    stats::mean::Summary,
};

use crate::{Error, Result, Store};

/// Everything counted so far.
pub async fn observed(store: &Store, experiment: ExperimentId) -> Result<Observed> {
    let plan = sqlx::query!(
        r#"select (select count(*) from experiment_arm
                   where experiment_arm.experiment_id = experiment.experiment_id) as "n_arms!",
                  array(select metric from experiment_guardrail
                        where experiment_guardrail.experiment_id = experiment.experiment_id
                        order by position) as "guardrails!",
                  (select last_event_at from experiment_activity
                   where experiment_activity.experiment_id = experiment.experiment_id) as last_event_at
           from experiment
           where experiment_id = $1"#,
        experiment.0,
    )
    .fetch_optional(&store.pool)
    .await?
    .ok_or(Error::NotFound("experiment"))?;
    let n_arms = usize::try_from(plan.n_arms).unwrap_or_default();
    let mut observed = Observed {
        arms: vec![ArmCounts::default(); n_arms],
        guardrails: vec![vec![summary(0, 0.0, 0.0); n_arms]; plan.guardrails.len()],
        last_event_at: plan.last_event_at,
        ..Observed::default()
    };

    let totals = sqlx::query!(
        r#"select arm, metric, sum(units)::bigint as "units!", sum(sum) as "sum!",
                  sum(sum_squares) as "sum_squares!"
           from experiment_rollup
           where experiment_id = $1 and (metric <> '' or arm < 0)
           group by arm, metric"#,
        experiment.0,
    )
    .fetch_all(&store.pool)
    .await?;
    for row in totals {
        let units = count(row.units);
        let Some(arm) = usize::try_from(row.arm).ok() else {
            observed.excluded = units;
            continue;
        };
        let metric = plan.guardrails.iter().position(|name| *name == row.metric);
        if let Some(place) = metric.and_then(|metric| observed.guardrails[metric].get_mut(arm)) {
            *place = summary(units, row.sum, row.sum_squares);
        }
    }

    let hours = sqlx::query!(
        "select hour, arm, units, successes
         from experiment_rollup
         where experiment_id = $1 and metric = '' and arm >= 0 and units > 0
         order by hour, arm",
        experiment.0,
    )
    .fetch_all(&store.pool)
    .await?;
    for row in hours {
        let Some(arm) = usize::try_from(row.arm).ok().filter(|arm| *arm < n_arms) else {
            continue;
        };
        let counts = ArmCounts {
            units: count(row.units),
            successes: count(row.successes),
        };
        observed.arms[arm].units += counts.units;
        observed.arms[arm].successes += counts.successes;
        if observed
            .series
            .last()
            .is_none_or(|last| last.at != row.hour)
        {
            observed.series.push(Bucket {
                at: row.hour,
                arms: vec![ArmCounts::default(); n_arms],
            });
        }
        if let Some(bucket) = observed.series.last_mut() {
            bucket.arms[arm] = counts;
        }
    }
    Ok(observed)
}

fn count(n: i64) -> u64 {
    u64::try_from(n).unwrap_or_default()
}

/// Mean and sample standard deviation from sums. What rounding leaves below zero is zero.
#[expect(clippy::cast_precision_loss, reason = "units are far below 2^53")]
fn summary(n: u64, sum: f64, sum_squares: f64) -> Summary {
    let units = n as f64;
    Summary {
        mean: if n == 0 { 0.0 } else { sum / units },
        sd: if n < 2 {
            0.0
        } else {
            ((sum_squares - sum * sum / units) / (units - 1.0))
                .max(0.0)
                .sqrt()
        },
        n,
    }
}
