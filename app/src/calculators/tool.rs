//! The calculators of the page: what each asks, and how what is typed becomes what `domain` reads.

use domain::{calculator::Calculator, field::FieldError};
use serde_json::{Map, Value, json};

/// One calculator of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Tool {
    /// Units needed to find an effect.
    #[default]
    Size,
    /// The effect that so many units find.
    Effect,
    /// Two rates, once.
    Compare,
    /// Two rates, looked at any time.
    AlwaysValid,
    /// Did the arms get the units they should?
    Ratio,
    /// How often a fixed threshold ships nothing.
    Threshold,
    /// What a changed prefix costs.
    Cache,
}

/// What a number is, so that it can be typed as people say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// 80 for 0.8.
    Percent,
    /// A whole number.
    Count,
    /// Any number.
    Number,
    /// Whole numbers in a row.
    Counts,
    /// Numbers in a row.
    Numbers,
}

/// One field of a calculator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spec {
    /// In the address, and the control's id.
    pub name: &'static str,
    /// Where `domain` reads it; empty for what only the page uses.
    pub path: &'static str,
    /// The visible label, with its unit.
    pub label: &'static str,
    /// A line that helps.
    pub hint: &'static str,
    /// What it is.
    pub unit: Unit,
    /// What stands in it at first.
    pub initial: &'static str,
    /// Whether it may stay empty.
    pub is_optional: bool,
    /// What is legal, in the units of the field.
    pub legal: &'static str,
    /// The numbers that are legal where `domain` is not asked.
    pub range: Option<(f64, f64)>,
}

const fn spec(
    name: &'static str,
    path: &'static str,
    label: &'static str,
    unit: Unit,
    initial: &'static str,
) -> Spec {
    Spec {
        name,
        path,
        label,
        hint: "",
        unit,
        initial,
        is_optional: false,
        legal: "",
        range: None,
    }
}

impl Spec {
    const fn hint(self, hint: &'static str) -> Self {
        Self { hint, ..self }
    }

    const fn legal(self, legal: &'static str) -> Self {
        Self { legal, ..self }
    }

    const fn range(self, least: f64, most: f64) -> Self {
        Self {
            range: Some((least, most)),
            ..self
        }
    }

    const fn optional(self) -> Self {
        Self {
            is_optional: true,
            ..self
        }
    }
}

const SHARE: &str = "must be from 0 to 100 %";

const fn rate(label: &'static str, initial: &'static str) -> Spec {
    spec("baseline", "baseline", label, Unit::Percent, initial).legal(SHARE)
}

const ALPHA: Spec = spec("alpha", "alpha", "Error rate α, %", Unit::Percent, "5")
    .hint("How often nothing may look like something.")
    .legal("must be above 0 and at most 50 %");

const POWER: Spec = spec("power", "power", "Power, %", Unit::Percent, "80")
    .hint("How often a real effect is found.")
    .legal("must be from 1 to 99.99 %");

const PART: &str = "must be a whole number, no more than the units";

const CONTROL: [Spec; 2] = [
    spec(
        "successes_a",
        "control.successes",
        "Control: successes",
        Unit::Count,
        "800",
    )
    .legal(PART),
    spec("n_a", "control.n", "Control: units", Unit::Count, "1000"),
];
const TREATMENT: [Spec; 2] = [
    spec(
        "successes_b",
        "treatment.successes",
        "Challenger: successes",
        Unit::Count,
        "830",
    )
    .legal(PART),
    spec(
        "n_b",
        "treatment.n",
        "Challenger: units",
        Unit::Count,
        "1000",
    ),
];

