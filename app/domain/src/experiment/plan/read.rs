//! Reading a plan: everything that is wrong with it is listed at once.

use serde_json::Value;

use super::{
    Arm, AutoStop, Decision, Direction, Guardrail, MAX_ARMS, MAX_GUARDRAILS, Plan, Slice, Unit,
};
use crate::{
    experiment::layer::check_layer,
    field::{FieldError, Fields},
    prompt::{PromptName, check_prose},
};

/// The longest name of an experiment, arm or metric, in characters.
const MAX_NAME: usize = 100;
/// The longest hypothesis, in characters.
const MAX_HYPOTHESIS: usize = 2_000;
/// The largest weight, so that sums stay exact enough.
const MAX_WEIGHT: f64 = 1e6;
/// The longest anyone may plan, in days: three years.
const MAX_DAYS: i64 = 1_096;

impl Plan {
    /// Reads and checks a plan; every offending field is listed.
    pub fn parse(value: Value) -> Result<Self, Vec<FieldError>> {
        Self::read(Fields::new("", value))
    }

    /// The same from fields that are being read.
    pub fn read(mut fields: Fields) -> Result<Self, Vec<FieldError>> {
        let name = label(&mut fields, "name");
        let hypothesis = fields.text("hypothesis").unwrap_or_default();
        if let Err(message) = check_prose(&hypothesis, MAX_HYPOTHESIS) {
            fields.refuse("hypothesis", message);
        }
        fields.require("prompt");
        let prompt = fields
            .text("prompt")
            .and_then(|text| match PromptName::parse(&text) {
                Ok(prompt) => Some(prompt),
                Err(error) => {
                    fields.refuse("prompt", error.to_string());
                    None
                }
            });
        let environment = fields.required_text("environment");
        let arms = read_arms(&mut fields);
        let guardrails = read_guardrails(&mut fields);
        let traffic = within(&mut fields, "traffic", 1.0, |share| {
            (share > 0.0 && share <= 1.0)
                .then_some(())
                .ok_or("must be above 0 and at most 1")
        });
        let (layer, traffic_from) = read_layer(&mut fields, traffic);
        let unit = one_of(&mut fields, "unit", &Unit::ALL, Unit::word).unwrap_or_default();
        let primary_metric = label(&mut fields, "primary_metric");
        let decision =
            one_of(&mut fields, "decision", &Decision::ALL, Decision::word).unwrap_or_default();
        let alpha = within(&mut fields, "alpha", 0.05, |alpha| {
            (1e-6..=0.2)
                .contains(&alpha)
                .then_some(())
                .ok_or("must be from 0.000001 to 0.2")
        });
        let power = within(&mut fields, "power", 0.8, |power| {
            (0.5..=0.999)
                .contains(&power)
                .then_some(())
                .ok_or("must be from 0.5 to 0.999")
        });
        let baseline = within(&mut fields, "baseline", 0.5, |rate| {
            (rate > 0.0 && rate < 1.0)
                .then_some(())
                .ok_or("must be above 0 and below 1")
        });
        let minimum_effect = within(&mut fields, "minimum_effect", 0.05, |effect| {
            (0.0001..1.0)
                .contains(&effect)
                .then_some(())
                .ok_or("must be from 0.0001 and below 1: 0.05 is 5 percentage points")
        });
        if minimum_effect > baseline && baseline + minimum_effect > 1.0 {
            fields.refuse(
                "minimum_effect",
                "is larger than any change the baseline leaves room for",
            );
        }
        let units_per_day = fields.number("units_per_day");
        if units_per_day.is_some_and(|units| !(units > 0.0 && units <= 1e9)) {
            fields.refuse("units_per_day", "must be above 0 and at most a billion");
        }
        let days = fields.integer("days");
        if days.is_some_and(|days| !(1..=MAX_DAYS).contains(&days)) {
            fields.refuse("days", format!("must be from 1 to {MAX_DAYS}"));
        }
        let auto_stop = read_auto_stop(&mut fields);
        let plan = fields.finish(|| {
            prompt.map(|prompt| Self {
                name,
                hypothesis,
                prompt,
                environment,
                arms,
                traffic,
                unit,
                primary_metric,
                guardrails,
                decision,
                alpha,
                power,
                baseline,
                minimum_effect,
                units_per_day,
                days: days.and_then(|days| u32::try_from(days).ok()),
                auto_stop,
                layer,
                traffic_from,
            })
        })?;
        let plan = plan.ok_or_else(|| vec![FieldError::new("prompt", "is required")])?;
        if plan.planned_units().is_none() {
            let message = "would need more units than can be counted";
            return Err(vec![FieldError::new("minimum_effect", message)]);
        }
        Ok(plan)
    }
}

