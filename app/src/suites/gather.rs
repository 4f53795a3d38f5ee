//! On the server: gathers what the suites' pages show. No rule is decided here.

use domain::{
    field::FieldError,
    id::SuiteId,
    page::PageRequest,
    prompt::PromptName,
    suite::{
        Case, KeptCase, NewSuite, Scorer, ScorerKind, Suite,
        import::{self, Format, Imported},
    },
    variable::Variable,
};

use super::{
    forms,
    links::{CaseQuery, Opened},
    shapes::{CaseForm, CaseLine, CaseView, CasesView, Preview, RevisionsView, SuitesView},
    words,
};
use crate::{context::Cx, error::UiError};

/// Prompts offered to choose from.
const MAX_PROMPTS: u16 = 200;

/// Cases and rejected rows shown of a file.
const PREVIEW: usize = 20;

pub async fn suites(cx: &Cx, prompt: &str, cursor: &str) -> Result<SuitesView, UiError> {
    let prompt = match prompt.trim() {
        "" => None,
        name => Some(name_of(name)?),
    };
    let page = page(cursor)?;
    let suites = store::suites::list(&cx.store, &cx.actor, prompt.as_ref(), &page).await?;
    Ok(SuitesView {
        suites,
        now: cx.now,
    })
}

pub async fn prompt_names(cx: &Cx) -> Result<Vec<String>, UiError> {
    let filter = store::prompts::Filter::default();
    let page = PageRequest::first(MAX_PROMPTS);
    let order = store::prompts::Order::Name;
    let prompts = store::prompts::list(&cx.store, &cx.actor, &filter, order, &page).await?;
    Ok(prompts
        .items
        .into_iter()
        .map(|prompt| prompt.name.to_string())
        .collect())
}

/// The suite an address names.
pub async fn suite(cx: &Cx, id: &str) -> Result<Suite, UiError> {
    let missing = || UiError::NotFound("suite".to_owned());
    let id: SuiteId = id.parse().map_err(|_| missing())?;
    store::suites::find(&cx.store, &cx.actor, id)
        .await?
        .ok_or_else(missing)
}

pub async fn cases(cx: &Cx, id: &str, query: &CaseQuery) -> Result<CasesView, UiError> {
    let suite = suite(cx, id).await?;
    let tag = Some(query.tag.as_str()).filter(|tag| !tag.is_empty());
    let page = page(&query.cursor)?;
    let (store, by) = (&cx.store, &cx.actor);
    let cases = store::suites::cases(store, by, suite.id, query.revision, tag, &page).await?;
    Ok(CasesView {
        cases: cases.map(|kept| line(kept.position, &kept.case)),
        n_cases: suite.n_cases,
    })
}

fn line(position: i32, case: &Case) -> CaseLine {
    CaseLine {
        position,
        variables: words::variables(&case.variables, 160),
        expected: case
            .expected
            .as_ref()
            .map(|expected| words::line(expected, 80)),
        tags: case.tags.clone(),
        n_scorers: case.scorers.len(),
        origin: case.origin,
        note: words::clipped(&case.note, 120),
    }
}

pub async fn revisions(cx: &Cx, id: &str, cursor: &str) -> Result<RevisionsView, UiError> {
    let suite = suite(cx, id).await?;
    let page = page(cursor)?;
    let revisions = store::suites::revisions(&cx.store, &cx.actor, suite.id, &page).await?;
    Ok(RevisionsView {
        revisions,
        now: cx.now,
    })
}

pub async fn case(
    cx: &Cx,
    id: &str,
    opened: Opened,
    revision: Option<i32>,
) -> Result<CaseView, UiError> {
    let suite = suite(cx, id).await?;
    let revision = revision.filter(|revision| *revision < suite.revision);
    let kept = match opened {
        Opened::New | Opened::Report => None,
        Opened::At(place) => Some(
            at(cx, suite.id, place, revision)
                .await?
                .ok_or_else(|| UiError::NotFound("case".to_owned()))?,
        ),
    };
    let declared = declared(cx, &suite.prompt).await?;
    let case = kept.as_ref().map(|kept| &kept.case);
    Ok(CaseView {
        variables: forms::variable_fields(&declared, case),
        suite,
        kept,
        is_past: revision.is_some(),
        is_report: opened == Opened::Report,
    })
}

async fn at(
    cx: &Cx,
    id: SuiteId,
    place: i32,
    revision: Option<i32>,
) -> Result<Option<KeptCase>, UiError> {
    let before = place.saturating_sub(1).to_string();
    let page = PageRequest::following(before, 1);
    let found = store::suites::cases(&cx.store, &cx.actor, id, revision, None, &page).await?;
    Ok(found.items.into_iter().find(|kept| kept.position == place))
}

/// What the newest version of a prompt asks its callers for.
async fn declared(cx: &Cx, prompt: &PromptName) -> Result<Vec<Variable>, UiError> {
    let found = store::prompts::find(&cx.store, &cx.actor, prompt).await?;
    let Some(number) = found.and_then(|prompt| prompt.latest_version) else {
        return Ok(Vec::new());
    };
    let version = store::versions::find(&cx.store, &cx.actor, prompt, number).await?;
    Ok(version
        .map(|version| version.content.declared().to_vec())
        .unwrap_or_default())
}

