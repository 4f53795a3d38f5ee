//! A suite's cases: one by one, many at once from files, and out again.

use axum::{
    Json,
    body::Body as Incoming,
    extract::{FromRequest, Request, State},
    http::{HeaderMap, StatusCode, header},
    response::IntoResponse,
};
use domain::{
    actor::Permission,
    id::{CaseId, SuiteId},
    page::Listing,
    suite::{
        Case, KeptCase, Origin,
        import::{self, Format},
    },
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{
    auth::Caller,
    body::{self, JsonBody},
    error::{ApiError, Result},
    params::{FromPath, Query, present},
    suites,
    versions::Paging,
};
use crate::state::AppState;

/// Which cases.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Only those with this tag.
    tag: Option<String>,
    /// As they were at this revision; as they are now when left out.
    revision: Option<String>,
    /// Rows on a page, 1 to 200; 50 when left out.
    limit: Option<String>,
    /// Where the page starts: an earlier page's `next_cursor`.
    cursor: Option<String>,
}

/// The cases in their order.
#[utoipa::path(get, path = "/suites/{id}/cases", tag = "evals",
    params(("id" = String, Path, description = "the suite"), Wanted),
    responses((status = 200, description = "a page", body = Listing<KeptCase>)))]
pub async fn list(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<SuiteId>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Listing<KeptCase>>> {
    let page = Paging::of(wanted.limit, wanted.cursor).read()?;
    let revision = present(wanted.revision.as_deref())
        .map(|text| {
            text.parse()
                .map_err(|_| ApiError::invalid_field("revision", "must be a revision's number"))
        })
        .transpose()?;
    let tag = present(wanted.tag.as_deref());
    let cases = store::suites::cases(&state.store, &actor, id, revision, tag, &page).await?;
    Ok(Json(cases))
}

/// A file of cases, in the format that its content type or `?format=` names.
pub struct CaseFile {
    format: Format,
    text: String,
    is_preview: bool,
    origin: Origin,
}

/// How a file of cases is to be read.
#[derive(Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Reading {
    /// `json`, `jsonl`, `csv` or `promptfoo`; by the content type when left out.
    format: Option<String>,
    /// `true`: say what would be added and rejected, and add nothing.
    preview: Option<String>,
    /// Where the cases come from: `manual`, `report`, `production` or `import`.
    origin: Option<String>,
}

impl FromRequest<AppState> for CaseFile {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self> {
        let (mut parts, incoming) = request.into_parts();
        let Query(reading) =
            <Query<Reading> as axum::extract::FromRequestParts<AppState>>::from_request_parts(
                &mut parts, state,
            )
            .await?;
        let format = match present(reading.format.as_deref()) {
            Some(word) => read_format(word)?,
            None => format_of(&parts.headers)?,
        };
        let origin = match present(reading.origin.as_deref()) {
            None if format == Format::Jsonl => Origin::Manual,
            None => Origin::Import,
            Some(word) => Origin::ALL
                .into_iter()
                .find(|origin| origin.word() == word)
                .ok_or_else(|| {
                    let words = "must be `manual`, `report`, `production` or `import`";
                    ApiError::invalid_field("origin", words)
                })?,
        };
        let text = read_text(&parts.headers, incoming).await?;
        Ok(Self {
            format,
            text,
            is_preview: reading.preview.as_deref() == Some("true"),
            origin,
        })
    }
}

fn read_format(word: &str) -> Result<Format> {
    match word {
        "json" | "jsonl" => Ok(Format::Jsonl),
        "csv" => Ok(Format::Csv),
        "promptfoo" => Ok(Format::Promptfoo),
        _ => {
            let words = "must be `json`, `jsonl`, `csv` or `promptfoo`";
            Err(ApiError::invalid_field("format", words))
        }
    }
}

async fn read_text(headers: &HeaderMap, incoming: Incoming) -> Result<String> {
    let bytes = body::read(headers, incoming).await?;
    String::from_utf8(bytes.into()).map_err(|error| {
        ApiError::malformed(format!(
            "the body is not UTF-8: byte {} is wrong",
            error.utf8_error().valid_up_to()
        ))
    })
}

fn format_of(headers: &HeaderMap) -> Result<Format> {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .and_then(|kind| kind.split(';').next())
        .map(|kind| kind.trim().to_ascii_lowercase());
    match kind.as_deref() {
        None
        | Some(
            "application/json"
            | "application/x-ndjson"
            | "application/jsonl"
            | "application/jsonlines",
        ) => Ok(Format::Jsonl),
        Some("text/csv") => Ok(Format::Csv),
        Some("application/yaml" | "application/x-yaml" | "text/yaml") => Ok(Format::Promptfoo),
        Some(other) => Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            format!(
                "{other} is no format of cases: send application/json, application/x-ndjson, text/csv or application/yaml"
            ),
        )),
    }
}

/// What came of a file of cases.
#[derive(Serialize, ToSchema)]
pub struct Outcome {
    /// How many cases were added, or would be.
    added: usize,
    /// Rows that were not, each with why.
    rejected: Vec<import::Rejected>,
    /// The suite's revision now.
    revision: i32,
    /// The cases that were added, in their order; none in a preview.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ids: Vec<CaseId>,
    /// What the file said and does not apply here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    /// The first cases as they were read; in a preview only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    preview: Vec<Case>,
}

