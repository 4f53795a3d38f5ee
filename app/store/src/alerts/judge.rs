//! Judges every rule by what is read now. One judge at a time, on whichever server: it holds an
//! advisory lock as long as it looks. What it looks at is read in `load`; what changes an alert and
//! what is told of it is one transaction for each rule, in `write`.

use std::collections::{BTreeMap, BTreeSet, HashMap, btree_map::Entry};

use chrono::{DateTime, Utc};
use domain::{
    alert::{Move, NewRule, Reading, Standing, State},
    id::{AlertId, AlertRuleId, EnvironmentId, ProjectId, PromptId},
};
use uuid::Uuid;

use super::findings::{Finding, Question, ask, gone};
use crate::{Result, Store};

mod load;
mod write;

use load::{load_known, load_pending, load_rules};

/// The lock that the judge holds: any number that nobody else uses.
const JUDGE_LOCK: i64 = 0x00C0_E11E_A1E7;

/// The name under which the judge acts.
pub(in crate::alerts) const JUDGE: &str = "alerts";

/// A rule, as the judge needs it.
struct Judged {
    id: AlertRuleId,
    project: ProjectId,
    plan: NewRule,
    prompt: Option<PromptId>,
    environment: Option<EnvironmentId>,
    is_removed: bool,
    last_told_at: Option<DateTime<Utc>>,
}

/// An alert that fires, or that people still believe to.
struct Known {
    id: AlertId,
    subject: String,
    sentence: String,
    is_firing: bool,
    is_acknowledged: bool,
    below_since: Option<DateTime<Utc>>,
    told_at: Option<DateTime<Utc>>,
    is_believed: bool,
}

/// What a rule's readings bring about.
#[derive(Default)]
struct Changes<'a> {
    raised: Vec<&'a Finding>,
    resolved: Vec<(AlertId, String)>,
    /// What only the judge sees: nothing to tell anybody.
    pending: Vec<&'a str>,
    settled: Vec<String>,
    below: Vec<(AlertId, Option<DateTime<Utc>>)>,
    read: Vec<(AlertId, f64, &'a str)>,
}

/// Judges all rules once; true if anything changed or was told. Does nothing while another judges.
pub async fn judge(store: &Store, now: DateTime<Utc>) -> Result<bool> {
    let mut lock = store.pool.begin().await?;
    let is_mine = sqlx::query_scalar!(
        r#"select pg_try_advisory_xact_lock($1) as "is_mine!""#,
        JUDGE_LOCK
    )
    .fetch_one(&mut *lock)
    .await?;
    if !is_mine {
        return Ok(false);
    }
    let rules = load_rules(store).await?;
    let mut known = load_known(store).await?;
    let mut pending = load_pending(store).await?;
    // Each question is asked once, of the projects whose rules ask it.
    let mut projects: BTreeMap<Question, Vec<Uuid>> = BTreeMap::new();
    for rule in rules.iter().filter(|rule| rule.is_on()) {
        projects
            .entry(rule.question())
            .or_default()
            .push(rule.project.0);
    }
    let mut answers: BTreeMap<Question, Vec<Finding>> = BTreeMap::new();
    let mut is_any = false;
    for rule in &rules {
        let question = rule.question();
        if let Entry::Vacant(place) = answers.entry(question) {
            let of = projects.get(&question).map_or(&[][..], Vec::as_slice);
            match ask(store, question, of, now).await {
                Ok(findings) => place.insert(findings),
                Err(error @ crate::Error::Unavailable(_)) => return Err(error),
                // What cannot be read is not gone: its rules are judged the next time.
                Err(error) => {
                    tracing::warn!(rule.id = %rule.id, %error, "a rule's readings cannot be read");
                    continue;
                }
            };
        }
        let findings = answers.get(&question).map_or(&[][..], Vec::as_slice);
        let known = known.remove(&rule.id).unwrap_or_default();
        let pending = pending.remove(&rule.id).unwrap_or_default();
        let changes = rule.changes(findings, &known, &pending, now);
        // One rule that cannot be judged keeps none of the others from it.
        match rule.apply(store, &known, changes, now).await {
            Ok(is_changed) => is_any |= is_changed,
            Err(error @ crate::Error::Unavailable(_)) => return Err(error),
            Err(error) => {
                tracing::warn!(rule.id = %rule.id, %error, "a rule was not judged");
            }
        }
    }
    lock.commit().await?;
    Ok(is_any)
}

