//! What the suites' pages ask and do. A plain form is led on by a redirect; with script the page
//! leads on itself, so that the list keeps its place.

use domain::id::SuiteId;
use leptos::{prelude::*, server_fn::codec::Json};

use super::{
    links::{CaseQuery, Opened},
    shapes::{
        CaseForm, CaseView, CasesView, Done, Here, Preview, RevisionsView, ScorerRow, Seen,
        SuiteView, SuitesView,
    },
};
use crate::error::UiError;

#[cfg(feature = "ssr")]
use super::{forms, gather, links};
#[cfg(feature = "ssr")]
use crate::context;

/// A page of suites.
#[server]
pub async fn load_suites(
    project: String,
    prompt: String,
    cursor: String,
) -> Result<SuitesView, UiError> {
    let cx = context::member(&project).await?;
    gather::suites(&cx, &prompt, &cursor).await
}

/// The prompts one may choose from.
#[server]
pub async fn load_prompt_names(project: String) -> Result<Vec<String>, UiError> {
    let cx = context::member(&project).await?;
    gather::prompt_names(&cx).await
}

/// One suite.
#[server]
pub async fn load_suite(here: Here) -> Result<SuiteView, UiError> {
    let cx = context::member(&here.project).await?;
    let suite = gather::suite(&cx, &here.id).await?;
    Ok(SuiteView { suite, now: cx.now })
}

/// A page of its cases.
#[server]
pub async fn load_cases(here: Here, query: CaseQuery) -> Result<CasesView, UiError> {
    let cx = context::member(&here.project).await?;
    gather::cases(&cx, &here.id, &query).await
}

/// A case whole, or what a new one needs.
#[server]
pub async fn load_case(
    here: Here,
    opened: Opened,
    revision: Option<i32>,
) -> Result<CaseView, UiError> {
    let cx = context::member(&here.project).await?;
    gather::case(&cx, &here.id, opened, revision).await
}

/// A page of its revisions.
#[server]
pub async fn load_revisions(here: Here, cursor: String) -> Result<RevisionsView, UiError> {
    let cx = context::member(&here.project).await?;
    gather::revisions(&cx, &here.id, &cursor).await
}

/// Creates a suite and leads to it.
#[server]
pub async fn create_suite(
    project: String,
    name: String,
    prompt: String,
    scorer: String,
) -> Result<(), UiError> {
    use domain::field::FieldError;

    let cx = context::member(&project).await?;
    let new = gather::new_suite(&name, &prompt, &scorer)?;
    let beside =
        |field: &str, message: String| UiError::Invalid(vec![FieldError::new(field, message)]);
    let suite = store::suites::create(&cx.store, &cx.actor, &new, cx.now)
        .await
        .map_err(|error| match error {
            store::Error::NotFound("prompt") => {
                beside("prompt", format!("there is no prompt {}", new.prompt))
            }
            store::Error::Conflict { message, .. } => beside("name", message),
            other => other.into(),
        })?;
    leptos_axum::redirect(&links::tab(&project, suite.id, links::Tab::Cases));
    Ok(())
}

/// Adds a case, or changes one. `since` and `position` come with a case that was there.
#[server]
pub async fn save_case(
    project: String,
    suite: SuiteId,
    seen: Option<Seen>,
    form: CaseForm,
    #[server(default)] back: CaseQuery,
) -> Result<Done, UiError> {
    let cx = context::member(&project).await?;
    let place = seen.map(|seen| seen.position);
    let (_, case) = gather::read_case(&cx, &suite.to_string(), place, &form).await?;
    let (store, by) = (&cx.store, &cx.actor);
    let (changed, words) = match seen {
        None => {
            let case = std::slice::from_ref(&case);
            let changed = store::suites::add_cases(store, by, suite, case, cx.now).await?;
            (changed, "Case added".to_owned())
        }
        Some(Seen {
            id,
            position,
            since,
        }) => {
            let changed =
                store::suites::change_case(store, by, suite, id, &case, Some(since), cx.now)
                    .await?;
            (changed, format!("Case {position} saved"))
        }
    };
    lead_on(&links::cases(&project, suite, &back));
    Ok(Done {
        words: format!("{words}: revision {}", changed.revision),
    })
}