const SIZE: &[Spec] = &[
    rate("Rate today, %", "80").hint("The share of units that succeed now."),
    spec(
        "effect",
        "effect",
        "Effect to find, percentage points",
        Unit::Percent,
        "5",
    )
    .hint("The smallest change worth knowing; below 0 for a drop.")
    .legal("must not be 0, and the rate with it must be from 0 to 100 %"),
    ALPHA,
    POWER,
    spec(
        "weights",
        "weights",
        "Split of the arms",
        Unit::Numbers,
        "1:1",
    )
    .hint("Control first, such as 9:1 or 1:1:1.")
    .legal("must be two or more numbers above 0, such as 1:1"),
    spec("per_day", "", "Units a day", Unit::Number, "")
        .hint("To say how many days it takes.")
        .legal("must be above 0")
        .range(1e-6, 1e12)
        .optional(),
];
const EFFECT: &[Spec] = &[
    rate("Rate today, %", "80").hint("The share of units that succeed now."),
    spec("n", "n", "Units in each arm", Unit::Count, "1000"),
    ALPHA,
    POWER,
];
const COMPARE: &[Spec] = &[CONTROL[0], CONTROL[1], TREATMENT[0], TREATMENT[1], ALPHA];
const RATIO: &[Spec] = &[
    spec(
        "observed",
        "observed",
        "Units of each arm",
        Unit::Counts,
        "5170 4830",
    )
    .hint("Control first, with spaces between.")
    .legal("must be two or more whole numbers from 0 to a billion"),
    spec(
        "weights",
        "weights",
        "Split that was configured",
        Unit::Numbers,
        "1:1",
    )
    .hint("In the same order, such as 1:1.")
    .legal("must be as many numbers above 0 as there are arms"),
];
const THRESHOLD: &[Spec] = &[
    spec("n", "n", "Units in each arm", Unit::Count, "50"),
    rate("True rate of both arms, %", "70").hint("Both are the same: every winner is a false one."),
    spec(
        "threshold",
        "threshold",
        "Ship at an observed gain of, percentage points",
        Unit::Percent,
        "5",
    )
    .legal("must be from 0 to 100"),
    spec(
        "alpha",
        "",
        "Error rate α of the tests, %",
        Unit::Percent,
        "5",
    )
    .legal("must be above 0 and at most 50 %")
    .range(1e-12, 0.5),
    spec("looks", "", "Looks", Unit::Count, "14")
        .hint("How often somebody looks, evenly spread.")
        .legal("must be from 1 to 1,000")
        .range(1.0, 1_000.0),
    spec("tests", "", "A/A tests to simulate", Unit::Count, "10000")
        .legal("must be from 1 to 1,000,000")
        .range(1.0, 1e6),
    spec("seed", "", "Seed", Unit::Count, "1")
        .hint("The same seed gives the same counts.")
        .legal("must be a whole number from 0 to a billion")
        .range(0.0, 1e9),
];
const CACHE: &[Spec] = &[
    spec(
        "requests",
        "requests_per_hour",
        "Requests an hour",
        Unit::Number,
        "10000",
    ),
    spec(
        "tokens",
        "tokens",
        "Cached tokens that change",
        Unit::Number,
        "5120",
    )
    .hint("From the first changed block to the last breakpoint."),
    spec(
        "keys",
        "distinct_keys",
        "Distinct prefixes",
        Unit::Number,
        "1",
    )
    .hint("1 for one shared system prompt; else one a tenant or a conversation."),
    spec(
        "ttft",
        "ttft_ms",
        "Time to first token, ms",
        Unit::Number,
        "2000",
    )
    .hint("Requests that arrive meanwhile miss too."),
    spec(
        "write",
        "prices.write",
        "Cache write, US dollars per million tokens",
        Unit::Number,
        "3.75",
    )
    .hint("For 5 minutes."),
    spec(
        "read",
        "prices.read",
        "Cache read, US dollars per million tokens",
        Unit::Number,
        "0.30",
    ),
];

impl Tool {
    /// In the order shown.
    pub const ALL: [Self; 7] = [
        Self::Size,
        Self::Effect,
        Self::Compare,
        Self::AlwaysValid,
        Self::Ratio,
        Self::Threshold,
        Self::Cache,
    ];

