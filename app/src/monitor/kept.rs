//! On the server: calls that were kept to be read, and their way into a golden suite.

use domain::{
    id::SuiteId,
    page::PageRequest,
    prompt::PromptName,
    suite::{Case, Origin, scorers_of},
};
use serde_json::json;

use super::shapes::{SampleRow, Sampling, SuiteChoice};
use crate::{context::Cx, error::UiError, ui::time::exact};

/// Samples shown.
const SAMPLES: u16 = 20;
/// Suites offered.
const SUITES: u16 = 100;

pub async fn sampling(cx: &Cx) -> Result<Sampling, UiError> {
    let kept = store::sampling::find(&cx.store, &cx.actor).await?;
    Ok(Sampling {
        // Shares are typed in percent: rounding leaves nothing behind.
        share: format!("{}", (kept.share * 1e6).round() / 1e4),
        patterns: kept.patterns.join("\n"),
    })
}

pub async fn samples(
    cx: &Cx,
    name: &PromptName,
    environment: Option<&str>,
) -> Result<Vec<SampleRow>, UiError> {
    let kept = store::sampling::list(&cx.store, &cx.actor, name, environment, SAMPLES).await?;
    Ok(kept
        .into_iter()
        .map(|sample| SampleRow {
            id: sample.id.to_string(),
            version: sample
                .version
                .map_or_else(|| "no version".to_owned(), |number| format!("v{number}")),
            at: sample.at,
            variables: sample
                .variables
                .as_ref()
                .map(crate::prompts::words::pretty)
                .unwrap_or_default(),
            output: sample.output.unwrap_or_default(),
            error: sample.error,
        })
        .collect())
}

pub async fn suites(cx: &Cx, name: &PromptName) -> Result<Vec<SuiteChoice>, UiError> {
    let page = PageRequest::first(SUITES);
    let found = store::suites::list(&cx.store, &cx.actor, Some(name), &page).await?;
    Ok(found
        .items
        .into_iter()
        .map(|suite| SuiteChoice {
            id: suite.id.to_string(),
            name: suite.name,
        })
        .collect())
}

/// Puts a sample into a suite as its last case; the suite.
pub async fn add_sample(cx: &Cx, sample: &str, suite: &str) -> Result<String, UiError> {
    let missing = |noun: &str| UiError::NotFound(noun.to_owned());
    let id = sample.parse().map_err(|_| missing("sample"))?;
    let suite: SuiteId = suite.parse().map_err(|_| missing("suite"))?;
    let kept = store::sampling::get(&cx.store, &cx.actor, id).await?;
    let version = kept
        .version
        .map_or_else(String::new, |number| format!(" by v{number}"));
    let submitted = json!({
        "variables": kept.variables.unwrap_or_else(|| json!({})),
        "expected": kept.output,
        "tags": ["production"],
        "note": format!("A call{version} at {}, as it was answered: check what is expected.", exact(kept.at)),
    });
    let case = Case::parse(&submitted, Origin::Production).map_err(UiError::Invalid)?;
    let found = store::suites::find(&cx.store, &cx.actor, suite)
        .await?
        .ok_or_else(|| missing("suite"))?;
    scorers_of(&found.scorers, &case).map_err(UiError::Invalid)?;
    store::suites::add_cases(&cx.store, &cx.actor, suite, &[case], cx.now).await?;
    Ok(suite.to_string())
}
