//! Two runs case by case: paired, because the same cases were run under both.

use std::collections::HashMap;

use domain::{
    actor::{Actor, Permission},
    gate::{CasePair, majority},
    id::{CaseId, RunId},
    page::{Listing, PageRequest},
    run::{Change, ComparedCase, is_of_provider},
};
use sqlx::PgConnection;

use crate::{Error, Result, Store};

struct Found {
    id: CaseId,
    position: i32,
    passes: Vec<bool>,
    errors: Vec<Option<String>>,
    must_pass: bool,
}

impl Found {
    /// Whether it counts as failed only because the provider gave no answer.
    fn is_unanswered(&self) -> bool {
        let is_silent = |error: &String| is_of_provider(error);
        !majority(&self.passes).0 && self.errors.iter().flatten().any(is_silent)
    }
}

async fn found(db: &mut PgConnection, run: RunId) -> Result<Vec<Found>> {
    let rows = sqlx::query_as!(
        Found,
        r#"select case_id as "id: CaseId", run_result.position,
                  array_agg(coalesce(run_result.passed, false) order by repeat) as "passes!",
                  array_agg(error order by repeat) as "errors!: Vec<Option<String>>",
                  coalesce(bool_or((body ->> 'must_pass')::boolean), false) as "must_pass!"
           from run_result
           join run using (run_id)
           join suite_case using (case_id)
           where run_id = $1 and since <= run.revision and (until is null or until > run.revision)
           group by case_id, run_result.position
           order by run_result.position"#,
        run.0,
    )
    .fetch_all(db)
    .await?;
    Ok(rows)
}

/// The candidate's cases, each with what the baseline made of it. A case without a result has not
/// passed: what could not be looked at is not in order.
pub(crate) async fn pairs(
    db: &mut PgConnection,
    baseline: Option<RunId>,
    run: RunId,
) -> Result<Vec<CasePair>> {
    let before = match baseline {
        Some(baseline) => before(&mut *db, baseline).await?,
        None => HashMap::new(),
    };
    Ok(found(db, run)
        .await?
        .into_iter()
        .map(|case| pair(&before, &case))
        .collect())
}

/// What a gate looks at.
pub(crate) struct ForGate {
    /// As [`pairs`] gives them.
    pub pairs: Vec<CasePair>,
    /// Those among them that the provider answered.
    pub answered: Vec<CasePair>,
    /// How many of the baseline's and of the candidate's cases it did not answer.
    pub n_unanswered: (u64, u64),
}

/// The candidate's cases for a gate.
pub(crate) async fn for_gate(
    db: &mut PgConnection,
    baseline: Option<RunId>,
    run: RunId,
) -> Result<ForGate> {
    let silent = |found: &[Found]| found.iter().filter(|case| case.is_unanswered()).count() as u64;
    let before = match baseline {
        Some(baseline) => found(&mut *db, baseline).await?,
        None => Vec::new(),
    };
    let after = found(&mut *db, run).await?;
    let n_unanswered = (silent(&before), silent(&after));
    let before = majorities(before);
    let (mut pairs, mut answered) = (Vec::with_capacity(after.len()), Vec::new());
    for case in after {
        let pair = pair(&before, &case);
        if !case.is_unanswered() {
            answered.push(pair);
        }
        pairs.push(pair);
    }
    Ok(ForGate {
        pairs,
        answered,
        n_unanswered,
    })
}

fn majorities(cases: Vec<Found>) -> HashMap<CaseId, (bool, f64)> {
    cases
        .into_iter()
        .map(|case| (case.id, majority(&case.passes)))
        .collect()
}

async fn before(db: &mut PgConnection, baseline: RunId) -> Result<HashMap<CaseId, (bool, f64)>> {
    Ok(majorities(found(db, baseline).await?))
}

fn pair(before: &HashMap<CaseId, (bool, f64)>, case: &Found) -> CasePair {
    let before = before.get(&case.id).copied();
    CasePair {
        passed_before: before.map(|(passed, _)| passed),
        passed_after: majority(&case.passes).0,
        must_pass: case.must_pass,
        flaky: before.is_some_and(|(_, flake_rate)| flake_rate > 0.0),
    }
}

/// All pairs of two runs of the same suite revision.
pub async fn pairs_of(
    store: &Store,
    by: &Actor,
    baseline: RunId,
    run: RunId,
) -> Result<Vec<CasePair>> {
    check_comparable(store, by, baseline, run).await?;
    let mut db = store.pool.acquire().await?;
    pairs(&mut db, Some(baseline), run).await
}

/// A page of the cases of two runs of the same suite revision, in the suite's order; all or those
/// that changed in one way.
pub async fn cases(
    store: &Store,
    by: &Actor,
    baseline: RunId,
    run: RunId,
    which: Option<Change>,
    page: &PageRequest,
) -> Result<Listing<ComparedCase>> {
    check_comparable(store, by, baseline, run).await?;
    let after = page
        .after_number()
        .ok()
        .ok_or_else(|| Error::invalid("cursor", "is not one that an earlier page gave"))?;
    let mut db = store.pool.acquire().await?;
    let before = before(&mut db, baseline).await?;
    let fetch = usize::try_from(page.fetch()).unwrap_or(usize::MAX);
    let cases: Vec<_> = found(&mut db, run)
        .await?
        .into_iter()
        .filter(|case| after.is_none_or(|after| i64::from(case.position) > after))
        .map(|case| {
            let pair = pair(&before, &case);
            ComparedCase {
                case: case.id,
                position: case.position,
                change: Change::of(pair.passed_before, pair.passed_after),
                must_pass: case.must_pass,
                flaky: pair.flaky,
            }
        })
        .filter(|case| which.is_none_or(|which| which == case.change))
        .take(fetch)
        .collect();
    Ok(Listing::of(cases, page, |case: &ComparedCase| {
        case.position.to_string()
    }))
}

/// Refuses runs that were not of the same cases.
async fn check_comparable(store: &Store, by: &Actor, baseline: RunId, run: RunId) -> Result<()> {
    by.may(Permission::ReadEvals)?;
    let row = sqlx::query!(
        r#"select a.suite_id = b.suite_id as "same_suite!", a.revision as revision_a, b.revision as revision_b
           from run as a, run as b
           where a.project_id = $1 and b.project_id = $1 and a.run_id = $2 and b.run_id = $3"#,
        by.project.0,
        baseline.0,
        run.0,
    )
    .fetch_optional(&store.pool)
    .await?
    .ok_or(Error::NotFound("run"))?;
    if !row.same_suite {
        return Err(Error::conflict(
            "other_suite",
            "these runs are of different suites: only the same cases can be compared",
        ));
    }
    if row.revision_a != row.revision_b {
        return Err(Error::conflict(
            "other_revision",
            format!(
                "these runs are of revisions {} and {} of the suite: run one of them again",
                row.revision_a, row.revision_b
            ),
        ));
    }
    Ok(())
}
