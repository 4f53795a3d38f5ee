//! Evals in the demo's history: suites and gates are set up, and runs get the answers that were recorded.

use std::time::Duration;

use anyhow::Context;
use chrono::TimeDelta;
use domain::{
    actor::Actor, gate::GatePolicy, id::SuiteId, page::PageRequest, prompt::PRODUCTION,
    run::RunOptions,
};
use store::{
    gates::{self, NewGate},
    runs::{self, NewRun, Subject, work},
    suites,
};
use uuid::Uuid;

use super::{
    player::Player,
    script::{Action, Step},
};

impl Player<'_> {
    /// Plays a step that is about evals.
    pub async fn evaluate(&self, by: &Actor, step: &Step) -> anyhow::Result<()> {
        let at = step.at;
        match &step.action {
            Action::Suite(new) => {
                suites::create(self.store, by, new, at).await?;
            }
            Action::Cases { suite, cases } => {
                let suite = self.suite(suite).await?;
                suites::add_cases(self.store, by, suite, cases, at).await?;
            }
            Action::GateRule { prompt, suite } => {
                let suite = self.suite(suite).await?;
                let policy = GatePolicy::default();
                gates::set_rule(self.store, by, prompt, PRODUCTION, suite, &policy, at).await?;
            }
            Action::Run {
                prompt,
                version,
                suite,
                is_gate,
                ..
            } => {
                let suite = self.suite(suite).await?;
                let subject = Subject::Saved(*version);
                if *is_gate {
                    let new = NewGate {
                        prompt,
                        subject,
                        suite: Some(suite),
                        policy: None,
                    };
                    gates::ask(self.store, by, new, at).await?;
                } else {
                    let options = RunOptions {
                        repeats: 1,
                        ..RunOptions::default()
                    };
                    let new = NewRun {
                        prompt,
                        subject,
                        suite,
                        options,
                    };
                    runs::launch(self.store, by, &new, at).await?;
                }
                self.end(step).await?;
            }
            _ => {}
        }
        Ok(())
    }

    async fn suite(&self, name: &str) -> anyhow::Result<SuiteId> {
        suites::resolve(self.store, self.operator, name)
            .await?
            .with_context(|| format!("there is no suite {name:?}"))
    }

    /// Gives a run that was launched its recorded answers; other steps end with what they begin.
    pub async fn end(&self, step: &Step) -> anyhow::Result<()> {
        let Action::Run {
            prompt,
            version,
            answers,
            ..
        } = &step.action
        else {
            return self.end_check(step).await;
        };
        let filter = runs::Filter {
            prompt: Some(prompt),
            version: Some(*version),
            ..runs::Filter::default()
        };
        let found = runs::list(self.store, self.operator, &filter, &PageRequest::first(1)).await?;
        let run = found.items.first().context("the run is not there")?;
        let job = work::job(self.store, run.id)
            .await?
            .context("the run is not there")?;
        let (lease, lasts) = (Uuid::new_v4(), Duration::from_mins(1));
        let mut at = step.at;
        loop {
            let claimed = work::claim(self.store, run.id, lease, 4, lasts, at).await?;
            if claimed.is_empty() {
                break;
            }
            let mut took = TimeDelta::zero();
            let mut results = Vec::with_capacity(claimed.len());
            for claimed in &claimed {
                let answer = usize::try_from(claimed.position - 1)
                    .ok()
                    .and_then(|place| answers.get(place))
                    .with_context(|| format!("case {} has no answer", claimed.position))?;
                took = took.max(answer.took());
                results.push(answer.result(claimed, &job.scorers)?);
            }
            // Four at a time, as the model was asked.
            at += took;
            work::finish(self.store, run.id, lease, &results, at).await?;
        }
        // Asks nobody where there is no gate, and decides nothing twice.
        Ok(gates::decide(self.store, self.operator.project, run.id, at).await?)
    }
}
