//! Adding up what events say about units. A batch is taken away in the transaction that adds it,
//! so it counts exactly once however often a worker dies. Several workers share the batches; where
//! two hold facts about one unit, the second waits for the first and goes on from its state.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use domain::monitor::unit::{Contribution, Early, Fact, Reading, Unit, What};
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    RESULT_CHANNEL,
    facts::Facts,
    one_by_one::{is_in_a_batch, roll_up_one_by_one},
};
use crate::{
    Result, Store,
    monitor::{
        add::Additions,
        sums::{Minutes, unreadable},
    },
};

/// Most batches in one transaction: enough to share its cost, few enough to be done soon.
const BATCHES: i64 = 16;

/// An experiment and a unit in it.
type Place = (Uuid, String);

/// Which batches of a kind a transaction takes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Take {
    /// None.
    Nothing,
    /// The oldest ones, at most so many.
    Oldest(i64),
    /// This one.
    Only(i64),
}

impl Take {
    pub(super) const fn limit(self) -> i64 {
        match self {
            Self::Nothing => 0,
            Self::Oldest(n_batches) => n_batches,
            Self::Only(_) => 1,
        }
    }

    pub(super) const fn only(self) -> Option<i64> {
        match self {
            Self::Only(batch) => Some(batch),
            Self::Nothing | Self::Oldest(_) => None,
        }
    }
}

/// Adds up some of the batches that wait; how many. None: there are no more. One that cannot be added
/// up is set aside, and counts as one that was.
#[tracing::instrument(skip_all, err)]
pub async fn roll_up(store: &Store, now: DateTime<Utc>) -> Result<usize> {
    let mut tx = store.pool.begin().await?;
    let (inputs, others) = (Take::Oldest(super::inputs::BATCHES), Take::Oldest(BATCHES));
    match add_up(&mut tx, inputs, others, others, now).await {
        Ok(n_batches) => {
            tx.commit().await?;
            Ok(n_batches)
        }
        Err(error) if is_in_a_batch(&error) => {
            tracing::error!(?error, "batches of events cannot be added up together");
            tx.rollback().await?;
            roll_up_one_by_one(store, now).await
        }
        Err(error) => Err(error),
    }
}

/// Adds up these batches in the caller's transaction; how many.
pub(super) async fn add_up(
    tx: &mut PgConnection,
    inputs: Take,
    facts: Take,
    traffic: Take,
    now: DateTime<Utc>,
) -> Result<usize> {
    let n_inputs = super::inputs::roll_up(&mut *tx, inputs).await?;
    let batches = sqlx::query!(
        "with next as (
             select batch_id from event_batch
             where set_aside is null and ($2::bigint is null or batch_id = $2)
             order by batch_id
             limit $1
             -- What another worker holds is being added up already.
             for update skip locked
         )
         delete from event_batch
         using next
         where event_batch.batch_id = next.batch_id
         returning project_id, experiment_id, units, times, arms, metrics, measurements",
        facts.limit(),
        facts.only(),
    )
    .fetch_all(&mut *tx)
    .await?;
    let mut projects = BTreeSet::new();
    let (n_traffic, traffic) = take_traffic(&mut *tx, traffic, &mut projects).await?;
    let n_batches = batches.len() + n_inputs + n_traffic;
    if n_batches == 0 {
        return Ok(0);
    }
    let mut facts: BTreeMap<Place, Vec<Fact>> = BTreeMap::new();
    for batch in batches {
        projects.insert(batch.project_id);
        let said = Facts {
            units: batch.units,
            times: batch.times,
            arms: batch.arms,
            metrics: batch.metrics,
            measurements: batch.measurements,
        };
        for (unit, fact) in said.into_each() {
            facts
                .entry((batch.experiment_id, unit))
                .or_default()
                .push(fact);
        }
    }
    if !facts.is_empty() {
        add(&mut *tx, facts, now).await?;
    }
    // After the units, in every worker: so nobody waits in a ring.
    traffic.write(&mut *tx).await?;
    for project in projects {
        sqlx::query!(
            "select pg_notify($1, $2)",
            RESULT_CHANNEL,
            project.to_string()
        )
        .execute(&mut *tx)
        .await?;
    }
    Ok(n_batches)
}

