//! The calculators of the page: what each asks, and how what is typed becomes what `domain` reads.

use domain::{cache::Ttl, calculator::Calculator, field::FieldError};
use serde_json::{Map, Value, json};

mod fields;

use fields::{CACHE, COMPARE, EFFECT, RATIO, SIZE, THRESHOLD};

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
    /// For how long a cached prefix stays warm.
    Ttl,
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

    /// For how long a prefix stays warm, as chosen.
    pub fn ttl(self, typed: &[String]) -> Ttl {
        let chosen = self
            .specs()
            .iter()
            .zip(typed)
            .find(|(spec, _)| spec.unit == Unit::Ttl);
        chosen
            .and_then(|(_, text)| Ttl::from_word(text.trim()))
            .unwrap_or_default()
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
        // What is no time to live is for `domain` to refuse.
        Unit::Ttl => json!(text.trim()),
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
mod tests;
