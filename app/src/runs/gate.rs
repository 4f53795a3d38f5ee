//! Setting the gate of an environment: the suite, how strictly, and what may never fail.

use domain::gate::{GatePolicy, Mode};
use leptos::prelude::*;

use super::{
    calls::SetGate,
    shapes::{GateRow, SuiteChoice},
};
use crate::{
    error::UiError,
    prompts::{
        links::tab,
        parts::{FormRefusal, field_error, refusal},
    },
    ui::{Field, described_by},
};

const FIELDS: &[(&str, &str)] = &[
    ("suite", "Suite"),
    ("floor", "Lowest pass rate"),
    ("alpha", "α"),
    ("tolerated_drop", "Tolerated drop"),
    ("tags", "Tags"),
    ("max_age_hours", "Oldest run"),
];

/// A gate being set. It outlives a reload of what is shown, and so do refusals.
#[derive(Clone, Copy)]
pub struct Setting {
    action: ServerAction<SetGate>,
    error: Signal<Option<UiError>>,
    floor: Signal<Option<String>>,
    alpha: Signal<Option<String>>,
    drop: Signal<Option<String>>,
    tags: Signal<Option<String>>,
    age: Signal<Option<String>>,
}

impl Setting {
    /// Nothing set yet.
    pub fn new() -> Self {
        let action = ServerAction::new();
        let error = refusal(action);
        Self {
            action,
            error,
            floor: field_error(error, "floor"),
            alpha: field_error(error, "alpha"),
            drop: field_error(error, "tolerated_drop"),
            tags: field_error(error, "tags"),
            age: field_error(error, "max_age_hours"),
        }
    }

    /// Rises with every gate that was set.
    pub fn version(self) -> usize {
        self.action.version().get()
    }
}

/// The form for one environment.
#[component]
pub fn GateForm(
    project: String,
    name: String,
    row: GateRow,
    suites: Vec<SuiteChoice>,
    setting: Setting,
) -> impl IntoView {
    let Setting { action, error, .. } = setting;
    let policy = row
        .rule
        .as_ref()
        .map_or_else(GatePolicy::default, |rule| rule.policy.clone());
    let chosen = row.rule.as_ref().map(|rule| rule.suite);
    let suites = suites
        .into_iter()
        .map(|suite| {
            let is_chosen = Some(suite.id) == chosen;
            view! { <option value=suite.id.to_string() selected=is_chosen>{suite.name}</option> }
        })
        .collect_view();
    let invalid = |error: Signal<Option<String>>| {
        move || {
            error
                .try_with(Option::is_some)
                .unwrap_or_default()
                .then_some("true")
        }
    };
    let percent = |rate: f64| {
        let text = format!("{:.2}", rate * 100.0);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    let floor = policy.floor.map(percent).unwrap_or_default();
    let age = policy
        .max_age_hours
        .map(|hours| hours.to_string())
        .unwrap_or_default();
    let is_busy = move || action.pending().get().then_some("true");
    let back = tab(&project, &name, "evals");
    view! {
        <ActionForm action attr:class="panel" attr:id="gate-form">
            <div class="panel-head"><h3>{format!("Gate of {}", row.environment)}</h3></div>
            <div class="panel-body form gate-form">
                <FormRefusal error fields=FIELDS/>
                <input type="hidden" name="project" value=project/>
                <input type="hidden" name="prompt" value=name/>
                <input type="hidden" name="environment" value=row.environment/>
                <Field id="suite" label="Suite">
                    <select class="input" id="suite" name="suite">{suites}</select>
                </Field>
                <fieldset>
                    <legend>"Against what serves production"</legend>
                    <div class="choices">
                        <label class="choice">
                            <input type="radio" name="mode" value="strict" checked=policy.mode == Mode::Strict/>
                            <span>"Strict"</span>
                            <span class="hint">"Not one case fewer may pass."</span>
                        </label>
                        <label class="choice">
                            <input type="radio" name="mode" value="statistical" checked=policy.mode == Mode::Statistical/>
                            <span>"Statistical"</span>
                            <span class="hint">"Only a significant loss fails; a run too small to see the tolerated drop decides nothing."</span>
                        </label>
                    </div>
                </fieldset>
                <div class="form-pair">
                    <Field id="alpha" label="α" hint="How often chance alone may block." error=setting.alpha>
                        <input class="input" id="alpha" name="alpha" inputmode="decimal" value=policy.alpha.to_string() data-align="end" aria-describedby=described_by("alpha") aria-invalid=invalid(setting.alpha)/>
                    </Field>
                    <Field id="tolerated_drop" label="Tolerated drop, pp" hint="Counts for statistical only." error=setting.drop>
                        <input class="input" id="tolerated_drop" name="tolerated_drop" inputmode="decimal" value=percent(policy.tolerated_drop) data-align="end" aria-describedby=described_by("tolerated_drop") aria-invalid=invalid(setting.drop)/>
                    </Field>
                    <Field id="floor" label="Lowest pass rate, %" is_optional=true hint="Whatever the baseline does." error=setting.floor>
                        <input class="input" id="floor" name="floor" inputmode="decimal" value=floor data-align="end" aria-describedby=described_by("floor") aria-invalid=invalid(setting.floor)/>
                    </Field>
                    <Field id="max_age_hours" label="Oldest run, hours" is_optional=true hint="Older ones are no evidence." error=setting.age>
                        <input class="input" id="max_age_hours" name="max_age_hours" inputmode="numeric" value=age data-align="end" aria-describedby=described_by("max_age_hours") aria-invalid=invalid(setting.age)/>
                    </Field>
                </div>
                <Field id="tags" label="Tags" is_optional=true hint="Only cases with one of these, separated by commas." error=setting.tags>
                    <input class="input" id="tags" name="tags" autocomplete="off" value=policy.tags.join(", ") aria-describedby=described_by("tags") aria-invalid=invalid(setting.tags)/>
                </Field>
                <label class="choice">
                    <input type="checkbox" name="must_pass" value="true" checked=policy.must_pass/>
                    <span>"A failing must-pass case fails the gate"</span>
                </label>
            </div>
            <div class="panel-foot">
                <button type="submit" class="btn" data-kind="primary" aria-busy=is_busy>"Set gate"</button>
                <a class="btn" data-kind="quiet" href=back>"Cancel"</a>
            </div>
        </ActionForm>
    }
}
