//! What tokens cost: effective-dated rows. Those that a migration brings and the operator keeps up
//! are the same for all projects; a project's own go before them, each from its moment on. Rows are
//! only ever added: what is past stays as it was.

use chrono::{DateTime, Utc};
use domain::{
    actor::{Actor, Permission, Who},
    cost::{KnownPrice, Price},
    id::ProjectId,
    prompt::check_prose,
};
use serde_json::json;
use sqlx::types::Json;

use crate::{Error, Result, Store, error::OnConstraint, tx::Command};

/// The most rows of its own a project has.
const MAX_OWN: i64 = 1_000;
/// The longest name of a provider or model, in characters.
const MAX_NAME: usize = 100;

struct Row {
    provider: String,
    model: String,
    valid_from: DateTime<Utc>,
    input: f64,
    write_5m: Option<f64>,
    write_1h: Option<f64>,
    read: Option<f64>,
    output: f64,
    min_cacheable_tokens: Option<i32>,
}

impl Row {
    fn price(self) -> Price {
        Price {
            provider: self.provider,
            model: self.model,
            input: self.input,
            write_5m: self.write_5m,
            write_1h: self.write_1h,
            read: self.read,
            output: self.output,
            min_cacheable_tokens: self
                .min_cacheable_tokens
                .and_then(|tokens| u32::try_from(tokens).ok()),
            valid_from: self.valid_from,
        }
    }
}

/// The rows of a model at one of the project's providers, oldest first: those under the provider's
/// own name, or else those of its kind, so that a second Anthropic account costs what the first does.
/// A dated snapshot costs what its model does, unless it has rows of its own.
pub async fn of_model(
    store: &Store,
    project: ProjectId,
    provider: &str,
    model: &str,
) -> Result<Vec<Price>> {
    let rows = sqlx::query_as!(
        Row,
        r#"with named as (
               select name from unnest(array[$3::text, regexp_replace($3, '-([0-9]{8}|[0-9]{4}-[0-9]{2}-[0-9]{2})$', '')])
                   with ordinality as named (name, place)
               where exists (select from price where model = name and (project_id is null or project_id = $1))
               order by place
               limit 1
           ), seen as (
               -- A project's own rows hold from the first of them on, whatever is published later.
               select provider, model, valid_from, input, write_5m, write_1h, read, output, min_cacheable_tokens
               from price
               where project_id = $1
                  or (project_id is null and not exists (
                      select from price as own
                      where own.project_id = $1 and own.provider = price.provider and own.model = price.model
                        and own.valid_from <= price.valid_from))
           ), sold_by as (
               select name
               from (values (1, $2::text), (2, (select kind from provider where project_id = $1 and name = $2)))
                   as sold_by (place, name)
               where exists (select from seen where provider = name and model = (select name from named))
               order by place
               limit 1
           )
           select provider, model, valid_from, input, write_5m, write_1h, read, output, min_cacheable_tokens
           from seen
           where model = (select name from named) and provider = (select name from sold_by)
           order by valid_from"#,
        project.0,
        provider,
        model,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(rows.into_iter().map(Row::price).collect())
}

/// The row of each model that holds at a moment, as the project sees it.
pub async fn at(store: &Store, project: ProjectId, now: DateTime<Utc>) -> Result<Vec<Price>> {
    let rows = sqlx::query_as!(
        Row,
        "select distinct on (provider, model)
             provider, model, valid_from, input, write_5m, write_1h, read, output, min_cacheable_tokens
         from price
         where valid_from <= $1 and (project_id is null or project_id = $2)
         order by provider, model, project_id nulls last, valid_from desc",
        now,
        project.0,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(rows.into_iter().map(Row::price).collect())
}

/// Every row that the project sees, by provider and model, the newest of each first.
pub async fn list(store: &Store, by: &Actor) -> Result<Vec<KnownPrice>> {
    by.may(Permission::Read)?;
    let rows = sqlx::query!(
        r#"select provider, model, valid_from, input, write_5m, write_1h, read, output, min_cacheable_tokens,
                  project_id is not null as "is_own!", source, created_by as "created_by: Json<Who>"
           from price
           where project_id is null or project_id = $1
           order by provider, model, valid_from desc, project_id nulls last
           limit 5000"#,
        by.project.0,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| KnownPrice {
            price: Row {
                provider: row.provider,
                model: row.model,
                valid_from: row.valid_from,
                input: row.input,
                write_5m: row.write_5m,
                write_1h: row.write_1h,
                read: row.read,
                output: row.output,
                min_cacheable_tokens: row.min_cacheable_tokens,
            }
            .price(),
            is_own: row.is_own,
            source: row.source,
            created_by: row.created_by.map(|Json(who)| who),
        })
        .collect())
}