/// Takes away some of the batches that say what serves; how many, and what they add.
async fn take_traffic(
    db: &mut PgConnection,
    take: Take,
    projects: &mut BTreeSet<Uuid>,
) -> Result<(usize, Additions)> {
    let batches = sqlx::query!(
        "with next as (
             select batch_id from monitor_batch
             where set_aside is null and ($2::bigint is null or batch_id = $2)
             order by batch_id
             limit $1
             for update skip locked
         )
         delete from monitor_batch
         using next
         where monitor_batch.batch_id = next.batch_id
         returning project_id, sums",
        take.limit(),
        take.only(),
    )
    .fetch_all(db)
    .await?;
    let n_batches = batches.len();
    let mut additions = Additions::default();
    for batch in batches {
        projects.insert(batch.project_id);
        let minutes = Minutes::from_bytes(&batch.sums).map_err(unreadable)?;
        additions.take(batch.project_id, minutes);
    }
    Ok((n_batches, additions))
}

/// Takes the facts into their units, and the differences into the sums.
async fn add(
    db: &mut PgConnection,
    facts: BTreeMap<Place, Vec<Fact>>,
    now: DateTime<Utc>,
) -> Result<()> {
    let mut units = lock(db, facts.keys()).await?;
    let earlier: Vec<&Place> = facts
        .iter()
        .filter(|(place, facts)| is_exposed_earlier(units.get(*place), facts))
        .map(|(place, _)| place)
        .collect();
    for (place, early) in take_early(db, &earlier).await? {
        units.entry(place).or_default().early.push(early);
    }

    let mut sums = Sums::default();
    let mut changed: Vec<(Place, Unit)> = Vec::new();
    let mut early: Vec<(Place, Early)> = Vec::new();
    for (place, facts) in facts {
        sums.see(place.0, &facts);
        let mut unit = units.remove(&place).unwrap_or_default();
        let before = unit.clone();
        for fact in facts {
            unit.absorb(fact);
        }
        sums.replace(place.0, before.contribution(), unit.contribution());
        early.extend(unit.early.drain(..).map(|one| (place.clone(), one)));
        let is_same = (before.arms, before.first_exposed_at, before.succeeded_at)
            == (unit.arms, unit.first_exposed_at, unit.succeeded_at)
            && before.readings == unit.readings;
        if !is_same {
            changed.push((place, unit));
        }
    }
    keep(db, &changed).await?;
    keep_early(db, &early).await?;
    sums.write(db, now).await?;
    Ok(())
}

/// Whether the facts move the first exposure, so that earlier measurements may begin to count.
fn is_exposed_earlier(unit: Option<&Unit>, facts: &[Fact]) -> bool {
    let first = unit.and_then(|unit| unit.first_exposed_at);
    facts.iter().any(|fact| {
        matches!(fact.what, What::Exposed { .. }) && first.is_none_or(|first| fact.at < first)
    })
}

fn columns<'a>(places: impl Iterator<Item = &'a Place>) -> (Vec<Uuid>, Vec<String>) {
    places.cloned().unzip()
}

/// The units' states, locked, in one order for all workers; those that are new are made first.
async fn lock(
    db: &mut PgConnection,
    places: impl Iterator<Item = &Place>,
) -> Result<BTreeMap<Place, Unit>> {
    let (experiments, units) = columns(places);
    sqlx::query!(
        r#"insert into experiment_unit (experiment_id, unit)
           select experiment_id, unit
           from unnest($1::uuid[], $2::text[]) as said (experiment_id, unit)
           order by experiment_id, unit collate "C"
           on conflict do nothing"#,
        &experiments,
        &units,
    )
    .execute(&mut *db)
    .await?;
    let rows = sqlx::query!(
        r#"select experiment_id, unit, arms, first_exposed_at, succeeded_at, readings
           from experiment_unit
           join unnest($1::uuid[], $2::text[]) as said (experiment_id, unit) using (experiment_id, unit)
           order by experiment_id, unit
           -- Another worker may hold facts about the same unit: whoever comes second goes on from there.
           for update of experiment_unit"#,
        &experiments,
        &units,
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let unit = Unit {
                arms: row.arms,
                first_exposed_at: row.first_exposed_at,
                succeeded_at: row.succeeded_at,
                readings: readings_of(&row.readings),
                early: Vec::new(),
            };
            ((row.experiment_id, row.unit), unit)
        })
        .collect())
}

