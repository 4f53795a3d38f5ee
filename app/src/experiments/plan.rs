//! A plan as it is typed: texts in an address or a form, made into the JSON that the rules read.

use domain::experiment::{Experiment, Plan};
use leptos_router::params::ParamsMap;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The most arms and guardrails a form shows.
pub const MOST: usize = 10;

/// What was typed. Rates and traffic are in percent, the effect in percentage points.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PlanValues {
    /// The draft whose plan is changed; empty for a new experiment.
    pub draft: String,
    pub name: String,
    pub hypothesis: String,
    pub prompt: String,
    pub environment: String,
    pub unit: String,
    pub traffic: String,
    pub layer: String,
    /// Where its part of the layer begins, in percent.
    pub traffic_from: String,
    pub primary_metric: String,
    pub decision: String,
    pub alpha: String,
    pub power: String,
    pub baseline: String,
    pub minimum_effect: String,
    pub units_per_day: String,
    pub days: String,
    pub stop_on_guardrail: String,
    pub stop_on_srm: String,
    pub arms: Vec<ArmValues>,
    pub guardrails: Vec<GuardrailValues>,
}

/// An arm as typed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ArmValues {
    pub name: String,
    pub version: String,
    pub weight: String,
}

/// A guardrail as typed; none where the metric is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GuardrailValues {
    pub metric: String,
    pub direction: String,
    pub margin: String,
}

impl PlanValues {
    /// A draft's plan as somebody would have typed it.
    pub fn of(experiment: &Experiment) -> Self {
        let plan = &experiment.plan;
        let ticked = |is_on: bool| if is_on { "on" } else { "" }.to_owned();
        let arms = plan.arms.iter().map(|arm| ArmValues {
            name: arm.name.clone(),
            version: arm.version.to_string(),
            weight: arm.weight.to_string(),
        });
        let guardrails = plan.guardrails.iter().map(|guardrail| GuardrailValues {
            metric: guardrail.metric.clone(),
            direction: guardrail.direction.word().to_owned(),
            margin: guardrail.margin.to_string(),
        });
        Self {
            draft: experiment.id.to_string(),
            name: plan.name.clone(),
            hypothesis: plan.hypothesis.clone(),
            prompt: plan.prompt.to_string(),
            environment: plan.environment.clone(),
            unit: plan.unit.word().to_owned(),
            traffic: percent(plan.traffic),
            layer: plan.layer.clone().unwrap_or_default(),
            traffic_from: plan
                .layer
                .as_ref()
                .map(|_| percent(plan.traffic_from))
                .unwrap_or_default(),
            primary_metric: plan.primary_metric.clone(),
            decision: plan.decision.word().to_owned(),
            alpha: plan.alpha.to_string(),
            power: percent(plan.power),
            baseline: percent(plan.baseline),
            minimum_effect: percent(plan.minimum_effect),
            units_per_day: plan
                .units_per_day
                .map(|units| units.to_string())
                .unwrap_or_default(),
            days: plan.days.map(|days| days.to_string()).unwrap_or_default(),
            stop_on_guardrail: ticked(plan.auto_stop.guardrail),
            stop_on_srm: ticked(plan.auto_stop.srm),
            arms: arms.collect(),
            guardrails: guardrails.collect(),
        }
    }

    /// Reads them one by one, from an address or from the controls of a form; lists end at their
    /// first row of which nothing is known.
    pub fn collect(get: impl Fn(&str) -> Option<String>) -> Self {
        let text = |name: &str| get(&format!("plan[{name}]")).unwrap_or_default();
        let row = |list: &str, index: usize, names: [&str; 3]| -> Option<[String; 3]> {
            let found = names.map(|name| get(&format!("plan[{list}][{index}][{name}]")));
            found
                .iter()
                .any(Option::is_some)
                .then(|| found.map(Option::unwrap_or_default))
        };
        let arms = (0..MOST)
            .map_while(|index| row("arms", index, ["name", "version", "weight"]))
            .map(|[name, version, weight]| ArmValues {
                name,
                version,
                weight,
            })
            .collect();
        let guardrails = (0..MOST)
            .map_while(|index| row("guardrails", index, ["metric", "direction", "margin"]))
            .map(|[metric, direction, margin]| GuardrailValues {
                metric,
                direction,
                margin,
            })
            .collect();
        Self {
            draft: text("draft"),
            name: text("name"),
            hypothesis: text("hypothesis"),
            prompt: text("prompt"),
            environment: text("environment"),
            unit: text("unit"),
            traffic: text("traffic"),
            layer: text("layer"),
            traffic_from: text("traffic_from"),
            primary_metric: text("primary_metric"),
            decision: text("decision"),
            alpha: text("alpha"),
            power: text("power"),
            baseline: text("baseline"),
            minimum_effect: text("minimum_effect"),
            units_per_day: text("units_per_day"),
            days: text("days"),
            stop_on_guardrail: text("stop_on_guardrail"),
            stop_on_srm: text("stop_on_srm"),
            arms,
            guardrails,
        }
    }

