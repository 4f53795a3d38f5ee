//! The rows of a plan.

use domain::{
    actor::Actor,
    experiment::Experiment,
    id::{EnvironmentId, PromptId},
};

use crate::{Result, tx::Command};

pub async fn insert(
    command: &mut Command,
    by: &Actor,
    prompt: PromptId,
    environment: EnvironmentId,
    experiment: &Experiment,
) -> Result<()> {
    let plan = &experiment.plan;
    sqlx::query!(
        "insert into experiment
             (experiment_id, project_id, prompt_id, environment_id, name, hypothesis, status, unit, traffic, salt,
              primary_metric, decision, alpha, power, baseline, minimum_effect, units_per_day, days, planned_units,
              auto_stop_guardrail, auto_stop_srm, by, created_at, layer, traffic_from)
         values ($1, $2, $3, $4, $5, $6, 'draft', $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
                 $21, $22, $23, $24)",
        experiment.id.0,
        by.project.0,
        prompt.0,
        environment.0,
        plan.name,
        plan.hypothesis,
        plan.unit.word(),
        plan.traffic,
        experiment.salt,
        plan.primary_metric,
        plan.decision.word(),
        plan.alpha,
        plan.power,
        plan.baseline,
        plan.minimum_effect,
        plan.units_per_day,
        plan.days.and_then(|days| i32::try_from(days).ok()),
        i64::try_from(experiment.planned_units).unwrap_or(i64::MAX),
        plan.auto_stop.guardrail,
        plan.auto_stop.srm,
        command.author(),
        experiment.created_at,
        plan.layer,
        plan.traffic_from,
    )
    .execute(command.db())
    .await?;
    Ok(())
}

pub async fn update(
    command: &mut Command,
    prompt: PromptId,
    environment: EnvironmentId,
    experiment: &Experiment,
) -> Result<()> {
    let plan = &experiment.plan;
    sqlx::query!(
        "update experiment
         set prompt_id = $2, environment_id = $3, name = $4, hypothesis = $5, unit = $6, traffic = $7, layer = $8,
             primary_metric = $9, decision = $10, alpha = $11, power = $12, baseline = $13, minimum_effect = $14,
             units_per_day = $15, days = $16, planned_units = $17, auto_stop_guardrail = $18, auto_stop_srm = $19,
             traffic_from = $20
         where experiment_id = $1",
        experiment.id.0,
        prompt.0,
        environment.0,
        plan.name,
        plan.hypothesis,
        plan.unit.word(),
        plan.traffic,
        plan.layer,
        plan.primary_metric,
        plan.decision.word(),
        plan.alpha,
        plan.power,
        plan.baseline,
        plan.minimum_effect,
        plan.units_per_day,
        plan.days.and_then(|days| i32::try_from(days).ok()),
        i64::try_from(experiment.planned_units).unwrap_or(i64::MAX),
        plan.auto_stop.guardrail,
        plan.auto_stop.srm,
        plan.traffic_from,
    )
    .execute(command.db())
    .await?;
    Ok(())
}

pub async fn insert_parts(command: &mut Command, experiment: &Experiment) -> Result<()> {
    let arms = experiment.plan.arms.iter().zip(&experiment.versions);
    for (position, (arm, version)) in (0_i16..).zip(arms) {
        sqlx::query!(
            "insert into experiment_arm (experiment_id, position, name, version_id, weight) values ($1, $2, $3, $4, $5)",
            experiment.id.0,
            position,
            arm.name,
            version.0,
            arm.weight,
        )
        .execute(command.db())
        .await?;
    }
    for (position, guardrail) in (0_i16..).zip(&experiment.plan.guardrails) {
        sqlx::query!(
            "insert into experiment_guardrail (experiment_id, position, metric, direction, margin)
             values ($1, $2, $3, $4, $5)",
            experiment.id.0,
            position,
            guardrail.metric,
            guardrail.direction.word(),
            guardrail.margin,
        )
        .execute(command.db())
        .await?;
    }
    Ok(())
}
