//! Versions: reading, comparing and saving them, and moving one along its life by hand.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header::LOCATION},
    response::IntoResponse,
};
use domain::{
    actor::{Actor, Permission},
    content::Content,
    diff::{self, ContentDiff},
    field::{FieldError, Fields},
    lifecycle::Status,
    lint::{self, Finding},
    page::Listing,
    prompt::{FullVersion, PromptName, Version},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    auth::Caller,
    body::{Body, Submitted, built, number, word},
    error::Result,
    params::{Checks, FromPath, Other, Part, Query, VersionNumber},
    prompts,
};
use crate::state::AppState;

/// Which rows of a list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// Rows on a page, 1 to 200; 50 when left out.
    limit: Option<String>,
    /// Where the page starts: an earlier page's `next_cursor`.
    cursor: Option<String>,
}

impl Paging {
    /// From a query that has other parameters too.
    pub const fn of(limit: Option<String>, cursor: Option<String>) -> Self {
        Self { limit, cursor }
    }

    /// The page that is wanted.
    pub fn read(&self) -> Result<domain::page::PageRequest> {
        let mut checks = Checks::default();
        let page = checks.page(self.limit.as_deref(), self.cursor.as_deref());
        checks.finish().map(|()| page)
    }
}

/// A prompt's versions, newest first, without what they hold.
#[utoipa::path(get, path = "/prompts/{name}/versions", tag = "versions",
    params(("name" = String, Path, description = "the prompt; `/` as %2F"), Paging),
    responses((status = 200, description = "a page", body = Listing<Version>)))]
pub async fn list(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(name): FromPath<PromptName>,
    Query(paging): Query<Paging>,
) -> Result<Json<Listing<Version>>> {
    let page = paging.read()?;
    let versions = store::versions::list(&state.store, &actor, &name, &page).await?;
    Ok(Json(versions))
}

/// A version to save.
#[derive(ToSchema)]
pub struct NewVersion {
    /// What it holds. `{{> folder/name@7}}` in a message is expanded before it is hashed.
    content: Content,
    /// What was changed and why, for those who read the history.
    #[schema(required = false)]
    change_description: String,
    /// The version it was made from. When another one was saved meanwhile, that is a conflict;
    /// left out, it is whatever is newest on arrival.
    parent: Option<i32>,
}

impl Submitted for NewVersion {
    fn parse(mut fields: Fields) -> Result<Self, Vec<FieldError>> {
        fields.require("content");
        let content = fields
            .take("content")
            .map(|value| Content::parse("content", value));
        let content =
            content.and_then(|content| content.map_err(|errors| fields.absorb(errors)).ok());
        let change_description = fields.text("change_description").unwrap_or_default();
        let parent = number(&mut fields, "parent");
        built(fields, || {
            Some(Self {
                content: content?,
                change_description,
                parent,
            })
        })
    }
}

/// A version that was saved.
#[derive(Serialize, ToSchema)]
pub struct Saved {
    /// The version.
    #[serde(flatten)]
    version: FullVersion,
    /// What a reviewer should look at; none of it stopped the save.
    lint: Vec<Finding>,
}

/// Saves a new version as a draft.
#[utoipa::path(post, path = "/prompts/{name}/versions", tag = "versions", request_body = NewVersion,
    params(("name" = String, Path, description = "the prompt; `/` as %2F")),
    responses(
        (status = 201, description = "it is saved", body = Saved),
        (status = 409, description = "`same_content` or `version_conflict`"),
    ))]
pub async fn create(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(name): FromPath<PromptName>,
    Body(new): Body<NewVersion>,
) -> Result<impl IntoResponse> {
    let now = state.clock.now();
    let version = store::versions::create(
        &state.store,
        &actor,
        &name,
        new.content,
        &new.change_description,
        new.parent,
        now,
    )
    .await?;
    let lint = lint::lint(&version.content);
    let number = version.version.number;
    let location = format!("{}/versions/{number}", prompts::address(&name));
    let saved = Json(Saved { version, lint });
    Ok((StatusCode::CREATED, [(LOCATION, location)], saved))
}

/// One version with what it holds.
#[utoipa::path(get, path = "/prompts/{name}/versions/{number}", tag = "versions",
    params(
        ("name" = String, Path, description = "the prompt; `/` as %2F"),
        ("number" = String, Path, description = "the version's number, or `latest`"),
    ),
    responses((status = 200, description = "the version", body = FullVersion)))]
pub async fn show(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(name): FromPath<PromptName>,
    FromPath(number): FromPath<VersionNumber>,
) -> Result<Json<FullVersion>> {
    find(&state, &actor, &name, number).await.map(Json)
}

async fn find(
    state: &AppState,
    actor: &Actor,
    name: &PromptName,
    wanted: VersionNumber,
) -> Result<FullVersion> {
    let number = number_of(state, actor, name, wanted).await?;
    if let Some(version) = store::versions::find(&state.store, actor, name, number).await? {
        return Ok(version);
    }
    prompts::find(state, actor, name).await?;
    Err(store::Error::NotFound("version").into())
}

