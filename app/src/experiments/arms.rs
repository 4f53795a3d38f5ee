//! The arms in numbers, and the chips that say whether they can be trusted.

use domain::experiment::{ExperimentDetail, GuardrailResult, GuardrailState, Results, VerdictKind};
use leptos::prelude::*;

use super::words;
use crate::{
    prompts::words::grouped,
    runs::words::p_value,
    ui::{Badge, Glyph, Icon, Nobody, TableWrap, Tone},
};

/// Units, successes, rate and interval of each arm.
#[component]
pub fn ArmsTable(project: String, detail: ExperimentDetail) -> impl IntoView {
    let plan = detail.experiment.plan;
    let unit = plan.unit.plural();
    let total: f64 = plan.arms.iter().map(|arm| arm.weight).sum();
    let winner = detail
        .results
        .verdict
        .arm
        .filter(|_| detail.results.verdict.kind == VerdictKind::Better);
    let rows = detail
        .results
        .arms
        .into_iter()
        .zip(&plan.arms)
        .enumerate()
        .map(|(position, (arm, planned))| {
            let href = crate::prompts::links::version(&project, plan.prompt.as_str(), arm.version);
            let mark = match (position, winner.as_deref() == Some(arm.name.as_str())) {
                (0, _) => Some(view! { <Badge tone=Tone::Outline>"control"</Badge> }.into_any()),
                (_, true) => Some(view! { <Badge tone=Tone::Good><Icon glyph=Glyph::Check/>"better"</Badge> }.into_any()),
                _ => None,
            };
            let rate = match arm.rate {
                Some(rate) => format!("{:.1} %", rate * 100.0).into_any(),
                None => view! { <Nobody word="no units yet"/> }.into_any(),
            };
            let interval = match arm.interval {
                Some(interval) => crate::runs::words::interval(interval).into_any(),
                None => view! { <Nobody word="no units yet"/> }.into_any(),
            };
            view! {
                <tr>
                    <th scope="row" data-cell="lead"><span class="arm"><span class="arm-key" data-series=(position.min(5)).to_string() aria-hidden="true"></span>{arm.name}" "{mark}</span></th>
                    <td data-fit="" data-rank="1"><a href=href>{format!("v{}", arm.version)}</a></td>
                    <td data-align="end" data-fit="" data-rank="1">{words::share(planned.weight / total)}</td>
                    <td data-align="end" data-fit="">{grouped(arm.units)}</td>
                    <td data-align="end" data-fit="" data-rank="1">{grouped(arm.successes)}</td>
                    <td data-align="end" data-fit=""><b>{rate}</b></td>
                    <td data-align="end" data-fit="">{interval}</td>
                </tr>
            }
        })
        .collect_view();
    let frozen = detail.results.frozen_at.map(|at| {
        view! { <p class="note">"Counts as they were when the planned sample was reached, "<crate::ui::Moment at/>". They no longer change: the decision is made on them."</p> }
    });
    view! {
        <section class="section" aria-labelledby="arms-h">
            <div class="section-head"><h2 id="arms-h">"Arms"</h2></div>
            <TableWrap label="Arms">
                <table class="table">
                    <caption class="sr-only">"The arms with their counts"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Arm"</th>
                            <th scope="col" data-rank="1">"Version"</th>
                            <th scope="col" data-align="end" data-rank="1">"Share"</th>
                            <th scope="col" data-align="end">{capital(unit)}</th>
                            <th scope="col" data-align="end" data-rank="1">{capital(&plan.primary_metric)}</th>
                            <th scope="col" data-align="end">"Rate"</th>
                            <th scope="col" data-align="end">{format!("{:.0} % interval", (1.0 - plan.alpha) * 100.0)}</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableWrap>
            {frozen}
        </section>
    }
}

fn capital(word: &str) -> String {
    let mut rest = word.chars();
    rest.next().map_or_else(String::new, |first| {
        format!("{}{}", first.to_uppercase(), rest.as_str())
    })
}

