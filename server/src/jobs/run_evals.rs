//! Eval runs: for each run that has calls to make, one task claims them in small portions, makes
//! as many at a time as the provider takes, and hands the results in.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use domain::{id::RunId, template::Compiled};
use store::runs::work::{self, Claimed, Job};
use tokio::{
    sync::{Notify, mpsc},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    LOOK, RETRY, Tools,
    call_case::Caller,
    doors::{NoDoor, Opened},
    grade::Grader,
    hand_in::{self, HandIn},
};

/// How many calls are claimed for each that is under way: one is made while the next waits.
const AHEAD: usize = 2;

/// Looks for runs and works on them until the server is told to stop.
pub async fn keep_on(tools: Tools, lasts: Duration, wake: Arc<Notify>, over: Arc<Notify>) {
    let lease = Uuid::new_v4();
    let renewal = tokio::spawn(keep_renewing(tools.clone(), lease, lasts));
    let mut active: HashMap<RunId, CancellationToken> = HashMap::new();
    let mut tasks: JoinSet<RunId> = JoinSet::new();
    loop {
        match work::to_do(&tools.store).await {
            Ok(runs) => {
                // Cancelled, or completed by somebody else: hang up at once.
                for (run, token) in &active {
                    if !runs.contains(run) {
                        token.cancel();
                    }
                }
                for run in runs {
                    if active.contains_key(&run) {
                        continue;
                    }
                    let token = tools.stopping.child_token();
                    active.insert(run, token.clone());
                    let (tools, over) = (tools.clone(), Arc::clone(&over));
                    tasks.spawn(async move {
                        let worker = Worker {
                            tools,
                            lease,
                            lasts,
                            cancelled: token,
                        };
                        worker.work_on(run).await;
                        over.notify_one();
                        run
                    });
                }
            }
            Err(error) => tracing::warn!(%error, "cannot look for eval runs"),
        }
        tokio::select! {
            is_over = tools.rest(Some(&wake), LOOK) => if is_over { break },
            Some(ended) = tasks.join_next() => match ended {
                Ok(run) => { active.remove(&run); }
                Err(error) => {
                    tracing::error!(%error, "a run's task broke");
                    active.retain(|_, token| !token.is_cancelled());
                }
            },
        }
    }
    while tasks.join_next().await.is_some() {}
    renewal.abort();
    // What is still out goes back at once; otherwise others would wait for the lease to run out.
    if let Err(error) = work::give_back(&tools.store, lease, None).await {
        tracing::warn!(%error, "cannot give back the calls that were claimed");
    }
}

async fn keep_renewing(tools: Tools, lease: Uuid, lasts: Duration) {
    loop {
        tokio::time::sleep(lasts / 3).await;
        if let Err(error) = work::renew(&tools.store, lease, lasts, tools.clock.now()).await {
            tracing::warn!(%error, "cannot renew the lease on eval calls");
        }
    }
}

struct Worker {
    tools: Tools,
    lease: Uuid,
    lasts: Duration,
    cancelled: CancellationToken,
}

/// Why a run's task ends early.
enum Stop {
    /// The database does not answer; the run is taken up again later.
    Later(store::Error),
    /// The run cannot go on.
    Fail(String),
}

impl From<store::Error> for Stop {
    fn from(error: store::Error) -> Self {
        Self::Later(error)
    }
}

impl From<NoDoor> for Stop {
    fn from(error: NoDoor) -> Self {
        match error {
            NoDoor::Store(error) => Self::Later(error),
            NoDoor::Closed(words) => Self::Fail(words.to_string()),
        }
    }
}

impl Worker {
    async fn work_on(&self, run: RunId) {
        match self.try_to(run).await {
            Ok(()) => {}
            Err(Stop::Later(error)) => {
                tracing::warn!(%run, %error, "an eval run waits for the database");
                tokio::time::sleep(RETRY).await;
            }
            Err(Stop::Fail(words)) => self.fail(run, &words).await,
        }
        if let Err(error) = work::give_back(&self.tools.store, self.lease, Some(run)).await {
            tracing::warn!(%run, %error, "cannot give back the calls that were claimed");
        }
    }

    async fn fail(&self, run: RunId, words: &str) {
        tracing::warn!(%run, why = words, "an eval run cannot go on");
        if let Err(error) = work::fail(&self.tools.store, run, words, self.tools.clock.now()).await
        {
            tracing::warn!(%run, %error, "cannot write down that a run failed");
        }
    }