async fn number_of(
    state: &AppState,
    actor: &Actor,
    name: &PromptName,
    wanted: VersionNumber,
) -> Result<i32> {
    match wanted {
        VersionNumber::Number(number) => Ok(number),
        VersionNumber::Latest => {
            let latest = prompts::find(state, actor, name).await?.latest_version;
            Ok(latest.ok_or(store::Error::NotFound("version"))?)
        }
    }
}

/// What differs between two versions.
#[derive(Serialize, ToSchema)]
pub struct Compared {
    /// The older side's number.
    from: i32,
    /// The newer side's number.
    to: i32,
    /// One line, such as `2 messages, 1 variable, temperature 0 → 0.2`.
    summary: String,
    /// Whether a caller that worked with the one may be refused by the other.
    breaks_callers: bool,
    /// Everything that differs.
    #[serde(flatten)]
    diff: ContentDiff,
}

/// Compares two versions.
#[utoipa::path(get, path = "/prompts/{name}/versions/{number}/diff/{other}", tag = "versions",
    params(
        ("name" = String, Path, description = "the prompt; `/` as %2F"),
        ("number" = String, Path, description = "the version to compare from, or `latest`"),
        ("other" = String, Path, description = "the version to compare to, or `latest`"),
    ),
    responses((status = 200, description = "the difference", body = Compared)))]
pub async fn compare(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(name): FromPath<PromptName>,
    FromPath(number): FromPath<VersionNumber>,
    FromPath(Other(other)): FromPath<Other>,
) -> Result<Json<Compared>> {
    let old = find(&state, &actor, &name, number).await?;
    let new = find(&state, &actor, &name, other).await?;
    let (from, to) = (old.version.number, new.version.number);
    // Megabytes take a while to compare; other requests go on meanwhile.
    let diff = tokio::task::spawn_blocking(move || diff::diff(&old.content, &new.content))
        .await
        .map_err(|error| super::error::ApiError::internal(&error))?;
    Ok(Json(Compared {
        from,
        to,
        summary: diff.summary(),
        breaks_callers: diff.breaks_callers(),
        diff,
    }))
}

/// Where a version is to go in its life.
#[derive(ToSchema)]
pub struct Move {
    /// `testing` or `deprecated`; `active` comes of serving production.
    status: Status,
    /// Why.
    #[schema(required = false)]
    reason: String,
}

impl Submitted for Move {
    fn parse(mut fields: Fields) -> Result<Self, Vec<FieldError>> {
        fields.require("status");
        let status = word(&mut fields, "status");
        let reason = fields.text("reason").unwrap_or_default();
        built(fields, || {
            Some(Self {
                status: status?,
                reason,
            })
        })
    }
}

/// Moves a version along its life by hand: a draft to testing, or giving one up.
#[utoipa::path(post, path = "/prompts/{name}/versions/{number}/status", tag = "versions", request_body = Move,
    params(
        ("name" = String, Path, description = "the prompt; `/` as %2F"),
        ("number" = String, Path, description = "the version's number, or `latest`"),
    ),
    responses(
        (status = 200, description = "as it is now", body = Version),
        (status = 409, description = "`illegal_status_move`"),
    ))]
pub async fn set_status(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(name): FromPath<PromptName>,
    FromPath(number): FromPath<VersionNumber>,
    Body(to): Body<Move>,
) -> Result<Json<Version>> {
    actor.may(Permission::WriteDrafts)?;
    let number = number_of(&state, &actor, &name, number).await?;
    let now = state.clock.now();
    let version = store::versions::set_status(
        &state.store,
        &actor,
        &name,
        number,
        to.status,
        &to.reason,
        now,
    )
    .await?;
    Ok(Json(version))
}

/// A version that holds the prompt as a snippet.
#[derive(Serialize, ToSchema)]
pub struct Use {
    /// The prompt that uses it.
    prompt: PromptName,
    /// Its version that does.
    version: i32,
    /// The version of this prompt that it is pinned to.
    pinned: i32,
    /// Whether that is the other prompt's newest version.
    is_latest: bool,
}

/// Where a prompt is used as a snippet; the first 200 uses.
#[utoipa::path(get, path = "/prompts/{name}/used-by", tag = "versions",
    params(("name" = String, Path, description = "the prompt; `/` as %2F"), Part),
    responses((status = 200, description = "by prompt, newest version first", body = Listing<Use>)))]
pub async fn uses(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(name): FromPath<PromptName>,
    Query(part): Query<Part>,
) -> Result<Json<Listing<Use>>> {
    prompts::find(&state, &actor, &name).await?;
    let uses = store::versions::uses(&state.store, &actor, &name).await?;
    let items = uses
        .into_iter()
        .map(|one| Use {
            prompt: one.prompt,
            version: one.number,
            pinned: one.snippet_number,
            is_latest: one.is_latest,
        })
        .collect();
    part.slice(items, |one: &Use| {
        format!("{} {} {}", one.prompt, one.version, one.pinned)
    })
}
