//! What can be done with an experiment, each with what will happen in numbers.

use domain::experiment::{Status, VerdictKind};
use leptos::prelude::*;

use super::{
    calls::{ConcludeExperiment, RaiseTraffic, ShipArm, StartExperiment, StopExperiment},
    shapes::ExperimentView,
    words,
};
use crate::{
    costs::AcceptOver,
    error::UiError,
    prompts::{
        parts::{close_after, field_error, refusal},
        words::grouped,
    },
    ui::{Dialog, DialogHead, Field, Glyph, Icon, Refusal, described_by},
};

/// The id of the words that say why somebody may not start it.
pub const OBJECTION: &str = "objection";

/// What is done; made by the page, so that it outlives what is shown.
#[derive(Clone, Copy)]
pub struct Acts {
    start: ServerAction<StartExperiment>,
    raise: ServerAction<RaiseTraffic>,
    stop: ServerAction<StopExperiment>,
    conclude: ServerAction<ConcludeExperiment>,
    ship: ServerAction<ShipArm>,
    start_error: Signal<Option<UiError>>,
    raise_error: Signal<Option<UiError>>,
    stop_error: Signal<Option<UiError>>,
    conclude_error: Signal<Option<UiError>>,
    ship_error: Signal<Option<UiError>>,
    traffic: Signal<Option<String>>,
    conclusion: Signal<Option<String>>,
}

impl Acts {
    /// Nothing done yet.
    pub fn new() -> Self {
        let (start, raise, stop) = (
            ServerAction::new(),
            ServerAction::new(),
            ServerAction::new(),
        );
        let (conclude, ship) = (ServerAction::new(), ServerAction::new());
        let raise_error = refusal(raise);
        let conclude_error = refusal(conclude);
        // The page shows what came of it; other dialogs go with their buttons.
        close_after(raise, "raise");
        Self {
            start,
            raise,
            stop,
            conclude,
            ship,
            start_error: refusal(start),
            raise_error,
            stop_error: refusal(stop),
            conclude_error,
            ship_error: refusal(ship),
            traffic: field_error(raise_error, "traffic"),
            conclusion: field_error(conclude_error, "conclusion"),
        }
    }

    /// Rises with everything done.
    pub fn version(self) -> usize {
        self.start.version().get()
            + self.raise.version().get()
            + self.stop.version().get()
            + self.conclude.version().get()
    }
}

/// Why it was not started; what dialogs ask for is refused in them.
#[component]
pub fn Refusals(acts: Acts) -> impl IntoView {
    view! { <Refusal error=acts.start_error/> }
}

/// The buttons for whoever may use them.
#[component]
pub fn Buttons(project: String, shown: ExperimentView, acts: Acts) -> impl IntoView {
    let experiment = &shown.detail.experiment;
    let verdict = &shown.detail.results.verdict;
    let id = experiment.id.to_string();
    let ship = (verdict.kind == VerdictKind::Better && experiment.status != Status::Draft)
        .then(|| verdict.arm.clone())
        .flatten()
        .and_then(|arm| ship(&project, &id, &arm, &shown, acts));
    match experiment.status {
        Status::Draft => start(&project, &id, shown.objection.is_some(), acts),
        Status::Running => {
            let raise =
                (experiment.plan.slice().end() < 1.0).then(|| raise(&project, &id, &shown, acts));
            let stop = stop(&project, &id, &shown, acts);
            view! { {raise}{stop}{ship} }.into_any()
        }
        Status::Stopped => {
            let conclude = conclude(&project, &id, &shown, acts);
            view! { {conclude}{ship} }.into_any()
        }
        Status::Concluded => ship.into_any(),
    }
}

fn start(project: &str, id: &str, is_refused: bool, acts: Acts) -> AnyView {
    let (project, id) = (project.to_owned(), id.to_owned());
    let is_busy = move || acts.start.pending().get().then_some("true");
    view! {
        <ActionForm action=acts.start>
            <input type="hidden" name="project" value=project/>
            <input type="hidden" name="experiment" value=id/>
            <button
                type="submit" class="btn" data-kind="primary" aria-busy=is_busy disabled=is_refused
                aria-describedby=is_refused.then_some(OBJECTION)
            >
                <Icon glyph=Glyph::Runs/>"Start"
            </button>
        </ActionForm>
    }
    .into_any()
}

