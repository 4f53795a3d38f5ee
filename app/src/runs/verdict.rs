//! Whether a run is better than what it is held against: the numbers, each leading to its cases,
//! and what they allow to be said.

use domain::{
    gate::GateVerdict,
    run::{Run, RunStatus},
    stats::Interval,
};
use leptos::prelude::*;
use leptos_router::{NavigateOptions, hooks::use_navigate};

use super::{
    links::{self, RunQuery, Show},
    parts::{self, address, subject, unsigned},
    shapes::{Judged, RunView},
    words,
};
use crate::{
    prompts::{
        parts::typed,
        words::{counted, grouped},
    },
    ui::{Glyph, Icon, error::sentence, time::in_a_sentence},
};

/// The outcome so far, or for good.
#[component]
pub fn Outcome(project: String, query: RunQuery, shown: RunView) -> impl IntoView {
    let judged = shown.judged.clone();
    let verdict = judged.as_ref().map(|judged| said(judged, &shown));
    let waiting = waiting(&project, &shown);
    let plot = judged
        .as_ref()
        .and_then(|judged| plot(judged, shown.baseline.as_ref()));
    let reasons = judged.as_ref().map(|judged| reasons(&judged.verdict));
    let choose = (shown.run.status == RunStatus::Completed && !shown.baselines.is_empty()).then(
        || view! { <Against project=project.clone() query=query.clone() shown=shown.clone()/> },
    );
    view! {
        <section class="section" aria-labelledby="result-h">
            <div class="section-head">
                <h2 id="result-h">"Result"</h2>
                {choose}
            </div>
            {verdict}
            {waiting}
            {numbers(&project, &query, &shown)}
            <div class="outcome">
                <div class="stack" data-gap="small">{plot}{reasons}</div>
                {facts(&shown)}
            </div>
        </section>
    }
}

/// The verdict as a sentence.
fn said(judged: &Judged, shown: &RunView) -> impl IntoView + use<> {
    let by = match (judged.is_gate, &shown.gate) {
        (true, _) => "The gate decided.",
        (false, Some(_)) => "Worked out for this page, by the gate’s policy.",
        (false, None) => {
            "Worked out for this page, by the usual policy: strict, must-pass cases must pass."
        }
    };
    view! {
        <div class="verdict">
            {parts::verdict(judged.verdict.verdict)}
            <p><strong>{judged.sentence.clone()}</strong>" "<span class="note">{by}</span></p>
        </div>
    }
}

/// Why nothing is said yet, or at all.
fn waiting(project: &str, shown: &RunView) -> Option<AnyView> {
    if let Some(why) = &shown.no_baseline {
        let words = format!("{why} So this run is held against nothing.");
        return Some(view! { <p class="note">{words}</p> }.into_any());
    }
    let baseline = shown.baseline.as_ref()?;
    if shown.judged.is_some() {
        return None;
    }
    let words = match (shown.run.status, baseline.status) {
        (RunStatus::Queued | RunStatus::Running, _) => "Once it is over it is held against ",
        (RunStatus::Completed, RunStatus::Queued | RunStatus::Running) => {
            "There is a verdict as soon as the baseline is there: "
        }
        (RunStatus::Completed, _) => "No verdict: the baseline did not complete: ",
        (RunStatus::Failed | RunStatus::Cancelled, _) => {
            "No verdict, because the run did not complete. It would have been held against "
        }
    };
    Some(
        view! {
            <p class="note">{words}<a href=address(project, baseline)>{format!("the run of {}", subject(baseline.version))}</a>"."</p>
        }
        .into_any(),
    )
}

/// What it is held against, to choose.
#[component]
fn Against(project: String, query: RunQuery, shown: RunView) -> impl IntoView {
    let id = shown.run.id.to_string();
    let mut others = shown.baselines.clone();
    let chosen = shown.baseline.as_ref().map(|run| run.id);
    if let Some(baseline) = shown
        .baseline
        .clone()
        .filter(|baseline| others.iter().all(|other| other.id != baseline.id))
    {
        others.insert(0, baseline);
    }
    let options = others
        .into_iter()
        .map(|other| {
            let rate = other.pass_rate.map_or_else(String::new, |rate| format!(", {}", words::percent(rate)));
            let words = format!("{}{rate}, {}", subject(other.version), in_a_sentence(other.created_at, shown.now));
            view! { <option value=other.id.to_string() selected=Some(other.id) == chosen>{words}</option> }
        })
        .collect_view();
    let navigate = use_navigate();
    let action = links::run(&project, &id, &RunQuery::default());
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let query = RunQuery {
            against: typed("against").unwrap_or_default(),
            ..query.showing(Show::All)
        };
        navigate(
            &links::run(&project, &id, &query),
            NavigateOptions::default(),
        );
    };
    view! {
        <form method="get" action=action class="row against" on:submit=submit>
            <label for="against">"Against"</label>
            <select class="input" data-size="small" id="against" name="against">
                {chosen.is_none().then(|| view! { <option value="">"nothing"</option> })}
                {options}
            </select>
            <button type="submit" class="btn" data-size="small">"Compare"</button>
        </form>
    }
}

