//! Applications that hold a stream open, and their confirmations of deployments.
//! Everything here comes in batches from the server's queues, never one row a request.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    actor::{Actor, Permission},
    id::{DeploymentId, EnvironmentId, ProjectId},
    release::{Confirmation, Consumer, Propagation},
};
use uuid::Uuid;

use crate::{Error, Result, Store, releases};

/// A client that has not been heard of for so long is not connected any more, whatever its row says.
pub const SILENT_SECONDS: i64 = 45;

/// A stream that opened, is still open, or closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The project.
    pub project: ProjectId,
    /// The environment it follows.
    pub environment: EnvironmentId,
    /// The name it gave itself.
    pub consumer: String,
    /// This connection among all those under the same name.
    pub connection: Uuid,
    /// When it was seen.
    pub at: DateTime<Utc>,
    /// Whether it is still there.
    pub open: bool,
}

/// A client's word that it applied a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The project the client's key belongs to.
    pub project: ProjectId,
    /// The deployment.
    pub deployment: DeploymentId,
    /// The client.
    pub consumer: String,
    /// When it said so.
    pub at: DateTime<Utc>,
}

/// Writes what was seen, in order.
pub async fn sighted(store: &Store, sightings: &[Sighting]) -> Result<()> {
    // One row may be touched once per statement: of several sightings the last one counts.
    let mut last: Vec<&Sighting> = Vec::with_capacity(sightings.len());
    let mut places = std::collections::HashMap::new();
    for sighting in sightings {
        match places.entry((sighting.environment, &sighting.consumer)) {
            std::collections::hash_map::Entry::Occupied(place) => {
                let kept: &mut &Sighting = &mut last[*place.get()];
                // The goodbye of an older connection does not end a newer one.
                if sighting.open || kept.connection == sighting.connection {
                    *kept = sighting;
                }
            }
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(last.len());
                last.push(sighting);
            }
        }
    }
    let (open, closed): (Vec<&Sighting>, Vec<&Sighting>) =
        last.into_iter().partition(|sighting| sighting.open);
    if !open.is_empty() {
        let columns = columns(&open);
        sqlx::query!(
            "insert into consumer (project_id, environment_id, consumer, connection_id, connected_at, seen_at)
             select project_id, environment_id, consumer, connection_id, at, at
             from unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::timestamptz[])
                  as seen (project_id, environment_id, consumer, connection_id, at)
             order by environment_id, consumer
             on conflict on constraint consumer_once do update
             set connection_id = excluded.connection_id,
                 seen_at = excluded.seen_at,
                 left_at = null,
                 connected_at = case
                     when consumer.connection_id = excluded.connection_id and consumer.left_at is null
                     then consumer.connected_at
                     else excluded.connected_at
                 end",
            &columns.projects,
            &columns.environments,
            &columns.consumers,
            &columns.connections,
            &columns.times,
        )
        .execute(&store.pool)
        .await?;
    }
    if !closed.is_empty() {
        let columns = columns(&closed);
        sqlx::query!(
            "update consumer
             set left_at = gone.at
             from unnest($1::uuid[], $2::text[], $3::uuid[], $4::timestamptz[])
                  as gone (environment_id, consumer, connection_id, at)
             where consumer.environment_id = gone.environment_id
               and consumer.consumer = gone.consumer
               and consumer.connection_id = gone.connection_id",
            &columns.environments,
            &columns.consumers,
            &columns.connections,
            &columns.times,
        )
        .execute(&store.pool)
        .await?;
    }
    announce(store, sightings.iter().map(|sighting| sighting.project)).await
}

struct Columns {
    projects: Vec<Uuid>,
    environments: Vec<Uuid>,
    consumers: Vec<String>,
    connections: Vec<Uuid>,
    times: Vec<DateTime<Utc>>,
}

fn columns(sightings: &[&Sighting]) -> Columns {
    Columns {
        projects: sightings
            .iter()
            .map(|sighting| sighting.project.0)
            .collect(),
        environments: sightings
            .iter()
            .map(|sighting| sighting.environment.0)
            .collect(),
        consumers: sightings
            .iter()
            .map(|sighting| sighting.consumer.clone())
            .collect(),
        connections: sightings
            .iter()
            .map(|sighting| sighting.connection)
            .collect(),
        times: sightings.iter().map(|sighting| sighting.at).collect(),
    }
}

/// The environment of a project's deployment; none if the project has no such deployment.
pub async fn place_of(
    store: &Store,
    project: ProjectId,
    deployment: DeploymentId,
) -> Result<Option<String>> {
    let environment = sqlx::query_scalar!(
        "select environment.name
         from deployment join environment using (environment_id)
         where deployment_id = $1 and project_id = $2",
        deployment.0,
        project.0,
    )
    .fetch_optional(&store.pool)
    .await?;
    Ok(environment)
}

