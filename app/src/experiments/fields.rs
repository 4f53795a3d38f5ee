//! The fields of a plan. Their ids are their names, so that what is typed is read the way an
//! address is.

use domain::experiment::{Decision, Layer, Unit, slices_in_words};
use leptos::prelude::*;
use wasm_bindgen::JsCast;

use super::{plan::PlanValues, shapes::PlanView};
use crate::{
    error::UiError,
    prompts::parts::{field_error, typed},
    ui::{Field, Glyph, Icon, described_by},
};

/// Metrics of generations that a guardrail may watch.
const METRICS: [&str; 6] = [
    "latency_ms",
    "ttft_ms",
    "cost_usd",
    "input_tokens",
    "output_tokens",
    "error_rate",
];

/// What stands in a control now, in the browser; of a box that is not ticked, nothing.
pub fn control(name: &str) -> Option<String> {
    let element = document().get_element_by_id(name)?;
    if let Some(input) = element.dyn_ref::<web_sys::HtmlInputElement>()
        && input.type_() == "checkbox"
        && !input.checked()
    {
        return None;
    }
    typed(name)
}

/// The control of a field by its path in refusals: `arms[0].version` is `plan[arms][0][version]`.
pub fn id_of(field: &str) -> String {
    let mut id = "plan".to_owned();
    for part in field.split(['.', '[', ']']).filter(|part| !part.is_empty()) {
        id.push_str(&format!("[{part}]"));
    }
    id
}

/// What a field is called.
pub fn label_of(field: &str) -> String {
    let plain = match field {
        "name" => "Name",
        "hypothesis" => "Hypothesis",
        "environment" => "Environment",
        "unit" => "Assigned by",
        "traffic" => "Traffic",
        "layer" => "Layer",
        "traffic_from" => "Starts at",
        "primary_metric" => "Metric",
        "alpha" => "Error rate",
        "power" => "Power",
        "baseline" => "Rate of the control",
        "minimum_effect" => "Smallest effect",
        "units_per_day" => "Units a day",
        "days" => "Days",
        "arms" => "Arms",
        field => return field.to_owned(),
    };
    plain.to_owned()
}

fn invalid(
    error: Signal<Option<String>>,
) -> impl Fn() -> Option<&'static str> + Send + Sync + Clone {
    move || error.with(Option::is_some).then_some("true")
}

/// A line for a number or a word.
#[component]
fn Line(
    /// Id and name.
    id: &'static str,
    #[prop(into)] label: String,
    value: String,
    #[prop(optional, into)] hint: String,
    error: Signal<Option<String>>,
    #[prop(optional)] is_number: bool,
    #[prop(optional)] is_optional: bool,
) -> impl IntoView {
    let (mode, align) = if is_number {
        (Some("decimal"), Some("end"))
    } else {
        (None, None)
    };
    view! {
        <Field id label hint error is_optional>
            <input
                class="input" id=id name=id value=value autocomplete="off" inputmode=mode data-align=align
                required=!is_optional aria-describedby=described_by(id) aria-invalid=invalid(error)
            />
        </Field>
    }
}

/// Name, hypothesis, environment, unit, metric.
#[component]
pub fn Basics(shown: PlanView, error: Signal<Option<UiError>>) -> impl IntoView {
    let values = shown.values;
    let serving: Vec<String> = shown
        .serving
        .iter()
        .map(|(environment, version)| format!("{environment} v{version}"))
        .collect();
    let hint = format!(
        "The first arm must be what serves there: {}.",
        serving.join(", ")
    );
    let environments = shown
        .serving
        .iter()
        .map(|(name, _)| {
            let is_chosen = *name == values.environment;
            view! { <option value=name.clone() selected=is_chosen>{name.clone()}</option> }
        })
        .collect_view();
    let units = Unit::ALL
        .map(|unit| {
            let words = match unit {
                Unit::User => "User: a person keeps their arm",
                Unit::Conversation => "Conversation: each keeps its arm",
                Unit::Request => "Request: each by itself",
            };
            let is_chosen = unit.word() == values.unit;
            view! { <option value=unit.word() selected=is_chosen>{words}</option> }
        })
        .collect_view();
    let of = move |field| field_error(error, field);
    let environment = of("environment");
    view! {
        <Line id="plan[name]" label="Name" value=values.name error=of("name")/>
        <Field id="plan[hypothesis]" label="Hypothesis" hint="What is believed, and why: one sentence." error=of("hypothesis") is_optional=true>
            <textarea class="input" id="plan[hypothesis]" name="plan[hypothesis]" rows="2" aria-describedby=described_by("plan[hypothesis]")>{values.hypothesis}</textarea>
        </Field>
        <div class="form-pair">
            <Field id="plan[environment]" label="Environment" hint error=environment>
                <select class="input" id="plan[environment]" name="plan[environment]" aria-describedby=described_by("plan[environment]") aria-invalid=invalid(environment)>{environments}</select>
            </Field>
            <Field id="plan[unit]" label="Assigned by" hint="What the arm is chosen for, and what is counted." error=of("unit")>
                <select class="input" id="plan[unit]" name="plan[unit]" aria-describedby=described_by("plan[unit]")>{units}</select>
            </Field>
        </div>
        <Line
            id="plan[primary_metric]" label="Metric" value=values.primary_metric error=of("primary_metric")
            hint="The outcome that counts, as applications report it: the share of units with a value of 1."
        />
    }
}

