//! On the server: gathers what the monitor shows. No rule is decided here.

use domain::{
    experiment::ExperimentRow,
    monitor::{Point, Summary, window::Span},
    page::PageRequest,
    prompt::{PRODUCTION, PromptName},
    release::Deployment,
};
use store::monitor::{Observed, VersionTraffic};

use super::{
    kept,
    links::Query,
    pictures,
    shapes::{FailureRow, Happening, MonitorView, Pair, Tile, VersionRow},
    words::{self, NOTHING, maybe, percentile},
};
use crate::{context::Cx, error::UiError, prompts::words::grouped};

/// The word that stands for all environments.
const ALL: &str = "all";
/// Releases looked at: more would not be told apart in a picture.
const RELEASES: u16 = 100;
/// Experiments looked at.
const EXPERIMENTS: u16 = 50;

pub async fn view(cx: &Cx, name: &str, mut query: Query) -> Result<MonitorView, UiError> {
    let name = PromptName::parse(name).map_err(|_| UiError::NotFound("prompt".to_owned()))?;
    let environments: Vec<String> = store::environments::list(&cx.store, &cx.actor)
        .await?
        .into_iter()
        .map(|environment| environment.name)
        .collect();
    if query.environment != ALL && !environments.contains(&query.environment) {
        PRODUCTION.clone_into(&mut query.environment);
    }
    query.window().word().clone_into(&mut query.window);
    let environment = (query.environment != ALL).then_some(query.environment.as_str());
    let (prompt, place) = store::monitor::place(&cx.store, &cx.actor, &name, environment).await?;
    let span = query.window().until(cx.now);
    let observed =
        store::monitor::observed(&cx.store, cx.actor.project, prompt, place, span).await?;
    let versions: Vec<i32> = observed
        .versions
        .iter()
        .filter_map(|traffic| traffic.version)
        .collect();
    let asked = |text: &str| text.parse().ok().filter(|number| versions.contains(number));
    let (version, beside): (Option<i32>, Option<i32>) =
        (asked(&query.version), asked(&query.beside));
    query.version = version.map_or_else(String::new, |number| number.to_string());
    query.beside = beside.map_or_else(String::new, |number| number.to_string());

    let happenings = happenings(cx, &name, environment, span).await?;
    let of = |number: i32| {
        let found = |traffic: &&VersionTraffic| traffic.version == Some(number);
        observed.versions.iter().find(found)
    };
    let shown = match (version.and_then(of), beside.and_then(of)) {
        (Some(left), Some(right)) if left != right => Shown::Pair(left, right),
        (Some(one), _) | (None, Some(one)) => Shown::One(one),
        (None, None) => Shown::All,
    };
    let total = match shown {
        Shown::One(one) => &one.total,
        Shown::All | Shown::Pair(..) => &observed.total,
    };
    let pictures = match shown {
        Shown::All => pictures::of(over(&observed.points), &observed.total, &happenings),
        Shown::One(one) => pictures::of(over(&one.points), &one.total, &happenings),
        Shown::Pair(left, right) => pictures::of_pair(left, right, &happenings),
    };
    Ok(MonitorView {
        tiles: tiles(total),
        pair: match shown {
            Shown::Pair(left, right) => pair(left, right),
            Shown::All | Shown::One(_) => None,
        },
        failures: failures(total),
        by_version: by_version(&observed),
        pictures,
        is_empty: observed.total.is_empty(),
        versions,
        environments,
        happenings: happenings.into_iter().rev().collect(),
        sampling: kept::sampling(cx).await?,
        samples: kept::samples(cx, &name, environment).await?,
        suites: kept::suites(cx, &name).await?,
        from: span.from,
        now: cx.now,
        query,
    })
}

/// The steps that are over: one that is under way would look like a fall. If it is all there is, it
/// is shown.
pub fn over(points: &[Point]) -> &[Point] {
    match points.split_last() {
        Some((_, over)) if over.iter().any(|point| !point.summary.is_empty()) => over,
        Some(_) | None => points,
    }
}

