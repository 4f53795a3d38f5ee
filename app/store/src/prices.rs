//! What tokens cost: effective-dated rows, the same for all projects. Seeded by a migration and
//! kept up by the operator; the code knows no price.

use chrono::{DateTime, Utc};
use domain::cost::Price;

use crate::{Result, Store};

/// The rows of a provider's model, oldest first.
pub async fn of_model(store: &Store, provider: &str, model: &str) -> Result<Vec<Price>> {
    let rows = sqlx::query!(
        "select provider, model, valid_from, input, write_5m, write_1h, read, output, min_cacheable_tokens
         from price
         where provider = $1 and model = $2
         order by valid_from",
        provider,
        model,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Price {
            provider: row.provider,
            model: row.model,
            input: row.input,
            write_5m: row.write_5m,
            write_1h: row.write_1h,
            read: row.read,
            output: row.output,
            min_cacheable_tokens: row
                .min_cacheable_tokens
                .and_then(|tokens| u32::try_from(tokens).ok()),
            valid_from: row.valid_from,
        })
        .collect())
}

/// The row of each model that holds at a moment.
pub async fn at(store: &Store, now: DateTime<Utc>) -> Result<Vec<Price>> {
    let rows = sqlx::query!(
        "select distinct on (provider, model)
             provider, model, valid_from, input, write_5m, write_1h, read, output, min_cacheable_tokens
         from price
         where valid_from <= $1
         order by provider, model, valid_from desc",
        now,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Price {
            provider: row.provider,
            model: row.model,
            input: row.input,
            write_5m: row.write_5m,
            write_1h: row.write_1h,
            read: row.read,
            output: row.output,
            min_cacheable_tokens: row
                .min_cacheable_tokens
                .and_then(|tokens| u32::try_from(tokens).ok()),
            valid_from: row.valid_from,
        })
        .collect())
}
