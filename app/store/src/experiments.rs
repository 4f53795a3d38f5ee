//! Experiments: planning, starting, ramping, stopping, concluding. What the server does to them
//! by itself is in [`watch`]; what was counted is in `events`.

use chrono::{DateTime, Utc};
use domain::{
    actor::{Actor, Permission, Who},
    experiment::{
        Experiment, Happening, MAX_CONCLUSION, Plan, PowerWarning, Refusal, Slice, Status,
        TimelineEntry,
    },
    id::{EnvironmentId, ExperimentId, PromptId, VersionId},
    lifecycle,
    prompt::{PromptName, check_prose},
    release::MAX_REASON,
};
use serde_json::{Value, json};

use crate::{
    Error, Result, Store,
    error::OnConstraint,
    new_id,
    place::{find_version, set_status},
    prompts,
    tx::Command,
};

mod exposure;
mod layers;
mod read;
pub mod watch;
mod write;

pub use exposure::objection;
pub use layers::layers;
pub(crate) use read::running_in;
pub use read::{Filter, detail, find, list, results, rows, timeline};
use write::{insert, insert_parts, update};

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal {
            Refusal::CannotStart(_)
            | Refusal::CannotStop(_)
            | Refusal::CannotConclude(_)
            | Refusal::CannotRamp(_) => "illegal_experiment_move",
            Refusal::CannotChange(_) => "experiment_frozen",
            Refusal::OnlyUp { .. } => "traffic_only_up",
            Refusal::LayerTaken { .. } => "layer_taken",
        };
        Self::conflict(code, refusal.to_string())
    }
}

/// Plans an experiment. Nobody takes part until it is started.
pub async fn create(
    store: &Store,
    by: &Actor,
    plan: &Plan,
    now: DateTime<Utc>,
) -> Result<Experiment> {
    by.may_in(Permission::RunExperiments, &plan.environment)?;
    let mut command = Command::begin(store, "create_experiment", by, now).await?;
    let prompt = prompts::lock(command.db(), by, &plan.prompt).await?;
    let environment = environment(&mut command, by, &plan.environment).await?;
    let versions = versions(&mut command, prompt, plan).await?;
    let id: ExperimentId = new_id();
    let experiment = Experiment {
        id,
        status: Status::Draft,
        salt: id.to_string(),
        planned_units: planned(plan)?,
        plan: plan.clone(),
        by: by.who.clone(),
        created_at: now,
        started_at: None,
        stopped_at: None,
        concluded_at: None,
        conclusion: None,
        frozen: None,
        versions,
    };
    insert(&mut command, by, prompt, environment, &experiment).await?;
    insert_parts(&mut command, &experiment).await?;
    note(&mut command, id, &Happening::Created).await?;
    command.record(
        "experiment.create",
        plan.name.as_str(),
        json!({ "experiment_id": id, "after": plan }),
    );
    tell(&mut command, &experiment, None);
    command.commit().await?;
    Ok(experiment)
}

/// Changes the plan of a draft.
pub async fn change(
    store: &Store,
    by: &Actor,
    id: ExperimentId,
    plan: &Plan,
    now: DateTime<Utc>,
) -> Result<Experiment> {
    let (mut command, before) = open(store, "change_experiment", by, id, now).await?;
    // A draft may move to another environment: both must be one's own.
    by.may_in(Permission::RunExperiments, &plan.environment)?;
    before.status.change()?;
    let prompt = prompts::lock(command.db(), by, &plan.prompt).await?;
    let environment = environment(&mut command, by, &plan.environment).await?;
    let versions = versions(&mut command, prompt, plan).await?;
    let experiment = Experiment {
        planned_units: planned(plan)?,
        plan: plan.clone(),
        versions,
        ..before.clone()
    };
    update(&mut command, prompt, environment, &experiment).await?;
    sqlx::query!("delete from experiment_arm where experiment_id = $1", id.0)
        .execute(command.db())
        .await?;
    sqlx::query!(
        "delete from experiment_guardrail where experiment_id = $1",
        id.0
    )
    .execute(command.db())
    .await?;
    insert_parts(&mut command, &experiment).await?;
    note(&mut command, id, &Happening::Changed).await?;
    command.record(
        "experiment.change",
        plan.name.as_str(),
        json!({ "experiment_id": id, "before": before.plan, "after": plan }),
    );
    tell(&mut command, &experiment, None);
    command.commit().await?;
    Ok(experiment)
}