/// Whether it can be trusted, and whether anything breaks, in a word each.
#[component]
pub fn Chips(results: Results) -> impl IntoView {
    let (tone, words) = match (results.srm.alarm, results.srm.p_value) {
        (true, p) => (
            Tone::Bad,
            format!("split is broken, p {}", p.map_or_else(String::new, small)),
        ),
        (false, Some(p)) => (Tone::Good, format!("split as planned, p {}", small(p))),
        (false, None) => (Tone::Outline, "split: no units yet".to_owned()),
    };
    let split = view! { <li><Badge tone=tone><Icon glyph=glyph(tone)/>{words}</Badge></li> };
    let has_several = results.comparisons.len() > 1;
    let guardrails = results
        .guardrails
        .iter()
        .map(|one| {
            let (tone, word) = words::guardrail(one.state);
            let of = if has_several {
                format!(" ({})", one.arm)
            } else {
                String::new()
            };
            let words = format!("{}{of} {word}", one.metric);
            view! { <li><Badge tone=tone><Icon glyph=glyph(tone)/>{words}</Badge></li> }
        })
        .collect_view();
    let twice = (results.excluded_units > 0).then(|| {
        let words = format!(
            "{} seen in two arms, counted in none",
            grouped(results.excluded_units)
        );
        view! { <li><Badge tone=Tone::Warn><Icon glyph=Glyph::Warn/>{words}</Badge></li> }
    });
    view! { <ul class="trust" aria-label="Whether it can be trusted">{split}{guardrails}{twice}</ul> }
}

const fn glyph(tone: Tone) -> Glyph {
    match tone {
        Tone::Outline => Glyph::Clock,
        tone => tone.glyph(),
    }
}

fn small(p: f64) -> String {
    let text = p_value(p);
    if text.starts_with('<') {
        text
    } else {
        format!("= {text}")
    }
}

/// What must not get worse, with how much worse it may be at least and at most.
#[component]
pub fn Guardrails(results: Results) -> impl IntoView {
    if results.guardrails.is_empty() {
        return ().into_any();
    }
    let rows = results
        .guardrails
        .iter()
        .map(|one| {
            let (tone, word) = words::guardrail(one.state);
            let number = |number: Option<f64>| match number {
                Some(number) => words::measured(&one.metric, number).into_any(),
                None => view! { <Nobody word="too few units"/> }.into_any(),
            };
            view! {
                <tr>
                    <th scope="row" data-cell="lead">{one.metric.clone()}" "<span class="muted">{one.arm.clone()}</span></th>
                    <td data-fit=""><Badge tone=tone><Icon glyph=glyph(tone)/>{word}</Badge></td>
                    <td data-align="end" data-fit="" data-rank="1">{number(one.control_mean)}</td>
                    <td data-align="end" data-fit="" data-rank="1">{number(one.mean)}</td>
                    <td data-align="end" data-fit="">{bounds(one)}</td>
                    <td data-align="end" data-fit="">{words::tolerated(one)}</td>
                </tr>
            }
        })
        .collect_view();
    let level = format!("{:.0} %", (1.0 - results.alpha) * 100.0);
    let is_broken = results
        .guardrails
        .iter()
        .any(|one| one.state == GuardrailState::Broken);
    let says = if is_broken {
        format!(
            "Broken: worse by more than is tolerated, with {level} certainty at whatever moment one looks."
        )
    } else {
        format!("Bounds hold with {level} certainty at whatever moment one looks.")
    };
    view! {
        <section class="section" aria-labelledby="guardrails-h">
            <div class="section-head"><h2 id="guardrails-h">"Guardrails"</h2></div>
            <TableWrap label="Guardrails">
                <table class="table">
                    <caption class="sr-only">"What must not get worse"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Metric"</th>
                            <th scope="col">"State"</th>
                            <th scope="col" data-align="end" data-rank="1">"Control"</th>
                            <th scope="col" data-align="end" data-rank="1">"Challenger"</th>
                            <th scope="col" data-align="end">"Worse by"</th>
                            <th scope="col" data-align="end">"Tolerated"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableWrap>
            <p class="note">{says}</p>
        </section>
    }
    .into_any()
}

fn bounds(one: &GuardrailResult) -> AnyView {
    match one.worse_by_at_least.zip(one.worse_by_at_most) {
        Some((least, most)) => format!(
            "{} to {}",
            words::measured(&one.metric, least),
            words::measured(&one.metric, most)
        )
        .into_any(),
        None => view! { <Nobody word="too few units"/> }.into_any(),
    }
}