fn raise(project: &str, id: &str, shown: &ExperimentView, acts: Acts) -> AnyView {
    let plan = &shown.detail.experiment.plan;
    let says = format!(
        "{} of {} take part now. Whoever takes part stays in their arm; more join.",
        words::share(plan.traffic),
        plan.unit.plural()
    );
    let is_refused = shown.objection.is_some();
    let suggested = (plan.traffic * 200.0).min((1.0 - plan.traffic_from) * 100.0);
    let (project, id) = (project.to_owned(), id.to_owned());
    let is_busy = move || acts.raise.pending().get().then_some("true");
    view! {
        <button
            type="button" class="btn" commandfor="raise" command="show-modal" disabled=is_refused
            aria-describedby=is_refused.then_some(OBJECTION)
        >
            <Icon glyph=Glyph::ArrowUp/>"Raise traffic"
        </button>
        <Dialog id="raise">
            <ActionForm action=acts.raise attr:class="dialog-form">
                <DialogHead id="raise" title="Raise traffic"/>
                <div class="dialog-body">
                    <p>{says}</p>
                    <input type="hidden" name="project" value=project/>
                    <input type="hidden" name="experiment" value=id/>
                    <Field id="raise-traffic" label="Traffic, %" hint="It can only go up while the experiment runs." error=acts.traffic>
                        <input class="input" id="raise-traffic" name="traffic" inputmode="decimal" data-align="end" required=true value=format!("{suggested:.0}") aria-describedby=described_by("raise-traffic")/>
                    </Field>
                    <Refusal error=acts.raise_error/>
                </div>
                <footer class="dialog-foot">
                    <button type="button" class="btn" commandfor="raise" command="close">"Cancel"</button>
                    <button type="submit" class="btn" data-kind="primary" aria-busy=is_busy>"Raise"</button>
                </footer>
            </ActionForm>
        </Dialog>
    }
    .into_any()
}

fn stop(project: &str, id: &str, shown: &ExperimentView, acts: Acts) -> AnyView {
    let detail = &shown.detail;
    let plan = &detail.experiment.plan;
    let control = plan.arms.first().map_or_else(String::new, |arm| {
        format!("{} (v{})", arm.name, arm.version)
    });
    let challengers: u64 = detail
        .results
        .arms
        .iter()
        .skip(1)
        .map(|arm| arm.units)
        .sum();
    let progress = detail.results.progress;
    let says = format!(
        "Everybody gets {control} again within a second: {} of {} {} counted so far are in a challenger’s arm. \
         It stops at {} of {} planned {}, and cannot be started again.",
        grouped(challengers),
        grouped(progress.observed),
        plan.unit.plural(),
        grouped(progress.observed),
        grouped(progress.planned),
        plan.unit.plural(),
    );
    let (project, id) = (project.to_owned(), id.to_owned());
    let is_busy = move || acts.stop.pending().get().then_some("true");
    view! {
        <button type="button" class="btn" data-kind="danger-line" commandfor="stop" command="show-modal"><Icon glyph=Glyph::Close/>"Stop"</button>
        <Dialog id="stop">
            <ActionForm action=acts.stop attr:class="dialog-form">
                <DialogHead id="stop" title="Stop the experiment"/>
                <div class="dialog-body">
                    <p>{says}</p>
                    <input type="hidden" name="project" value=project/>
                    <input type="hidden" name="experiment" value=id/>
                    <Field id="stop-reason" label="Reason" is_optional=true hint="Stands in the timeline and in the audit log.">
                        <input class="input" id="stop-reason" name="reason" maxlength="1000" autocomplete="off" aria-describedby=described_by("stop-reason")/>
                    </Field>
                    <Refusal error=acts.stop_error/>
                </div>
                <footer class="dialog-foot">
                    <button type="button" class="btn" commandfor="stop" command="close">"Cancel"</button>
                    <button type="submit" class="btn" data-kind="danger" aria-busy=is_busy>"Stop experiment"</button>
                </footer>
            </ActionForm>
        </Dialog>
    }
    .into_any()
}

