//! The form of a rule. What is left empty is as usual for its kind.

use domain::alert::{Kind, NewRule, Rule, Unit};
use leptos::prelude::*;

use super::{alert_calls::SaveRule, alerts::unit_words};
use crate::{
    frame::{use_membership, use_project},
    prompts::parts::{FormRefusal, field_error, refusal},
    ui::{Field, TextField, described_by},
};

/// What fields are called, by their names in refusals.
const FIELDS: &[(&str, &str)] = &[
    ("name", "Name"),
    ("kind", "Kind"),
    ("prompt", "Prompt"),
    ("environment", "Environment"),
    ("threshold", "Fires at"),
    ("clear_threshold", "Over below"),
    ("for_seconds", "For"),
    ("clear_for_seconds", "Over for"),
    ("window_minutes", "Measured over"),
    ("min_requests", "Calls needed"),
    ("group_seconds", "Told at most every"),
    ("repeat_minutes", "Repeated after"),
    ("roll_back", "Roll back"),
];

/// A new rule, or the one to change.
#[component]
pub fn RuleForm(
    rule: Option<Rule>,
    environments: Vec<String>,
    save: ServerAction<SaveRule>,
) -> impl IntoView {
    let project = use_project();
    let here = use_membership().href("/settings/alerts");
    let error = refusal(save);
    let plan = rule.as_ref().map(|rule| rule.plan.clone());
    let is_change = plan.is_some();
    let (title, verb) = match &plan {
        Some(plan) => (format!("Change “{}”", plan.name), "Save rule"),
        None => ("Add a rule".to_owned(), "Add rule"),
    };
    let chosen = plan.as_ref().map_or(Kind::ErrorRate, |plan| plan.kind);
    let kinds = Kind::ALL
        .map(|kind| {
            let words = format!("{} ({})", kind.label(), unit_words(kind));
            view! { <option value=kind.word() selected=kind == chosen>{words}</option> }
        })
        .collect_view();
    let wanted = plan.as_ref().and_then(|plan| plan.environment.clone());
    let options = environments
        .into_iter()
        .map(|name| {
            let is_chosen = wanted.as_deref() == Some(name.as_str());
            view! { <option value=name.clone() selected=is_chosen>{name.clone()}</option> }
        })
        .collect_view();
    let id = rule
        .as_ref()
        .map(|rule| rule.id.to_string())
        .unwrap_or_default();
    let name = plan
        .as_ref()
        .map(|plan| plan.name.clone())
        .unwrap_or_default();
    let prompt = plan
        .as_ref()
        .and_then(|plan| plan.prompt.as_ref().map(ToString::to_string))
        .unwrap_or_default();
    let is_on = plan.as_ref().is_none_or(|plan| plan.enabled);
    let rolls_back = plan.as_ref().is_some_and(|plan| plan.roll_back);
    let cancel = is_change.then(|| view! { <a class="btn" href=here>"Cancel"</a> });
    view! {
        <ActionForm action=save attr:class="panel" attr:aria-labelledby="rule-h">
            <input type="hidden" name="project" value=project/>
            <input type="hidden" name="rule[id]" value=id/>
            <div class="panel-head"><h2 id="rule-h">{title}</h2></div>
            <div class="panel-body form">
                <FormRefusal error fields=FIELDS/>
                <TextField
                    id="name" name="rule[name]" label="Name" value=name autocomplete="off" error=field_error(error, "name")
                    hint="The alert is called by it."
                />
                <div class="form-pair">
                    <Field id="kind" label="Kind" error=field_error(error, "kind")>
                        <select class="input" id="kind" name="rule[kind]" aria-describedby=described_by("kind")>{kinds}</select>
                    </Field>
                    <Field id="environment" label="Environment" is_optional=true error=field_error(error, "environment")>
                        <select class="input" id="environment" name="rule[environment]" aria-describedby=described_by("environment")>
                            <option value="">"all"</option>
                            {options}
                        </select>
                    </Field>
                </div>
                <TextField
                    id="prompt" name="rule[prompt]" label="Prompt" value=prompt autocomplete="off" is_optional=true
                    placeholder="support/triage" hint="Empty: all of them." error=field_error(error, "prompt")
                />
                {numbers(plan.as_ref(), error)}
                <label class="choice">
                    <input type="checkbox" name="rule[enabled]" value="true" checked=is_on/>
                    <span>"On"</span>
                    <span class="hint">"A rule that is off raises nothing, and what it raised is over."</span>
                </label>
                <label class="choice">
                    <input type="checkbox" id="roll_back" name="rule[roll_back]" value="true" checked=rolls_back/>
                    <span>"Roll back by itself"</span>
                    <span class="hint">
                        "While it fires, the version served before serves again: once for each deployment, of the last seven days, \
                         and only in the environment named above. For drift, error rate and latency."
                    </span>
                </label>
            </div>
            <div class="panel-foot">
                <button class="btn" data-kind="primary" aria-busy=move || save.pending().get().then_some("true")>{verb}</button>
                {cancel}
            </div>
        </ActionForm>
    }
}

/// The numbers. Those of kinds that have none stay empty.
fn numbers(
    plan: Option<&NewRule>,
    error: Signal<Option<crate::error::UiError>>,
) -> impl IntoView + use<> {
    let has_number = plan.is_some_and(|plan| plan.kind.unit() != Unit::YesOrNo);
    let text = |value: Option<f64>| {
        value
            .filter(|_| has_number)
            .map(|value| value.to_string())
            .unwrap_or_default()
    };
    let whole = |value: Option<i32>| value.map(|value| value.to_string()).unwrap_or_default();
    let field = move |id: &'static str,
                      name: &'static str,
                      label: &'static str,
                      value: String,
                      hint: &'static str| {
        view! { <TextField id name label value hint autocomplete="off" is_optional=true error=field_error(error, id)/> }
    };
    view! {
        <div class="form-pair">
            {field("threshold", "rule[threshold]", "Fires at", text(plan.map(|plan| plan.threshold)), "In the kind’s unit. Empty: as usual.")}
            {field("clear_threshold", "rule[clear_threshold]", "Over below", text(plan.map(|plan| plan.clear_threshold)), "Lower than where it fires, so that it does not flap.")}
        </div>
        <div class="form-pair">
            {field("for_seconds", "rule[for_seconds]", "For", whole(plan.map(|plan| plan.for_seconds)), "Seconds it must be too much.")}
            {field("clear_for_seconds", "rule[clear_for_seconds]", "Over for", whole(plan.map(|plan| plan.clear_for_seconds)), "Seconds it must be below.")}
        </div>
        <div class="form-pair">
            {field("window_minutes", "rule[window_minutes]", "Measured over", whole(plan.map(|plan| plan.window_minutes)), "Minutes of calls.")}
            {field("min_requests", "rule[min_requests]", "Calls needed", whole(plan.map(|plan| plan.min_requests)), "Fewer say nothing.")}
        </div>
        <div class="form-pair">
            {field("group_seconds", "rule[group_seconds]", "Told at most every", whole(plan.map(|plan| plan.group_seconds)), "Seconds; what happens between is told together.")}
            {field("repeat_minutes", "rule[repeat_minutes]", "Repeated after", whole(plan.map(|plan| plan.repeat_minutes)), "Minutes, while it fires and nobody takes care of it.")}
        </div>
    }
}