    /// Reads an address.
    pub fn read(params: &ParamsMap) -> Self {
        let mut values = Self::collect(|name| params.get(name));
        // Without script the buttons that change the number of rows say so in the address.
        match params.get("row").as_deref() {
            Some("arm") if values.arms.len() < MOST => values.arms.push(ArmValues::default()),
            Some("no-arm") if values.arms.len() > 2 => {
                values.arms.pop();
            }
            Some("guardrail") if values.guardrails.len() < MOST => {
                values.guardrails.push(GuardrailValues::default());
            }
            _ => {}
        }
        values
    }

    /// Names and values, as `collect` reads them.
    pub fn pairs(&self) -> Vec<(String, String)> {
        let flat = [
            ("draft", &self.draft),
            ("name", &self.name),
            ("hypothesis", &self.hypothesis),
            ("prompt", &self.prompt),
            ("environment", &self.environment),
            ("unit", &self.unit),
            ("traffic", &self.traffic),
            ("layer", &self.layer),
            ("traffic_from", &self.traffic_from),
            ("primary_metric", &self.primary_metric),
            ("decision", &self.decision),
            ("alpha", &self.alpha),
            ("power", &self.power),
            ("baseline", &self.baseline),
            ("minimum_effect", &self.minimum_effect),
            ("units_per_day", &self.units_per_day),
            ("days", &self.days),
            ("stop_on_guardrail", &self.stop_on_guardrail),
            ("stop_on_srm", &self.stop_on_srm),
        ];
        let mut pairs: Vec<(String, String)> = flat
            .into_iter()
            .map(|(name, value)| (format!("plan[{name}]"), value.clone()))
            .collect();
        for (index, arm) in self.arms.iter().enumerate() {
            for (name, value) in [
                ("name", &arm.name),
                ("version", &arm.version),
                ("weight", &arm.weight),
            ] {
                pairs.push((format!("plan[arms][{index}][{name}]"), value.clone()));
            }
        }
        for (index, one) in self.guardrails.iter().enumerate() {
            let named = [
                ("metric", &one.metric),
                ("direction", &one.direction),
                ("margin", &one.margin),
            ];
            for (name, value) in named {
                pairs.push((format!("plan[guardrails][{index}][{name}]"), value.clone()));
            }
        }
        pairs
    }

    /// As the rules read it; numbers that are none stay texts, which are then refused as such.
    pub fn to_json(&self) -> Value {
        let arms: Vec<Value> = self
            .arms
            .iter()
            .map(|arm| {
                json!({ "name": arm.name.trim(), "version": whole(&arm.version), "weight": number(&arm.weight) })
            })
            .collect();
        let guardrails: Vec<Value> = self
            .guardrails
            .iter()
            .filter(|one| !one.metric.trim().is_empty())
            .map(|one| {
                json!({
                    "metric": one.metric.trim(), "direction": one.direction, "margin": number(&one.margin),
                })
            })
            .collect();
        let layer = Some(self.layer.trim()).filter(|layer| !layer.is_empty());
        json!({
            "name": self.name.trim(), "hypothesis": self.hypothesis.trim(), "prompt": self.prompt,
            "environment": self.environment, "unit": self.unit, "traffic": share(&self.traffic),
            "layer": layer, "traffic_from": share(&self.traffic_from),
            "primary_metric": self.primary_metric.trim(), "decision": self.decision,
            "alpha": number(&self.alpha), "power": share(&self.power), "baseline": share(&self.baseline),
            "minimum_effect": share(&self.minimum_effect), "units_per_day": number(&self.units_per_day),
            "days": whole(&self.days), "arms": arms, "guardrails": guardrails,
            "auto_stop": {
                "guardrail": !self.stop_on_guardrail.is_empty(), "srm": !self.stop_on_srm.is_empty(),
            },
        })
    }