/// The arms, control first.
#[component]
pub fn Arms(shown: PlanView, error: Signal<Option<UiError>>) -> impl IntoView {
    let refused = field_error(error, "arms");
    let rows = shown
        .values
        .arms
        .iter()
        .enumerate()
        .map(|(index, arm)| {
            let name = format!("plan[arms][{index}][name]");
            let version = format!("plan[arms][{index}][version]");
            let weight = format!("plan[arms][{index}][weight]");
            let which = if index == 0 { "Control".to_owned() } else { format!("Challenger {index}") };
            let choices = shown
                .versions
                .iter()
                .map(|one| {
                    let value = one.number.to_string();
                    let is_chosen = value == arm.version;
                    view! { <option value=value selected=is_chosen>{one.words.clone()}</option> }
                })
                .collect_view();
            view! {
                <div class="plan-row" role="group" aria-label=which.clone()>
                    <div class="field">
                        <label for=name.clone()>{which.clone()}</label>
                        <input class="input" id=name.clone() name=name.clone() value=arm.name.clone() autocomplete="off" required=true/>
                    </div>
                    <div class="field" data-grow="">
                        <label for=version.clone()>"Version"</label>
                        <select class="input" id=version.clone() name=version.clone()>{choices}</select>
                    </div>
                    <div class="field" data-narrow="">
                        <label for=weight.clone()>"Weight"</label>
                        <input class="input" id=weight.clone() name=weight.clone() value=arm.weight.clone() inputmode="decimal" data-align="end" autocomplete="off" required=true/>
                    </div>
                </div>
            }
        })
        .collect_view();
    view! {
        <fieldset class="plan-rows" id="plan[arms]">
            <legend>"Arms"</legend>
            {rows}
            <p class="error" hidden=move || refused.with(Option::is_none)>{refused}</p>
        </fieldset>
    }
}

/// What must not get worse, and what stops the experiment by itself.
#[component]
pub fn Guards(values: PlanValues) -> impl IntoView {
    let rows = values
        .guardrails
        .iter()
        .enumerate()
        .map(|(index, one)| {
            let metric = format!("plan[guardrails][{index}][metric]");
            let direction = format!("plan[guardrails][{index}][direction]");
            let margin = format!("plan[guardrails][{index}][margin]");
            let is_higher = one.direction == "higher";
            view! {
                <div class="plan-row" role="group" aria-label=format!("Guardrail {}", index + 1)>
                    <div class="field" data-grow="">
                        <label for=metric.clone()>"Metric"</label>
                        <input class="input" id=metric.clone() name=metric.clone() value=one.metric.clone() list="metrics" autocomplete="off"/>
                    </div>
                    <div class="field">
                        <label for=direction.clone()>"Better is"</label>
                        <select class="input" id=direction.clone() name=direction.clone()>
                            <option value="lower" selected=!is_higher>"lower"</option>
                            <option value="higher" selected=is_higher>"higher"</option>
                        </select>
                    </div>
                    <div class="field" data-narrow="">
                        <label for=margin.clone()>"Tolerated"</label>
                        <input class="input" id=margin.clone() name=margin.clone() value=one.margin.clone() inputmode="decimal" data-align="end" autocomplete="off"/>
                    </div>
                </div>
            }
        })
        .collect_view();
    let metrics = METRICS
        .map(|metric| view! { <option value=metric></option> })
        .collect_view();
    let is_on = |value: &str| !value.is_empty();
    view! {
        <fieldset class="plan-rows" id="plan[guardrails]">
            <legend>"Guardrails"</legend>
            <p class="note">"How much worse than the control is tolerated, in the metric’s own unit. Rows without a metric are left out."</p>
            <datalist id="metrics">{metrics}</datalist>
            {rows}
            <div class="choices">
                <label class="choice">
                    <input type="checkbox" id="plan[stop_on_guardrail]" name="plan[stop_on_guardrail]" value="1" checked=is_on(&values.stop_on_guardrail)/>
                    <span>"Stop by itself when a guardrail is broken"</span>
                </label>
                <label class="choice">
                    <input type="checkbox" id="plan[stop_on_srm]" name="plan[stop_on_srm]" value="1" checked=is_on(&values.stop_on_srm)/>
                    <span>"Stop by itself when the split is not as planned"</span>
                </label>
            </div>
        </fieldset>
    }
}