impl Judged {
    fn is_on(&self) -> bool {
        self.plan.enabled && !self.is_removed
    }

    fn question(&self) -> Question {
        let kind = self.plan.kind;
        // Only what is measured is asked anew for each window.
        let (window_minutes, min_requests) = if kind.is_measured() {
            (self.plan.window_minutes, self.plan.min_requests)
        } else {
            (0, 0)
        };
        Question {
            kind,
            window_minutes,
            min_requests,
        }
    }

    fn watches(&self, finding: &Finding) -> bool {
        self.is_on()
            && finding.project == self.project
            && self
                .prompt
                .is_none_or(|prompt| finding.prompt == Some(prompt))
            && self.environment.is_none_or(|environment| {
                finding.environment.is_none_or(|found| found == environment)
            })
    }

    fn changes<'a>(
        &self,
        findings: &'a [Finding],
        known: &[Known],
        pending: &HashMap<String, DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Changes<'a> {
        let hysteresis = self.plan.hysteresis();
        let found: BTreeMap<&str, &Finding> = findings
            .iter()
            .filter(|finding| self.watches(finding))
            .map(|finding| (finding.subject.as_str(), finding))
            .collect();
        let firing: BTreeMap<&str, &Known> = known
            .iter()
            .filter(|alert| alert.is_firing)
            .map(|alert| (alert.subject.as_str(), alert))
            .collect();
        let subjects: BTreeSet<&str> = found
            .keys()
            .copied()
            .chain(firing.keys().copied())
            .chain(pending.keys().map(String::as_str))
            .collect();
        let mut changes = Changes::default();
        for subject in subjects {
            let finding = found.get(subject).copied();
            let alert = firing.get(subject).copied();
            let before = match (alert, pending.get(subject)) {
                (Some(alert), _) => State::Firing {
                    below_since: alert.below_since,
                },
                (None, Some(since)) => State::Pending { since: *since },
                (None, None) => State::Quiet,
            };
            let reading = finding.map_or(Reading::Gone, |finding| finding.reading);
            let (after, brought) = before.step(&hysteresis, reading, now);
            if matches!(before, State::Pending { .. }) && !matches!(after, State::Pending { .. }) {
                changes.settled.push(subject.to_owned());
            }
            match (brought, finding, alert) {
                (Move::Raised, Some(finding), _) => changes.raised.push(finding),
                (Move::Resolved, finding, Some(alert)) => {
                    changes.resolved.push((alert.id, self.why_over(finding)));
                }
                (Move::Stays, Some(finding), None) => {
                    if matches!((before, after), (State::Quiet, State::Pending { .. })) {
                        changes.pending.push(&finding.subject);
                    }
                }
                (Move::Stays, Some(finding), Some(alert)) => {
                    if let State::Firing { below_since } = after
                        && below_since != alert.below_since
                    {
                        changes.below.push((alert.id, below_since));
                    }
                    if let Reading::At(value) = finding.reading
                        && finding.sentence != alert.sentence
                    {
                        changes.read.push((alert.id, value, &finding.sentence));
                    }
                }
                (Move::Raised | Move::Resolved | Move::Stays, _, _) => {}
            }
        }
        changes
    }

    fn why_over(&self, finding: Option<&Finding>) -> String {
        match finding {
            Some(finding) if !finding.sentence.is_empty() => finding.sentence.clone(),
            Some(_) => "It reads well again.".to_owned(),
            None if self.is_removed => "The rule was removed.".to_owned(),
            None if !self.plan.enabled => "The rule was turned off.".to_owned(),
            None => gone(self.plan.kind).to_owned(),
        }
    }
}

impl Known {
    fn standing(&self) -> Standing<AlertId> {
        Standing {
            key: self.id,
            is_firing: self.is_firing,
            is_acknowledged: self.is_acknowledged,
            told_at: self.told_at,
            is_believed: self.is_believed,
        }
    }
}