    /// The plan as far as its numbers go: what units and days need, names and versions made up.
    pub fn numbers(&self) -> Result<Plan, Vec<domain::field::FieldError>> {
        let mut plan = self.to_json();
        for (member, stand_in) in [
            ("name", "plan"),
            ("hypothesis", ""),
            ("prompt", "plan"),
            ("environment", "production"),
            ("primary_metric", "metric"),
        ] {
            plan[member] = stand_in.into();
        }
        plan["guardrails"] = json!([]);
        let weights = self.arms.iter().map(|arm| number(&arm.weight)).enumerate();
        plan["arms"] = weights
            .map(|(index, weight)| json!({ "name": format!("arm {index}"), "version": index + 1, "weight": weight }))
            .collect();
        Plan::parse(plan)
    }
}

/// A number as JSON; nothing where nothing is typed.
fn number(text: &str) -> Value {
    let text = text.trim().replace(',', "");
    if text.is_empty() {
        return Value::Null;
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => json!(number),
        _ => json!(text),
    }
}

/// A whole number as JSON.
fn whole(text: &str) -> Value {
    let text = text.trim().trim_start_matches('v').replace(',', "");
    text.parse::<i64>()
        .map_or_else(|_| number(&text), |number| json!(number))
}

/// A proportion in percent, without the digits that binary fractions leave behind.
fn percent(share: f64) -> String {
    ((share * 1e8).round() / 1e6).to_string()
}

/// Percent as a proportion.
fn share(text: &str) -> Value {
    match number(text.trim().trim_end_matches('%')) {
        // 7 / 100 and not 7 × 0.01: the nearest number to 0.07.
        Value::Number(percent) => percent.as_f64().map(|percent| percent / 100.0).into(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed() -> PlanValues {
        let arm = |name: &str, version: &str| ArmValues {
            name: name.to_owned(),
            version: version.to_owned(),
            weight: "1".to_owned(),
        };
        PlanValues {
            name: "Shorter answers".to_owned(),
            hypothesis: "They help.".to_owned(),
            prompt: "support/triage".to_owned(),
            environment: "production".to_owned(),
            unit: "user".to_owned(),
            traffic: "50".to_owned(),
            primary_metric: "resolved".to_owned(),
            decision: "fixed".to_owned(),
            alpha: "0.05".to_owned(),
            power: "80".to_owned(),
            baseline: "80".to_owned(),
            minimum_effect: "5".to_owned(),
            arms: vec![arm("A", "1"), arm("B", "v2")],
            guardrails: vec![GuardrailValues::default()],
            ..PlanValues::default()
        }
    }

    #[test]
    fn what_is_typed_is_a_plan() {
        let plan = Plan::parse(typed().to_json()).unwrap();
        assert_eq!(plan.planned_units(), Some(2 * 906));
        assert_eq!(plan.arms[1].version, 2);
        assert!(plan.guardrails.is_empty());
        assert_eq!((plan.layer, plan.traffic_from), (None, 0.0));
        let layered = PlanValues {
            layer: " checkout ".to_owned(),
            traffic_from: "7 %".to_owned(),
            ..typed()
        };
        let plan = Plan::parse(layered.to_json()).unwrap();
        assert_eq!(
            (plan.layer.as_deref(), plan.traffic_from),
            (Some("checkout"), 0.07)
        );
    }

    #[test]
    fn values_come_back_from_their_address() {
        let values = typed();
        let pairs = values.pairs();
        let found = PlanValues::collect(|name| {
            let pair = pairs.iter().find(|(known, _)| known == name)?;
            Some(pair.1.clone())
        });
        assert_eq!(found, values);
    }

    #[test]
    fn numbers_need_no_names() {
        let values = PlanValues {
            name: String::new(),
            prompt: String::new(),
            ..typed()
        };
        assert_eq!(values.numbers().unwrap().planned_units(), Some(1_812));
        let wrong = PlanValues {
            baseline: "high".to_owned(),
            ..typed()
        };
        assert!(
            wrong
                .numbers()
                .unwrap_err()
                .iter()
                .any(|error| error.field == "baseline")
        );
    }
}
