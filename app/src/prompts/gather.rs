//! On the server: gathers what a screen shows from the store. No rule is decided here.

use domain::{
    content::Content,
    field::FieldError,
    page::PageRequest,
    prompt::{PRODUCTION, Prompt, PromptName},
};

use super::{
    comparison::compare,
    links::{ListQuery, Order},
    shapes::{
        CompareView, Compared, EditView, HeadView, LastGate, ListView, Listed, Live, SaveOutcome,
        SettingsView, Use, VersionsView,
    },
    tree::Folder,
};
use crate::{
    context::Cx,
    costs::{self, Asked},
    error::UiError,
};

/// Versions offered for comparing.
const MAX_CHOICES: u16 = 200;

/// Versions on one page of the timeline.
const TIMELINE: &str = "20";

pub async fn list(cx: &Cx, query: &ListQuery) -> Result<ListView, UiError> {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let filter = store::prompts::Filter {
        search: some(&query.search),
        tag: some(&query.tag),
        folder: some(&query.folder),
    };
    let order = match query.order {
        Order::Changed => store::prompts::Order::Changed,
        Order::Name => store::prompts::Order::Name,
    };
    let page = page(None, &query.cursor)?;
    let listing = store::prompts::list(&cx.store, &cx.actor, &filter, order, &page).await?;
    let folders = store::prompts::folders(&cx.store, &cx.actor).await?;
    let tags = store::prompts::tags(&cx.store, &cx.actor).await?;
    let environments = store::environments::list(&cx.store, &cx.actor).await?;
    Ok(ListView {
        prompts: standing(cx, listing.items).await?,
        next_cursor: listing.next_cursor,
        environments: environments
            .into_iter()
            .map(|environment| environment.name)
            .collect(),
        folders: folders
            .into_iter()
            .map(|folder| Folder {
                path: folder.folder,
                n_prompts: folder.n_prompts,
            })
            .collect(),
        tags,
        public_url: cx.public_url.to_string(),
        now: cx.now,
    })
}

/// Prompts of a page with what the gate said of them last, and what they did in the last day.
async fn standing(cx: &Cx, prompts: Vec<Prompt>) -> Result<Vec<Listed>, UiError> {
    let mut days = crate::monitor::day::of(cx, &prompts).await?;
    let names: Vec<_> = prompts.iter().map(|prompt| prompt.name.clone()).collect();
    let gates = store::gates::last(&cx.store, &cx.actor, &names).await?;
    Ok(prompts
        .into_iter()
        .map(|prompt| Listed {
            gate: gates.get(&prompt.name).map(|last| LastGate {
                version: last.version,
                run: last.run,
                verdict: last.verdict,
            }),
            day: days.remove(&prompt.name),
            prompt,
        })
        .collect())
}

pub async fn head(cx: &Cx, name: &str) -> Result<HeadView, UiError> {
    let prompt = find(cx, name).await?;
    let serving = prompt
        .serving
        .iter()
        .find(|serving| serving.environment == PRODUCTION);
    let live = match serving {
        None => None,
        Some(serving) => {
            let id = serving.deployment_id;
            let deployment = store::releases::find(&cx.store, &cx.actor, id).await?;
            let coverage = store::consumers::coverage(&cx.store, &cx.actor, id, cx.now).await?;
            let drift = store::drift::last(&cx.store, &cx.actor, &prompt.name).await?;
            deployment.map(|deployment| Live {
                drift,
                serving: serving.clone(),
                content_hash: deployment.content_hash.as_str().to_owned(),
                n_connected: coverage.n_connected,
                n_current: coverage.n_current,
            })
        }
    };
    let report_to = store::suites::main_of(&cx.store, &cx.actor, &prompt.name).await?;
    Ok(HeadView {
        prompt,
        report_to,
        live,
        public_url: cx.public_url.to_string(),
        now: cx.now,
    })
}

pub async fn versions(
    cx: &Cx,
    name: &str,
    number: Option<i32>,
    cursor: &str,
) -> Result<VersionsView, UiError> {
    let prompt = find(cx, name).await?;
    let page = page(Some(TIMELINE), cursor)?;
    let listing = store::versions::list(&cx.store, &cx.actor, &prompt.name, &page).await?;
    let number = number.or(prompt.active_version).or(prompt.latest_version);
    let chosen = match number {
        None => None,
        Some(number) => store::versions::find(&cx.store, &cx.actor, &prompt.name, number).await?,
    };
    let mut uses = uses(cx, &prompt.name).await?;
    uses.retain(|one| Some(one.snippet_number) == number);
    let numbers: Vec<i32> = listing
        .items
        .iter()
        .map(|version| version.number)
        .chain(number)
        .collect();
    let last_runs = crate::runs::gather::last_runs(cx, &prompt.name, &numbers).await?;
    let cache = store::cache_cost::settings(&cx.store, &cx.actor, &prompt.name).await?;
    Ok(VersionsView {
        cache_budget: cache.budget_usd_per_day,
        versions: listing.items,
        next_cursor: listing.next_cursor,
        chosen,
        serving: prompt.serving,
        environments: store::environments::list(&cx.store, &cx.actor).await?,
        uses,
        active: prompt.active_version,
        last_runs,
        now: cx.now,
    })
}

