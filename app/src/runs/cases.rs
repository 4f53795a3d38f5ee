//! The results of a run, case by case: a line each, and behind it what was asked, answered and
//! judged, beside what the baseline answered.

use domain::{
    actor::Permission,
    diff::{Op, Segment},
    run::{Change, RunStatus},
    scoring::Score,
};
use leptos::prelude::*;

use super::{
    links::{self, RunQuery, Show},
    parts::{subject, unsigned},
    report::{Report, Reporting},
    shapes::{Before, Row, RunView},
    words,
};
use crate::{
    frame::use_membership,
    prompts::words::{counted, grouped},
    ui::{Badge, Banner, Empty, Glyph, Icon, Pager, Tag, Tone},
};

/// The longest text on a case's line, in characters.
const MAX_TITLE: usize = 160;

/// The table, its filters, its pages.
#[component]
pub fn Cases(
    project: String,
    query: RunQuery,
    shown: RunView,
    reporting: Reporting,
) -> impl IntoView {
    let reported = query.reported.map(|revision| {
        let suite = links::suite(&project, &shown.run.suite.to_string());
        let name = shown.run.suite_name.clone();
        let words = format!("It is the last case of revision {revision}. ");
        view! {
            <Banner tone=Tone::Good title="The problem is a case now">
                <p>{words}<a href=suite>{name}</a></p>
            </Banner>
        }
    });
    let list = if shown.rows.is_empty() {
        view! { <Nothing project=project.clone() query=query.clone() shown=shown.clone()/> }
            .into_any()
    } else {
        view! { <Rows project=project.clone() query=query.clone() shown=shown.clone() reporting/> }
            .into_any()
    };
    view! {
        <section class="section" id="cases" aria-labelledby="cases-h">
            <div class="section-head"><h2 id="cases-h">"Cases"</h2></div>
            {reported}
            {filters(&project, &query, &shown)}
            {list}
        </section>
    }
}

fn filters(project: &str, query: &RunQuery, shown: &RunView) -> impl IntoView + use<> {
    let run = &shown.run;
    let mut chips = vec![
        (Show::All, unsigned(run.done)),
        (Show::Passed, unsigned(run.passed)),
        (Show::Failed, unsigned(run.done - run.passed)),
        (Show::Errors, unsigned(run.errors)),
    ];
    if let Some(judged) = shown.judged.as_ref().filter(|_| shown.baseline.is_some()) {
        chips.push((Show::Lost, judged.verdict.lost));
        chips.push((Show::Gained, judged.verdict.gained));
        chips.extend(judged.both_pass.map(|count| (Show::BothPass, count)));
        chips.extend(judged.both_fail.map(|count| (Show::BothFail, count)));
    }
    let id = run.id.to_string();
    let chips = chips
        .into_iter()
        .map(|(show, count)| {
            let href = links::run(project, &id, &query.showing(show));
            let current = (show == query.show).then_some("true");
            view! {
                <a class="chip" href=format!("{href}#cases") aria-current=current>
                    {show.label()}<span class="num">{grouped(count)}</span>
                </a>
            }
        })
        .collect_view();
    view! { <nav class="chips" aria-label="Which cases">{chips}</nav> }
}

#[component]
fn Nothing(project: String, query: RunQuery, shown: RunView) -> impl IntoView {
    let id = shown.run.id.to_string();
    if query.show == Show::All && query.cursor.is_empty() {
        let words = match shown.run.status {
            RunStatus::Queued | RunStatus::Running => "Results show here as they arrive.",
            RunStatus::Completed | RunStatus::Failed | RunStatus::Cancelled => {
                "It ended before the first one."
            }
        };
        return view! { <Empty glyph=Glyph::Runs title="No result yet" is_small=true><p>{words}</p></Empty> }.into_any();
    }
    let all = links::run(&project, &id, &query.showing(Show::All));
    view! {
        <Empty glyph=Glyph::Check title=format!("None: {}", query.show.label()) is_small=true>
            <p>"No case of this run is of that kind."</p>
            <a class="btn" href=all>"Show all"</a>
        </Empty>
    }
    .into_any()
}

#[component]
fn Rows(project: String, query: RunQuery, shown: RunView, reporting: Reporting) -> impl IntoView {
    let id = shown.run.id.to_string();
    let here = query.showing(query.show);
    let first = (!query.cursor.is_empty()).then(|| links::run(&project, &id, &here));
    let next = shown.next_cursor.clone().map(|cursor| {
        let further = RunQuery {
            cursor,
            ..here.clone()
        };
        format!("{}#cases", links::run(&project, &id, &further))
    });
    let n_shown = counted(
        u64::try_from(shown.rows.len()).unwrap_or_default(),
        "result",
    );
    let words = if first.is_none() && next.is_none() {
        n_shown
    } else {
        format!("{n_shown} on this page")
    };
    let versions = (
        subject(shown.run.version),
        shown.baseline.as_ref().map(|run| subject(run.version)),
    );
    // A report keeps what is shown, page and all.
    let back = RunQuery {
        reported: None,
        ..query
    };
    let may_report = use_membership().may(Permission::RunEvals);
    let has_repeats = shown.run.options.repeats > 1;
    let has_cost = shown.run.cost_usd.is_some();
    let rows = shown
        .rows
        .into_iter()
        .map(|row| {
            let report = may_report.then(|| {
                view! {
                    <Report
                        project=project.clone() run=id.clone() query=back.clone() subject=versions.0.clone()
                        row=row.clone() reporting
                    />
                }
            });
            case(row, &versions, has_repeats, report.into_any())
        })
        .collect_view();
    view! {
        <ol class="cases" data-cost=has_cost.then_some("")>{rows}</ol>
        <Pager shown=words first next/>
    }
}