/// Takes a case out.
#[server]
pub async fn remove_case(
    project: String,
    suite: SuiteId,
    seen: Seen,
    #[server(default)] back: CaseQuery,
) -> Result<Done, UiError> {
    let cx = context::member(&project).await?;
    let changed = store::suites::remove_case(&cx.store, &cx.actor, suite, seen.id, cx.now).await?;
    lead_on(&links::cases(&project, suite, &back));
    Ok(Done {
        words: format!(
            "Case {} removed: revision {}",
            seen.position, changed.revision
        ),
    })
}

/// Changes what judges every case.
#[server]
pub async fn set_scorers(
    project: String,
    suite: SuiteId,
    #[server(default)] scorers: Vec<ScorerRow>,
    #[server(default)] threshold: String,
) -> Result<Done, UiError> {
    use domain::field::FieldError;

    let cx = context::member(&project).await?;
    let threshold = match forms::number(&threshold) {
        Ok(number) => number.and_then(|number| number.as_f64()),
        Err(message) => {
            let error = FieldError::new("threshold", message);
            return Err(UiError::Invalid(vec![error]));
        }
    };
    if threshold.is_some_and(|threshold| !(0.0..=1.0).contains(&threshold)) {
        let error = FieldError::new("threshold", "must be from 0 to 1");
        return Err(UiError::Invalid(vec![error]));
    }
    let scorers = forms::read_scorers(&scorers).map_err(UiError::Invalid)?;
    let changed =
        store::suites::set_scorers(&cx.store, &cx.actor, suite, scorers, threshold, cx.now).await?;
    lead_on(&links::tab(&project, suite, links::Tab::Scorers));
    Ok(Done {
        words: format!("Scorers saved: revision {}", changed.revision),
    })
}

/// What a file holds; nothing is added. As JSON, because a form would make a megabyte three of it.
#[server(input = Json)]
pub async fn preview_cases(
    project: String,
    suite: SuiteId,
    format: String,
    text: String,
) -> Result<Preview, UiError> {
    let cx = context::member(&project).await?;
    let suite = gather::suite(&cx, &suite.to_string()).await?;
    let read = gather::read_file(&format, &text)?.held_against(&suite.scorers);
    Ok(gather::preview(&read, &suite))
}

/// Adds the cases of a file. Rows that cannot be read stop it, unless they are to be left out.
#[server]
pub async fn import_cases(
    project: String,
    suite: SuiteId,
    format: String,
    text: String,
    #[server(default)] leave_out: bool,
    #[server(default)] take_scorers: bool,
) -> Result<Done, UiError> {
    use crate::prompts::words::counted;

    let cx = context::member(&project).await?;
    let found = gather::suite(&cx, &suite.to_string()).await?;
    let read = gather::read_file(&format, &text)?;
    let scorers = (take_scorers && !read.scorers.is_empty())
        .then(|| gather::with_scorers(&found, &read.scorers));
    let read = read.held_against(scorers.as_ref().unwrap_or(&found.scorers));
    let is_whole = read.rejected.is_empty();
    if read.cases.is_empty() || !(is_whole || leave_out) {
        return Err(gather::unreadable(&read));
    }
    let n_left_out = read.rejected.len();
    let cases: Vec<_> = read.cases.into_iter().map(|(_, case)| case).collect();
    let (store, by) = (&cx.store, &cx.actor);
    // First, because the cases that are there may refuse them: then nothing is added.
    if let Some(scorers) = scorers {
        let threshold = found.threshold;
        store::suites::set_scorers(store, by, suite, scorers, threshold, cx.now).await?;
    }
    let changed = store::suites::add_cases(store, by, suite, &cases, cx.now).await?;
    lead_on(&links::tab(&project, suite, links::Tab::Cases));
    let number = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let left_out = match n_left_out {
        0 => String::new(),
        n_rows => format!(", {} left out", counted(number(n_rows), "row")),
    };
    Ok(Done {
        words: format!(
            "{} added{left_out}: revision {}",
            counted(number(cases.len()), "case"),
            changed.revision
        ),
    })
}

/// Leads a plain form on. With script the page does it, and keeps its place.
#[cfg(feature = "ssr")]
fn lead_on(address: &str) {
    use axum::http::{header::ACCEPT, request::Parts};

    let is_plain = use_context::<Parts>().is_some_and(|parts| {
        parts
            .headers
            .get(ACCEPT)
            .and_then(|accepted| accepted.to_str().ok())
            .is_some_and(|accepted| accepted.contains("text/html"))
    });
    if is_plain {
        leptos_axum::redirect(address);
    }
}
