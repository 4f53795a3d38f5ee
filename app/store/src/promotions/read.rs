//! Reading promotions: the queue, and one with everything it is decided on.

use chrono::{DateTime, Utc};
use domain::{
    actor::{Actor, Permission, Who},
    id::{DeploymentId, PromotionId},
    page::{Listing, PageRequest},
    prompt::PromptName,
    release::{
        Approval, Comment, Evidence, FullPromotion, Promotion, PromotionStatus, Refusal,
        may_approve, open_status,
    },
};
use sqlx::{PgConnection, types::Json};

use super::evidence::{self, Decided};
use crate::{Error, Result, Store};

/// Of so many open promotions it is looked who may approve them.
const MAX_WAITING: i64 = 100;

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

/// Promotions that wait for nothing but an approval that `by` may give and has not given yet, the
/// longest waiting first.
pub async fn waiting_for(store: &Store, by: &Actor, now: DateTime<Utc>) -> Result<Vec<Promotion>> {
    by.may(Permission::Read)?;
    if by.may(Permission::Approve).is_err() {
        return Ok(Vec::new());
    }
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
           where prompt.project_id = $1 and promotion.status in ('waiting', 'approved')
           order by requested_at, promotion_id
           limit $2"#,
        by.project.0,
        MAX_WAITING,
    )
    .fetch_all(&mut *db)
    .await?;
    let mut waiting = Vec::new();
    for row in rows {
        let mut promotion = row.promotion();
        let decided = evidence::load(&mut db, promotion.id, now).await?;
        if !decided.waits_for_approval
            || refusal(&mut db, by, &promotion.environment, &decided)
                .await?
                .is_some()
            || has_approved(&mut db, by, promotion.id, &decided.evidence).await?
        {
            continue;
        }
        promotion.status = open_status(&decided.missing);
        promotion.missing = decided.missing;
        waiting.push(promotion);
    }
    Ok(waiting)
}

/// Why `by` may not approve a promotion; none when they may.
pub async fn cannot_approve(
    store: &Store,
    by: &Actor,
    promotion: &Promotion,
    now: DateTime<Utc>,
) -> Result<Option<Refusal>> {
    by.may(Permission::Read)?;
    let mut db = store.pool.acquire().await?;
    let decided = evidence::load(&mut db, promotion.id, now).await?;
    refusal(&mut db, by, &promotion.environment, &decided).await
}

/// The rule that [`super::approve`] goes by.
pub(super) async fn refusal(
    db: &mut PgConnection,
    by: &Actor,
    environment: &str,
    decided: &Decided,
) -> Result<Option<Refusal>> {
    let (requesters, authors) = super::makers(db, decided).await?;
    Ok(may_approve(by, environment, &requesters, &authors).err())
}

async fn has_approved(
    db: &mut PgConnection,
    by: &Actor,
    id: PromotionId,
    evidence: &Evidence,
) -> Result<bool> {
    let has = sqlx::query_scalar!(
        r#"select exists (select from approval where promotion_id = $1 and by_id = $2 and evidence_hash = $3) as "has!""#,
        id.0,
        by.who.id(),
        evidence.hash(),
    )
    .fetch_one(db)
    .await?;
    Ok(has)
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

#[cfg(test)]
mod tests {
    use domain::{
        actor::{Grant, Role},
        id::PersonId,
        release::Policy,
    };
    use sqlx::PgPool;

    use super::*;
    use crate::{
        environments, promotions,
        testing::{World, at},
    };

    /// Another approver than the one who asks.
    fn second_lead(world: &World) -> Actor {
        Actor {
            who: Who::Person {
                id: PersonId(uuid::Uuid::from_u128(77)),
                name: "the second lead".to_owned(),
            },
            project: world.project,
            grant: Grant::Role(Role::Approver),
        }
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn what_waits_for_somebody_is_what_they_may_still_approve(pool: PgPool) {
        let world = World::new(pool).await;
        let store = &world.store;
        world.prompt_with_versions("p", 1).await;
        let policy = Policy {
            gate: false,
            approvals: 2,
            ..Policy::default()
        };
        environments::set_policy(
            store,
            &world.actor(Role::Admin),
            "production",
            policy,
            at(3),
        )
        .await
        .unwrap();
        let asked = world.promote("p", "production", 1, 4).await.unwrap();
        let (asker, lead, admin) = (
            world.actor(Role::Approver),
            second_lead(&world),
            world.actor(Role::Admin),
        );
        let n_waiting = async |by: &Actor| waiting_for(store, by, at(5)).await.unwrap().len();
        assert_eq!(n_waiting(&lead).await, 1);
        assert_eq!(n_waiting(&admin).await, 1);
        assert_eq!(n_waiting(&asker).await, 0, "nobody approves their own");
        assert_eq!(n_waiting(&world.actor(Role::Viewer)).await, 0);
        promotions::approve(store, &lead, asked.id, "", None, at(5))
            .await
            .unwrap();
        assert_eq!(n_waiting(&lead).await, 0, "nobody approves twice");
        assert_eq!(n_waiting(&admin).await, 1, "one more is wanted");
        promotions::approve(store, &admin, asked.id, "", None, at(5))
            .await
            .unwrap();
        assert_eq!(n_waiting(&admin).await, 0);

        // What lacks a gate run is not at its approvals yet.
        world.prompt_with_versions("q", 1).await;
        environments::set_policy(store, &admin, "production", Policy::guarded(), at(6))
            .await
            .unwrap();
        world.promote("q", "production", 1, 7).await.unwrap();
        assert_eq!(n_waiting(&lead).await, 0);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_review_says_that_a_key_is_no_second_person(pool: PgPool) {
        use crate::{keys, secret::Secret};
        use domain::{actor::Scope, prompt::PromptName};

        let world = World::new(pool).await;
        let store = &world.store;
        world.prompt_with_versions("p", 1).await;
        let admin = world.actor(Role::Admin);
        environments::set_policy(store, &admin, "production", Policy::guarded(), at(3))
            .await
            .unwrap();
        let secret = Secret::new_key().unwrap();
        let new = keys::NewKey {
            name: "ci".to_owned(),
            scopes: vec![Scope::Admin],
            environments: None,
        };
        let key = keys::create(store, &admin, new, &secret, at(3))
            .await
            .unwrap();
        let by_key = Actor {
            who: Who::Key {
                id: key.id,
                name: "ci".to_owned(),
            },
            project: world.project,
            grant: Grant::Scopes {
                scopes: vec![Scope::Admin],
                environments: None,
            },
        };
        let prompt = PromptName::parse("p").unwrap();
        let release = crate::releases::Release {
            prompt: &prompt,
            environment: "production",
            reason: "",
            seen: crate::releases::Seen::OnArrival,
        };
        let asked = promotions::request(store, &by_key, &release, 1, at(4))
            .await
            .unwrap();
        let why = cannot_approve(store, &admin, &asked, at(5)).await.unwrap();
        assert_eq!(why, Some(Refusal::OwnWork("asked for")));
        let why = cannot_approve(store, &second_lead(&world), &asked, at(5))
            .await
            .unwrap();
        assert_eq!(why, None);
    }
}