/// Which units it shares with nobody. Folded away: most experiments need none of it.
#[component]
pub fn InLayer(
    values: PlanValues,
    layers: Vec<Layer>,
    error: Signal<Option<UiError>>,
) -> impl IntoView {
    let of = move |field| field_error(error, field);
    let (layer, from) = (of("layer"), of("traffic_from"));
    let is_used = !values.layer.is_empty();
    let is_open = move || {
        is_used
            || layer.try_with(Option::is_some).unwrap_or_default()
            || from.try_with(Option::is_some).unwrap_or_default()
    };
    let options = layers
        .iter()
        .map(|layer| view! { <option value=layer.name.clone()></option> })
        .collect_view();
    let uses = layers
        .iter()
        .map(|layer| {
            let takes = layer.occupants.iter().map(|one| format!("“{}” runs on {}", one.name, one.slice));
            let takes: Vec<String> = takes.collect();
            let takes = if takes.is_empty() { "nothing runs".to_owned() } else { takes.join(", ") };
            view! { <li><b>{layer.name.clone()}</b>{format!(": {takes}; free is {}.", slices_in_words(&layer.free()))}</li> }
        })
        .collect_view();
    view! {
        <details class="plan-layer" open=is_open>
            <summary class="disclosure"><Icon glyph=Glyph::ChevronRight/>"Layer: share no units with other experiments"</summary>
            <fieldset class="plan-rows">
                <legend class="sr-only">"Layer"</legend>
                <p class="note">"Experiments in one layer that take different parts of it share no unit. What none of them takes is the holdout: it gets what serves. Without a layer an experiment is independent of all others."</p>
                <datalist id="layers">{options}</datalist>
                <div class="form-pair">
                    <Field id="plan[layer]" label="Layer" hint="One that is there, or a new name." error=layer is_optional=true>
                        <input class="input" id="plan[layer]" name="plan[layer]" value=values.layer list="layers" autocomplete="off" aria-describedby=described_by("plan[layer]") aria-invalid=invalid(layer)/>
                    </Field>
                    <Line id="plan[traffic_from]" label="Starts at, %" value=values.traffic_from error=from is_number=true is_optional=true hint="It takes the traffic from here on."/>
                </div>
                <ul class="policy">{uses}</ul>
            </fieldset>
        </details>
    }
}

/// What units and days follow from.
#[component]
pub fn Numbers(
    values: PlanValues,
    counted: Option<(f64, String)>,
    error: Signal<Option<UiError>>,
) -> impl IntoView {
    let of = move |field| field_error(error, field);
    let observed = match counted {
        Some((a_day, name)) => format!("“{name}” counted about {a_day:.0} a day."),
        None => "As far as known: nothing was counted here yet.".to_owned(),
    };
    let rules = Decision::ALL
        .map(|rule| {
            let words = match rule {
                Decision::Fixed => "Fixed: decided once, at the end",
                Decision::Sequential => "Sequential: may be decided on any day",
            };
            let is_chosen = rule.word() == values.decision;
            view! { <option value=rule.word() selected=is_chosen>{words}</option> }
        })
        .collect_view();
    view! {
        <div class="form-pair">
            <Line id="plan[baseline]" label="Rate of the control, %" value=values.baseline error=of("baseline") is_number=true is_optional=true hint="50 if it is not known: most are needed there."/>
            <Line id="plan[minimum_effect]" label="Smallest effect, pp" value=values.minimum_effect error=of("minimum_effect") is_number=true hint="The least worth finding."/>
        </div>
        <div class="form-pair">
            <Line id="plan[units_per_day]" label="Units a day" value=values.units_per_day error=of("units_per_day") is_number=true is_optional=true hint=observed/>
            <Line id="plan[days]" label="Days it may take" value=values.days error=of("days") is_number=true is_optional=true hint="It warns when that is too short."/>
        </div>
        <div class="form-pair">
            <Line id="plan[traffic]" label="Traffic, %" value=values.traffic error=of("traffic") is_number=true hint="The share that takes part."/>
            <Line id="plan[power]" label="Power, %" value=values.power error=of("power") is_number=true hint="The chance to find it if it is there."/>
            <Line id="plan[alpha]" label="Error rate" value=values.alpha error=of("alpha") is_number=true hint="Of finding what is not there."/>
        </div>
        <Field id="plan[decision]" label="Decision" error=of("decision")>
            <select class="input" id="plan[decision]" name="plan[decision]" aria-describedby=described_by("plan[decision]")>{rules}</select>
        </Field>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_leads_to_its_control() {
        assert_eq!(id_of("name"), "plan[name]");
        assert_eq!(id_of("arms[0].version"), "plan[arms][0][version]");
    }
}