fn case(
    row: Row,
    versions: &(String, Option<String>),
    has_repeats: bool,
    report: AnyView,
) -> impl IntoView + use<> {
    let mark = match (row.change, row.error.is_some(), row.passed) {
        (Some(Change::Lost), ..) => {
            view! { <Badge tone=Tone::Bad><Icon glyph=Glyph::ArrowDown/>"lost"</Badge> }.into_any()
        }
        (Some(Change::Gained), ..) => {
            view! { <Badge tone=Tone::Good><Icon glyph=Glyph::ArrowUp/>"gained"</Badge> }.into_any()
        }
        (_, true, _) => {
            view! { <Badge tone=Tone::Warn><Icon glyph=Glyph::Warn/>"error"</Badge> }.into_any()
        }
        (_, _, true) => {
            view! { <span class="mark" data-tone="good"><Icon glyph=Glyph::Check/>"pass"</span> }
                .into_any()
        }
        (_, _, false) => {
            view! { <span class="mark" data-tone="bad"><Icon glyph=Glyph::Close/>"fail"</span> }
                .into_any()
        }
    };
    let number = if has_repeats {
        format!("{}.{}", row.position, row.repeat + 1)
    } else {
        row.position.to_string()
    };
    let title = title(&row);
    let answer = row
        .error
        .as_deref()
        .or(row.output.as_deref())
        .unwrap_or_default();
    let answer = one_line(answer);
    let must_pass = row
        .must_pass
        .then(|| view! { <Badge tone=Tone::Outline>"must pass"</Badge> });
    let flaky = row
        .is_flaky
        .then(|| view! { <Badge tone=Tone::Outline>"flaky"</Badge> });
    let latency = row.latency_ms.map(words::latency);
    let cost = row
        .cost_usd
        .map(|cost| view! { <span class="num case-cost">{words::dollars(cost)}</span> });
    view! {
        <li class="case">
            <details>
                <summary class="case-line">
                    <Icon glyph=Glyph::ChevronRight/>
                    <span class="case-mark">{mark}</span>
                    <span class="num case-number"><span class="sr-only">"case "</span>{number}</span>
                    <span class="case-title"><span>{title}</span>{must_pass}{flaky}</span>
                    <span class="case-answer">{answer}</span>
                    <span class="num case-latency">{latency}</span>
                    {cost}
                </summary>
                <div class="case-body">
                    {body(row, versions)}
                    <div class="row">{report}</div>
                </div>
            </details>
        </li>
    }
}

/// What tells a case from its neighbours: its note, or what it was called with.
fn title(row: &Row) -> String {
    let text = match (row.note.is_empty(), row.input.as_slice()) {
        (false, _) => row.note.clone(),
        (true, [(_, value)]) => value.clone(),
        (true, many) => many
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect::<Vec<_>>()
            .join(" · "),
    };
    one_line(&text)
}

fn one_line(text: &str) -> String {
    let mut line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = line.char_indices().nth(MAX_TITLE) {
        line.truncate(end);
        line.push('…');
    }
    line
}

fn body(row: Row, versions: &(String, Option<String>)) -> impl IntoView + use<> {
    let tags = (!row.tags.is_empty()).then(|| {
        let tags = row
            .tags
            .iter()
            .map(|tag| view! { <Tag word=tag.clone()/> })
            .collect_view();
        view! { <div class="envs">{tags}</div> }
    });
    let note = (!row.note.is_empty()).then(|| view! { <p>{row.note.clone()}</p> });
    let scores = row.scores.iter().map(score).collect_view();
    let has_scores = !row.scores.is_empty();
    let call = call(&row);
    let outputs = outputs(&row, versions);
    let input = row
        .input
        .into_iter()
        .map(|(name, value)| view! { <dt><code>{name}</code></dt><dd class="prompt">{value}</dd> })
        .collect_view();
    let expected = row.expected.map(|expected| {
        view! { <dt>"expected"</dt><dd class="prompt">{expected}</dd> }
    });
    let tools = row.tool_calls.map(|calls| {
        view! { <pre class="code" tabindex="0" role="region" aria-label="Tool calls"><code>{calls}</code></pre> }
    });
    view! {
        {note}
        {tags}
        <dl class="facts case-input">{input}{expected}</dl>
        {outputs}
        {tools}
        {has_scores.then(|| view! { <ul class="scores">{scores}</ul> })}
        {call}
    }
}