/// Whose traffic is shown.
#[derive(Clone, Copy)]
enum Shown<'a> {
    All,
    One(&'a VersionTraffic),
    Pair(&'a VersionTraffic, &'a VersionTraffic),
}

fn tiles(total: &Summary) -> Vec<Tile> {
    let tile = |label: &str, value: String, note: String| {
        // The unit in smaller letters.
        let (value, unit) = match value.split_once(' ') {
            Some((number, unit)) => (number.to_owned(), format!(" {unit}")),
            None => (value, String::new()),
        };
        Tile {
            label: label.to_owned(),
            value,
            unit,
            note,
            tone: None,
        }
    };
    let tails = |of| {
        format!(
            "p50 {}, p99 {}",
            percentile(of, |of| of.p50),
            percentile(of, |of| of.p99)
        )
    };
    let mut success = tile(
        "Success rate",
        maybe(total.success_rate(), words::share),
        format!("{} failed", grouped(total.errors)),
    );
    success.tone = match total.error_rate() {
        Some(rate) if rate >= 0.05 => Some("bad".to_owned()),
        Some(rate) if rate >= 0.01 => Some("warn".to_owned()),
        Some(_) | None => None,
    };
    let tokens = total.tokens;
    let cost_note = if total.n_priced == total.requests || total.n_priced == 0 {
        maybe(words::cost_per_thousand(total), |cost| {
            format!("{} per 1,000", words::cost(cost))
        })
    } else {
        format!("known of {} requests", grouped(total.n_priced))
    };
    vec![
        tile(
            "Requests",
            words::few(total.requests),
            format!("{} with feedback", grouped(total.feedback.n)),
        ),
        success,
        tile(
            "Latency p95",
            percentile(total.latency, |of| of.p95),
            tails(total.latency),
        ),
        tile(
            "First token p95",
            percentile(total.ttft, |of| of.p95),
            tails(total.ttft),
        ),
        tile(
            "Tokens",
            words::few(tokens.input + tokens.output),
            format!(
                "{} in, {} out",
                words::few(tokens.input),
                words::few(tokens.output)
            ),
        ),
        tile(
            "Cost",
            maybe(total.known_cost_usd(), words::cost),
            cost_note,
        ),
        tile(
            "Cache hits",
            maybe(tokens.cache_hit_share(), words::share),
            "of input tokens".to_owned(),
        ),
        tile(
            "Feedback",
            maybe(total.feedback.mean(), words::mean),
            "on average".to_owned(),
        ),
    ]
}

fn failures(total: &Summary) -> Vec<FailureRow> {
    let mut kinds: Vec<_> = total.errors_by_kind.iter().collect();
    kinds.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
    #[expect(clippy::cast_precision_loss, reason = "counts of calls")]
    let share = |n: u64| n as f64 / total.requests.max(1) as f64;
    kinds
        .into_iter()
        .map(|(kind, n)| FailureRow {
            words: kind.words().to_owned(),
            n: grouped(*n),
            share: words::share(share(*n)),
        })
        .collect()
}

fn by_version(observed: &Observed) -> Vec<VersionRow> {
    observed
        .versions
        .iter()
        .map(|VersionTraffic { version, total, .. }| VersionRow {
            version: *version,
            cells: vec![
                grouped(total.requests),
                maybe(total.success_rate(), words::share),
                percentile(total.latency, |of| of.p50),
                percentile(total.latency, |of| of.p95),
                percentile(total.ttft, |of| of.p95),
                maybe(words::cost_per_thousand(total), words::cost),
                maybe(total.feedback.mean(), words::mean),
            ],
        })
        .collect()
}

