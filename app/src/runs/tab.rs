//! The Evals tab of a prompt: the gate of each environment, and its runs by version.

use domain::{actor::Permission, run::Run};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::{
    calls::load_evals,
    gate::{GateForm, Setting},
    links,
    parts::{address, cost, rate, status, subject, unsigned, verdict},
    shapes::{EvalsView, GateRow},
    words,
};
use crate::{
    error::UiError,
    frame::use_membership,
    live::use_feed,
    prompts::{Here, links::with_query, words::grouped},
    ui::{Badge, Empty, Glyph, Icon, Loaded, RelativeTime, TableSkeleton, TableWrap, Tone},
};

/// What the tab shows, and what is set there; made by the prompt's page.
#[derive(Clone, Copy)]
pub struct Evals {
    view: Resource<Result<Option<EvalsView>, UiError>>,
    here: Memo<Here>,
    /// The environment whose gate is being set.
    gate: Memo<String>,
    setting: Setting,
}

impl Evals {
    /// Loads while its tab is the one shown.
    pub fn new(here: Memo<Here>, tab: Memo<String>) -> Self {
        let query = use_query_map();
        let gate = Memo::new(move |_| query.read().get("gate").unwrap_or_default());
        let setting = Setting::new();
        let heard = use_feed().heard(&["run", "suite", "gate", "environment", "version"]);
        // While somebody fills in the form of a gate it must hold still: news wait until it is closed.
        let news = Memo::new(move |before| match before {
            Some(before) if !gate.read().is_empty() => *before,
            _ => heard.get(),
        });
        let view = Resource::new(
            move || {
                let is_shown = *tab.read() == "evals";
                is_shown.then(|| (here.get(), news.get(), setting.version()))
            },
            async |wanted| match wanted {
                None => Ok(None),
                Some((Here { project, name }, _, _)) => load_evals(project, name).await.map(Some),
            },
        );
        Self {
            view,
            here,
            gate,
            setting,
        }
    }
}

/// `?tab=evals&gate=`
#[component]
pub fn EvalsTab(
    /// What it shows.
    evals: Evals,
) -> impl IntoView {
    view! {
        <Loaded from=evals.view skeleton=|| view! { <Skeleton/> } let:shown>
            {match shown {
                None => view! { <Skeleton/> }.into_any(),
                Some(shown) => view! { <Shown here=evals.here.get_untracked() gate=evals.gate setting=evals.setting shown/> }.into_any(),
            }}
        </Loaded>
    }
}

#[component]
fn Skeleton() -> impl IntoView {
    view! { <TableSkeleton columns=&["Version", "Suite", "Status", "Pass rate", "Verdict", "Cost", "When"] label="Loading evals"/> }
}

#[component]
fn Shown(here: Here, gate: Memo<String>, setting: Setting, shown: EvalsView) -> impl IntoView {
    let Here { project, name } = here;
    let may_run = use_membership().may(Permission::RunEvals);
    let launch = may_run.then(|| {
        view! {
            <a class="btn" data-size="small" data-kind="primary" href=links::launch(&project, &name, shown.newest)>
                <Icon glyph=Glyph::Runs/>"Run eval"
            </a>
        }
    });
    let all = links::of_prompt(&project, &name);
    let runs = if shown.runs.is_empty() {
        view! {
            <Empty glyph=Glyph::Runs title="No runs yet" is_small=true>
                <p>"A run asks every case of a suite with one version, and says how many pass."</p>
            </Empty>
        }
        .into_any()
    } else {
        view! { <Runs project=project.clone() shown=shown.clone()/> }.into_any()
    };
    let has_runs = !shown.runs.is_empty();
    view! {
        <section class="section" aria-labelledby="runs-h">
            <div class="section-head">
                <h2 id="runs-h">"Runs"</h2>
                {has_runs.then(|| view! { <a href=all>"All runs"</a> })}
                {launch}
            </div>
            {runs}
        </section>
        <Gates project name gate setting shown/>
    }
}

#[component]
fn Runs(project: String, shown: EvalsView) -> impl IntoView {
    let rows = shown
        .runs
        .iter()
        .map(|run| row(&project, run, &shown))
        .collect_view();
    view! {
        <TableWrap>
            <table class="table" data-stack="">
                <caption class="sr-only">"Latest runs, by version"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Version"</th>
                        <th scope="col">"Suite"</th>
                        <th scope="col">"Status"</th>
                        <th scope="col">"Pass rate"</th>
                        <th scope="col">"Gate"</th>
                        <th scope="col" data-align="end" data-rank="2">"Errors"</th>
                        <th scope="col" data-align="end" data-rank="2">"Cost"</th>
                        <th scope="col" data-align="end">"When"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </TableWrap>
    }
}