/// Writes confirmations. The first word of a client counts; deployments of other projects are ignored.
pub async fn applied(store: &Store, confirmations: &[Applied]) -> Result<()> {
    let mut seen = std::collections::HashSet::new();
    let first: Vec<&Applied> = confirmations
        .iter()
        .filter(|one| seen.insert((one.deployment, &one.consumer)))
        .collect();
    let deployments: Vec<Uuid> = first.iter().map(|one| one.deployment.0).collect();
    let projects: Vec<Uuid> = first.iter().map(|one| one.project.0).collect();
    let consumers: Vec<String> = first.iter().map(|one| one.consumer.clone()).collect();
    let times: Vec<DateTime<Utc>> = first.iter().map(|one| one.at).collect();
    sqlx::query!(
        "insert into confirmation (deployment_id, consumer, confirmed_at)
         select said.deployment_id, said.consumer, greatest(said.at, deployment.deployed_at)
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[])
              as said (deployment_id, project_id, consumer, at)
         join deployment on deployment.deployment_id = said.deployment_id
         join prompt on prompt.prompt_id = deployment.prompt_id and prompt.project_id = said.project_id
         order by said.deployment_id, said.consumer
         on conflict on constraint confirmation_once do update
         set confirmed_at = coalesce(confirmation.confirmed_at, excluded.confirmed_at)",
        &deployments,
        &projects,
        &consumers,
        &times,
    )
    .execute(&store.pool)
    .await?;
    announce(store, first.iter().map(|one| one.project)).await
}

/// Tells every server that clients of these projects came, went or confirmed.
async fn announce(store: &Store, projects: impl Iterator<Item = ProjectId>) -> Result<()> {
    let projects: std::collections::BTreeSet<ProjectId> = projects.collect();
    for project in projects {
        sqlx::query!(
            "select pg_notify($1, $2)",
            crate::CONFIRMATION_CHANNEL,
            project.to_string()
        )
        .execute(&store.pool)
        .await?;
    }
    Ok(())
}