fn pair(left: &VersionTraffic, right: &VersionTraffic) -> Option<Pair> {
    let (a, b) = (&left.total, &right.total);
    let mut rows = vec![[
        "Requests".to_owned(),
        grouped(a.requests),
        grouped(b.requests),
        NOTHING.to_owned(),
    ]];
    let mut shares = |name: &str, of: fn(&Summary) -> Option<f64>| {
        let (left, right) = (of(a), of(b));
        rows.push([
            name.to_owned(),
            maybe(left, words::share),
            maybe(right, words::share),
            words::points(left, right),
        ]);
    };
    shares("Success rate", Summary::success_rate);
    shares("Cache hits", |of| of.tokens.cache_hit_share());
    let mut numbers = |name: &str, say: fn(f64) -> String, of: fn(&Summary) -> Option<f64>| {
        let (left, right) = (of(a), of(b));
        rows.push([
            name.to_owned(),
            maybe(left, say),
            maybe(right, say),
            words::change(left, right),
        ]);
    };
    numbers("Latency p50", words::time, |of| Some(of.latency?.p50));
    numbers("Latency p95", words::time, |of| Some(of.latency?.p95));
    numbers("Latency p99", words::time, |of| Some(of.latency?.p99));
    numbers("First token p50", words::time, |of| Some(of.ttft?.p50));
    numbers("First token p95", words::time, |of| Some(of.ttft?.p95));
    numbers("Input tokens per call", words::few_tick, |of| {
        words::per_call(of.tokens.input, of)
    });
    numbers("Output tokens per call", words::few_tick, |of| {
        words::per_call(of.tokens.output, of)
    });
    numbers(
        "Cost per 1,000 calls",
        words::cost,
        words::cost_per_thousand,
    );
    numbers("Feedback", words::mean, |of| of.feedback.mean());
    Some(Pair {
        version: left.version?,
        beside: right.version?,
        rows,
    })
}

/// Releases and experiments in the span, the oldest first.
async fn happenings(
    cx: &Cx,
    name: &PromptName,
    environment: Option<&str>,
    span: Span,
) -> Result<Vec<Happening>, UiError> {
    let page = PageRequest::first(RELEASES);
    let releases =
        store::releases::list(&cx.store, &cx.actor, Some(name), environment, &page).await?;
    let mut found: Vec<Happening> = releases
        .items
        .into_iter()
        .map(|release| released(cx, release))
        .collect();
    let filter = store::experiments::Filter {
        prompt: Some(name),
        environment,
        status: None,
    };
    let page = PageRequest::first(EXPERIMENTS);
    let experiments =
        store::experiments::rows(&cx.store, &cx.actor, &filter, &page, cx.now).await?;
    found.extend(
        experiments
            .items
            .into_iter()
            .flat_map(|row| tried(cx, &row)),
    );
    found.retain(|one| (span.from..span.to).contains(&one.at));
    found.sort_by_key(|one| one.at);
    Ok(found)
}

fn released(cx: &Cx, release: Deployment) -> Happening {
    let from = release
        .from_version
        .map_or_else(String::new, |from| format!(" (before: v{from})"));
    let reason = if release.reason.is_empty() {
        String::new()
    } else {
        format!(": {}", release.reason)
    };
    Happening {
        at: release.deployed_at,
        word: format!("v{}", release.version),
        sentence: format!(
            "v{} {} by {}{from}{reason}",
            release.version,
            release.kind.label(),
            release.by.name()
        ),
        environment: release.environment,
        href: crate::releases::deployment_address(
            &cx.project.slug,
            &release.deployment_id.to_string(),
        ),
    }
}

fn tried(cx: &Cx, row: &ExperimentRow) -> Vec<Happening> {
    let experiment = &row.experiment;
    let href = format!("/p/{}/experiments/{}", cx.project.slug, experiment.id);
    [
        (experiment.started_at, "test", "started"),
        (experiment.stopped_at, "end", "ended"),
    ]
    .into_iter()
    .filter_map(|(at, word, verb)| {
        Some(Happening {
            at: at?,
            word: word.to_owned(),
            sentence: format!("Experiment {verb}: {}", experiment.plan.name),
            environment: experiment.plan.environment.clone(),
            href: href.clone(),
        })
    })
    .collect()
}