/// What starting leaves behind.
#[derive(Clone, Debug)]
pub struct Started {
    /// The experiment, running.
    pub experiment: Experiment,
    /// What is wrong with its numbers, if the traffic cannot reach the planned sample in time.
    pub warning: Option<PowerWarning>,
}

/// Starts an experiment: from its commit on, units are assigned. Refused while another one runs
/// on the same prompt in the same environment or on some of the same units of its layer, and unless
/// the control is what serves there; by policy also to whoever is no approver (see [`objection`]).
pub async fn start(
    store: &Store,
    by: &Actor,
    id: ExperimentId,
    now: DateTime<Utc>,
) -> Result<Started> {
    let (mut command, before) = open(store, "start_experiment", by, id, now).await?;
    let status = before.status.start()?;
    let plan = &before.plan;
    // Whoever releases this prompt waits here, so that what serves cannot change meanwhile.
    let prompt = prompts::lock(command.db(), by, &plan.prompt).await?;
    check_control(&mut command, prompt, &before).await?;
    exposure::check(&mut command, by, &before).await?;
    layers::check_room(&mut command, by, &before, plan.slice()).await?;
    sqlx::query!(
        "update experiment set status = $2, started_at = $3 where experiment_id = $1",
        id.0,
        status.word(),
        now,
    )
    .execute(command.db())
    .await
    .on_constraint("experiment_one_running", || {
        Error::conflict(
            "experiment_running",
            format!(
                "another experiment on {} is running in {}: stop it first",
                plan.prompt, plan.environment
            ),
        )
    })?;
    for arm in &plan.arms {
        let target = find_version(&mut command, prompt, arm.version).await?;
        if target.status() == lifecycle::Status::Draft {
            set_status(&mut command, target.id(), target.status().test()?).await?;
        }
    }
    let warning = plan.power_warning();
    let sentence = warning.as_ref().map(|warning| warning.sentence.clone());
    note(
        &mut command,
        id,
        &Happening::Started {
            warning: sentence.clone(),
        },
    )
    .await?;
    command.record(
        "experiment.start",
        plan.name.as_str(),
        json!({
            "experiment_id": id, "prompt": plan.prompt, "environment": plan.environment,
            "arms": plan.arms, "traffic": plan.traffic, "layer": plan.layer, "traffic_from": plan.traffic_from,
            "planned_units": before.planned_units, "warning": sentence,
        }),
    );
    let experiment = Experiment {
        status,
        started_at: Some(now),
        ..before
    };
    tell(&mut command, &experiment, Some(json!(experiment.rules())));
    command.commit().await?;
    Ok(Started {
        experiment,
        warning,
    })
}

/// Lets more units in. The ones that take part already stay where they are.
pub async fn raise_traffic(
    store: &Store,
    by: &Actor,
    id: ExperimentId,
    to: f64,
    now: DateTime<Utc>,
) -> Result<Experiment> {
    let (mut command, mut experiment) = open(store, "raise_traffic", by, id, now).await?;
    if !(to > 0.0 && to <= 1.0) {
        return Err(Error::invalid("traffic", "must be above 0 and at most 1"));
    }
    let from = experiment.plan.traffic;
    experiment.status.raise_traffic(from, to)?;
    let wanted = Slice {
        traffic: to,
        ..experiment.plan.slice()
    };
    if !wanted.fits() {
        return Err(Error::invalid(
            "traffic",
            format!("leaves its layer: {wanted} goes past the end"),
        ));
    }
    exposure::check(&mut command, by, &experiment).await?;
    layers::check_room(&mut command, by, &experiment, wanted).await?;
    sqlx::query!(
        "update experiment set traffic = $2 where experiment_id = $1",
        id.0,
        to
    )
    .execute(command.db())
    .await?;
    note(&mut command, id, &Happening::TrafficRaised { from, to }).await?;
    command.record(
        "experiment.traffic",
        experiment.plan.name.as_str(),
        json!({ "experiment_id": id, "before": { "traffic": from }, "after": { "traffic": to } }),
    );
    experiment.plan.traffic = to;
    tell(&mut command, &experiment, Some(json!(experiment.rules())));
    command.commit().await?;
    Ok(experiment)
}