/// A case as it was submitted, and what it was before.
pub async fn read_case(
    cx: &Cx,
    id: &str,
    place: Option<i32>,
    form: &CaseForm,
) -> Result<(Suite, Case), UiError> {
    let suite = suite(cx, id).await?;
    let before = match place {
        None => None,
        Some(place) => at(cx, suite.id, place, None).await?,
    };
    let declared = declared(cx, &suite.prompt).await?;
    let before = before.as_ref().map(|kept| &kept.case);
    let case = forms::read_case(form, &declared, before).map_err(UiError::Invalid)?;
    Ok((suite, case))
}

/// A suite as somebody asks for it, with the first of its scorers.
pub fn new_suite(name: &str, prompt: &str, scorer: &str) -> Result<NewSuite, UiError> {
    let mut errors = Vec::new();
    let name = name.trim();
    if let Err(message) = domain::suite::check_name(name) {
        errors.push(FieldError::new("name", message));
    }
    let prompt = PromptName::parse(prompt.trim());
    if let Err(error) = &prompt {
        errors.push(FieldError::new("prompt", error.to_string()));
    }
    match prompt {
        Ok(prompt) if errors.is_empty() => Ok(NewSuite {
            name: name.to_owned(),
            prompt,
            scorers: ScorerKind::from_word(scorer)
                .map(|kind| Scorer::new(kind, None))
                .into_iter()
                .collect(),
            threshold: None,
        }),
        _ => Err(UiError::Invalid(errors)),
    }
}

fn name_of(name: &str) -> Result<PromptName, UiError> {
    PromptName::parse(name)
        .map_err(|error| UiError::Invalid(vec![FieldError::new("prompt", error.to_string())]))
}

fn page(cursor: &str) -> Result<PageRequest, UiError> {
    PageRequest::parse(None, Some(cursor)).map_err(|error| UiError::Refused(error.to_string()))
}

/// Reads a file of cases.
pub fn read_file(format: &str, text: &str) -> Result<Imported, UiError> {
    let format = [Format::Csv, Format::Jsonl, Format::Promptfoo]
        .into_iter()
        .find(|one| one.word() == format)
        .ok_or_else(|| UiError::Refused("the form cannot be read: no such format".to_owned()))?;
    if text.trim().is_empty() {
        let message = "is empty: paste the file here, or choose one";
        return Err(UiError::Invalid(vec![FieldError::new("text", message)]));
    }
    Ok(import::read(format, text))
}

pub fn preview(read: &Imported, suite: &Suite) -> Preview {
    let n_cases = read.cases.len();
    let first = read.cases.iter().take(PREVIEW);
    Preview {
        n_cases,
        first: first
            .map(|(index, case)| {
                let row = i32::try_from(index + 1).unwrap_or(i32::MAX);
                line(row, case)
            })
            .collect(),
        n_rejected: read.rejected.len(),
        rejected: rejected(read, PREVIEW),
        is_unreadable: is_unreadable(read),
        notes: read.notes.clone(),
        scorers: read.scorers.iter().map(words::scorer).collect(),
        n_after: n_cases + usize::try_from(suite.n_cases).unwrap_or_default(),
    }
}

/// Whether the file is not even of its format: that is one rejected row 0, with no other.
fn is_unreadable(read: &Imported) -> bool {
    let is_one = read.cases.is_empty() && read.rejected.len() == 1;
    is_one && read.rejected[0].reason.starts_with("the file ")
}

fn rejected(read: &Imported, most: usize) -> Vec<(usize, String)> {
    let first = usize::from(!is_unreadable(read));
    let rows = read.rejected.iter().take(most);
    rows.map(|row| (row.index + first, row.reason.clone()))
        .collect()
}

/// Why nothing was added: the first rows that cannot be read. Short, because without script it
/// travels in an address.
pub fn unreadable(read: &Imported) -> UiError {
    const MOST: usize = 10;
    let mut rows: Vec<String> = rejected(read, MOST)
        .into_iter()
        .map(|(row, reason)| {
            let reason = words::clipped(&reason, 200);
            match row {
                0 => reason,
                row => format!("row {row}: {reason}"),
            }
        })
        .collect();
    let n_more = read.rejected.len().saturating_sub(rows.len());
    if n_more > 0 {
        rows.push(format!("and {n_more} more"));
    }
    let n_good = read.cases.len();
    let message = match (rows.is_empty(), n_good) {
        (true, _) => "holds no cases".to_owned(),
        (false, 0) => format!("holds no case that can be read: {}", rows.join("; ")),
        (false, _) => format!(
            "cannot be read whole, so nothing was added; {n_good} of its rows are fine. {}",
            rows.join("; ")
        ),
    };
    UiError::Invalid(vec![FieldError::new("text", message)])
}

/// The suite's scorers with those of a file: what the file says of a type goes before.
pub fn with_scorers(suite: &Suite, more: &[Scorer]) -> Vec<Scorer> {
    let is_replaced = |scorer: &&Scorer| {
        more.iter()
            .any(|new| new.kind == scorer.kind && new.not == scorer.not)
    };
    let kept = suite.scorers.iter().filter(|scorer| !is_replaced(scorer));
    kept.chain(more).cloned().collect()
}