fn row(project: &str, run: &Run, shown: &EvalsView) -> impl IntoView + use<> {
    let serves = (run.version.is_some() && run.version == shown.active)
        .then(|| view! { <span class="note">"serves production"</span> });
    let said = shown
        .verdicts
        .iter()
        .find(|(id, _)| *id == run.id)
        .map(|(_, said)| verdict(*said));
    let suite = links::suite(project, &run.suite.to_string());
    view! {
        <tr>
            <th scope="row" data-cell="lead" data-nowrap=""><span class="row"><a class="row-link" href=address(project, run)>{subject(run.version)}</a>{serves}</span></th>
            <td data-cell="full" data-grow=""><span class="cell-clip"><a href=suite>{run.suite_name.clone()}</a>" "<span class="muted">{format!("r{}", run.revision)}</span></span></td>
            <td data-fit="">{status(run)}</td>
            <td data-fit="">{rate(run.pass_rate, run.interval)}</td>
            <td data-fit="">{said}</td>
            <td data-align="end" data-fit="" data-rank="2">{grouped(unsigned(run.errors))}</td>
            <td data-align="end" data-fit="" data-rank="2">{cost(run.cost_usd)}</td>
            <td data-cell="when" data-align="end" data-fit=""><RelativeTime at=run.created_at now=shown.now/></td>
        </tr>
    }
}

/// What a version must show to get into each environment.
#[component]
fn Gates(
    project: String,
    name: String,
    gate: Memo<String>,
    setting: Setting,
    shown: EvalsView,
) -> impl IntoView {
    let may_set = use_membership().may(Permission::Administer);
    let rows = shown
        .gates
        .iter()
        .map(|row| column(&project, &name, row, may_set, &shown))
        .collect_view();
    let form = move || {
        let chosen = gate.get();
        shown
            .gates
            .iter()
            .find(|row| may_set && row.environment == chosen)
            .cloned()
            .map(|row| {
                view! { <GateForm project=project.clone() name=name.clone() row suites=shown.suites.clone() setting/> }
            })
    };
    view! {
        <section class="section" aria-labelledby="gates-h">
            <div class="section-head"><h2 id="gates-h">"Gates"</h2></div>
            <p class="lede">"What a version’s run must show, against what serves production, before it may go on."</p>
            <div class="env-columns">{rows}</div>
            {form}
        </section>
    }
}

fn column(
    project: &str,
    name: &str,
    row: &GateRow,
    may_set: bool,
    shown: &EvalsView,
) -> impl IntoView + use<> {
    let id = format!("gate-{}", row.environment);
    let heading = id.clone();
    let required = row
        .is_required
        .then(|| view! { <Badge tone=Tone::Outline><Icon glyph=Glyph::Lock/>"required"</Badge> });
    let body = match &row.rule {
        None => {
            let words = if row.is_required {
                "Promotions here need a gate, and none is set for this prompt: nothing gets in."
            } else {
                "None set."
            };
            view! { <p class="muted">{words}</p> }.into_any()
        }
        Some(rule) => {
            let lines = words::policy(&rule.policy)
                .into_iter()
                .map(|line| view! { <li>{line}</li> })
                .collect_view();
            let suite = links::suite(project, &rule.suite.to_string());
            view! {
                <ul class="policy"><li>"On "<a href=suite>{rule.suite_name.clone()}</a>"."</li>{lines}</ul>
                <p class="note">{format!("set by {} ", rule.by.name())}<RelativeTime at=rule.at now=shown.now has_ago=true/></p>
            }
            .into_any()
        }
    };
    let verb = if row.rule.is_some() {
        "Change"
    } else {
        "Set gate"
    };
    let set = (may_set && !shown.suites.is_empty()).then(|| {
        let address = crate::prompts::links::prompt(project, name);
        let href = with_query(address, &[("tab", "evals"), ("gate", &row.environment)]);
        let label = format!("{verb} for {}", row.environment);
        view! { <div class="row"><a class="btn" data-size="small" href=format!("{href}#gate-form") aria-label=label><Icon glyph=Glyph::Shield/>{verb}</a></div> }
    });
    view! {
        <section class="env-column" aria-labelledby=id>
            <header><h3 id=heading>{row.environment.clone()}</h3>{required}</header>
            {body}
            {set}
        </section>
    }
}