pub async fn comparison(
    cx: &Cx,
    name: &str,
    from: Option<i32>,
    to: Option<i32>,
    asked: Asked,
) -> Result<CompareView, UiError> {
    let prompt = find(cx, name).await?;
    let page = PageRequest::first(MAX_CHOICES);
    let versions = store::versions::list(&cx.store, &cx.actor, &prompt.name, &page)
        .await?
        .items;
    let numbers: Vec<i32> = versions.iter().map(|version| version.number).collect();
    let (from, to) = super::links::pair(&numbers, prompt.active_version, from, to);
    let compared = match (from, to) {
        (Some(from), Some(to)) => {
            let from = version(cx, &prompt.name, from).await?;
            let to = version(cx, &prompt.name, to).await?;
            let versions = (Some(from.version.number), to.version.number);
            Some(Compared {
                cost: costs::gather::change(cx, &prompt.name, PRODUCTION, versions, asked).await?,
                comparison: compare(&from.content, &to.content),
                from: from.version,
                to: to.version,
            })
        }
        _ => None,
    };
    Ok(CompareView { versions, compared })
}

pub async fn edit(cx: &Cx, name: &str, from: Option<i32>) -> Result<EditView, UiError> {
    let prompt = find(cx, name).await?;
    let from = from.or(prompt.latest_version);
    let content = match from {
        None => None,
        Some(number) => {
            let version = version(cx, &prompt.name, number).await?;
            Some(version.source.unwrap_or(version.content))
        }
    };
    Ok(EditView {
        latest: prompt.latest_version.unwrap_or_default(),
        from,
        content,
    })
}

pub async fn settings(cx: &Cx, name: &str) -> Result<SettingsView, UiError> {
    let prompt = find(cx, name).await?;
    let head = head(cx, name).await?;
    Ok(SettingsView {
        cache: store::cache_cost::settings(&cx.store, &cx.actor, &prompt.name).await?,
        uses: uses(cx, &prompt.name).await?,
        description: prompt.description,
        tags: prompt.tags,
        created_at: prompt.created_at,
        latest: prompt.latest_version,
        serving: prompt.serving,
        n_connected: head.live.map(|live| live.n_connected).unwrap_or_default(),
        now: cx.now,
    })
}

pub async fn save(
    cx: &Cx,
    name: &str,
    content: &str,
    change_description: &str,
    parent: i32,
) -> Result<SaveOutcome, UiError> {
    let name = known(name)?;
    let value = serde_json::from_str(content).map_err(|error| {
        UiError::Invalid(vec![FieldError::new(
            "content",
            format!("is no JSON: {error}"),
        )])
    })?;
    let content = Content::parse("content", value).map_err(UiError::Invalid)?;
    let saved = store::versions::create(
        &cx.store,
        &cx.actor,
        &name,
        content,
        change_description,
        Some(parent),
        cx.now,
    )
    .await;
    match saved {
        Ok(saved) => Ok(SaveOutcome::Saved(saved.version.number)),
        Err(store::Error::Conflict {
            code: "version_conflict",
            ..
        }) => {
            let prompt = find(cx, name.as_str()).await?;
            Ok(SaveOutcome::Overtaken(
                prompt.latest_version.unwrap_or_default(),
            ))
        }
        Err(error) => Err(error.into()),
    }
}

/// A name from an address: one that cannot be is one that is not there.
pub fn known(name: &str) -> Result<PromptName, UiError> {
    PromptName::parse(name).map_err(|_| missing("prompt"))
}

/// A number that may be left empty.
pub fn number(field: &str, text: &str) -> Result<Option<f64>, UiError> {
    match text.trim() {
        "" => Ok(None),
        text => text
            .parse()
            .map(Some)
            .map_err(|_| UiError::Invalid(vec![FieldError::new(field, "must be a number")])),
    }
}

/// Tags as people type them: with commas or spaces between them.
pub fn tags(text: &str) -> Vec<String> {
    text.split([',', ' ', '\n', '\t', '\r'])
        .map(str::trim)
        .filter(|tag| !tag.is_empty())
        .map(str::to_owned)
        .collect()
}

fn missing(noun: &str) -> UiError {
    UiError::NotFound(noun.to_owned())
}

async fn find(cx: &Cx, name: &str) -> Result<Prompt, UiError> {
    let name = known(name)?;
    store::prompts::find(&cx.store, &cx.actor, &name)
        .await?
        .ok_or_else(|| missing("prompt"))
}

async fn version(
    cx: &Cx,
    name: &PromptName,
    number: i32,
) -> Result<domain::prompt::FullVersion, UiError> {
    store::versions::find(&cx.store, &cx.actor, name, number)
        .await?
        .ok_or_else(|| missing("version"))
}

async fn uses(cx: &Cx, name: &PromptName) -> Result<Vec<Use>, UiError> {
    let uses = store::versions::uses(&cx.store, &cx.actor, name).await?;
    Ok(uses
        .into_iter()
        .map(|one| Use {
            prompt: one.prompt.to_string(),
            number: one.number,
            snippet_number: one.snippet_number,
            is_latest: one.is_latest,
        })
        .collect())
}

fn page(limit: Option<&str>, cursor: &str) -> Result<PageRequest, UiError> {
    PageRequest::parse(limit, Some(cursor)).map_err(|error| UiError::Refused(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_separated_by_commas_or_spaces() {
        assert_eq!(
            tags(" customer, chat  json,,"),
            ["customer", "chat", "json"]
        );
        assert!(tags(" , ").is_empty());
    }
}
