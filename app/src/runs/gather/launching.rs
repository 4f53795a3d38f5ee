//! What a form that launches a run is made with.

use domain::{id::SuiteId, page::PageRequest, prompt::PromptName};

use super::{MAX_CHOICES, missing};
use crate::{
    context::Cx,
    error::UiError,
    runs::{
        links::ListQuery,
        shapes::{LaunchView, SuiteChoice, Trouble},
    },
};

/// Cases looked at for tags to offer.
const TAGGED: u16 = 200;

/// Suites to choose from, of all prompts or of one.
pub async fn suites(cx: &Cx, prompt: Option<&PromptName>) -> Result<Vec<SuiteChoice>, UiError> {
    let page = PageRequest::first(MAX_CHOICES);
    let suites = store::suites::list(&cx.store, &cx.actor, prompt, &page).await?;
    Ok(suites
        .items
        .into_iter()
        .map(|suite| SuiteChoice {
            id: suite.id,
            name: suite.name,
            prompt: suite.prompt,
            n_cases: suite.n_cases,
            revision: suite.revision,
        })
        .collect())
}

pub async fn launch(
    cx: &Cx,
    query: &ListQuery,
    prompt: Option<PromptName>,
    suite: Option<SuiteId>,
    all: &[SuiteChoice],
) -> Result<LaunchView, UiError> {
    let prompt = match (prompt, suite) {
        (Some(prompt), _) => Some(prompt),
        (None, Some(suite)) => store::suites::find(&cx.store, &cx.actor, suite)
            .await?
            .map(|suite| suite.prompt),
        (None, None) => None,
    };
    let Some(prompt) = prompt else {
        return Ok(LaunchView {
            prompt: None,
            suites: all.to_vec(),
            suite: None,
            versions: Vec::new(),
            version: None,
            tags: Vec::new(),
            providers: Vec::new(),
            trouble: None,
        });
    };
    let found = store::prompts::find(&cx.store, &cx.actor, &prompt)
        .await?
        .ok_or_else(|| missing("prompt"))?;
    let suites = suites(cx, Some(&prompt)).await?;
    let suite = suites
        .iter()
        .find(|one| Some(one.id) == suite)
        .or(suites.first())
        .map(|suite| suite.id);
    let choices = PageRequest::first(MAX_CHOICES);
    let versions = store::versions::list(&cx.store, &cx.actor, &prompt, &choices)
        .await?
        .items;
    let version = query.version.or(found.latest_version);
    let trouble = match version {
        None => None,
        Some(number) => trouble(cx, &prompt, number).await?,
    };
    let tags = match suite {
        None => Vec::new(),
        Some(suite) => tags(cx, suite).await?,
    };
    Ok(LaunchView {
        prompt: Some(prompt),
        suites,
        suite,
        versions,
        version,
        tags,
        providers: providers(cx).await?,
        trouble,
    })
}

async fn providers(cx: &Cx) -> Result<Vec<String>, UiError> {
    let found = store::providers::list(&cx.store, &cx.actor).await?;
    Ok(found.into_iter().map(|provider| provider.name).collect())
}

/// What launching would refuse, said before anybody fills in a form.
async fn trouble(cx: &Cx, prompt: &PromptName, number: i32) -> Result<Option<Trouble>, UiError> {
    let version = store::versions::find(&cx.store, &cx.actor, prompt, number)
        .await?
        .ok_or_else(|| missing("version"))?;
    let Some(model) = version.content.model else {
        return Ok(Some(Trouble::NoModel));
    };
    let providers = store::providers::list(&cx.store, &cx.actor).await?;
    let is_there = providers
        .iter()
        .any(|provider| provider.name == model.provider);
    Ok((!is_there).then_some(Trouble::NoProvider(model.provider)))
}

async fn tags(cx: &Cx, suite: SuiteId) -> Result<Vec<String>, UiError> {
    let page = PageRequest::first(TAGGED);
    let cases = store::suites::cases(&cx.store, &cx.actor, suite, None, None, &page).await?;
    let mut tags: Vec<String> = cases
        .items
        .into_iter()
        .flat_map(|case| case.case.tags)
        .collect();
    tags.sort();
    tags.dedup();
    Ok(tags)
}