/// Stops an experiment: from its commit on, everybody gets the control.
pub async fn stop(
    store: &Store,
    by: &Actor,
    id: ExperimentId,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<Experiment> {
    check_prose(reason, MAX_REASON).map_err(|message| Error::invalid("reason", message))?;
    let (mut command, experiment) = open(store, "stop_experiment", by, id, now).await?;
    let experiment = stop_locked(&mut command, experiment, reason).await?;
    command.commit().await?;
    Ok(experiment)
}

/// Writes down what was learnt from a stopped experiment.
pub async fn conclude(
    store: &Store,
    by: &Actor,
    id: ExperimentId,
    conclusion: &str,
    now: DateTime<Utc>,
) -> Result<Experiment> {
    let conclusion = conclusion.trim();
    if conclusion.is_empty() {
        return Err(Error::invalid("conclusion", "must say what was learnt"));
    }
    check_prose(conclusion, MAX_CONCLUSION)
        .map_err(|message| Error::invalid("conclusion", message))?;
    let (mut command, experiment) = open(store, "conclude_experiment", by, id, now).await?;
    let status = experiment.status.conclude()?;
    sqlx::query!(
        "update experiment set status = $2, concluded_at = $3, conclusion = $4 where experiment_id = $1",
        id.0,
        status.word(),
        now,
        conclusion,
    )
    .execute(command.db())
    .await?;
    let happening = Happening::Concluded {
        conclusion: conclusion.to_owned(),
    };
    note(&mut command, id, &happening).await?;
    command.record(
        "experiment.conclude",
        experiment.plan.name.as_str(),
        json!({ "experiment_id": id, "conclusion": conclusion }),
    );
    let experiment = Experiment {
        status,
        concluded_at: Some(now),
        conclusion: Some(conclusion.to_owned()),
        ..experiment
    };
    tell(&mut command, &experiment, None);
    command.commit().await?;
    Ok(experiment)
}

/// A release ends the experiment that runs there: the control it compares with no longer serves.
/// The caller holds the prompt's lock.
pub(crate) async fn stop_for_release(
    command: &mut Command,
    prompt: PromptId,
    environment: EnvironmentId,
    reason: &str,
) -> Result<()> {
    let running = sqlx::query_scalar!(
        r#"select experiment_id as "id: ExperimentId"
           from experiment
           where prompt_id = $1 and environment_id = $2 and status = 'running'
           for update"#,
        prompt.0,
        environment.0,
    )
    .fetch_optional(command.db())
    .await?;
    let Some(id) = running else {
        return Ok(());
    };
    if let Some(experiment) = read::one(command.db(), id).await? {
        stop_locked(command, experiment, reason).await?;
    }
    Ok(())
}

/// Stops what is locked already.
async fn stop_locked(
    command: &mut Command,
    experiment: Experiment,
    reason: &str,
) -> Result<Experiment> {
    let status = experiment.status.stop()?;
    let now = command.now();
    sqlx::query!(
        "update experiment set status = $2, stopped_at = $3 where experiment_id = $1",
        experiment.id.0,
        status.word(),
        now,
    )
    .execute(command.db())
    .await?;
    let happening = Happening::Stopped {
        reason: reason.to_owned(),
    };
    note(command, experiment.id, &happening).await?;
    command.record(
        "experiment.stop",
        experiment.plan.name.as_str(),
        json!({
            "experiment_id": experiment.id, "prompt": experiment.plan.prompt,
            "environment": experiment.plan.environment, "reason": reason,
        }),
    );
    let experiment = Experiment {
        status,
        stopped_at: Some(now),
        ..experiment
    };
    tell(command, &experiment, Some(Value::Null));
    Ok(experiment)
}

/// Opens a command on an experiment, which is locked.
async fn open(
    store: &Store,
    name: &'static str,
    by: &Actor,
    id: ExperimentId,
    now: DateTime<Utc>,
) -> Result<(Command, Experiment)> {
    // Whoever may do nothing here need not be told which experiments there are.
    by.may(Permission::RunExperiments)?;
    let mut command = Command::begin(store, name, by, now).await?;
    // A release locks the prompt before the experiment, and so does every command here.
    sqlx::query!(
        "select from prompt
         where prompt_id = (select prompt_id from experiment where project_id = $1 and experiment_id = $2)
         for update",
        by.project.0,
        id.0,
    )
    .execute(command.db())
    .await?;
    sqlx::query!(
        "select from experiment where project_id = $1 and experiment_id = $2 for update",
        by.project.0,
        id.0,
    )
    .fetch_optional(command.db())
    .await?
    .ok_or(Error::NotFound("experiment"))?;
    let experiment = read::one(command.db(), id)
        .await?
        .ok_or(Error::NotFound("experiment"))?;
    by.may_in(Permission::RunExperiments, &experiment.plan.environment)?;
    Ok((command, experiment))
}

fn planned(plan: &Plan) -> Result<u64> {
    plan.planned_units().ok_or_else(|| {
        Error::invalid(
            "minimum_effect",
            "would need more units than can be counted",
        )
    })
}

async fn environment(command: &mut Command, by: &Actor, name: &str) -> Result<EnvironmentId> {
    sqlx::query_scalar!(
        r#"select environment_id as "id: EnvironmentId" from environment where project_id = $1 and name = $2"#,
        by.project.0,
        name,
    )
    .fetch_optional(command.db())
    .await?
    .ok_or_else(|| Error::invalid("environment", format!("there is no environment {name}")))
}

/// The arms' versions; every one that does not exist is named.
async fn versions(command: &mut Command, prompt: PromptId, plan: &Plan) -> Result<Vec<VersionId>> {
    let mut versions = Vec::with_capacity(plan.arms.len());
    let mut errors = Vec::new();
    for (index, arm) in plan.arms.iter().enumerate() {
        match find_version(command, prompt, arm.version).await {
            Ok(target) => versions.push(target.id()),
            Err(Error::NotFound(_)) => errors.push(domain::field::FieldError::new(
                format!("arms[{index}].version"),
                format!("there is no version {} of {}", arm.version, plan.prompt),
            )),
            Err(error) => return Err(error),
        }
    }
    if errors.is_empty() {
        Ok(versions)
    } else {
        Err(Error::Invalid(errors))
    }
}

/// Refuses a control that is not what everybody else gets: units that do not take part are served
/// what the environment serves, and they must be served the control.
async fn check_control(
    command: &mut Command,
    prompt: PromptId,
    experiment: &Experiment,
) -> Result<()> {
    let plan = &experiment.plan;
    let serves = sqlx::query!(
        r#"select version_id as "version: VersionId", number
           from serving
           join environment using (environment_id)
           join version using (version_id)
           where serving.prompt_id = $1 and environment.name = $2"#,
        prompt.0,
        plan.environment,
    )
    .fetch_optional(command.db())
    .await?;
    let control = plan.arms.first().map_or(0, |arm| arm.version);
    match serves {
        None => Err(Error::conflict(
            "not_deployed",
            format!(
                "{} serves nothing in {}: release v{control} first",
                plan.prompt, plan.environment
            ),
        )),
        Some(serves) if experiment.versions.first() != Some(&serves.version) => {
            Err(Error::conflict(
                "control_not_serving",
                format!(
                    "{} serves v{} and the control is v{control}: the control must be what serves",
                    plan.environment, serves.number
                ),
            ))
        }
        Some(_) => Ok(()),
    }
}

/// Adds to the timeline.
async fn note(command: &mut Command, id: ExperimentId, what: &Happening) -> Result<()> {
    let (at, by) = (command.now(), command.author());
    // The experiment is locked, or new: nobody else counts meanwhile.
    sqlx::query!(
        "insert into experiment_event (experiment_id, sequence, at, by, what)
         select $1, coalesce(max(sequence), 0) + 1, $2, $3, $4
         from experiment_event
         where experiment_id = $1",
        id.0,
        at,
        by,
        json!(what),
    )
    .execute(command.db())
    .await?;
    Ok(())
}

/// Tells who follows. `rules` is what streams pass on: null when assignment ends, left out where
/// it does not change.
fn tell(command: &mut Command, experiment: &Experiment, rules: Option<Value>) {
    let mut payload = json!({
        "prompt": experiment.plan.prompt,
        "environment": experiment.plan.environment,
        "experiment": experiment.id,
        "status": experiment.status,
    });
    if let Some(rules) = rules {
        payload["rules"] = rules;
    }
    command.tell("experiment", payload);
}

#[cfg(test)]
mod tests;