/// Cases shown of a preview.
const PREVIEW: usize = 20;

/// Adds cases: a JSON array, NDJSON, CSV or a promptfoo configuration. A bad row never rejects its
/// neighbours.
#[utoipa::path(post, path = "/suites/{id}/cases", tag = "evals", request_body = Vec<Case>,
    params(("id" = String, Path, description = "the suite"), Reading),
    responses(
        (status = 200, description = "what came of it, row by row", body = Outcome),
        (status = 409, description = "`too_many_cases`"),
        (status = 415, description = "the content type is no format of cases"),
    ))]
pub async fn add(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<SuiteId>,
    file: CaseFile,
) -> Result<Json<Outcome>> {
    let suite = suites::find(&state, &actor, id).await?;
    let read = import::read(file.format, &file.text).held_against(&suite.scorers);
    let cases: Vec<Case> = read
        .cases
        .into_iter()
        .map(|(_, case)| Case {
            origin: file.origin,
            ..case
        })
        .collect();
    let mut added = Outcome {
        added: cases.len(),
        rejected: read.rejected,
        revision: suite.revision,
        ids: Vec::new(),
        notes: read.notes,
        preview: Vec::new(),
    };
    if file.is_preview {
        added.preview = cases.into_iter().take(PREVIEW).collect();
        return Ok(Json(added));
    }
    // Also when nothing could be read: whoever may not write hears that first.
    actor.may(Permission::RunEvals)?;
    if !cases.is_empty() {
        let now = state.clock.now();
        let changed = store::suites::add_cases(&state.store, &actor, id, &cases, now).await?;
        added.revision = changed.revision;
        added.ids = changed.cases;
    }
    Ok(Json(added))
}

/// In which format.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Writing {
    /// `json`, `jsonl`, `csv` or `promptfoo`; `jsonl` when left out.
    format: Option<String>,
}

/// All cases as a file.
#[utoipa::path(get, path = "/suites/{id}/export", tag = "evals",
    params(("id" = String, Path, description = "the suite"), Writing),
    responses((status = 200, description = "the file", body = String)))]
pub async fn export(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<SuiteId>,
    Query(writing): Query<Writing>,
) -> Result<impl IntoResponse> {
    let suite = suites::find(&state, &actor, id).await?;
    let format = match present(writing.format.as_deref()) {
        None => Format::Jsonl,
        Some(word) => read_format(word)?,
    };
    let cases = store::suites::all_cases(&state.store, &actor, id).await?;
    let (kind, ending) = match format {
        Format::Jsonl => ("application/x-ndjson", "jsonl"),
        Format::Csv => ("text/csv; charset=utf-8", "csv"),
        Format::Promptfoo => ("application/yaml", "yaml"),
    };
    let disposition = format!(
        "attachment; filename=\"suite-{}-r{}.{ending}\"",
        suite.id, suite.revision
    );
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    Ok((headers, import::write(format, &cases)))
}

/// Which state of a case is changed.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Seen {
    /// The revision since which it was as the caller saw it: another one is a conflict.
    since: Option<String>,
}

/// Changes a case; makes a revision.
#[utoipa::path(put, path = "/suites/{id}/cases/{case}", tag = "evals", request_body = Case,
    params(("id" = String, Path, description = "the suite"),
           ("case" = String, Path, description = "the case"), Seen),
    responses(
        (status = 200, description = "the revision it made", body = Outcome),
        (status = 409, description = "`case_conflict`"),
    ))]
pub async fn change(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<SuiteId>,
    FromPath(case): FromPath<CaseId>,
    Query(seen): Query<Seen>,
    JsonBody(body): JsonBody,
) -> Result<Json<Outcome>> {
    let new = read_case(&body)?;
    let since = present(seen.since.as_deref())
        .map(|text| {
            text.parse()
                .map_err(|_| ApiError::invalid_field("since", "must be a revision's number"))
        })
        .transpose()?;
    let now = state.clock.now();
    let changed =
        store::suites::change_case(&state.store, &actor, id, case, &new, since, now).await?;
    Ok(Json(Outcome::changed(changed)))
}

fn read_case(body: &Value) -> Result<Case> {
    Case::parse(body, Origin::Manual).map_err(|errors| ApiError::invalid(&errors))
}

/// Takes a case out; makes a revision, and earlier ones keep it.
#[utoipa::path(delete, path = "/suites/{id}/cases/{case}", tag = "evals",
    params(("id" = String, Path, description = "the suite"),
           ("case" = String, Path, description = "the case")),
    responses((status = 200, description = "the revision it made", body = Outcome)))]
pub async fn remove(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(id): FromPath<SuiteId>,
    FromPath(case): FromPath<CaseId>,
) -> Result<Json<Outcome>> {
    let now = state.clock.now();
    let changed = store::suites::remove_case(&state.store, &actor, id, case, now).await?;
    Ok(Json(Outcome::changed(changed)))
}

impl Outcome {
    fn changed(changed: store::suites::Changed) -> Self {
        Self {
            added: 0,
            rejected: Vec::new(),
            revision: changed.revision,
            ids: changed.cases,
            notes: Vec::new(),
            preview: Vec::new(),
        }
    }
}
