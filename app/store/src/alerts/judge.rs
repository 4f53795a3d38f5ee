//! Judges every rule by what is read now. One judge at a time, on whichever server: it holds an
//! advisory lock as long as it looks. What changes an alert and what is told of it is one
//! transaction for each rule.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use domain::{
    actor::Who,
    alert::{Happened, Kind, Move, NewRule, Notification, Reading, Standing, State, due},
    id::{AlertId, AlertRuleId, EnvironmentId, ProjectId, PromptId},
    webhook::{AlertLine, AlertNotice},
};
use serde_json::json;

use super::{
    findings::{Finding, Question, ask, gone},
    note_down,
};
use crate::{Result, Store, new_id, tx::Command, webhooks};

/// The lock that the judge holds: any number that nobody else uses.
const JUDGE_LOCK: i64 = 0x00C0_E11E_A1E7;

/// The name under which the judge acts.
pub(super) const JUDGE: &str = "alerts";

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
    let mut answers: BTreeMap<Question, Vec<Finding>> = BTreeMap::new();
    let mut is_any = false;
    for rule in &rules {
        let question = Question {
            kind: rule.plan.kind,
            // Only what is measured is asked anew for each window.
            window_minutes: if rule.plan.kind.is_measured() {
                rule.plan.window_minutes
            } else {
                0
            },
            min_requests: if rule.plan.kind.is_measured() {
                rule.plan.min_requests
            } else {
                0
            },
        };
        if let std::collections::btree_map::Entry::Vacant(place) = answers.entry(question) {
            match ask(store, question, now).await {
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

    /// Writes what changed and queues what is told of it; true if there was anything.
    async fn apply(
        &self,
        store: &Store,
        known: &[Known],
        changes: Changes<'_>,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        self.keep_quiet_changes(store, &changes, now).await?;
        let standings: Vec<_> = known.iter().map(Known::standing).collect();
        let is_due = due(self.last_told_at, self.plan.pace(), &standings, now).is_some();
        if changes.raised.is_empty() && changes.resolved.is_empty() && !is_due {
            return Ok(false);
        }
        let who = Who::System {
            name: JUDGE.to_owned(),
        };
        let mut command = Command::begin_as(store, "judge_rule", self.project, who, now).await?;
        for finding in &changes.raised {
            let id = self.raise(&mut command, finding).await?;
            tracing::warn!(alert.id = %id, "an alert fires: {}", finding.title);
        }
        for (id, sentence) in &changes.resolved {
            self.resolve(&mut command, *id, sentence).await?;
        }
        self.tell(&mut command).await?;
        command.tell("alert", json!({ "rule": self.id }));
        command.commit().await?;
        Ok(true)
    }

    async fn keep_quiet_changes(
        &self,
        store: &Store,
        changes: &Changes<'_>,
        now: DateTime<Utc>,
    ) -> Result<()> {
        for subject in &changes.pending {
            sqlx::query!(
                "insert into alert_pending (rule_id, subject, since) values ($1, $2, $3)
                 on conflict (rule_id, subject) do nothing",
                self.id.0,
                subject,
                now,
            )
            .execute(&store.pool)
            .await?;
        }
        if !changes.settled.is_empty() {
            sqlx::query!(
                "delete from alert_pending where rule_id = $1 and subject = any($2)",
                self.id.0,
                &changes.settled,
            )
            .execute(&store.pool)
            .await?;
        }
        for (id, below_since) in &changes.below {
            sqlx::query!(
                "update alert set below_since = $2 where alert_id = $1",
                id.0,
                *below_since,
            )
            .execute(&store.pool)
            .await?;
        }
        for (id, value, sentence) in &changes.read {
            sqlx::query!(
                "update alert set value = $2, sentence = $3 where alert_id = $1",
                id.0,
                value,
                sentence,
            )
            .execute(&store.pool)
            .await?;
        }
        Ok(())
    }

    /// A new alert, or the last one of the subject again if it was over only a while ago: what
    /// comes and goes is one thing in the inbox.
    async fn raise(&self, command: &mut Command, finding: &Finding) -> Result<AlertId> {
        let now = command.now();
        let Reading::At(value) = finding.reading else {
            unreachable!("only a value raises an alert");
        };
        let again = sqlx::query_scalar!(
            r#"update alert
               set resolved_at = null, below_since = null, raised_at = $3, n_raised = n_raised + 1, value = $4,
                   sentence = $5, title = $6, href = $7, acknowledged_by = null, acknowledged_at = null
               where alert_id = (
                   select alert_id from alert
                   where rule_id = $1 and subject = $2 and resolved_at > $8
                   order by raised_at desc
                   limit 1)
               returning alert_id as "id: AlertId""#,
            self.id.0,
            finding.subject,
            now,
            value,
            finding.sentence,
            finding.title,
            finding.href,
            now - self.plan.pace().repeat,
        )
        .fetch_optional(command.db())
        .await?;
        let id = if let Some(id) = again {
            id
        } else {
            let id: AlertId = new_id();
            sqlx::query!(
                "insert into alert
                     (alert_id, project_id, rule_id, subject, prompt_id, environment_id, title, sentence, href, value,
                      first_raised_at, raised_at)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)",
                id.0,
                self.project.0,
                self.id.0,
                finding.subject,
                finding.prompt.map(|id| id.0),
                finding.environment.map(|id| id.0),
                finding.title,
                finding.sentence,
                finding.href,
                value,
                now,
            )
            .execute(command.db())
            .await?;
            id
        };
        let happened = Happened::Raised {
            sentence: finding.sentence.clone(),
        };
        note_down(command, id, &happened).await?;
        command.record(
            "alert.raise",
            finding.title.as_str(),
            json!({
                "alert_id": id, "rule": self.plan.name, "kind": self.plan.kind, "value": value,
                "sentence": finding.sentence,
            }),
        );
        Ok(id)
    }

    async fn resolve(&self, command: &mut Command, id: AlertId, sentence: &str) -> Result<()> {
        let now = command.now();
        let title = sqlx::query_scalar!(
            "update alert set resolved_at = $2, below_since = null, sentence = $3 where alert_id = $1 returning title",
            id.0,
            now,
            sentence,
        )
        .fetch_one(command.db())
        .await?;
        let happened = Happened::Resolved {
            sentence: sentence.to_owned(),
        };
        note_down(command, id, &happened).await?;
        command.record(
            "alert.resolve",
            title,
            json!({ "alert_id": id, "rule": self.plan.name, "kind": self.plan.kind, "sentence": sentence }),
        );
        Ok(())
    }

    /// Queues what is to be said now, with the alerts as this transaction leaves them.
    async fn tell(&self, command: &mut Command) -> Result<()> {
        let now = command.now();
        let rows = sqlx::query!(
            r#"select alert_id as "id: AlertId", title, sentence, value, prompt.name as "prompt?",
                      environment.name as "environment?", raised_at, resolved_at, acknowledged_at, told_at, is_believed
               from alert
               left join prompt on prompt.prompt_id = alert.prompt_id
               left join environment on environment.environment_id = alert.environment_id
               where rule_id = $1 and (resolved_at is null or is_believed)"#,
            self.id.0,
        )
        .fetch_all(command.db())
        .await?;
        let standings: Vec<_> = rows
            .iter()
            .map(|row| Standing {
                key: row.id,
                is_firing: row.resolved_at.is_none(),
                is_acknowledged: row.acknowledged_at.is_some(),
                told_at: row.told_at,
                is_believed: row.is_believed,
            })
            .collect();
        let Some(said) = due(self.last_told_at, self.plan.pace(), &standings, now) else {
            return Ok(());
        };
        let lines: HashMap<AlertId, AlertLine> = rows
            .into_iter()
            .map(|row| {
                let line = AlertLine {
                    id: row.id,
                    title: row.title,
                    sentence: row.sentence,
                    value: row.value,
                    prompt: row.prompt,
                    environment: row.environment,
                    raised_at: row.raised_at,
                };
                (row.id, line)
            })
            .collect();
        let of = |ids: &[AlertId]| ids.iter().filter_map(|id| lines.get(id).cloned()).collect();
        let notice = AlertNotice {
            project: webhooks::queue::slug(command.db(), self.project).await?,
            rule: self.plan.name.clone(),
            kind: self.plan.kind,
            raised: of(&said.raised),
            still: of(&said.still),
            resolved: of(&said.resolved),
        };
        let n_webhooks = webhooks::queue::tell_alert(command, self.project, notice).await?;
        self.note_told(command, &said, n_webhooks).await
    }

    async fn note_told(
        &self,
        command: &mut Command,
        said: &Notification<AlertId>,
        n_webhooks: i64,
    ) -> Result<()> {
        let now = command.now();
        let firing: Vec<_> = said.raised.iter().chain(&said.still).collect();
        let ids: Vec<_> = firing.iter().map(|id| id.0).collect();
        sqlx::query!(
            "update alert set told_at = $2, is_believed = true where alert_id = any($1)",
            &ids,
            now,
        )
        .execute(command.db())
        .await?;
        let ids: Vec<_> = said.resolved.iter().map(|id| id.0).collect();
        sqlx::query!(
            "update alert set is_believed = false where alert_id = any($1)",
            &ids
        )
        .execute(command.db())
        .await?;
        sqlx::query!(
            "update alert_rule set last_told_at = $2 where rule_id = $1",
            self.id.0,
            now,
        )
        .execute(command.db())
        .await?;
        // Whoever has no webhook reads the inbox; that nobody was called is not worth a line.
        if n_webhooks > 0 {
            for id in firing {
                note_down(command, *id, &Happened::Told { n_webhooks }).await?;
            }
            for id in &said.resolved {
                note_down(command, *id, &Happened::ToldResolved { n_webhooks }).await?;
            }
        }
        Ok(())
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

/// The rules that watch, and those that no longer do but have alerts to end.
async fn load_rules(store: &Store) -> Result<Vec<Judged>> {
    let rows = sqlx::query!(
        r#"select rule_id as "id: AlertRuleId", project_id as "project: ProjectId", name, kind as "kind: Kind", is_on,
                  prompt_id as "prompt: PromptId", environment_id as "environment: EnvironmentId", raise_at, clear_at,
                  raise_after_seconds, clear_after_seconds, window_minutes, min_requests, group_seconds,
                  repeat_minutes, rolls_back, last_told_at, removed_at
           from alert_rule
           where (is_on and removed_at is null)
              or exists (select from alert
                         where alert.rule_id = alert_rule.rule_id and (resolved_at is null or is_believed))
           order by rule_id"#,
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Judged {
            id: row.id,
            project: row.project,
            plan: NewRule {
                name: row.name,
                kind: row.kind,
                enabled: row.is_on,
                // Where it holds is said by ids.
                prompt: None,
                environment: None,
                threshold: row.raise_at,
                clear_threshold: row.clear_at,
                for_seconds: row.raise_after_seconds,
                clear_for_seconds: row.clear_after_seconds,
                window_minutes: row.window_minutes,
                min_requests: row.min_requests,
                group_seconds: row.group_seconds,
                repeat_minutes: row.repeat_minutes,
                roll_back: row.rolls_back,
            },
            prompt: row.prompt,
            environment: row.environment,
            is_removed: row.removed_at.is_some(),
            last_told_at: row.last_told_at,
        })
        .collect())
}

async fn load_known(store: &Store) -> Result<HashMap<AlertRuleId, Vec<Known>>> {
    let rows = sqlx::query!(
        r#"select rule_id as "rule: AlertRuleId", alert_id as "id: AlertId", subject, sentence, resolved_at,
                  acknowledged_at, below_since, told_at, is_believed
           from alert
           where resolved_at is null or is_believed"#,
    )
    .fetch_all(&store.pool)
    .await?;
    let mut known: HashMap<AlertRuleId, Vec<Known>> = HashMap::new();
    for row in rows {
        known.entry(row.rule).or_default().push(Known {
            id: row.id,
            subject: row.subject,
            sentence: row.sentence,
            is_firing: row.resolved_at.is_none(),
            is_acknowledged: row.acknowledged_at.is_some(),
            below_since: row.below_since,
            told_at: row.told_at,
            is_believed: row.is_believed,
        });
    }
    Ok(known)
}

async fn load_pending(
    store: &Store,
) -> Result<HashMap<AlertRuleId, HashMap<String, DateTime<Utc>>>> {
    let rows =
        sqlx::query!(r#"select rule_id as "rule: AlertRuleId", subject, since from alert_pending"#)
            .fetch_all(&store.pool)
            .await?;
    let mut pending: HashMap<AlertRuleId, HashMap<String, DateTime<Utc>>> = HashMap::new();
    for row in rows {
        pending
            .entry(row.rule)
            .or_default()
            .insert(row.subject, row.since);
    }
    Ok(pending)
}
