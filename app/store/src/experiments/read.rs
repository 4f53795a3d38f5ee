//! Reading experiments.

use domain::{
    experiment::{
        Arm, AutoStop, Decision, EffectPoint, ExperimentDetail, ExperimentRow, Frozen, Guardrail,
        Results, Unit,
    },
    id::ProjectId,
    page::{Listing, PageRequest},
};
use sqlx::{PgConnection, types::Json};

use super::{
    Actor, DateTime, Experiment, ExperimentId, Happening, Permission, Plan, PromptName, Status,
    TimelineEntry, Utc, VersionId, Who,
};
use crate::{Error, Result, Store};

/// Which experiments to list.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// Of one prompt.
    pub prompt: Option<&'a PromptName>,
    /// In one environment.
    pub environment: Option<&'a str>,
    /// In one state.
    pub status: Option<Status>,
}

/// A page of experiments, newest first.
pub async fn list(
    store: &Store,
    by: &Actor,
    filter: &Filter<'_>,
    page: &PageRequest,
) -> Result<Listing<Experiment>> {
    by.may(Permission::ReadExperiments)?;
    let after: Option<uuid::Uuid> = page
        .after()
        .map(str::parse)
        .transpose()
        .map_err(|_| Error::invalid("cursor", "is not one that an earlier page gave"))?;
    let mut db = store.pool.acquire().await?;
    let wanted = Wanted {
        project: Some(by.project.0),
        filter: *filter,
        after,
        limit: page.fetch(),
        ..Wanted::default()
    };
    let experiments = select(&mut db, wanted).await?;
    Ok(Listing::of(experiments, page, |experiment| {
        experiment.id.to_string()
    }))
}

/// One experiment.
pub async fn find(store: &Store, by: &Actor, id: ExperimentId) -> Result<Option<Experiment>> {
    by.may(Permission::ReadExperiments)?;
    let mut db = store.pool.acquire().await?;
    let wanted = Wanted {
        project: Some(by.project.0),
        id: Some(id),
        limit: 1,
        ..Wanted::default()
    };
    let found = select(&mut db, wanted).await?.pop();
    Ok(found)
}

/// What happened to an experiment, oldest first.
pub async fn timeline(store: &Store, by: &Actor, id: ExperimentId) -> Result<Vec<TimelineEntry>> {
    by.may(Permission::ReadExperiments)?;
    let rows = sqlx::query!(
        r#"select at, experiment_event.by as "by: Json<Who>", what as "what: Json<Happening>"
           from experiment_event
           join experiment using (experiment_id)
           where project_id = $1 and experiment_id = $2
           order by sequence
           limit 1000"#,
        by.project.0,
        id.0,
    )
    .fetch_all(&store.pool)
    .await?;
    let entry = |(at, by, what): (_, Json<Who>, Json<Happening>)| TimelineEntry {
        at,
        by: by.0,
        what: what.0,
    };
    Ok(rows
        .into_iter()
        .map(|row| entry((row.at, row.by, row.what)))
        .collect())
}

/// The experiments that run in a project, for the serving snapshot.
pub(crate) async fn running_in(store: &Store, project: ProjectId) -> Result<Vec<Experiment>> {
    let mut db = store.pool.acquire().await?;
    let wanted = Wanted {
        project: Some(project.0),
        filter: Filter {
            status: Some(Status::Running),
            ..Filter::default()
        },
        // One for each prompt and environment at most.
        limit: 100_000,
        ..Wanted::default()
    };
    select(&mut db, wanted).await
}

/// One experiment, whoever asks.
pub(super) async fn one(db: &mut PgConnection, id: ExperimentId) -> Result<Option<Experiment>> {
    let wanted = Wanted {
        id: Some(id),
        limit: 1,
        ..Wanted::default()
    };
    Ok(select(db, wanted).await?.pop())
}

/// Which rows.
#[derive(Default)]
pub(super) struct Wanted<'a> {
    pub project: Option<uuid::Uuid>,
    pub id: Option<ExperimentId>,
    pub filter: Filter<'a>,
    pub after: Option<uuid::Uuid>,
    pub limit: i64,
}

/// The one statement that reads experiments.
pub(super) async fn select(db: &mut PgConnection, wanted: Wanted<'_>) -> Result<Vec<Experiment>> {
    let rows = sqlx::query_as!(
        Row,
        r#"select experiment_id as "id: ExperimentId", experiment.name, hypothesis, status as "status: Status",
                  prompt.name as "prompt: PromptName", environment.name as environment, unit as "unit: Unit", traffic,
                  salt, layer, traffic_from, primary_metric, decision as "decision: Decision", alpha, power, baseline, minimum_effect,
                  units_per_day, days, planned_units, auto_stop_guardrail, auto_stop_srm,
                  experiment.by as "by: Json<Who>", experiment.created_at, started_at, stopped_at, concluded_at,
                  conclusion, frozen as "frozen: Json<Frozen>",
                  (select json_agg(json_build_object('name', experiment_arm.name, 'version', number, 'weight', weight)
                                   order by position)
                   from experiment_arm
                   join version using (version_id)
                   where experiment_arm.experiment_id = experiment.experiment_id) as "arms!: Json<Vec<Arm>>",
                  array(select version_id
                        from experiment_arm
                        where experiment_arm.experiment_id = experiment.experiment_id
                        order by position) as "versions!: Vec<VersionId>",
                  (select json_agg(json_build_object('metric', metric, 'direction', direction, 'margin', margin)
                                   order by position)
                   from experiment_guardrail
                   where experiment_guardrail.experiment_id = experiment.experiment_id)
                      as "guardrails: Json<Vec<Guardrail>>"
           from experiment
           join prompt using (prompt_id)
           join environment using (environment_id)
           where ($1::uuid is null or experiment.project_id = $1)
             and ($2::uuid is null or experiment_id = $2)
             and ($3::text is null or prompt.name = $3)
             and ($4::text is null or environment.name = $4)
             and ($5::text is null or status = $5)
             and ($6::uuid is null or experiment_id < $6)
           order by experiment_id desc
           limit $7"#,
        wanted.project,
        wanted.id.map(|id| id.0),
        wanted.filter.prompt.map(PromptName::as_str),
        wanted.filter.environment,
        wanted.filter.status.map(Status::word),
        wanted.after,
        wanted.limit,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(Row::experiment).collect())
}