    /// The word in an address.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Size => "sample-size",
            Self::Effect => "detectable-effect",
            Self::Compare => "z-test",
            Self::AlwaysValid => "always-valid",
            Self::Ratio => "sample-ratio",
            Self::Threshold => "threshold-risk",
            Self::Cache => "cache-cost",
        }
    }

    /// The tool of that word; the first one for any other.
    pub fn from_word(word: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|tool| tool.word() == word)
            .unwrap_or_default()
    }

    /// What the tab says.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Size => "Sample size",
            Self::Effect => "Detectable effect",
            Self::Compare => "Two rates",
            Self::AlwaysValid => "Always-valid",
            Self::Ratio => "Sample ratio",
            Self::Threshold => "Threshold risk",
            Self::Cache => "Cache cost",
        }
    }

    /// The question it answers.
    pub const fn question(self) -> &'static str {
        match self {
            Self::Size => "How many units does an experiment need to find an effect of this size?",
            Self::Effect => "How small an effect do so many units find?",
            Self::Compare => "Is the difference more than chance, asked once at the planned end?",
            Self::AlwaysValid => "What may be said today, if somebody looks every day?",
            Self::Ratio => "Did the arms get the units they should have?",
            Self::Threshold => {
                "How often does “ship if it gains at least this much” ship nothing at all?"
            }
            Self::Cache => {
                "What does a change cost because prefixes that were warm are written again?"
            }
        }
    }

    /// The function of `domain` behind it, by which API and command line know it.
    pub const fn calculator(self) -> Calculator {
        match self {
            Self::Size => Calculator::SampleSize,
            Self::Effect => Calculator::DetectableEffect,
            Self::Compare | Self::AlwaysValid => Calculator::Ztest,
            Self::Ratio => Calculator::Srm,
            Self::Threshold => Calculator::ThresholdRisk,
            Self::Cache => Calculator::CacheCost,
        }
    }

    /// What it asks.
    pub const fn specs(self) -> &'static [Spec] {
        match self {
            Self::Size => SIZE,
            Self::Effect => EFFECT,
            Self::Compare | Self::AlwaysValid => COMPARE,
            Self::Ratio => RATIO,
            Self::Threshold => THRESHOLD,
            Self::Cache => CACHE,
        }
    }

    /// Computes from what was typed, field by field; refusals carry the names of the fields.
    pub fn compute(self, typed: &[String]) -> Result<Value, Vec<FieldError>> {
        let mut body = Map::new();
        let mut errors = Vec::new();
        for (spec, text) in self.specs().iter().zip(typed) {
            match value(*spec, text) {
                Ok(Some(value)) if is_within(*spec, &value) => put(&mut body, spec.path, value),
                Ok(Some(_)) => errors.push(FieldError::new(spec.name, spec.legal)),
                Ok(None) if spec.is_optional => {}
                Ok(None) => errors.push(FieldError::new(spec.name, "is required")),
                Err(message) => errors.push(FieldError::new(spec.name, message)),
            }
        }
        let answer = self.calculator().compute(Value::Object(body));
        for error in answer.as_ref().err().into_iter().flatten() {
            let about = self.specs().iter().find(|spec| spec.path == error.field);
            let name = about.map_or(error.field.as_str(), |spec| spec.name);
            if errors.iter().any(|known| known.field == name) {
                continue;
            }
            let message = match about {
                Some(spec) if !spec.legal.is_empty() => spec.legal,
                _ => error.message.as_str(),
            };
            // A group that is missing has already been said field by field.
            if about.is_some() || errors.is_empty() {
                errors.push(FieldError::new(name, message));
            }
        }
        match answer {
            Ok(answer) if errors.is_empty() => Ok(answer),
            _ => Err(errors),
        }
    }

    /// The number typed into a field.
    pub fn number(self, typed: &[String], name: &str) -> Option<f64> {
        let (spec, text) = self
            .specs()
            .iter()
            .zip(typed)
            .find(|(spec, _)| spec.name == name)?;
        value(*spec, text).ok()??.as_f64()
    }

    /// The counts of the arms and the split they should have.
    pub fn lists(self, typed: &[String]) -> Option<(Vec<f64>, Vec<f64>)> {
        let text = |name| {
            let index = self.specs().iter().position(|spec| spec.name == name)?;
            list(typed.get(index)?)
        };
        text("observed").zip(text("weights"))
    }
}

/// Whether a number is within the field's own range; `domain` knows the others'.
fn is_within(spec: Spec, value: &Value) -> bool {
    spec.range.is_none_or(|(least, most)| {
        value
            .as_f64()
            .is_some_and(|number| (least..=most).contains(&number))
    })
}

/// Puts a value where its path says: `control.n` into the member `control`.
fn put(body: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        _ if path.is_empty() => {}
        None => {
            body.insert(path.to_owned(), value);
        }
        Some((group, rest)) => {
            let inner = body.entry(group).or_insert_with(|| json!({}));
            if let Value::Object(inner) = inner {
                inner.insert(rest.to_owned(), value);
            }
        }
    }
}

