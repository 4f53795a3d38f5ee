//! Rows as Postgres' binary COPY takes them: the fastest way in.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::place::Placed;

const EVENTS: &str = "copy event (project_id, event_id, at, received_at, type, prompt_id, version, environment_id, \
     unit, experiment_id, arm, metric, value, latency_ms, ttft_ms, input_tokens, output_tokens, \
     cache_read_tokens, cache_write_tokens, cost_usd, model, error, variables, output) \
     from stdin (format binary)";
const N_COLUMNS: i16 = 24;
const IDS: &str = "copy event_id (event_key, received_at) from stdin (format binary)";
/// Microseconds from 1970 to 2000, where Postgres begins to count.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// Takes the ids of a batch, which must come in order; fails if one is taken already.
pub(super) async fn copy_ids(
    db: &mut PgConnection,
    keys: impl Iterator<Item = Uuid>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let mut rows = Rows::default();
    for key in keys {
        rows.begin(2);
        rows.uuid(Some(key));
        rows.time(now);
    }
    rows.send(db, IDS).await
}

/// Events on their way.
#[derive(Default)]
pub(super) struct Events(Rows);

impl Events {
    pub fn push(&mut self, project: Uuid, one: &Placed<'_>, now: DateTime<Utc>) {
        let event = one.event;
        let call = &event.call;
        let row = &mut self.0;
        row.begin(N_COLUMNS);
        row.uuid(Some(project));
        row.uuid(Some(event.id));
        row.time(event.at);
        row.time(now);
        row.text(Some(event.kind.word()));
        row.uuid(one.prompt);
        row.bytes(one.version.map(i32::to_be_bytes));
        row.uuid(one.environment);
        row.text(event.unit.as_deref());
        row.uuid(event.experiment);
        row.bytes(one.arm.map(|arm| i16::from(arm).to_be_bytes()));
        row.text(event.metric.as_deref());
        row.number(event.value);
        row.number(call.latency_ms);
        row.number(call.ttft_ms);
        row.bytes(call.input_tokens.map(i64::to_be_bytes));
        row.bytes(call.output_tokens.map(i64::to_be_bytes));
        row.bytes(call.cache_read_tokens.map(i64::to_be_bytes));
        row.bytes(call.cache_write_tokens.map(i64::to_be_bytes));
        row.number(call.cost_usd);
        row.text(call.model.as_deref());
        row.text(one.words.error.as_deref());
        // `jsonb` is text after one byte that names its version.
        let variables = one.words.variables.as_deref();
        let variables = variables.map(|variables| format!("\u{1}{variables}"));
        row.text(variables.as_deref());
        row.text(one.words.output.as_deref());
    }

    pub async fn send(self, db: &mut PgConnection) -> Result<(), sqlx::Error> {
        self.0.send(db, EVENTS).await
    }
}

/// Rows of any table.
struct Rows(Vec<u8>);

impl Default for Rows {
    fn default() -> Self {
        let mut bytes = Vec::with_capacity(64 * 1_024);
        bytes.extend_from_slice(b"PGCOPY\n\xff\r\n\0");
        // No flags, no extension.
        bytes.extend_from_slice(&[0; 8]);
        Self(bytes)
    }
}

impl Rows {
    async fn send(mut self, db: &mut PgConnection, statement: &str) -> Result<(), sqlx::Error> {
        self.0.extend_from_slice(&(-1_i16).to_be_bytes());
        let mut copy = db.copy_in_raw(statement).await?;
        copy.send(self.0).await?;
        copy.finish().await?;
        Ok(())
    }

    fn begin(&mut self, n_columns: i16) {
        self.0.extend_from_slice(&n_columns.to_be_bytes());
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
