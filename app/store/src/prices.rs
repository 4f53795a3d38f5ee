//! What tokens cost: effective-dated rows, the same for all projects. Seeded by a migration and
//! kept up by the operator; the code knows no price.

use chrono::{DateTime, Utc};
use domain::{cost::Price, id::ProjectId};

use crate::{Result, Store};

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
               where exists (select from price where model = name)
               order by place
               limit 1
           ), sold_by as (
               select name
               from (values (1, $2::text), (2, (select kind from provider where project_id = $1 and name = $2)))
                   as sold_by (place, name)
               where exists (select from price where provider = name and model = (select name from named))
               order by place
               limit 1
           )
           select provider, model, valid_from, input, write_5m, write_1h, read, output, min_cacheable_tokens
           from price
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

/// The row of each model that holds at a moment.
pub async fn at(store: &Store, now: DateTime<Utc>) -> Result<Vec<Price>> {
    let rows = sqlx::query_as!(
        Row,
        "select distinct on (provider, model)
             provider, model, valid_from, input, write_5m, write_1h, read, output, min_cacheable_tokens
         from price
         where valid_from <= $1
         order by provider, model, valid_from desc",
        now,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(rows.into_iter().map(Row::price).collect())
}

/// The rows of these models, whoever sells them, oldest first.
pub(crate) async fn of_models(store: &Store, models: &[String]) -> Result<Vec<Price>> {
    let rows = sqlx::query_as!(
        Row,
        "select provider, model, valid_from, input, write_5m, write_1h, read, output, min_cacheable_tokens
         from price
         where model = any($1)
         order by valid_from",
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
}
