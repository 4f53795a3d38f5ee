//! Requests to serve a version. Where the environment asks for nothing, or the requester may
//! vouch for it alone, they execute at once.

use chrono::{DateTime, Utc};
use domain::{
    actor::{Actor, Permission, Who},
    id::{DeploymentId, PromotionId},
    page::{Listing, PageRequest},
    prompt::PromptName,
    release::{DeploymentKind, Promotion, PromotionStatus, may_promote},
};
use sqlx::types::Json;

use crate::{
    Error, Result, Store, new_id,
    place::{Place, find_version},
    releases::Release,
};

/// Requests that `version` serve the environment.
pub async fn request(
    store: &Store,
    by: &Actor,
    release: &Release<'_>,
    version: i32,
    now: DateTime<Utc>,
) -> Result<Promotion> {
    by.may_in(Permission::RequestPromotion, release.environment)?;
    let (mut command, place) = Place::open(store, "request_promotion", by, release, now).await?;
    may_promote(by, release.environment, &place.policy)?;
    let target = find_version(&mut command, place.prompt, version).await?;
    let deployment = place
        .deploy(
            &mut command,
            &target,
            DeploymentKind::Promote,
            release.reason,
        )
        .await?;
    let id: PromotionId = new_id();
    sqlx::query!(
        "insert into promotion
             (promotion_id, prompt_id, environment_id, version_id, reason, status, requested_by, requested_at,
              deployment_id)
         select $1, prompt_id, environment_id, version_id, $2, 'executed', $3, $4, deployment_id
         from deployment
         where deployment_id = $5",
        id.0,
        release.reason,
        command.author(),
        now,
        deployment.deployment_id.0,
    )
    .execute(command.db())
    .await?;
    command.commit().await?;
    Ok(Promotion {
        id,
        status: PromotionStatus::Executed,
        missing: Vec::new(),
        prompt: release.prompt.clone(),
        environment: release.environment.to_owned(),
        version,
        reason: release.reason.to_owned(),
        requested_by: by.who.clone(),
        requested_at: now,
        deployment_id: Some(deployment.deployment_id),
    })
}

/// A page of a prompt's promotions, newest first.
pub async fn list(
    store: &Store,
    by: &Actor,
    prompt: &PromptName,
    page: &PageRequest,
) -> Result<Listing<Promotion>> {
    by.may(Permission::Read)?;
    let after: Option<uuid::Uuid> = page
        .after()
        .map(str::parse)
        .transpose()
        .map_err(|_| Error::invalid("cursor", "is not one that an earlier page gave"))?;
    let rows = sqlx::query!(
        r#"select promotion_id as "id: PromotionId", promotion.status as "status: PromotionStatus",
                  prompt.name as "prompt: PromptName", environment.name as environment, version.number as version,
                  reason, requested_by as "requested_by: Json<Who>", requested_at,
                  deployment_id as "deployment_id: DeploymentId"
           from promotion
           join prompt using (prompt_id)
           join environment using (environment_id)
           join version using (version_id)
           where prompt.project_id = $1 and prompt.name = $2
             and ($3::uuid is null or (requested_at, promotion_id) < (
                 select requested_at, promotion_id from promotion where promotion_id = $3))
           order by requested_at desc, promotion_id desc
           limit $4"#,
        by.project.0,
        prompt.as_str(),
        after,
        page.fetch(),
    )
    .fetch_all(&store.pool)
    .await?;
    let promotions = rows
        .into_iter()
        .map(|row| Promotion {
            id: row.id,
            status: row.status,
            missing: Vec::new(),
            prompt: row.prompt,
            environment: row.environment,
            version: row.version,
            reason: row.reason,
            requested_by: row.requested_by.0,
            requested_at: row.requested_at,
            deployment_id: row.deployment_id,
        })
        .collect();
    Ok(Listing::of(promotions, page, |promotion| {
        promotion.id.to_string()
    }))
}
