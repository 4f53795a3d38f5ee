//! Reading promotions: the queue, and one with everything it is decided on.

use chrono::{DateTime, Utc};
use domain::{
    actor::{Actor, Permission, Who},
    id::{DeploymentId, PromotionId},
    page::{Listing, PageRequest},
    prompt::PromptName,
    release::{
        Approval, Comment, Evidence, FullPromotion, Promotion, PromotionStatus, open_status,
    },
};
use sqlx::types::Json;

use super::evidence;
use crate::{Error, Result, Store};

/// Which promotions to list.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// Of one prompt.
    pub prompt: Option<&'a PromptName>,
    /// Only those that wait for something, or for being executed.
    pub is_open: bool,
}

struct Row {
    id: PromotionId,
    status: PromotionStatus,
    prompt: PromptName,
    environment: String,
    version: i32,
    reason: String,
    requested_by: Json<Who>,
    requested_at: DateTime<Utc>,
    deployment_id: Option<DeploymentId>,
    execute_at: Option<DateTime<Utc>>,
    execute_note: Option<String>,
}

impl Row {
    fn promotion(self) -> Promotion {
        Promotion {
            id: self.id,
            status: self.status,
            missing: Vec::new(),
            prompt: self.prompt,
            environment: self.environment,
            version: self.version,
            reason: self.reason,
            requested_by: self.requested_by.0,
            requested_at: self.requested_at,
            deployment_id: self.deployment_id,
            execute_at: self.execute_at,
            execute_note: self.execute_note,
        }
    }
}

/// A page of promotions, newest first; what the open ones still wait for is said with each.
pub async fn list(
    store: &Store,
    by: &Actor,
    filter: Filter<'_>,
    page: &PageRequest,
    now: DateTime<Utc>,
) -> Result<Listing<Promotion>> {
    by.may(Permission::Read)?;
    let after: Option<uuid::Uuid> = page
        .after()
        .map(str::parse)
        .transpose()
        .map_err(|_| Error::invalid("cursor", "is not one that an earlier page gave"))?;
    let mut db = store.pool.acquire().await?;
    let rows = sqlx::query_as!(
        Row,
        r#"select promotion_id as "id: PromotionId", promotion.status as "status: PromotionStatus",
                  prompt.name as "prompt: PromptName", environment.name as environment, version.number as version,
                  reason, requested_by as "requested_by: Json<Who>", requested_at,
                  deployment_id as "deployment_id: DeploymentId", execute_at, execute_note
           from promotion
           join prompt using (prompt_id)
           join environment using (environment_id)
           join version using (version_id)
           where prompt.project_id = $1 and ($2::text is null or prompt.name = $2)
             and (not $3 or promotion.status in ('waiting', 'approved'))
             and ($4::uuid is null or (requested_at, promotion_id) < (
                 select requested_at, promotion_id from promotion where promotion_id = $4))
           order by requested_at desc, promotion_id desc
           limit $5"#,
        by.project.0,
        filter.prompt.map(PromptName::as_str),
        filter.is_open,
        after,
        page.fetch(),
    )
    .fetch_all(&mut *db)
    .await?;
    let mut promotions = Vec::with_capacity(rows.len());
    for row in rows {
        let mut promotion = row.promotion();
        if promotion.status.is_open() {
            promotion.missing = evidence::load(&mut db, promotion.id, now).await?.missing;
            promotion.status = open_status(&promotion.missing);
        }
        promotions.push(promotion);
    }
    Ok(Listing::of(promotions, page, |promotion: &Promotion| {
        promotion.id.to_string()
    }))
}

/// How many promotions are open.
pub async fn n_open(store: &Store, by: &Actor) -> Result<i64> {
    by.may(Permission::Read)?;
    let n = sqlx::query_scalar!(
        r#"select count(*) as "n!"
           from promotion join prompt using (prompt_id)
           where project_id = $1 and promotion.status in ('waiting', 'approved')"#,
        by.project.0,
    )
    .fetch_one(&store.pool)
    .await?;
    Ok(n)
}

/// One promotion with everything it is, or was, decided on.
pub async fn find(
    store: &Store,
    by: &Actor,
    id: PromotionId,
    now: DateTime<Utc>,
) -> Result<Option<FullPromotion>> {
    by.may(Permission::Read)?;
    load(store, by, id, now).await
}

/// The same for whoever has just been allowed to change it.
pub(super) async fn load(
    store: &Store,
    by: &Actor,
    id: PromotionId,
    now: DateTime<Utc>,
) -> Result<Option<FullPromotion>> {
    let mut db = store.pool.acquire().await?;
    let Some(row) = sqlx::query!(
        r#"select promotion_id as "id: PromotionId", promotion.status as "status: PromotionStatus",
                  prompt.name as "prompt: PromptName", environment.name as environment, version.number as version,
                  reason, requested_by as "requested_by: Json<Who>", requested_at,
                  deployment_id as "deployment_id: DeploymentId", execute_at, execute_note,
                  evidence as "evidence: Json<Evidence>", settled_by as "settled_by: Json<Who>", settled_at,
                  settled_reason
           from promotion
           join prompt using (prompt_id)
           join environment using (environment_id)
           join version using (version_id)
           where prompt.project_id = $1 and promotion_id = $2"#,
        by.project.0,
        id.0,
    )
    .fetch_optional(&mut *db)
    .await?
    else {
        return Ok(None);
    };
    let now_decided = evidence::load(&mut db, id, now).await?;
    let is_open = row.status.is_open();
    let evidence = match row.evidence {
        Some(Json(frozen)) if !is_open => frozen,
        _ => now_decided.evidence,
    };
    let evidence_hash = evidence.hash();
    let approvals = sqlx::query!(
        r#"select by as "by: Json<Who>", comment, at, evidence_hash = $2 as "counts!"
           from approval where promotion_id = $1 order by at"#,
        id.0,
        evidence_hash,
    )
    .fetch_all(&mut *db)
    .await?
    .into_iter()
    .map(|row| Approval {
        by: row.by.0,
        comment: row.comment,
        at: row.at,
        counts: row.counts,
    })
    .collect();
    let comments = sqlx::query!(
        r#"select by as "by: Json<Who>", text, at
           from promotion_comment where promotion_id = $1 order by at"#,
        id.0,
    )
    .fetch_all(&mut *db)
    .await?
    .into_iter()
    .map(|row| Comment {
        by: row.by.0,
        text: row.text,
        at: row.at,
    })
    .collect();
    let missing = if is_open {
        now_decided.missing
    } else {
        Vec::new()
    };
    Ok(Some(FullPromotion {
        promotion: Promotion {
            id: row.id,
            status: if is_open {
                open_status(&missing)
            } else {
                row.status
            },
            missing,
            prompt: row.prompt,
            environment: row.environment,
            version: row.version,
            reason: row.reason,
            requested_by: row.requested_by.0,
            requested_at: row.requested_at,
            deployment_id: row.deployment_id,
            execute_at: row.execute_at,
            execute_note: row.execute_note,
        },
        author: now_decided.author,
        evidence,
        evidence_hash,
        approvals,
        comments,
        settled_by: row.settled_by.map(|Json(who)| who),
        settled_at: row.settled_at,
        settled_reason: row.settled_reason,
    }))
}