/// Adds a row of the project's own. The first of a model may hold from any moment; the next ones
/// only from a later one, so that what is past stays as it was.
pub async fn add(store: &Store, by: &Actor, new: &Price, now: DateTime<Utc>) -> Result<KnownPrice> {
    by.may(Permission::Administer)?;
    check(new)?;
    let mut command = Command::begin(store, "add_price", by, now).await?;
    // One after the other, so that two rows cannot each find itself the newest.
    let n_own = sqlx::query_scalar!(
        r#"select (select count(*) from price where project_id = project.project_id) as "n!"
           from project
           where project_id = $1
           for no key update"#,
        by.project.0,
    )
    .fetch_one(command.db())
    .await?;
    if n_own >= MAX_OWN {
        return Err(Error::conflict(
            "too_many_prices",
            format!("a project has at most {MAX_OWN} prices of its own"),
        ));
    }
    let newest = sqlx::query_scalar!(
        r#"select max(valid_from) as "at"
           from price
           where project_id = $1 and provider = $2 and model = $3"#,
        by.project.0,
        new.provider,
        new.model,
    )
    .fetch_one(command.db())
    .await?;
    if let Some(newest) = newest.filter(|newest| *newest >= new.valid_from) {
        return Err(Error::conflict(
            "price_not_newest",
            format!(
                "a price of {} holds from {} already: past rows never change, so the next one must hold from later",
                new.model,
                newest.format("%Y-%m-%d %H:%M UTC"),
            ),
        ));
    }
    let source = format!("entered by {}", by.who.name());
    sqlx::query!(
        "insert into price
             (project_id, provider, model, valid_from, input, write_5m, write_1h, read, output,
              min_cacheable_tokens, source, created_by, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        by.project.0,
        new.provider,
        new.model,
        new.valid_from,
        new.input,
        new.write_5m,
        new.write_1h,
        new.read,
        new.output,
        new.min_cacheable_tokens
            .and_then(|tokens| i32::try_from(tokens).ok()),
        source,
        command.author(),
        now,
    )
    .execute(command.db())
    .await
    .on_constraint("price_one_row", || {
        Error::conflict(
            "price_not_newest",
            "there is a price from this moment on already",
        )
    })?;
    command.record(
        "price.add",
        format!("{}/{}", new.provider, new.model),
        json!({ "after": new }),
    );
    command.tell(
        "price",
        json!({ "provider": new.provider, "model": new.model }),
    );
    command.commit().await?;
    Ok(KnownPrice {
        price: new.clone(),
        is_own: true,
        source,
        created_by: Some(by.who.clone()),
    })
}

fn check(new: &Price) -> Result<()> {
    for (name, text) in [("provider", &new.provider), ("model", &new.model)] {
        if text.trim().is_empty() || text.trim() != text {
            return Err(Error::invalid(
                name,
                "must be a name without spaces around it",
            ));
        }
        check_prose(text, MAX_NAME).map_err(|message| Error::invalid(name, message))?;
    }
    if new
        .min_cacheable_tokens
        .is_some_and(|least| i32::try_from(least).is_err())
    {
        return Err(Error::invalid("min_cacheable_tokens", "is too large"));
    }
    Ok(())
}

/// The rows of these models that the project sees, whoever sells them, oldest first: its own from
/// the first of them on, before that the published ones.
pub(crate) async fn of_models(
    store: &Store,
    project: ProjectId,
    models: &[String],
) -> Result<Vec<Price>> {
    let rows = sqlx::query_as!(
        Row,
        "select provider, model, valid_from, input, write_5m, write_1h, read, output, min_cacheable_tokens
         from price
         where model = any($2) and (project_id = $1 or (project_id is null and not exists (
             select from price as own
             where own.project_id = $1 and own.provider = price.provider and own.model = price.model
               and own.valid_from <= price.valid_from)))
         order by valid_from",
        project.0,
        models,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(rows.into_iter().map(Row::price).collect())
}

#[cfg(test)]
mod tests {
    use domain::{actor::Role, field::Fields, provider::NewProvider};
    use serde_json::json;
    use sqlx::PgPool;

    use super::*;
    use crate::testing::{World, at as moment};

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_model_costs_what_its_providers_kind_asks_unless_the_provider_has_rows(pool: PgPool) {
        let world = World::new(pool.clone()).await;
        let (store, by) = (&world.store, world.actor(Role::Admin));
        let new = json!({ "name": "claude-eu", "kind": "anthropic", "base_url": "https://eu.example/v1" });
        let new = NewProvider::parse(Fields::new("", new)).unwrap();
        let seal = |_, _: &str| unreachable!("there is no key");
        crate::providers::save(store, &by, &new, &seal, moment(0))
            .await
            .unwrap();
        let input = async |provider: &str, model: &str| {
            let rows = of_model(store, by.project, provider, model).await.unwrap();
            domain::cost::price_at(&rows, moment(0)).map(|row| row.input)
        };
        assert_eq!(input("anthropic", "claude-sonnet-4-5").await, Some(3.0));
        assert_eq!(input("claude-eu", "claude-sonnet-4-5").await, Some(3.0));
        assert_eq!(
            input("claude-eu", "claude-sonnet-4-5-20250929").await,
            Some(3.0)
        );
        assert_eq!(input("claude-eu", "no-such-model").await, None);
        assert_eq!(input("nobody", "claude-sonnet-4-5").await, None);
        sqlx::query(
            "insert into price (provider, model, valid_from, input, output, source)
             values ('claude-eu', 'claude-sonnet-4-5', '2025-01-01Z', 4, 20, 'a contract')",
        )
        .execute(&pool)
        .await
        .unwrap();
        assert_eq!(input("claude-eu", "claude-sonnet-4-5").await, Some(4.0));
    }

    fn own(model: &str, input: f64, valid_from: DateTime<Utc>) -> Price {
        Price {
            provider: "anthropic".to_owned(),
            model: model.to_owned(),
            input,
            write_5m: None,
            write_1h: None,
            read: None,
            output: 9.0,
            min_cacheable_tokens: Some(1_024),
            valid_from,
        }
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_projects_own_price_goes_before_the_published_one_from_its_moment_on(pool: PgPool) {
        let world = World::new(pool.clone()).await;
        let (store, by) = (&world.store, world.actor(Role::Admin));
        let model = "claude-sonnet-4-6";
        add(store, &by, &own(model, 2.5, moment(100)), moment(0))
            .await
            .unwrap();
        let input = async |project, seconds| {
            let rows = of_model(store, project, "anthropic", model).await.unwrap();
            domain::cost::price_at(&rows, moment(seconds)).map(|row| row.input)
        };
        assert_eq!(input(by.project, 99).await, Some(3.0));
        assert_eq!(input(by.project, 100).await, Some(2.5));
        let other = crate::people::create_project_as_system(store, "other", "Other", moment(0));
        assert_eq!(input(other.await.unwrap(), 100).await, Some(3.0));
        // What is published later changes nothing for whoever has an own price.
        sqlx::query(
            "insert into price (provider, model, valid_from, input, output, source)
             values ('anthropic', 'claude-sonnet-4-6', $1, 7, 20, 'published')",
        )
        .bind(moment(200))
        .execute(&pool)
        .await
        .unwrap();
        assert_eq!(input(by.project, 300).await, Some(2.5));
        let all = at(store, by.project, moment(300)).await.unwrap();
        let row = all.iter().find(|row| row.model == model).unwrap();
        assert!((row.input - 2.5).abs() < 1e-12);
        let listed = list(store, &world.actor(Role::Viewer)).await.unwrap();
        assert_eq!(listed.iter().filter(|row| row.is_own).count(), 1);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn past_rows_never_change_and_of_two_at_once_one_is_refused(pool: PgPool) {
        let world = World::new(pool.clone()).await;
        let (store, by) = (&world.store, world.actor(Role::Admin));
        let (one, two) = (own("ours", 1.0, moment(50)), own("ours", 2.0, moment(50)));
        let (first, second) = tokio::join!(
            add(store, &by, &one, moment(0)),
            add(store, &by, &two, moment(0))
        );
        assert!(first.is_ok() != second.is_ok());
        let refused = add(store, &by, &own("ours", 3.0, moment(49)), moment(60)).await;
        assert!(matches!(
            refused,
            Err(Error::Conflict {
                code: "price_not_newest",
                ..
            })
        ));
        let editor = world.actor(Role::Editor);
        let refused = add(store, &editor, &own("ours", 3.0, moment(70)), moment(60)).await;
        assert!(matches!(refused, Err(Error::Denied(_))));
        let blank = own(" ", 3.0, moment(70));
        assert!(matches!(
            add(store, &by, &blank, moment(60)).await,
            Err(Error::Invalid(_))
        ));
        for sql in ["update price set input = 0", "delete from price"] {
            assert!(sqlx::query(sql).execute(&pool).await.is_err());
        }
    }
}