fn conclude(project: &str, id: &str, shown: &ExperimentView, acts: Acts) -> AnyView {
    let usual = shown.detail.results.verdict.sentence.clone();
    let (project, id) = (project.to_owned(), id.to_owned());
    let is_busy = move || acts.conclude.pending().get().then_some("true");
    view! {
        <button type="button" class="btn" commandfor="conclude" command="show-modal"><Icon glyph=Glyph::Check/>"Conclude"</button>
        <Dialog id="conclude">
            <ActionForm action=acts.conclude attr:class="dialog-form">
                <DialogHead id="conclude" title="Conclude"/>
                <div class="dialog-body">
                    <p>"What was learnt, for whoever asks later. It stands on this page for good."</p>
                    <input type="hidden" name="project" value=project/>
                    <input type="hidden" name="experiment" value=id/>
                    <Field id="conclusion" label="Conclusion" error=acts.conclusion>
                        <textarea class="input" id="conclusion" name="conclusion" rows="5" required=true maxlength="4000" aria-describedby=described_by("conclusion")>{usual}</textarea>
                    </Field>
                    <Refusal error=acts.conclude_error/>
                </div>
                <footer class="dialog-foot">
                    <button type="button" class="btn" commandfor="conclude" command="close">"Cancel"</button>
                    <button type="submit" class="btn" data-kind="primary" aria-busy=is_busy>"Conclude experiment"</button>
                </footer>
            </ActionForm>
        </Dialog>
    }
    .into_any()
}

fn ship(project: &str, id: &str, arm: &str, shown: &ExperimentView, acts: Acts) -> Option<AnyView> {
    let detail = &shown.detail;
    let plan = &detail.experiment.plan;
    let version = plan.arms.iter().find(|one| one.name == arm)?.version;
    if shown
        .serving
        .as_ref()
        .is_some_and(|served| served.version == version)
    {
        return None;
    }
    let from = shown.serving.as_ref().map_or_else(
        || "nothing".to_owned(),
        |served| format!("v{}", served.version),
    );
    let how = if shown.is_open {
        "Connected clients switch within about a second; the experiment ends with it."
    } else {
        "Opens a request with this result in it; what the environment’s policy asks for comes before it is deployed. The experiment goes on until then."
    };
    let seen = shown
        .serving
        .as_ref()
        .map(|served| served.deployment.clone())
        .unwrap_or_default();
    let budget = shown.cache_budget;
    let change = format!("{from} → v{version} in {}", plan.environment);
    let sentence = detail.results.verdict.sentence.clone();
    let verb = format!("Ship {arm}");
    let (project, id, arm) = (project.to_owned(), id.to_owned(), arm.to_owned());
    let is_busy = move || acts.ship.pending().get().then_some("true");
    let submit = if shown.is_open {
        format!("Deploy v{version}")
    } else {
        format!("Ask for v{version}")
    };
    let view = view! {
        <button type="button" class="btn" data-kind="primary" commandfor="ship" command="show-modal"><Icon glyph=Glyph::Promote/>{verb.clone()}</button>
        <Dialog id="ship">
            <ActionForm action=acts.ship attr:class="dialog-form">
                <DialogHead id="ship" title=verb/>
                <div class="dialog-body">
                    <p><b>{change}</b></p>
                    <p>{how}</p>
                    <blockquote class="evidence-quote">{sentence}</blockquote>
                    <input type="hidden" name="project" value=project/>
                    <input type="hidden" name="experiment" value=id/>
                    <input type="hidden" name="arm" value=arm/>
                    <input type="hidden" name="seen" value=seen/>
                    <Field id="ship-reason" label="Reason" is_optional=true hint="The result as it stands now goes with it.">
                        <input class="input" id="ship-reason" name="reason" maxlength="300" autocomplete="off" aria-describedby=described_by("ship-reason")/>
                    </Field>
                    <AcceptOver budget/>
                    <Refusal error=acts.ship_error/>
                </div>
                <footer class="dialog-foot">
                    <button type="button" class="btn" commandfor="ship" command="close">"Cancel"</button>
                    <button type="submit" class="btn" data-kind="primary" aria-busy=is_busy>{submit}</button>
                </footer>
            </ActionForm>
        </Dialog>
    };
    Some(view.into_any())
}