/// The numbers that filter the table.
fn numbers(project: &str, query: &RunQuery, shown: &RunView) -> impl IntoView + use<> {
    let run = &shown.run;
    let id = run.id.to_string();
    // By cases where they were held against others; by results before that.
    let (rate, interval, of) = match &shown.judged {
        Some(Judged { verdict, .. }) => (
            verdict.pass_rate,
            verdict.interval,
            counted(verdict.n_cases, "case"),
        ),
        None => (
            run.pass_rate,
            run.interval,
            counted(unsigned(run.done), "result"),
        ),
    };
    let rate = rate.map_or_else(|| "–".to_owned(), |rate| format!("{:.1}", rate * 100.0));
    let interval = interval.map_or_else(String::new, |interval| {
        format!("{} of {of}", words::interval(interval))
    });
    let link = |show: Show, words: String| {
        let href = links::run(project, &id, &query.showing(show));
        view! { <a href=format!("{href}#cases")>{words}</a> }
    };
    let changes = shown.judged.as_ref().filter(|_| shown.baseline.is_some()).map(|judged| {
        let (lost, gained) = (judged.verdict.lost, judged.verdict.gained);
        let same = |count: Option<u64>, show: Show, dt: &'static str, dd: &'static str| {
            count.map(|count| view! {
                <div class="stat"><dt>{dt}</dt><dd class="value">{link(show, grouped(count))}</dd><dd>{dd}</dd></div>
            })
        };
        view! {
            <div class="stat" data-tone=(lost > 0).then_some("bad")>
                <dt>"Lost"</dt>
                <dd class="value">{(lost > 0).then(|| view! { <Icon glyph=Glyph::ArrowDown/> })}{link(Show::Lost, grouped(lost))}</dd>
                <dd>"passed before, fail now"</dd>
            </div>
            <div class="stat" data-tone=(gained > 0).then_some("good")>
                <dt>"Gained"</dt>
                <dd class="value">{(gained > 0).then(|| view! { <Icon glyph=Glyph::ArrowUp/> })}{link(Show::Gained, grouped(gained))}</dd>
                <dd>"failed before, pass now"</dd>
            </div>
            {same(judged.both_pass, Show::BothPass, "Both pass", "under both versions")}
            {same(judged.both_fail, Show::BothFail, "Both fail", "under both versions")}
        }
    });
    let errors = (run.errors > 0).then(|| {
        view! {
            <div class="stat" data-tone="warn">
                <dt>"Errors"</dt>
                <dd class="value">{link(Show::Errors, grouped(unsigned(run.errors)))}</dd>
                <dd>"count as failed"</dd>
            </div>
        }
    });
    view! {
        <div class="stats run-numbers">
            <dl>
                <div class="stat">
                    <dt>"Pass rate"</dt>
                    <dd class="value">{rate}<small>" %"</small></dd>
                    <dd>{interval}</dd>
                </div>
                {changes}
                {errors}
            </dl>
        </div>
    }
}