fn readings_of(kept: &Value) -> BTreeMap<String, Reading> {
    kept.as_object()
        .into_iter()
        .flatten()
        .filter_map(|(metric, reading)| {
            let reading = Reading {
                n: reading[0].as_i64()?,
                sum: reading[1].as_f64()?,
            };
            Some((metric.clone(), reading))
        })
        .collect()
}

/// Takes away the early measurements of these units: those that still are early come back.
async fn take_early(db: &mut PgConnection, places: &[&Place]) -> Result<Vec<(Place, Early)>> {
    let (experiments, units) = columns(places.iter().copied());
    let rows = sqlx::query!(
        r#"delete from experiment_early
           using unnest($1::uuid[], $2::text[]) as said (experiment_id, unit)
           where experiment_early.experiment_id = said.experiment_id and experiment_early.unit = said.unit
           returning experiment_early.experiment_id, experiment_early.unit, at, metric, value"#,
        &experiments,
        &units,
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let early = Early {
                at: row.at,
                metric: row.metric,
                value: row.value,
            };
            ((row.experiment_id, row.unit), early)
        })
        .collect())
}

async fn keep_early(db: &mut PgConnection, early: &[(Place, Early)]) -> Result<()> {
    if early.is_empty() {
        return Ok(());
    }
    let (experiments, units) = columns(early.iter().map(|(place, _)| place));
    let times: Vec<DateTime<Utc>> = early.iter().map(|(_, one)| one.at).collect();
    let metrics: Vec<String> = early.iter().map(|(_, one)| one.metric.clone()).collect();
    let values: Vec<f64> = early.iter().map(|(_, one)| one.value).collect();
    sqlx::query!(
        "insert into experiment_early (experiment_id, unit, at, metric, value)
         select * from unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::text[], $5::double precision[])",
        &experiments,
        &units,
        &times,
        &metrics,
        &values,
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn keep(db: &mut PgConnection, changed: &[(Place, Unit)]) -> Result<()> {
    if changed.is_empty() {
        return Ok(());
    }
    let (experiments, units) = columns(changed.iter().map(|(place, _)| place));
    let arms: Vec<i32> = changed.iter().map(|(_, unit)| unit.arms).collect();
    let exposed: Vec<Option<DateTime<Utc>>> = changed
        .iter()
        .map(|(_, unit)| unit.first_exposed_at)
        .collect();
    let succeeded: Vec<Option<DateTime<Utc>>> =
        changed.iter().map(|(_, unit)| unit.succeeded_at).collect();
    let readings: Vec<Value> = changed
        .iter()
        .map(|(_, unit)| {
            let each = unit.readings.iter();
            each.map(|(metric, reading)| (metric.clone(), json!([reading.n, reading.sum])))
                .collect::<serde_json::Map<_, _>>()
                .into()
        })
        .collect();
    sqlx::query!(
        "update experiment_unit
         set arms = said.arms, first_exposed_at = said.first_exposed_at,
             succeeded_at = said.succeeded_at, readings = said.readings
         from unnest($1::uuid[], $2::text[], $3::integer[], $4::timestamptz[], $5::timestamptz[], $6::jsonb[])
              as said (experiment_id, unit, arms, first_exposed_at, succeeded_at, readings)
         where experiment_unit.experiment_id = said.experiment_id and experiment_unit.unit = said.unit",
        &experiments,
        &units,
        &arms,
        &exposed as &[Option<DateTime<Utc>>],
        &succeeded as &[Option<DateTime<Utc>>],
        &readings,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A difference to one row of the roll-up.
#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    units: i64,
    successes: i64,
    sum: f64,
    sum_squares: f64,
}

/// Differences by experiment, arm, metric and hour: in the order in which every worker writes them.
#[derive(Default)]
struct Sums {
    rows: BTreeMap<(Uuid, i16, String, DateTime<Utc>), Moments>,
    last_event: BTreeMap<Uuid, DateTime<Utc>>,
}

impl Sums {
    fn see(&mut self, experiment: Uuid, facts: &[Fact]) {
        if let Some(last) = facts.iter().map(|fact| fact.at).max() {
            let seen = self.last_event.entry(experiment).or_insert(last);
            *seen = last.max(*seen);
        }
    }

    fn replace(&mut self, experiment: Uuid, old: Option<Contribution>, new: Option<Contribution>) {
        if old == new {
            return;
        }
        self.add(experiment, old, -1);
        self.add(experiment, new, 1);
    }

    fn add(&mut self, experiment: Uuid, contribution: Option<Contribution>, sign: i8) {
        let (n, factor) = (i64::from(sign), f64::from(sign));
        match contribution {
            None => {}
            Some(Contribution::Excluded { hour }) => {
                let key = (experiment, -1, String::new(), hour);
                self.rows.entry(key).or_default().units += n;
            }
            Some(Contribution::Counted {
                arm,
                hour,
                succeeded,
                means,
            }) => {
                let arm = i16::from(arm);
                let key = (experiment, arm, String::new(), hour);
                let row = self.rows.entry(key).or_default();
                row.units += n;
                row.successes += n * i64::from(succeeded);
                for (metric, mean) in means {
                    let row = self
                        .rows
                        .entry((experiment, arm, metric, hour))
                        .or_default();
                    row.units += n;
                    row.sum += factor * mean;
                    row.sum_squares += factor * mean * mean;
                }
            }
        }
    }

    async fn write(self, db: &mut PgConnection, now: DateTime<Utc>) -> Result<()> {
        let mut columns = Columns::default();
        for ((experiment, arm, metric, hour), sum) in self.rows {
            columns.experiments.push(experiment);
            columns.arms.push(arm);
            columns.metrics.push(metric);
            columns.hours.push(hour);
            columns.units.push(sum.units);
            columns.successes.push(sum.successes);
            columns.sums.push(sum.sum);
            columns.squares.push(sum.sum_squares);
        }
        sqlx::query!(
            r#"insert into experiment_rollup (experiment_id, arm, metric, hour, units, successes, sum, sum_squares)
               select * from unnest($1::uuid[], $2::smallint[], $3::text[], $4::timestamptz[], $5::bigint[],
                                    $6::bigint[], $7::double precision[], $8::double precision[])
                    as said (experiment_id, arm, metric, hour, units, successes, sum, sum_squares)
               order by experiment_id, arm, metric collate "C", hour
               on conflict (experiment_id, arm, metric, hour) do update
               set units = experiment_rollup.units + excluded.units,
                   successes = experiment_rollup.successes + excluded.successes,
                   sum = experiment_rollup.sum + excluded.sum,
                   sum_squares = experiment_rollup.sum_squares + excluded.sum_squares"#,
            &columns.experiments,
            &columns.arms,
            &columns.metrics,
            &columns.hours,
            &columns.units,
            &columns.successes,
            &columns.sums,
            &columns.squares,
        )
        .execute(&mut *db)
        .await?;
        let (experiments, times): (Vec<Uuid>, Vec<DateTime<Utc>>) =
            self.last_event.into_iter().unzip();
        sqlx::query!(
            "insert into experiment_activity (experiment_id, last_event_at, rolled_up_at)
             select experiment_id, at, $3
             from unnest($1::uuid[], $2::timestamptz[]) as said (experiment_id, at)
             order by experiment_id
             on conflict (experiment_id) do update
             set last_event_at = greatest(experiment_activity.last_event_at, excluded.last_event_at),
                 rolled_up_at = excluded.rolled_up_at",
            &experiments,
            &times,
            now,
        )
        .execute(db)
        .await?;
        Ok(())
    }
}

#[derive(Default)]
struct Columns {
    experiments: Vec<Uuid>,
    arms: Vec<i16>,
    metrics: Vec<String>,
    hours: Vec<DateTime<Utc>>,
    units: Vec<i64>,
    successes: Vec<i64>,
    sums: Vec<f64>,
    squares: Vec<f64>,
}