/// Both outputs side by side with the words that differ marked; one alone without a baseline.
fn outputs(row: &Row, versions: &(String, Option<String>)) -> impl IntoView + use<> {
    let now = match (&row.output, &row.error) {
        (_, Some(error)) => view! { <p class="error">{error.clone()}</p> }.into_any(),
        (Some(output), None) if output.is_empty() => {
            view! { <p class="muted">"no text"</p> }.into_any()
        }
        (Some(output), None) => match &row.difference {
            Some(segments) => {
                view! { <div class="prompt">{side(segments, Op::Insert)}</div> }.into_any()
            }
            None => view! { <div class="prompt">{output.clone()}</div> }.into_any(),
        },
        (None, None) => view! { <p class="muted">"nothing"</p> }.into_any(),
    };
    let state = |passed: bool| if passed { "passed" } else { "failed" };
    let before = row.before.as_ref().map(|before| {
        let Before { passed, output, error } = before;
        let text = match (output, error) {
            (_, Some(error)) => view! { <p class="error">{error.clone()}</p> }.into_any(),
            (Some(output), None) => match &row.difference {
                Some(segments) => view! { <div class="prompt">{side(segments, Op::Delete)}</div> }.into_any(),
                None => view! { <div class="prompt">{output.clone()}</div> }.into_any(),
            },
            (None, None) => view! { <p class="muted">"nothing"</p> }.into_any(),
        };
        let version = versions.1.clone().unwrap_or_default();
        view! {
            <section class="output">
                <h3>{format!("Baseline, {version}")}" "<span class="muted">{state(*passed)}</span></h3>
                {text}
            </section>
        }
    });
    let is_same = row.difference.is_none()
        && row
            .before
            .as_ref()
            .is_some_and(|before| before.output.is_some() && before.output == row.output);
    let same = is_same.then(|| view! { <span class="muted">", the same words"</span> });
    view! {
        <div class="outputs">
            {before}
            <section class="output">
                <h3>{format!("This run, {}", versions.0)}" "<span class="muted">{state(row.passed)}</span>{same}</h3>
                {now}
            </section>
        </div>
    }
}

/// One side of a difference: what both have, and what only this one has, marked.
fn side(segments: &[Segment], own: Op) -> impl IntoView + use<> {
    segments
        .iter()
        .filter(|segment| segment.op == Op::Equal || segment.op == own)
        .map(|segment| {
            let text = segment.text.clone();
            match segment.op {
                Op::Equal => text.into_any(),
                Op::Insert => view! { <ins>{text}</ins> }.into_any(),
                Op::Delete => view! { <del>{text}</del> }.into_any(),
            }
        })
        .collect_view()
}

fn score(score: &Score) -> impl IntoView + use<> {
    let (tone, glyph, word) = if score.passed {
        ("good", Glyph::Check, "passed")
    } else {
        ("bad", Glyph::Close, "failed")
    };
    let judge = score.judge.as_ref().map(|judge| {
        let words = format!(" judged by {}", judge.model);
        view! { <span class="note">{words}</span> }
    });
    // A score between is worth saying; 0 and 1 are what passing and failing mean.
    let between = (score.score > 0.0 && score.score < 1.0)
        .then(|| view! { " "<span class="num">{format!("{:.2}", score.score)}</span> });
    view! {
        <li>
            <span class="mark" data-tone=tone><Icon glyph/><span class="sr-only">{word}" "</span></span>
            <code>{score.kind.clone()}</code>
            <span>{score.reason.clone()}{between}{judge}</span>
        </li>
    }
}

/// What the call took, in one line.
fn call(row: &Row) -> impl IntoView + use<> {
    let mut parts = Vec::new();
    if let Some(ms) = row.latency_ms {
        parts.push(words::latency(ms));
    }
    if let Some(ms) = row.ttft_ms {
        parts.push(format!("first token after {}", words::latency(ms)));
    }
    let tokens = |count: i32| grouped(u64::try_from(count).unwrap_or_default());
    if let Some((read, written)) = row.input_tokens.zip(row.output_tokens) {
        let cached = row
            .cache_read_tokens
            .filter(|cached| *cached > 0)
            .map_or_else(String::new, |cached| {
                format!(" ({} from cache)", tokens(cached))
            });
        parts.push(format!(
            "{} tokens in{cached}, {} out",
            tokens(read),
            tokens(written)
        ));
    }
    parts.extend(row.cost_usd.map(words::dollars));
    parts.extend(
        row.finish_reason
            .as_ref()
            .map(|why| format!("ended by {why}")),
    );
    if let Some(answered) = &row.answered_by {
        let print = answered
            .fingerprint
            .as_ref()
            .map_or_else(String::new, |print| format!(" ({print})"));
        parts.push(format!("{}{print}", answered.model));
        if !answered.left_out.is_empty() {
            parts.push(format!(
                "without {}, which the model refuses",
                answered.left_out.join(", ")
            ));
        }
        if answered.n_tries > 1 {
            parts.push(format!("{} tries", answered.n_tries));
        }
    }
    view! { <p class="note">{parts.join(" · ")}</p> }
}