/// The difference with its interval, zero in the middle.
fn plot(judged: &Judged, baseline: Option<&Run>) -> Option<AnyView> {
    let difference = judged.verdict.difference?;
    let interval = judged.verdict.difference_interval?;
    let baseline = baseline?;
    let ends = scale(interval);
    // From −ends to +ends onto 0 to 100.
    let at = |value: f64| 50.0 + value / ends * 50.0;
    let (from, to) = (at(interval.lower), at(interval.upper));
    let shape = format!(
        r#"<line class="plot-axis" x1="0" x2="100" y1="14" y2="14"/><line class="plot-zero" x1="50" x2="50" y1="2" y2="26"/><rect class="plot-bar" x="{from:.2}" width="{:.2}" y="9" height="10"/><line class="plot-point" x1="{point:.2}" x2="{point:.2}" y1="5" y2="23"/>"#,
        (to - from).max(0.5),
        point = at(difference),
    );
    let level = format!("{:.0} %", judged.level * 100.0);
    let says = if interval.lower > 0.0 {
        "better: the whole interval lies above zero"
    } else if interval.upper < 0.0 {
        "worse: the whole interval lies below zero"
    } else {
        "no clear difference: the interval spans zero"
    };
    let finding = format!(
        "{} pp to {}, {level} interval {} to {} pp: {says}.",
        words::signed(difference),
        subject(baseline.version),
        words::signed(interval.lower),
        words::signed(interval.upper),
    );
    let tone = if interval.lower > 0.0 {
        "good"
    } else if interval.upper < 0.0 {
        "bad"
    } else {
        "open"
    };
    let ends = format!("{:.0} pp", ends * 100.0);
    let figure = view! {
        <figure class="interval-plot" data-tone=tone>
            <svg viewBox="0 0 100 28" preserveAspectRatio="none" role="img" aria-labelledby="difference-f" inner_html=shape></svg>
            <p class="interval-scale" aria-hidden="true">
                <span>{format!("−{ends}")}</span><span>"0"</span><span>{format!("+{ends}")}</span>
            </p>
            <figcaption id="difference-f">{finding}</figcaption>
        </figure>
    };
    Some(figure.into_any())
}

/// How far the axis reaches: a round number that holds both ends.
fn scale(interval: Interval) -> f64 {
    let reach = interval.lower.abs().max(interval.upper.abs());
    [0.05, 0.1, 0.2, 0.3, 0.5]
        .into_iter()
        .find(|end| reach <= *end)
        .unwrap_or(1.0)
}

/// Everything the verdict rests on, in words.
fn reasons(verdict: &GateVerdict) -> impl IntoView + use<> {
    let lines = verdict
        .reasons
        .iter()
        .map(|reason| view! { <li>{sentence(reason)}</li> })
        .collect_view();
    view! {
        <details class="reasons">
            <summary class="disclosure"><Icon glyph=Glyph::ChevronRight/>"What it rests on"</summary>
            <ul>{lines}</ul>
        </details>
    }
}

/// Tests, tokens, money, time.
fn facts(shown: &RunView) -> impl IntoView + use<> {
    let verdict = shown.judged.as_ref().map(|judged| &judged.verdict);
    let p = verdict.and_then(|verdict| verdict.p_value).map(|p| {
        view! { <dt title="Mid-p McNemar: how likely so many losses are by chance alone">"One-sided mid-p"</dt><dd>{words::p_value(p)}</dd> }
    });
    let drop = verdict.and_then(|verdict| verdict.smallest_detectable_drop).map(|drop| {
        view! { <dt title="What this run would have found with 80 % power">"Smallest detectable drop"</dt><dd>{format!("{:.1} pp", drop * 100.0)}</dd> }
    });
    let before = verdict
        .and_then(|verdict| verdict.baseline_pass_rate)
        .map(|rate| {
            view! { <dt>"Baseline’s pass rate"</dt><dd>{words::percent(rate)}</dd> }
        });
    let totals = &shown.totals;
    let tokens = totals
        .input_tokens
        .zip(totals.output_tokens)
        .map(|(read, written)| {
            let cached = totals
                .cache_read_tokens
                .filter(|cached| *cached > 0)
                .map_or_else(String::new, |cached| {
                    format!(" ({} from cache)", grouped(unsigned(cached)))
                });
            let words = format!(
                "{} in{cached}, {} out",
                grouped(unsigned(read)),
                grouped(unsigned(written))
            );
            view! { <dt>"Tokens"</dt><dd>{words}</dd> }
        });
    let latency = totals.median_latency_ms.map(|ms| {
        view! { <dt>"Median latency"</dt><dd>{words::latency(ms)}</dd> }
    });
    view! {
        <dl class="facts">
            {before}{p}{drop}{tokens}
            <dt>"Cost"</dt><dd>{parts::cost(shown.run.cost_usd)}</dd>
            {latency}
        </dl>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_holds_both_ends() {
        let check = |lower, upper, expected: f64| {
            assert!((scale(Interval { lower, upper }) - expected).abs() < 1e-12);
        };
        check(-0.01, 0.04, 0.05);
        check(-0.12, 0.02, 0.2);
        check(-0.6, 0.9, 1.0);
    }
}