struct Row {
    id: ExperimentId,
    name: String,
    hypothesis: String,
    status: Status,
    prompt: PromptName,
    environment: String,
    unit: Unit,
    traffic: f64,
    salt: String,
    layer: Option<String>,
    traffic_from: f64,
    primary_metric: String,
    decision: Decision,
    alpha: f64,
    power: f64,
    baseline: f64,
    minimum_effect: f64,
    units_per_day: Option<f64>,
    days: Option<i32>,
    planned_units: i64,
    auto_stop_guardrail: bool,
    auto_stop_srm: bool,
    by: Json<Who>,
    created_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    stopped_at: Option<DateTime<Utc>>,
    concluded_at: Option<DateTime<Utc>>,
    conclusion: Option<String>,
    frozen: Option<Json<Frozen>>,
    arms: Json<Vec<Arm>>,
    versions: Vec<VersionId>,
    guardrails: Option<Json<Vec<Guardrail>>>,
}

impl Row {
    fn experiment(self) -> Experiment {
        Experiment {
            id: self.id,
            status: self.status,
            plan: Plan {
                name: self.name,
                hypothesis: self.hypothesis,
                prompt: self.prompt,
                environment: self.environment,
                arms: self.arms.0,
                traffic: self.traffic,
                unit: self.unit,
                primary_metric: self.primary_metric,
                guardrails: self
                    .guardrails
                    .map_or_else(Vec::new, |guardrails| guardrails.0),
                decision: self.decision,
                alpha: self.alpha,
                power: self.power,
                baseline: self.baseline,
                minimum_effect: self.minimum_effect,
                units_per_day: self.units_per_day,
                days: self.days.and_then(|days| u32::try_from(days).ok()),
                auto_stop: AutoStop {
                    guardrail: self.auto_stop_guardrail,
                    srm: self.auto_stop_srm,
                },
                layer: self.layer,
                traffic_from: self.traffic_from,
            },
            salt: self.salt,
            planned_units: u64::try_from(self.planned_units).unwrap_or_default(),
            by: self.by.0,
            created_at: self.created_at,
            started_at: self.started_at,
            stopped_at: self.stopped_at,
            concluded_at: self.concluded_at,
            conclusion: self.conclusion,
            frozen: self.frozen.map(|frozen| frozen.0),
            versions: self.versions,
        }
    }
}

/// What an experiment comes to. Reads sums only, however many events there were.
pub async fn results(
    store: &Store,
    by: &Actor,
    id: ExperimentId,
    now: DateTime<Utc>,
) -> Result<Results> {
    let experiment = found(store, by, id).await?;
    let observed = crate::events::observed(store, id).await?;
    Ok(Results::of(&experiment, &observed, now))
}

/// Everything an experiment's page shows.
pub async fn detail(
    store: &Store,
    by: &Actor,
    id: ExperimentId,
    now: DateTime<Utc>,
) -> Result<ExperimentDetail> {
    let experiment = found(store, by, id).await?;
    let observed = crate::events::observed(store, id).await?;
    Ok(ExperimentDetail {
        results: Results::of(&experiment, &observed, now),
        series: EffectPoint::series(&experiment, &observed),
        timeline: timeline(store, by, id).await?,
        experiment,
    })
}

/// A page of experiments with their verdicts, newest first.
pub async fn rows(
    store: &Store,
    by: &Actor,
    filter: &Filter<'_>,
    page: &PageRequest,
    now: DateTime<Utc>,
) -> Result<Listing<ExperimentRow>> {
    let listed = list(store, by, filter, page).await?;
    let mut items = Vec::with_capacity(listed.items.len());
    for experiment in listed.items {
        let observed = crate::events::observed(store, experiment.id).await?;
        let results = Results::of(&experiment, &observed, now);
        items.push(ExperimentRow {
            experiment,
            verdict: results.verdict,
            progress: results.progress,
        });
    }
    Ok(Listing {
        items,
        next_cursor: listed.next_cursor,
    })
}

async fn found(store: &Store, by: &Actor, id: ExperimentId) -> Result<Experiment> {
    find(store, by, id)
        .await?
        .ok_or(Error::NotFound("experiment"))
}
