//! A page of results, each beside what the run it is held against said.

use std::collections::HashMap;

use domain::{
    diff::text_diff,
    gate,
    id::CaseId,
    run::{Change, Run},
};
use store::runs::{
    compare,
    results::{self, Answer, Which},
};

use super::page;
use crate::{
    context::Cx,
    error::UiError,
    prompts::words::written,
    runs::{
        links::{RunQuery, Show},
        shapes::{Before, Row},
    },
};

/// Results on a page: each comes with what was asked and answered, twice.
const RESULTS: &str = "25";
/// The longest text of an output or a variable on the page, in characters.
const MAX_TEXT: usize = 20_000;

pub async fn rows(
    cx: &Cx,
    run: &Run,
    baseline: Option<&Run>,
    query: &RunQuery,
) -> Result<(Vec<Row>, Option<String>), UiError> {
    let page = page(RESULTS, &query.cursor)?;
    let (store, by) = (&cx.store, &cx.actor);
    let (answers, next_cursor) = if let Some((change, baseline)) = change(query.show).zip(baseline)
    {
        let cases = compare::cases(store, by, baseline.id, run.id, Some(change), &page).await?;
        let ids: Vec<CaseId> = cases.items.iter().map(|case| case.case).collect();
        let answers = results::of_cases(store, by, run.id, &ids).await?;
        (answers, cases.next_cursor)
    } else {
        let which = match query.show {
            Show::Passed => Which::Passed,
            Show::Failed => Which::Failed,
            Show::Errors => Which::Errors,
            Show::All | Show::Lost | Show::Gained | Show::BothPass | Show::BothFail => Which::All,
        };
        let answers = results::list(store, by, run.id, which, None, &page).await?;
        (answers.items, answers.next_cursor)
    };
    let mut ids: Vec<CaseId> = answers.iter().map(|answer| answer.result.case).collect();
    ids.dedup();
    let before = match baseline {
        None => HashMap::new(),
        Some(baseline) => by_case(results::of_cases(store, by, baseline.id, &ids).await?),
    };
    // A case passes by the majority of its repeats, and a page may hold only some of them.
    let after = if baseline.is_some() && run.options.repeats > 1 {
        by_case(results::of_cases(store, by, run.id, &ids).await?)
    } else {
        HashMap::new()
    };
    let rows = answers
        .into_iter()
        .map(|answer| {
            let case = answer.result.case;
            let before = before.get(&case).map(Vec::as_slice);
            let passes = match after.get(&case) {
                Some(repeats) => majority(repeats).0,
                None => answer.result.passed,
            };
            row(answer, passes, before, baseline.is_some())
        })
        .collect();
    Ok((rows, next_cursor))
}

const fn change(show: Show) -> Option<Change> {
    match show {
        Show::Lost => Some(Change::Lost),
        Show::Gained => Some(Change::Gained),
        Show::BothPass => Some(Change::BothPass),
        Show::BothFail => Some(Change::BothFail),
        Show::All | Show::Passed | Show::Failed | Show::Errors => None,
    }
}

fn by_case(answers: Vec<Answer>) -> HashMap<CaseId, Vec<Answer>> {
    let mut found: HashMap<CaseId, Vec<Answer>> = HashMap::new();
    for answer in answers {
        found.entry(answer.result.case).or_default().push(answer);
    }
    found
}

fn majority(repeats: &[Answer]) -> (bool, f64) {
    let passes: Vec<bool> = repeats.iter().map(|answer| answer.result.passed).collect();
    gate::majority(&passes)
}

fn row(answer: Answer, passes: bool, before: Option<&[Answer]>, is_compared: bool) -> Row {
    let Answer { case, result } = answer;
    let majority = before.map(majority);
    // The same repeat, so that what is shown side by side was asked the same way.
    let twin = before.and_then(|repeats| {
        repeats
            .iter()
            .find(|one| one.result.repeat == result.repeat)
            .or(repeats.first())
    });
    let output = result.output.as_deref().map(cut);
    let before = twin.map(|twin| Before {
        passed: twin.result.passed,
        output: twin.result.output.as_deref().map(cut),
        error: twin.result.error.clone(),
    });
    let difference = match (&before, &output) {
        (
            Some(Before {
                output: Some(old), ..
            }),
            Some(new),
        ) if old != new => Some(text_diff(old, new)),
        _ => None,
    };
    let input = case
        .variables
        .iter()
        .chain(&case.placeholders)
        .map(|(name, value)| (name.clone(), cut(&written(value))))
        .collect();
    Row {
        case: result.case,
        position: result.position,
        repeat: result.repeat,
        change: is_compared.then(|| Change::of(majority.map(|(passed, _)| passed), passes)),
        must_pass: case.must_pass,
        is_flaky: majority.is_some_and(|(_, flake_rate)| flake_rate > 0.0),
        note: case.note,
        tags: case.tags,
        input,
        expected: case.expected.as_ref().map(|value| cut(&written(value))),
        passed: result.passed,
        score: result.score,
        scores: result.scores,
        output,
        tool_calls: result
            .tool_calls
            .filter(|calls| !calls.is_empty())
            .map(|calls| crate::prompts::words::pretty(&calls.into())),
        error: result.error,
        before,
        difference,
        latency_ms: result.latency_ms,
        ttft_ms: result.ttft_ms,
        input_tokens: result.input_tokens,
        output_tokens: result.output_tokens,
        cache_read_tokens: result.cache_read_tokens,
        cost_usd: result.cost_usd,
        finish_reason: result.finish_reason,
        answered_by: result.answered_by,
    }
}

/// A text as far as a page shows it.
fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…\n\n(cut here; the API has the whole)", &text[..end]),
    }
}
