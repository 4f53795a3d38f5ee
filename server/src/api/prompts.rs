//! Prompts: lists, making and describing them.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header::LOCATION},
    response::IntoResponse,
};
use domain::{
    actor::Actor,
    field::{FieldError, Fields},
    page::Listing,
    prompt::{Prompt, PromptName},
};
use serde::Deserialize;
use store::prompts::{Filter, Order};
use utoipa::{IntoParams, ToSchema};

use super::{
    auth::Caller,
    body::{Body, Submitted, built, checked},
    error::Result,
    params::{Checks, FromPath, Query, present},
};
use crate::state::AppState;

/// Which prompts, in which order.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// A part of the name or description, whatever case.
    q: Option<String>,
    /// One tag.
    tag: Option<String>,
    /// A folder and what lies below it.
    folder: Option<String>,
    /// `name` (the default), or `changed` for the last changed first.
    sort: Option<String>,
    /// Rows on a page, 1 to 200; 50 when left out.
    limit: Option<String>,
    /// Where the page starts: an earlier page's `next_cursor`.
    cursor: Option<String>,
}

/// Prompts, page by page.
#[utoipa::path(get, path = "/prompts", tag = "prompts", params(Wanted),
    responses((status = 200, description = "a page", body = Listing<Prompt>)))]
pub async fn list(
    State(state): State<AppState>,
    Caller(actor): Caller,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Listing<Prompt>>> {
    let mut checks = Checks::default();
    let page = checks.page(wanted.limit.as_deref(), wanted.cursor.as_deref());
    let order = match present(wanted.sort.as_deref()) {
        None | Some("name") => Order::Name,
        Some("changed") => Order::Changed,
        Some(_) => {
            checks.refuse("sort", "must be name or changed");
            Order::Name
        }
    };
    checks.finish()?;
    let filter = Filter {
        search: present(wanted.q.as_deref()).map(str::to_owned),
        tag: present(wanted.tag.as_deref()).map(str::to_owned),
        folder: present(wanted.folder.as_deref()).map(str::to_owned),
    };
    let prompts = store::prompts::list(&state.store, &actor, &filter, order, &page).await?;
    Ok(Json(prompts))
}

/// A prompt to make.
#[derive(ToSchema)]
pub struct NewPrompt {
    /// A slug that may hold `/` folders, such as `support/triage`.
    name: PromptName,
    /// What it is for.
    #[schema(required = false)]
    description: String,
    /// Words to find it by.
    #[schema(required = false)]
    tags: Vec<String>,
}

impl Submitted for NewPrompt {
    fn parse(mut fields: Fields) -> Result<Self, Vec<FieldError>> {
        fields.require("name");
        let name = fields.text("name").map(|text| PromptName::parse(&text));
        let name = name.and_then(|name| checked(&mut fields, "name", name));
        let description = fields.text("description").unwrap_or_default();
        let tags = fields.texts("tags").unwrap_or_default();
        built(fields, || {
            Some(Self {
                name: name?,
                description,
                tags,
            })
        })
    }
}

/// Makes a prompt without versions.
#[utoipa::path(post, path = "/prompts", tag = "prompts", request_body = NewPrompt,
    responses((status = 201, description = "it is there", body = Prompt)))]
pub async fn create(
    State(state): State<AppState>,
    Caller(actor): Caller,
    Body(new): Body<NewPrompt>,
) -> Result<impl IntoResponse> {
    let NewPrompt {
        name,
        description,
        tags,
    } = new;
    let now = state.clock.now();
    let prompt =
        store::prompts::create(&state.store, &actor, &name, &description, &tags, now).await?;
    let location = address(&prompt.name);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(prompt)))
}

/// Where a prompt is found; its folders' `/` travel as `%2F`.
pub fn address(name: &PromptName) -> String {
    format!("/api/v1/prompts/{}", name.as_str().replace('/', "%2F"))
}

/// One prompt and what serves its environments.
#[utoipa::path(get, path = "/prompts/{name}", tag = "prompts",
    params(("name" = String, Path, description = "the prompt; `/` as %2F")),
    responses((status = 200, description = "the prompt", body = Prompt)))]
pub async fn show(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(name): FromPath<PromptName>,
) -> Result<Json<Prompt>> {
    find(&state, &actor, &name).await.map(Json)
}

/// The prompt, or the answer that there is none.
pub async fn find(state: &AppState, actor: &Actor, name: &PromptName) -> Result<Prompt> {
    let prompt = store::prompts::find(&state.store, actor, name).await?;
    Ok(prompt.ok_or(store::Error::NotFound("prompt"))?)
}

/// What to change of a prompt; what is left out stays.
#[derive(ToSchema)]
pub struct Described {
    /// What it is for.
    description: Option<String>,
    /// Words to find it by.
    tags: Option<Vec<String>>,
}

impl Submitted for Described {
    fn parse(mut fields: Fields) -> Result<Self, Vec<FieldError>> {
        let description = fields.text("description");
        let tags = fields.texts("tags");
        fields.finish(|| Self { description, tags })
    }
}

/// Changes what a prompt is described as; its versions stay as they are.
#[utoipa::path(patch, path = "/prompts/{name}", tag = "prompts", request_body = Described,
    params(("name" = String, Path, description = "the prompt; `/` as %2F")),
    responses((status = 200, description = "as it is now", body = Prompt)))]
pub async fn describe(
    State(state): State<AppState>,
    Caller(actor): Caller,
    FromPath(name): FromPath<PromptName>,
    Body(new): Body<Described>,
) -> Result<Json<Prompt>> {
    let now = state.clock.now();
    let prompt = store::prompts::amend(
        &state.store,
        &actor,
        &name,
        new.description.as_deref(),
        new.tags.as_deref(),
        now,
    )
    .await?;
    Ok(Json(prompt))
}