    async fn try_to(&self, run: RunId) -> Result<(), Stop> {
        let store = &self.tools.store;
        let Some(job) = work::job(store, run).await? else {
            return Ok(());
        };
        if job.status.is_over() {
            return Ok(());
        }
        let caller = Arc::new(self.prepare(&job).await?);
        let opened = caller.opened().clone();

        let (results, inbox) = mpsc::channel(1_024);
        let hand_in = HandIn {
            store: store.clone(),
            clock: self.tools.clock.clone(),
            run,
            lease: self.lease,
        };
        let progress = Arc::new(hand_in::Standing::new(job.cost_usd));
        let writer = tokio::spawn(hand_in.write(inbox, Arc::clone(&progress)));
        let ended = self
            .call_all(&job, &caller, &opened, &results, &progress)
            .await;
        // The writer ends when the last result is in.
        drop(results);
        if writer.await.is_err() {
            return Err(Stop::Fail(
                "the results could not be written down".to_owned(),
            ));
        }
        ended
    }

    async fn prepare(&self, job: &Job) -> Result<Caller, Stop> {
        let model = job
            .content
            .model
            .clone()
            .ok_or_else(|| Stop::Fail("this content names no model".to_owned()))?;
        let compiled = Compiled::new(&job.content).map_err(|errors| {
            let words: Vec<_> = errors.iter().map(ToString::to_string).collect();
            Stop::Fail(format!(
                "the prompt cannot be rendered: {}",
                words.join("; ")
            ))
        })?;
        let doors = &self.tools.doors;
        let opened = doors
            .open(&self.tools.store, job.project, &model.provider)
            .await?;
        let (judge_model, judge_door) = match &job.options.judge {
            None => (model.name.clone(), opened.clone()),
            Some(judge) => {
                let door = doors
                    .open(&self.tools.store, job.project, &judge.provider)
                    .await?;
                (judge.model.clone(), door)
            }
        };
        let prices =
            store::prices::of_model(&self.tools.store, job.project, &model.provider, &model.name)
                .await?;
        let price = domain::cost::price_at(&prices, self.tools.clock.now()).cloned();
        let outgoing = self.tools.outgoing.clone();
        let grader = Grader::new(judge_model, judge_door, outgoing);
        Ok(Caller::new(job, model, compiled, price, opened, grader))
    }

    async fn call_all(
        &self,
        job: &Job,
        caller: &Arc<Caller>,
        opened: &Opened,
        results: &mpsc::Sender<domain::run::CaseResult>,
        progress: &Arc<hand_in::Standing>,
    ) -> Result<(), Stop> {
        let n_at_once = opened.max_concurrency.max(1);
        let mut waiting: VecDeque<Claimed> = VecDeque::new();
        let mut calls: JoinSet<()> = JoinSet::new();
        let mut claims: JoinSet<store::Result<Vec<Claimed>>> = JoinSet::new();
        let mut may_have_more = true;
        loop {
            if let Some(budget) = job.options.budget_usd
                && progress.cost() >= budget
            {
                calls.join_all().await;
                return Err(Stop::Fail(format!(
                    "the budget of ${budget:.2} is spent: the results so far stay"
                )));
            }
            while calls.len() < n_at_once
                && let Some(claimed) = waiting.pop_front()
            {
                let (caller, results) = (Arc::clone(caller), results.clone());
                let cancelled = self.cancelled.clone();
                calls.spawn(async move {
                    if let Some(result) = caller.call(claimed, &cancelled).await {
                        // Nobody takes it only when the writer broke, which ends the run.
                        let _ = results.send(result).await;
                    }
                });
            }
            if may_have_more && claims.is_empty() && waiting.len() < n_at_once {
                let limit = i64::try_from(n_at_once * AHEAD - waiting.len()).unwrap_or(1);
                let (store, lease, lasts) = (self.tools.store.clone(), self.lease, self.lasts);
                let (run, now) = (job.id, self.tools.clock.now());
                claims
                    .spawn(async move { work::claim(&store, run, lease, limit, lasts, now).await });
            }
            if calls.is_empty() && claims.is_empty() && waiting.is_empty() {
                // Others may hold the rest. The scheduler looks again as long as the run is open.
                tokio::select! {
                    () = self.cancelled.cancelled() => {}
                    () = tokio::time::sleep(LOOK) => {}
                    () = progress.over() => {}
                }
                return Ok(());
            }
            tokio::select! {
                () = self.cancelled.cancelled() => {
                    // Calls hang up by the same token.
                    calls.join_all().await;
                    return Ok(());
                }
                Some(_) = calls.join_next() => {}
                Some(claimed) = claims.join_next() => match claimed {
                    Ok(Ok(claimed)) => {
                        may_have_more = !claimed.is_empty();
                        waiting.extend(claimed);
                    }
                    Ok(Err(error)) => {
                        calls.join_all().await;
                        return Err(error.into());
                    }
                    Err(error) => {
                        tracing::error!(%error, "claiming broke");
                        return Err(Stop::Fail("claiming calls broke".to_owned()));
                    }
                },
            }
        }
    }
}
