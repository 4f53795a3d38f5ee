//! Layers: which there are, what runs in them, and that no two experiments run on the same units.

use domain::{
    actor::{Actor, Permission},
    experiment::{Experiment, Layer, Occupant, Slice},
    id::ExperimentId,
};
use sqlx::types::Json;

use crate::{Result, Store, tx::Command};

/// The layers a form offers.
const MOST: i64 = 100;

/// A project's layers by name, with what runs in each.
pub async fn layers(store: &Store, by: &Actor) -> Result<Vec<Layer>> {
    by.may(Permission::ReadExperiments)?;
    let rows = sqlx::query!(
        r#"select layer as "name!",
                  json_agg(json_build_object(
                               'id', experiment_id, 'name', name,
                               'slice', json_build_object('from', traffic_from, 'traffic', traffic))
                           order by traffic_from)
                      filter (where status = 'running') as "occupants: Json<Vec<Occupant>>"
           from experiment
           where project_id = $1 and layer is not null
           group by layer
           order by layer
           limit $2"#,
        by.project.0,
        MOST,
    )
    .fetch_all(&store.pool)
    .await?;
    let layer = |name, occupants: Option<Json<Vec<Occupant>>>| Layer {
        name,
        occupants: occupants.map_or_else(Vec::new, |occupants| occupants.0),
    };
    Ok(rows
        .into_iter()
        .map(|row| layer(row.name, row.occupants))
        .collect())
}

/// Refuses a slice that shares units with another experiment's that runs in the same layer. Until
/// the commit nobody else takes any of the layer.
pub(super) async fn check_room(
    command: &mut Command,
    by: &Actor,
    experiment: &Experiment,
    wanted: Slice,
) -> Result<()> {
    let Some(name) = experiment.plan.layer.clone() else {
        return Ok(());
    };
    // A layer has no row to lock: experiments of several prompts meet in it by its name.
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended('layer ' || $1 || ' ' || $2, 0))",
        by.project.0.to_string(),
        name,
    )
    .execute(command.db())
    .await?;
    let occupants = sqlx::query!(
        r#"select experiment_id as "id: ExperimentId", name, traffic_from, traffic
           from experiment
           where project_id = $1 and layer = $2 and status = 'running' and experiment_id <> $3
           order by traffic_from"#,
        by.project.0,
        name,
        experiment.id.0,
    )
    .fetch_all(command.db())
    .await?;
    let occupants = occupants
        .into_iter()
        .map(|row| Occupant {
            id: row.id,
            name: row.name,
            slice: Slice {
                from: row.traffic_from,
                traffic: row.traffic,
            },
        })
        .collect();
    Layer { name, occupants }.check_room(wanted)?;
    Ok(())
}
