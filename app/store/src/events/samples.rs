//! Calls of a batch that are kept to be read.

use domain::monitor::Kind;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{DateTime, Utc, place::Placed};

/// Rows in parallel lists, as one statement takes them.
#[derive(Default)]
pub(super) struct Samples {
    ids: Vec<Uuid>,
    prompts: Vec<Uuid>,
    environments: Vec<Option<Uuid>>,
    versions: Vec<Option<i32>>,
    times: Vec<DateTime<Utc>>,
    variables: Vec<Option<serde_json::Value>>,
    outputs: Vec<Option<String>>,
    errors: Vec<Option<String>>,
    latencies: Vec<Option<f64>>,
    models: Vec<Option<String>>,
}

impl Samples {
    /// Adds a call if it is one that says something.
    pub fn add(&mut self, one: &Placed<'_>) {
        let event = one.event;
        let says = event.variables.is_some() || event.output.is_some();
        let Some(prompt) = one
            .prompt
            .filter(|_| event.kind == Kind::Generation && says)
        else {
            return;
        };
        self.ids.push(one.key);
        self.prompts.push(prompt);
        self.environments.push(one.environment);
        self.versions.push(one.version);
        self.times.push(event.at);
        self.variables.push(one.words.variables.as_deref().cloned());
        self.outputs
            .push(one.words.output.as_deref().map(str::to_owned));
        self.errors
            .push(one.words.error.as_deref().map(str::to_owned));
        self.latencies.push(event.call.latency_ms);
        self.models.push(event.call.model.clone());
    }

    /// Writes them.
    pub async fn write(self, db: &mut PgConnection, project: Uuid) -> Result<(), sqlx::Error> {
        if self.ids.is_empty() {
            return Ok(());
        }
        sqlx::query!(
            "insert into sample (sample_id, project_id, prompt_id, environment_id, version, at, variables, output,
                                 error, latency_ms, model)
             select sample_id, $1, prompt_id, environment_id, version, at, variables, output, error, latency_ms, model
             from unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::integer[], $6::timestamptz[], $7::jsonb[], $8::text[],
                         $9::text[], $10::double precision[], $11::text[])
                  as said (sample_id, prompt_id, environment_id, version, at, variables, output, error, latency_ms, model)
             on conflict do nothing",
            project,
            &self.ids,
            &self.prompts,
            &self.environments as &[Option<Uuid>],
            &self.versions as &[Option<i32>],
            &self.times,
            &self.variables as &[Option<serde_json::Value>],
            &self.outputs as &[Option<String>],
            &self.errors as &[Option<String>],
            &self.latencies as &[Option<f64>],
            &self.models as &[Option<String>],
        )
        .execute(db)
        .await?;
        Ok(())
    }
}