/// Clients connected now, by environment and name.
pub async fn connected(store: &Store, by: &Actor, now: DateTime<Utc>) -> Result<Vec<Consumer>> {
    by.may(Permission::Read)?;
    // A client is behind on what serves if it was connected when that was deployed and has not
    // confirmed it; whoever connected later got it with the first snapshot.
    let consumers = sqlx::query_as!(
        Consumer,
        r#"select consumer.consumer, environment.name as environment, connected_at, seen_at,
                  (
                      select count(*)
                      from serving
                      join deployment using (deployment_id)
                      join confirmation using (deployment_id)
                      where serving.environment_id = consumer.environment_id
                        and confirmation.consumer = consumer.consumer
                        and confirmed_at is null and connected_at < deployed_at
                  ) as "n_behind!"
           from consumer
           join environment using (environment_id)
           where consumer.project_id = $1 and left_at is null and seen_at > $2
           order by environment.position, consumer
           limit 1000"#,
        by.project.0,
        now - TimeDelta::seconds(SILENT_SECONDS),
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(consumers)
}

/// For each of these deployments, how many of the clients connected then have confirmed it.
pub async fn tallies(
    store: &Store,
    by: &Actor,
    deployments: &[DeploymentId],
) -> Result<Vec<Tally>> {
    by.may(Permission::Read)?;
    let ids: Vec<Uuid> = deployments.iter().map(|deployment| deployment.0).collect();
    let tallies = sqlx::query_as!(
        Tally,
        r#"select deployment_id as "deployment: DeploymentId", count(*) as "n_clients!",
                  count(confirmed_at) as "n_confirmed!"
           from confirmation
           join deployment using (deployment_id)
           join prompt using (prompt_id)
           where project_id = $1 and deployment_id = any($2)
           group by deployment_id"#,
        by.project.0,
        &ids,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(tallies)
}

/// How many of a deployment's clients have confirmed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The deployment.
    pub deployment: DeploymentId,
    /// Clients connected at that moment, or heard from since.
    pub n_clients: i64,
    /// Those that confirmed.
    pub n_confirmed: i64,
}

/// How far a deployment has reached its clients.
pub async fn propagation(
    store: &Store,
    by: &Actor,
    deployment: DeploymentId,
    now: DateTime<Utc>,
) -> Result<Propagation> {
    let deployment = releases::find(store, by, deployment)
        .await?
        .ok_or(Error::NotFound("deployment"))?;
    let clients = sqlx::query_as!(
        Confirmation,
        r#"select confirmation.consumer, confirmed_at,
                  exists (
                      select from consumer
                      join deployment using (environment_id)
                      where deployment.deployment_id = confirmation.deployment_id
                        and consumer.consumer = confirmation.consumer
                        and left_at is null and seen_at > $2
                  ) as "connected!"
           from confirmation
           where deployment_id = $1
           order by confirmed_at desc nulls first, consumer
           limit 2000"#,
        deployment.deployment_id.0,
        now - TimeDelta::seconds(SILENT_SECONDS),
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(Propagation {
        deployment,
        clients,
    })
}

/// For a prompt's header: of the clients connected to an environment now, how many confirmed what serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// Clients connected now.
    pub n_connected: i64,
    /// Those among them that hold what serves: they confirmed it, or connected after it was deployed.
    pub n_current: i64,
}

/// How many of the connected clients hold the given deployment.
pub async fn coverage(
    store: &Store,
    by: &Actor,
    deployment: DeploymentId,
    now: DateTime<Utc>,
) -> Result<Coverage> {
    by.may(Permission::Read)?;
    // Who connects after a deployment gets it with the first snapshot.
    let row = sqlx::query!(
        r#"select count(*) as "n_connected!",
                  count(*) filter (
                      where connected_at >= deployed_at or exists (
                          select from confirmation
                          where confirmation.deployment_id = deployment.deployment_id
                            and confirmation.consumer = consumer.consumer
                            and confirmed_at is not null
                      )
                  ) as "n_current!"
           from deployment
           join environment using (environment_id)
           join consumer using (environment_id)
           where deployment_id = $1 and environment.project_id = $2 and left_at is null and seen_at > $3"#,
        deployment.0,
        by.project.0,
        now - TimeDelta::seconds(SILENT_SECONDS),
    )
    .fetch_one(&store.pool)
    .await?;
    Ok(Coverage {
        n_connected: row.n_connected,
        n_current: row.n_current,
    })
}

#[cfg(test)]
mod tests {
    use domain::actor::Role;
    use sqlx::PgPool;

    use super::*;
    use crate::{
        serving,
        testing::{World, at},
    };

    async fn sighting(
        world: &World,
        consumer: &str,
        connection: u128,
        seconds: i64,
        open: bool,
    ) -> Sighting {
        let environments = serving::environments(&world.store, world.project)
            .await
            .unwrap();
        let environment = environments
            .iter()
            .find(|(name, _)| name == "production")
            .unwrap()
            .1;
        Sighting {
            project: world.project,
            environment,
            consumer: consumer.to_owned(),
            connection: Uuid::from_u128(connection),
            at: at(seconds),
            open,
        }
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_deployment_remembers_who_was_connected_and_counts_confirmations(pool: PgPool) {
        let world = World::new(pool).await;
        world.prompt_with_versions("triage", 1).await;
        let seen = [
            sighting(&world, "web-1", 1, 5, true).await,
            sighting(&world, "web-2", 2, 5, true).await,
            sighting(&world, "gone", 3, 5, true).await,
            sighting(&world, "gone", 3, 6, false).await,
        ];
        sighted(&world.store, &seen).await.unwrap();
        let promotion = world.promote("triage", "production", 1, 10).await.unwrap();
        let deployment = promotion.deployment_id.unwrap();
        let word = |consumer: &str, seconds| Applied {
            project: world.project,
            deployment,
            consumer: consumer.to_owned(),
            at: at(seconds),
        };
        applied(&world.store, &[word("web-1", 11), word("web-1", 12)])
            .await
            .unwrap();
        applied(&world.store, &[word("web-1", 13)]).await.unwrap();
        let viewer = world.actor(Role::Viewer);
        let found = propagation(&world.store, &viewer, deployment, at(14))
            .await
            .unwrap();
        assert_eq!((found.n_confirmed(), found.clients.len()), (1, 2));
        assert_eq!(found.slowest_ms(), Some(1_000), "the first word counts");
        assert!(!found.is_complete());
        let covered = coverage(&world.store, &viewer, deployment, at(14))
            .await
            .unwrap();
        assert_eq!((covered.n_current, covered.n_connected), (1, 2));
        // A client that fell silent is not waited for.
        assert!(
            propagation(&world.store, &viewer, deployment, at(100))
                .await
                .unwrap()
                .is_complete()
        );
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn the_goodbye_of_an_older_connection_does_not_end_a_newer_one(pool: PgPool) {
        let world = World::new(pool).await;
        sighted(&world.store, &[sighting(&world, "web", 1, 5, true).await])
            .await
            .unwrap();
        let back = [
            sighting(&world, "web", 2, 6, true).await,
            sighting(&world, "web", 1, 6, false).await,
        ];
        sighted(&world.store, &back).await.unwrap();
        let now = connected(&world.store, &world.actor(Role::Viewer), at(7))
            .await
            .unwrap();
        assert_eq!(now.len(), 1);
        sighted(&world.store, &[sighting(&world, "web", 2, 8, false).await])
            .await
            .unwrap();
        assert!(
            connected(&world.store, &world.actor(Role::Viewer), at(9))
                .await
                .unwrap()
                .is_empty()
        );
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn confirmations_of_another_projects_deployment_are_ignored(pool: PgPool) {
        let world = World::new(pool).await;
        world.prompt_with_versions("triage", 1).await;
        let deployment = world
            .promote("triage", "production", 1, 10)
            .await
            .unwrap()
            .deployment_id
            .unwrap();
        let foreign = Applied {
            project: domain::id::ProjectId(Uuid::from_u128(9)),
            deployment,
            consumer: "web".to_owned(),
            at: at(11),
        };
        applied(&world.store, &[foreign]).await.unwrap();
        let found = propagation(&world.store, &world.actor(Role::Viewer), deployment, at(12))
            .await
            .unwrap();
        assert!(found.clients.is_empty());
    }
}
