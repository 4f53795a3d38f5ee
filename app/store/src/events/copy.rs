//! Events as Postgres' binary COPY takes them: the fastest way in, at a third of what inserting
//! the same columns as parameters costs.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::place::Placed;

const STATEMENT: &str = "copy event (project_id, event_id, at, received_at, type, prompt_id, version, environment_id, \
     unit, experiment_id, arm, metric, value, latency_ms, ttft_ms, input_tokens, output_tokens, \
     cache_read_tokens, cache_write_tokens, cost_usd, model, error, variables, output) \
     from stdin (format binary)";
const N_COLUMNS: i16 = 24;
/// Microseconds from 1970 to 2000, where Postgres begins to count.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// Rows on their way.
pub(super) struct Copy(Vec<u8>);

impl Copy {
    pub fn new(n_bytes: usize) -> Self {
        let mut bytes = Vec::with_capacity(n_bytes + 32);
        bytes.extend_from_slice(b"PGCOPY\n\xff\r\n\0");
        // No flags, no extension.
        bytes.extend_from_slice(&[0; 8]);
        Self(bytes)
    }

    pub fn push(&mut self, project: Uuid, one: &Placed<'_>, now: DateTime<Utc>) {
        let event = one.event;
        let call = &event.call;
        self.0.extend_from_slice(&N_COLUMNS.to_be_bytes());
        self.uuid(Some(project));
        self.uuid(Some(event.id));
        self.time(event.at);
        self.time(now);
        self.text(Some(event.kind.word()));
        self.uuid(one.prompt);
        self.bytes(event.version.map(i32::to_be_bytes));
        self.uuid(one.environment);
        self.text(event.unit.as_deref());
        self.uuid(event.experiment);
        self.bytes(one.arm.map(|arm| i16::from(arm).to_be_bytes()));
        self.text(event.metric.as_deref());
        self.number(event.value);
        self.number(call.latency_ms);
        self.number(call.ttft_ms);
        self.bytes(call.input_tokens.map(i64::to_be_bytes));
        self.bytes(call.output_tokens.map(i64::to_be_bytes));
        self.bytes(call.cache_read_tokens.map(i64::to_be_bytes));
        self.bytes(call.cache_write_tokens.map(i64::to_be_bytes));
        self.number(call.cost_usd);
        self.text(call.model.as_deref());
        self.text(call.error.as_deref());
        // `jsonb` is text after one byte that names its version.
        let variables = event
            .variables
            .as_ref()
            .map(|variables| format!("\u{1}{variables}"));
        self.text(variables.as_deref());
        self.text(event.output.as_deref());
    }

    pub async fn send(mut self, db: &mut PgConnection) -> Result<(), sqlx::Error> {
        self.0.extend_from_slice(&(-1_i16).to_be_bytes());
        let mut copy = db.copy_in_raw(STATEMENT).await?;
        copy.send(self.0).await?;
        copy.finish().await?;
        Ok(())
    }

    fn field(&mut self, bytes: Option<&[u8]>) {
        let Some(bytes) = bytes else {
            return self.0.extend_from_slice(&(-1_i32).to_be_bytes());
        };
        // A request holds 5 MB, so no field comes near the limit.
        let length = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(bytes);
    }

    fn bytes<const N: usize>(&mut self, bytes: Option<[u8; N]>) {
        self.field(bytes.as_ref().map(<[u8; N]>::as_slice));
    }

    fn uuid(&mut self, id: Option<Uuid>) {
        self.bytes(id.map(Uuid::into_bytes));
    }

    fn time(&mut self, at: DateTime<Utc>) {
        self.bytes(Some((at.timestamp_micros() - EPOCH_MICROS).to_be_bytes()));
    }

    fn number(&mut self, number: Option<f64>) {
        self.bytes(number.map(f64::to_be_bytes));
    }

    fn text(&mut self, text: Option<&str>) {
        self.field(text.map(str::as_bytes));
    }
}