/// What a text stands for; none if there is nothing.
fn value(spec: Spec, text: &str) -> Result<Option<Value>, String> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let refused = |otherwise: &str| {
        if spec.legal.is_empty() {
            otherwise.to_owned()
        } else {
            spec.legal.to_owned()
        }
    };
    let found = match spec.unit {
        Unit::Percent => json!(number(text).ok_or("must be a number")? / 100.0),
        Unit::Number => json!(number(text).ok_or("must be a number")?),
        Unit::Count => {
            whole(number(text).ok_or("must be a number")?).ok_or("must be a whole number")?
        }
        Unit::Counts => list(text)
            .and_then(|numbers| numbers.into_iter().map(whole).collect::<Option<Vec<_>>>())
            .map(Value::Array)
            .ok_or_else(|| refused("must be whole numbers with spaces between"))?,
        Unit::Numbers => {
            json!(list(text).ok_or_else(|| refused("must be numbers such as 1:1"))?)
        }
    };
    Ok(Some(found))
}

/// A number as people type it: `80 %`, `$3.75`, `10,000`.
fn number(text: &str) -> Option<f64> {
    let bare: String = text
        .chars()
        .filter(|c| !c.is_whitespace() && !"%$,_".contains(*c))
        .map(|c| if c == '−' { '-' } else { c })
        .collect();
    bare.parse().ok().filter(|number: &f64| number.is_finite())
}

fn list(text: &str) -> Option<Vec<f64>> {
    text.split(|c: char| c.is_whitespace() || ":;/".contains(c))
        .map(|part| part.trim_end_matches(','))
        .filter(|part| !part.is_empty())
        .map(number)
        .collect()
}

/// A count as JSON; what is too large or negative is for `domain` to refuse.
fn whole(number: f64) -> Option<Value> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "checked to be whole and small"
    )]
    (number.fract() == 0.0 && number.abs() <= 1e15).then(|| json!(number as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn initial(tool: Tool) -> Vec<String> {
        tool.specs()
            .iter()
            .map(|spec| spec.initial.to_owned())
            .collect()
    }

    #[test]
    fn every_tool_computes_what_it_starts_with() {
        for tool in Tool::ALL {
            assert_eq!(Tool::from_word(tool.word()), tool);
            let answer = tool.compute(&initial(tool)).unwrap();
            assert!(answer.get("reason").is_none(), "{answer}");
        }
    }

    #[test]
    fn the_reference_values_come_out() {
        let size = Tool::Size.compute(&initial(Tool::Size)).unwrap();
        assert_eq!(size["per_arm"], json!([906, 906]));
        let risk = Tool::Threshold.compute(&initial(Tool::Threshold)).unwrap();
        assert!((risk["false_positive_rate"].as_f64().unwrap() - 0.293).abs() < 5e-4);
        let cost = Tool::Cache.compute(&initial(Tool::Cache)).unwrap();
        assert!((cost["upper_bound_usd"].as_f64().unwrap() - 16.0).abs() < 1e-9);
    }

    #[test]
    fn numbers_are_read_as_people_type_them() {
        assert_eq!(number("80 %"), Some(80.0));
        assert_eq!(number("10,000"), Some(10_000.0));
        assert_eq!(number("$3.75"), Some(3.75));
        assert_eq!(number("−5"), Some(-5.0));
        assert_eq!(number("inf"), None);
        assert_eq!(list("5,170 4,830"), Some(vec![5_170.0, 4_830.0]));
        assert_eq!(list("1:1:1"), Some(vec![1.0, 1.0, 1.0]));
    }

    #[test]
    fn refusals_speak_in_the_units_of_the_field() {
        let refused = |texts: &[&str]| {
            Tool::Size
                .compute(&typed(texts))
                .unwrap_err()
                .into_iter()
                .map(|error| error.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            refused(&["180", "", "5", "80", "1", ""]),
            [
                "effect: is required",
                "baseline: must be from 0 to 100 %",
                "weights: must be two or more numbers above 0, such as 1:1"
            ]
        );
        assert_eq!(
            Tool::Compare
                .compute(&typed(&["9", "8", "1.5", "3", "5"]))
                .unwrap_err()
                .into_iter()
                .map(|error| error.to_string())
                .collect::<Vec<_>>(),
            [
                "successes_b: must be a whole number",
                "successes_a: must be a whole number, no more than the units"
            ]
        );
    }
}
