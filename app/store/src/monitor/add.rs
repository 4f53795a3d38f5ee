//! Adding batches to minutes, hours and days: in the transaction that takes the batches away, so
//! each counts exactly once. Workers lock rows in one order; whoever comes second goes on from there.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::monitor::bucket::Resolution;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    sketch::Sketch,
    sums::{Minutes, Place, Sums, count, unreadable},
};
use crate::Result;

/// A row of the table; in the order in which all workers lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    prompt: Uuid,
    resolution: Resolution,
    bucket: DateTime<Utc>,
    environment: Uuid,
    version: i32,
}

/// What several batches add, by row.
#[derive(Default)]
pub(crate) struct Additions(BTreeMap<Row, (Uuid, Sums)>);

impl Additions {
    /// Takes a batch in.
    pub fn take(&mut self, project: Uuid, minutes: Minutes) {
        for (place, minute, sums) in minutes.into_each() {
            for resolution in Resolution::ALL {
                let row = row(place, resolution, minute);
                let (_, total) = self
                    .0
                    .entry(row)
                    .or_insert_with(|| (project, Sums::default()));
                total.merge(&sums);
            }
        }
    }

    /// Adds everything to the table.
    pub async fn write(mut self, db: &mut PgConnection) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        self.make_rows(db).await?;
        self.lock(db).await?;
        self.keep(db).await
    }

    fn keys(&self) -> Keys {
        let mut keys = Keys::default();
        for (row, (project, _)) in &self.0 {
            keys.projects.push(*project);
            keys.prompts.push(row.prompt);
            keys.resolutions.push(row.resolution.word().to_owned());
            keys.buckets.push(row.bucket);
            keys.environments.push(row.environment);
            keys.versions.push(row.version);
        }
        keys
    }

    /// Those that are new are made first, empty, so that there is something to lock.
    async fn make_rows(&self, db: &mut PgConnection) -> Result<()> {
        let keys = self.keys();
        sqlx::query!(
            r#"insert into monitor_bucket (project_id, prompt_id, resolution, bucket, environment_id, version)
               select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::uuid[], $6::integer[])
                    as said (project_id, prompt_id, resolution, bucket, environment_id, version)
               order by prompt_id, resolution collate "C", bucket, environment_id, version
               on conflict do nothing"#,
            &keys.projects,
            &keys.prompts,
            &keys.resolutions,
            &keys.buckets,
            &keys.environments,
            &keys.versions,
        )
        .execute(db)
        .await?;
        Ok(())
    }

    /// Locks the rows and adds to ours what is in them.
    async fn lock(&mut self, db: &mut PgConnection) -> Result<()> {
        let keys = self.keys();
        let rows = sqlx::query!(
            r#"select prompt_id, resolution as "resolution: Resolution", bucket, environment_id, version,
                      requests, errors, errors_by_kind, latency_sketch, ttft_sketch, input_tokens, output_tokens,
                      cache_read_tokens, cache_write_tokens, cost_usd, n_priced, feedback_n, feedback_sum
               from monitor_bucket
               join unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::uuid[], $5::integer[])
                    as said (prompt_id, resolution, bucket, environment_id, version)
                    using (prompt_id, resolution, bucket, environment_id, version)
               order by prompt_id, resolution collate "C", bucket, environment_id, version
               -- Another worker may add to the same row: whoever comes second goes on from there.
               for update of monitor_bucket"#,
            &keys.prompts,
            &keys.resolutions,
            &keys.buckets,
            &keys.environments,
            &keys.versions,
        )
        .fetch_all(db)
        .await?;
        for found in rows {
            let row = Row {
                prompt: found.prompt_id,
                resolution: found.resolution,
                bucket: found.bucket,
                environment: found.environment_id,
                version: found.version,
            };
            let Some((_, sums)) = self.0.get_mut(&row) else {
                continue;
            };
            sums.merge(&Sums {
                requests: count(found.requests),
                errors: count(found.errors),
                errors_by_kind: kinds(found.errors_by_kind)?,
                latency: Sketch::from_bytes(&found.latency_sketch).map_err(unreadable)?,
                ttft: Sketch::from_bytes(&found.ttft_sketch).map_err(unreadable)?,
                input_tokens: count(found.input_tokens),
                output_tokens: count(found.output_tokens),
                cache_read_tokens: count(found.cache_read_tokens),
                cache_write_tokens: count(found.cache_write_tokens),
                cost_usd: found.cost_usd,
                n_priced: count(found.n_priced),
                feedback_n: count(found.feedback_n),
                feedback_sum: found.feedback_sum,
            });
        }
        Ok(())
    }

    async fn keep(self, db: &mut PgConnection) -> Result<()> {
        let keys = self.keys();
        let sums: Vec<Sums> = self.0.into_values().map(|(_, sums)| sums).collect();
        let numbers = |read: fn(&Sums) -> u64| -> Vec<i64> {
            sums.iter().map(|sums| read(sums).cast_signed()).collect()
        };
        let floats = |read: fn(&Sums) -> f64| -> Vec<f64> { sums.iter().map(read).collect() };
        let kinds: Vec<Value> = sums
            .iter()
            .map(|sums| {
                let each = sums.errors_by_kind.iter();
                each.map(|(kind, n)| (kind.word().to_owned(), Value::from(*n)))
                    .collect::<serde_json::Map<_, _>>()
                    .into()
            })
            .collect();
        let sketches = |read: fn(&Sums) -> &Sketch| -> Result<Vec<Vec<u8>>, sqlx::Error> {
            sums.iter()
                .map(|sums| read(sums).to_bytes().map_err(unreadable))
                .collect()
        };
        sqlx::query!(
            "update monitor_bucket
             set requests = said.requests, errors = said.errors, errors_by_kind = said.errors_by_kind,
                 latency_sketch = said.latency_sketch, ttft_sketch = said.ttft_sketch,
                 input_tokens = said.input_tokens, output_tokens = said.output_tokens,
                 cache_read_tokens = said.cache_read_tokens, cache_write_tokens = said.cache_write_tokens,
                 cost_usd = said.cost_usd, n_priced = said.n_priced,
                 feedback_n = said.feedback_n, feedback_sum = said.feedback_sum
             from unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::uuid[], $5::integer[],
                         $6::bigint[], $7::bigint[], $8::jsonb[], $9::bytea[], $10::bytea[],
                         $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[],
                         $15::double precision[], $16::bigint[], $17::bigint[], $18::double precision[])
                  as said (prompt_id, resolution, bucket, environment_id, version,
                           requests, errors, errors_by_kind, latency_sketch, ttft_sketch,
                           input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
                           cost_usd, n_priced, feedback_n, feedback_sum)
             where monitor_bucket.prompt_id = said.prompt_id
                 and monitor_bucket.resolution = said.resolution
                 and monitor_bucket.bucket = said.bucket
                 and monitor_bucket.environment_id = said.environment_id
                 and monitor_bucket.version = said.version",
            &keys.prompts,
            &keys.resolutions,
            &keys.buckets,
            &keys.environments,
            &keys.versions,
            &numbers(|sums| sums.requests),
            &numbers(|sums| sums.errors),
            &kinds,
            &sketches(|sums| &sums.latency)?,
            &sketches(|sums| &sums.ttft)?,
            &numbers(|sums| sums.input_tokens),
            &numbers(|sums| sums.output_tokens),
            &numbers(|sums| sums.cache_read_tokens),
            &numbers(|sums| sums.cache_write_tokens),
            &floats(|sums| sums.cost_usd),
            &numbers(|sums| sums.n_priced),
            &numbers(|sums| sums.feedback_n),
            &floats(|sums| sums.feedback_sum),
        )
        .execute(db)
        .await?;
        Ok(())
    }
}

fn row(place: Place, resolution: Resolution, minute: DateTime<Utc>) -> Row {
    Row {
        prompt: place.prompt,
        resolution,
        bucket: resolution.start_of(minute),
        environment: place.environment,
        version: place.version,
    }
}

/// Failures by kind, as the table keeps them.
pub(super) fn kinds<Kinds: serde::de::DeserializeOwned>(kept: Value) -> Result<Kinds> {
    let read = serde_json::from_value(kept);
    Ok(read.map_err(|error| sqlx::Error::Decode(Box::new(error)))?)
}

#[derive(Default)]
struct Keys {
    projects: Vec<Uuid>,
    prompts: Vec<Uuid>,
    resolutions: Vec<String>,
    buckets: Vec<DateTime<Utc>>,
    environments: Vec<Uuid>,
    versions: Vec<i32>,
}
