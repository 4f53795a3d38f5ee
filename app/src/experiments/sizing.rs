//! The sample-size calculator: units, days, and what looking early costs, from what is typed.

use domain::experiment::{Decision, Plan};
use leptos::prelude::*;

use super::plan::PlanValues;
use crate::{
    prompts::words::grouped,
    ui::{Banner, Tone, error::sentence},
};

/// What a plan comes to.
struct Sizing {
    /// Units in all arms.
    units: u64,
    unit: &'static str,
    /// Days at the traffic given.
    days: Option<f64>,
    /// What is wrong with it, in numbers.
    warning: Option<String>,
    /// The one line about the two rules.
    trade: Option<String>,
}

impl Sizing {
    fn of(values: &PlanValues) -> Result<Self, Vec<String>> {
        let plan = values.numbers().map_err(|errors| {
            errors
                .iter()
                .map(|error| sentence(&format!("{}: {}", label(&error.field), error.message)))
                .collect::<Vec<_>>()
        })?;
        let Some(units) = plan.planned_units() else {
            let words = "No number of units would find that: look for a larger effect.".to_owned();
            return Err(vec![words]);
        };
        Ok(Self {
            units,
            unit: plan.unit.plural(),
            days: plan.planned_days(),
            warning: plan.power_warning().map(|warning| warning.sentence),
            trade: trade(&plan),
        })
    }
}

/// Fixed or sequential, with this experiment's own numbers.
fn trade(plan: &Plan) -> Option<String> {
    let fixed = plan.units_under(Decision::Fixed)?;
    let sequential = plan.units_under(Decision::Sequential)?;
    let days = |units: u64| {
        let a_day = plan.units_per_day? * plan.traffic;
        Some(format!(" ({})", whole_days(float(units) / a_day)))
    };
    let more = 100.0 * (float(sequential) / float(fixed) - 1.0);
    Some(format!(
        "Fixed decides once, at {} {}{}. Sequential may be read every day and end sooner where the effect is large, \
         and needs {} to be as sure of the smallest one{}: {more:.0} % more.",
        grouped(fixed),
        plan.unit.plural(),
        days(fixed).unwrap_or_default(),
        grouped(sequential),
        days(sequential).unwrap_or_default(),
    ))
}

fn whole_days(days: f64) -> String {
    let days = days.ceil().max(1.0);
    if days > 1.0 {
        format!("{days:.0} days")
    } else {
        "1 day".to_owned()
    }
}

#[expect(clippy::cast_precision_loss, reason = "units stay below 2^53")]
const fn float(count: u64) -> f64 {
    count as f64
}

/// What a field is called on the form.
fn label(field: &str) -> &str {
    match field {
        "traffic" => "traffic",
        "layer" => "layer",
        "traffic_from" => "starts at",
        "alpha" => "error rate",
        "power" => "power",
        "baseline" => "rate of the control",
        "minimum_effect" => "smallest effect",
        "units_per_day" => "units a day",
        "days" => "days",
        field if field.starts_with("arms") => "weights",
        field => field,
    }
}

/// The calculator's answer, next to what it is worked out from.
#[component]
pub fn Calculated(
    /// What is typed.
    values: Signal<PlanValues>,
) -> impl IntoView {
    move || match Sizing::of(&values.get()) {
        Err(missing) => {
            let lines = missing
                .into_iter()
                .map(|line| view! { <li>{line}</li> })
                .collect_view();
            view! {
                <div class="sizing" role="status">
                    <p class="muted">"Units and days follow from the numbers:"</p>
                    <ul class="policy">{lines}</ul>
                </div>
            }
            .into_any()
        }
        Ok(sizing) => {
            let days = match sizing.days {
                Some(days) => view! {
                    <div class="stat"><dt>"Takes"</dt><dd class="value">{whole_days(days)}</dd><dd>"at the traffic given"</dd></div>
                }
                .into_any(),
                None => view! {
                    <div class="stat"><dt>"Takes"</dt><dd class="value">"–"</dd><dd>"say how many come in a day"</dd></div>
                }
                .into_any(),
            };
            let warning = sizing.warning.map(|warning| {
                view! { <Banner tone=Tone::Warn title="Too little traffic for the time given"><p>{sentence(&warning)}</p></Banner> }
            });
            let trade = sizing
                .trade
                .map(|trade| view! { <p class="note" id="trade">{trade}</p> });
            view! {
                <div class="sizing" role="status">
                    <div class="stats"><dl>
                        <div class="stat">
                            <dt>"Needs"</dt>
                            <dd class="value">{grouped(sizing.units)}</dd>
                            <dd>{format!("{} in all arms together", sizing.unit)}</dd>
                        </div>
                        {days}
                    </dl></div>
                    {warning}
                    {trade}
                </div>
            }
            .into_any()
        }
    }
}