/// The layer and where in it the experiment begins.
fn read_layer(fields: &mut Fields, traffic: f64) -> (Option<String>, f64) {
    let layer = fields.text("layer");
    if let Some(Err(message)) = layer.as_deref().map(check_layer) {
        fields.refuse("layer", message);
    }
    let from = within(fields, "traffic_from", 0.0, |from| {
        (0.0..1.0)
            .contains(&from)
            .then_some(())
            .ok_or("must be 0 or more and below 1")
    });
    let slice = Slice { from, traffic };
    if from > 0.0 && layer.is_none() {
        fields.refuse("traffic_from", "needs a layer: without one it is 0");
    } else if (0.0..1.0).contains(&from) && traffic <= 1.0 && !slice.fits() {
        fields.refuse(
            "traffic_from",
            format!("leaves no room for the traffic: {slice} goes past the end"),
        );
    }
    (layer, from)
}

/// A short text that must say something.
fn label(fields: &mut Fields, name: &str) -> String {
    fields.require(name);
    let Some(text) = fields.text(name) else {
        return String::new();
    };
    let text = text.trim().to_owned();
    if text.is_empty() {
        fields.refuse(name, "must not be empty");
    } else if let Err(message) = check_prose(&text, MAX_NAME) {
        fields.refuse(name, message);
    } else if text.contains(['\n', '\t']) {
        fields.refuse(name, "must be one line");
    }
    text
}

/// A number with a usual value and a rule.
fn within(
    fields: &mut Fields,
    name: &str,
    usual: f64,
    rule: impl Fn(f64) -> Result<(), &'static str>,
) -> f64 {
    let number = fields.number(name).unwrap_or(usual);
    if let Err(message) = rule(number) {
        fields.refuse(name, message);
    }
    number
}

/// One of a few words.
fn one_of<T: Copy>(
    fields: &mut Fields,
    name: &str,
    all: &[T],
    word: impl Fn(T) -> &'static str,
) -> Option<T> {
    let text = fields.text(name)?;
    let found = all.iter().copied().find(|one| word(*one) == text);
    if found.is_none() {
        let words: Vec<&str> = all.iter().map(|one| word(*one)).collect();
        fields.refuse(name, format!("must be {}", words.join(" or ")));
    }
    found
}

fn read_arms(fields: &mut Fields) -> Vec<Arm> {
    fields.require("arms");
    let items = fields.list("arms").unwrap_or_default();
    if !items.is_empty() && !(2..=MAX_ARMS).contains(&items.len()) {
        fields.refuse("arms", format!("must be 2 to {MAX_ARMS}, control first"));
        return Vec::new();
    }
    let mut arms: Vec<Arm> = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        let mut arm = Fields::new(&fields.path_of(&format!("arms[{index}]")), item);
        let name = label(&mut arm, "name");
        arm.require("version");
        let version = arm.integer("version").unwrap_or(1);
        let legal = i32::try_from(version).ok().filter(|version| *version > 0);
        if legal.is_none() {
            arm.refuse("version", "must be a version's number");
        }
        let weight = within(&mut arm, "weight", 1.0, |weight| {
            (weight > 0.0 && weight <= MAX_WEIGHT)
                .then_some(())
                .ok_or("must be above 0 and at most a million")
        });
        if arms.iter().any(|other| other.name == name) {
            arm.refuse("name", "is another arm's name already");
        }
        match arm.finish(|| Arm {
            name,
            version: legal.unwrap_or(1),
            weight,
        }) {
            Ok(arm) => arms.push(arm),
            Err(errors) => fields.absorb(errors),
        }
    }
    if arms.is_empty() {
        // Said once: an absent list was refused above, an empty one here.
        fields.refuse_unless_refused("arms", "must be 2 to 10, control first");
    }
    arms
}

fn read_guardrails(fields: &mut Fields) -> Vec<Guardrail> {
    let items = fields.list("guardrails").unwrap_or_default();
    if items.len() > MAX_GUARDRAILS {
        fields.refuse("guardrails", format!("must be at most {MAX_GUARDRAILS}"));
        return Vec::new();
    }
    let mut guardrails: Vec<Guardrail> = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        let mut one = Fields::new(&fields.path_of(&format!("guardrails[{index}]")), item);
        let metric = label(&mut one, "metric");
        one.require("direction");
        let direction = one_of(&mut one, "direction", &Direction::ALL, Direction::word);
        let margin = within(&mut one, "margin", 0.0, |margin| {
            (0.0..=1e12)
                .contains(&margin)
                .then_some(())
                .ok_or("must be 0 or more, in the metric's own unit")
        });
        if guardrails.iter().any(|other| other.metric == metric) {
            one.refuse("metric", "is another guardrail's already");
        }
        let built = one.finish(|| {
            direction.map(|direction| Guardrail {
                metric,
                direction,
                margin,
            })
        });
        match built {
            Ok(guardrail) => guardrails.extend(guardrail),
            Err(errors) => fields.absorb(errors),
        }
    }
    guardrails
}

fn read_auto_stop(fields: &mut Fields) -> AutoStop {
    let Some(value) = fields.take("auto_stop") else {
        return AutoStop::default();
    };
    let mut one = Fields::new(&fields.path_of("auto_stop"), value);
    let stop = AutoStop {
        guardrail: one.boolean("guardrail").unwrap_or_default(),
        srm: one.boolean("srm").unwrap_or_default(),
    };
    match one.finish(|| stop) {
        Ok(stop) => stop,
        Err(errors) => {
            fields.absorb(errors);
            stop
        }
    }
}
