//! One experiment: who won, by how much, and can it be trusted? From here it is started, stopped
//! and shipped.

use domain::{
    actor::Permission,
    experiment::{Decision, ExperimentDetail, Status},
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::{
    acts::{Acts, Buttons, OBJECTION, Refusals},
    arms::{ArmsTable, Chips, Guardrails},
    calls::load_experiment,
    links, parts,
    plan::PlanValues,
    shapes::ExperimentView,
    share::{Opened, Share},
    timeline::Story,
    words,
};
use crate::{
    charts::Figure,
    costs::{ArmsWarmth, use_asked},
    frame::{use_membership, use_project},
    live::use_feed,
    prompts::{parts::remember_refusal, words::grouped},
    ui::{Banner, Glyph, Icon, LoadedPage, PageHeader, RelativeTime, Tone, Who, error::sentence},
};

/// `/p/<project>/experiments/<id>`
#[component]
pub fn ExperimentPage() -> impl IntoView {
    remember_refusal();
    let project = use_project();
    let params = use_params_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").unwrap_or_default()));
    let acts = Acts::new();
    let opened = Opened::of_address();
    let heard = use_feed().heard(&["experiment", "deployment", "environment", "promotion"]);
    let asked = use_asked();
    let view = Resource::new(
        move || {
            (
                project.get(),
                id.get(),
                asked.get(),
                heard.get(),
                acts.version(),
            )
        },
        |(project, id, asked, _, _)| load_experiment(project, id, asked),
    );
    view! {
        <LoadedPage from=view let:shown>
            <Body project=project.get_untracked() shown acts opened/>
        </LoadedPage>
    }
}

#[component]
fn Body(project: String, shown: ExperimentView, acts: Acts, opened: Opened) -> impl IntoView {
    let detail = shown.detail.clone();
    let experiment = &detail.experiment;
    let may_run = use_membership().may(Permission::RunExperiments);
    let is_draft = experiment.status == Status::Draft;
    let buttons =
        may_run.then(|| view! { <Buttons project=project.clone() shown=shown.clone() acts/> });
    let change = (is_draft && may_run).then(|| {
        let href = links::planned(&project, &PlanValues::of(experiment), &[]);
        view! { <a class="btn" href=href><Icon glyph=Glyph::Edit/>"Change the plan"</a> }
    });
    let id = experiment.id.to_string();
    let export = view! { <Export project=project.clone() id=id.clone()/> };
    let lede = (!experiment.plan.hypothesis.is_empty()).then(|| experiment.plan.hypothesis.clone());
    let warning = shown.warning.clone().map(|warning| {
        view! { <Banner tone=Tone::Warn title="Too little traffic for the time given"><p>{sentence(&warning)}</p></Banner> }
    });
    let has_more = experiment.plan.slice().end() < 1.0;
    let objection = shown.objection.clone().filter(|_| may_run && (is_draft || has_more)).map(|objection| {
        let title = if is_draft { "An approver has to start it" } else { "An approver has to raise its traffic" };
        view! { <Banner tone=Tone::Info title><p id=OBJECTION>{sentence(&objection)}</p></Banner> }
    });
    let conclusion = experiment.conclusion.clone().map(|conclusion| {
        view! {
            <section class="section" aria-labelledby="conclusion-h">
                <div class="section-head"><h2 id="conclusion-h">"Conclusion"</h2></div>
                <p class="conclusion">{conclusion}</p>
            </section>
        }
    });
    let noting = |figure| opened.noting(&project, &id, figure);
    let effect = shown.effect.clone().map(|chart| {
        view! {
            <section class="section" aria-labelledby="effect-h">
                <div class="section-head"><h2 id="effect-h">"Effect"</h2></div>
                <Figure id="effect" name="the effect" chart is_open=opened.has("effect") on_toggle=noting("effect")/>
            </section>
        }
    });
    let over_time = shown.over_time.clone().map(|chart| {
        view! {
            <section class="section" aria-labelledby="over-time-h">
                <div class="section-head"><h2 id="over-time-h">"Effect over time"</h2></div>
                <Figure id="over-time" name="the effect over time" chart is_open=opened.has("over-time") on_toggle=noting("over-time")/>
            </section>
        }
    });
    let chips = (!is_draft).then(|| view! { <Chips results=detail.results.clone()/> });
    let guardrails = view! { <Guardrails results=detail.results.clone()/> };
    let facts = facts(&project, &shown);
    let warmth = shown
        .warmth
        .clone()
        .map(|warmth| view! { <ArmsWarmth warmth/> });
    view! {
        <PageHeader title=experiment.plan.name.clone() lede=move || view! { {lede} } actions=move || view! { {export}{change}{buttons} }>
            {facts}
        </PageHeader>
        <Refusals acts/>
        <section class="section" aria-labelledby="verdict-h">
            <h2 id="verdict-h" class="sr-only">"Verdict"</h2>
            <div class="verdict" data-size="large" role="status">
                {parts::verdict_badge(&detail.results.verdict)}
                <p><strong>{detail.results.verdict.sentence.clone()}</strong></p>
            </div>
            {chips}
            {progress(&detail)}
            {objection}
            {warning}
        </section>
        {conclusion}
        {effect}
        {over_time}
        <ArmsTable project=project.clone() detail=detail.clone()/>
        {guardrails}
        {warmth}
        <Rule detail=detail.clone()/>
        <Story entries=detail.timeline now=shown.now/>
        <Share project id=id.clone() public_url=shown.public_url opened/>
    }
}

fn facts(project: &str, shown: &ExperimentView) -> impl IntoView + use<> {
    let experiment = &shown.detail.experiment;
    let plan = &experiment.plan;
    let prompt = crate::prompts::links::tab(project, plan.prompt.as_str(), "experiments");
    let name = plan.prompt.to_string();
    let since = match (experiment.started_at, experiment.stopped_at) {
        (_, Some(at)) => ("Stopped", at),
        (Some(at), None) => ("Started", at),
        (None, None) => ("Planned", experiment.created_at),
    };
    let layer = plan
        .layer
        .as_ref()
        .map(|layer| view! { <div><dt>"Layer"</dt><dd>{format!("{layer}, {}", plan.slice())}</dd></div> });
    let event = shown.detail.results.last_event_at.map(|at| {
        view! { <div><dt>"Last event"</dt><dd><RelativeTime at now=shown.now has_ago=true/></dd></div> }
    });
    view! {
        <dl class="bar">
            <div><dt>"Status"</dt><dd>{parts::status(experiment.status)}</dd></div>
            <div><dt>"Prompt"</dt><dd><a href=prompt>{name}</a></dd></div>
            <div><dt>"Environment"</dt><dd>{plan.environment.clone()}</dd></div>
            <div><dt>"Metric"</dt><dd>{plan.primary_metric.clone()}</dd></div>
            <div><dt>"Traffic"</dt><dd>{format!("{} of {}", words::share(plan.traffic), plan.unit.plural())}</dd></div>
            {layer}
            <div><dt>"By"</dt><dd><Who name=experiment.by.name() kind=experiment.by.kind()/></dd></div>
            <div><dt>{since.0}</dt><dd><RelativeTime at=since.1 now=shown.now has_ago=true/></dd></div>
            {event}
        </dl>
    }
}

/// How far the planned sample is.
fn progress(detail: &ExperimentDetail) -> impl IntoView + use<> {
    let progress = detail.results.progress;
    let unit = detail.experiment.plan.unit.plural();
    let planned = progress.planned;
    let words = match parts::days_left(progress) {
        Some(left) => format!(
            "{} of {} planned {unit}, {left}",
            grouped(progress.observed),
            grouped(planned)
        ),
        None => format!(
            "{} of {} planned {unit}",
            grouped(progress.observed),
            grouped(planned)
        ),
    };
    let done = progress.observed.min(planned);
    view! {
        <div class="sample">
            <progress class="bar-progress" max=planned.max(1).to_string() value=done.to_string() aria-labelledby="sample-words"></progress>
            <p class="note" id="sample-words">{words}</p>
        </div>
    }
}

/// By what it is decided, in words.
#[component]
fn Rule(detail: ExperimentDetail) -> impl IntoView {
    let plan = detail.experiment.plan;
    let rule = match plan.decision {
        Decision::Fixed => {
            "Fixed: decided once, by the z-test on the counts at the moment the planned sample is reached. Until then only a broken split or guardrail may stop it."
        }
        Decision::Sequential => {
            "Sequential: decided by the always-valid interval, at any moment; looking every day does no harm."
        }
    };
    let plans = format!(
        "Planned to find {} with {} power at an error rate of {}, from a rate of {}.",
        words::points(plan.minimum_effect),
        words::share(plan.power),
        words::share(plan.alpha),
        words::share(plan.baseline),
    );
    let stops = match (plan.auto_stop.guardrail, plan.auto_stop.srm) {
        (true, true) => "Stops by itself on a broken guardrail or a broken split.",
        (true, false) => "Stops by itself on a broken guardrail.",
        (false, true) => "Stops by itself on a broken split.",
        (false, false) => "Nothing stops it by itself.",
    };
    let layer = plan.layer.as_ref().map(|layer| {
        let words = format!(
            "In the layer {layer} it takes {} of the {}; experiments in other parts of the layer share none of them.",
            plan.slice(),
            plan.unit.plural(),
        );
        view! { <li>{words}</li> }
    });
    let several = (plan.arms.len() > 2)
        .then(|| view! { <li>"Several challengers share the error rate (Holm); their p-values are adjusted for it."</li> });
    view! {
        <section class="section" aria-labelledby="rule-h">
            <div class="section-head"><h2 id="rule-h">"How it is decided"</h2></div>
            <ul class="policy"><li>{rule}</li><li>{plans}</li>{layer}{several}<li>{stops}</li></ul>
        </section>
    }
}

#[component]
fn Export(project: String, id: String) -> impl IntoView {
    let csv = links::export(&project, &id, "results?format=csv");
    let json = links::export(&project, &id, "detail");
    view! {
        <button type="button" class="btn" popovertarget="export">
            <Icon glyph=Glyph::Download/>"Export"<Icon glyph=Glyph::ChevronDown/>
        </button>
        <div class="menu" data-side="end" popover="auto" id="export">
            <p class="menu-label">"The result as it stands"</p>
            <a class="menu-item" href=csv rel="external" download="experiment.csv">"CSV"</a>
            <a class="menu-item" href=json rel="external" download="experiment.json">"JSON"</a>
        </div>
    }
}
