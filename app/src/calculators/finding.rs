//! What a calculator found, in a sentence and a few numbers. A number that cannot be computed is
//! a dash with the reason beneath, never NaN.

use domain::{cache::Ttl, stats::Interval};
use serde_json::Value;

mod rates;

use rates::{always_valid, compare};

use super::tool::Tool;
use crate::{
    prompts::words::{counted, grouped},
    runs::words::{dollars, p_value, percent},
    ui::{Tone, error::sentence},
};

/// One number of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number {
    /// What it is.
    pub label: &'static str,
    /// With its unit; a dash where there is none.
    pub value: String,
    /// What to make of it.
    pub note: String,
}

/// A result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What the sentence means.
    pub tone: Tone,
    /// In plain words.
    pub sentence: String,
    /// The numbers behind it.
    pub numbers: Vec<Number>,
}

/// An answer of `domain::calculator`, read by path.
#[derive(Clone, Copy)]
struct Answer<'a>(&'a Value);

impl Answer<'_> {
    fn number(self, path: &str) -> Option<f64> {
        self.0
            .pointer(path)
            .and_then(Value::as_f64)
            .filter(|number| number.is_finite())
    }

    fn count(self, path: &str) -> Option<u64> {
        self.0.pointer(path).and_then(Value::as_u64)
    }

    fn interval(self, path: &str) -> Option<Interval> {
        let lower = self.number(&format!("{path}/0"))?;
        let upper = self.number(&format!("{path}/1"))?;
        Some(Interval { lower, upper })
    }

    fn reason(self) -> String {
        sentence(
            self.0["reason"]
                .as_str()
                .unwrap_or("it cannot be computed for these numbers"),
        )
    }
}

const DASH: &str = "–";

fn number(label: &'static str, value: Option<String>, note: impl Into<String>) -> Number {
    Number {
        label,
        value: value.unwrap_or_else(|| DASH.to_owned()),
        note: note.into(),
    }
}

/// Percent with as many digits as it takes to see something.
fn fine_percent(rate: f64) -> String {
    let percent = rate * 100.0;
    if percent == 0.0 {
        "0 %".to_owned()
    } else if percent < 0.001 {
        "< 0.001 %".to_owned()
    } else if percent < 1.0 {
        format!("{percent:.3} %")
    } else {
        format!("{percent:.1} %")
    }
}

/// `p = 0.084` or `p < 0.0001`.
fn p_is(p: f64) -> String {
    let text = p_value(p);
    if text.starts_with('<') {
        format!("p {text}")
    } else {
        format!("p = {text}")
    }
}

/// What was found, for what was typed.
pub fn read(tool: Tool, typed: &[String], answer: &Value) -> Finding {
    let answer = Answer(answer);
    let ttl = tool.ttl(typed);
    let typed = |name| tool.number(typed, name).unwrap_or_default();
    match tool {
        Tool::Size => size(answer, typed),
        Tool::Effect => effect(answer, typed),
        Tool::Compare => compare(answer, typed("alpha")),
        Tool::AlwaysValid => always_valid(answer, typed("alpha")),
        Tool::Ratio => ratio(answer),
        Tool::Threshold => threshold(answer, typed),
        Tool::Cache => cache(answer, ttl),
    }
}

fn size(answer: Answer, typed: impl Fn(&'static str) -> f64) -> Finding {
    let (baseline, effect) = (typed("baseline"), typed("effect"));
    let Some(total) = answer.count("/total") else {
        return nothing(answer);
    };
    let per_arm: Vec<String> = answer.0["per_arm"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_u64)
        .map(grouped)
        .collect();
    let arms = if per_arm.windows(2).all(|pair| pair[0] == pair[1]) {
        per_arm.first().cloned().unwrap_or_default()
    } else {
        per_arm.join(" + ")
    };
    let always = answer.count("/sequential_total");
    let days = Some(typed("per_day")).filter(|per_day| *per_day > 0.0);
    let in_days = |total: u64| {
        days.map(|per_day| {
            let days = (float(total) / per_day).ceil();
            if days <= 1.0 {
                "1 day".to_owned()
            } else {
                format!("{days:.0} days")
            }
        })
    };
    let more = always
        .map(|always| {
            format!(
                " Looking every day needs up to {}, {:.0} % more, and may stop sooner.",
                counted(always, "unit"),
                (float(always) / float(total) - 1.0) * 100.0
            )
        })
        .unwrap_or_default();
    let took = in_days(total).map_or_else(String::new, |days| format!(", {days} of traffic"));
    let mut numbers = vec![
        number(
            "Units in each arm",
            Some(arms),
            "control first where they differ",
        ),
        number(
            "Units in all",
            Some(grouped(total)),
            "decided once, at the end",
        ),
        number(
            "Looked at every day",
            always.map(grouped),
            "at most, by the always-valid rule",
        ),
    ];
    if let Some(days) = in_days(total) {
        numbers.push(number("Time", Some(days), "at the traffic given"));
    }
    Finding {
        tone: Tone::Info,
        sentence: format!(
            "To find a change from {} to {} takes {} in all{took}.{more}",
            percent(baseline),
            percent(baseline + effect),
            counted(total, "unit"),
        ),
        numbers,
    }
}

fn effect(answer: Answer, typed: impl Fn(&'static str) -> f64) -> Finding {
    let Some(effect) = answer.number("/effect") else {
        return nothing(answer);
    };
    let baseline = typed("baseline");
    let lift = (baseline > 0.0).then(|| format!("+{:.1} %", effect / baseline * 100.0));
    Finding {
        tone: Tone::Info,
        sentence: format!(
            "An experiment of this size finds a rise from {} to {} or more in {} of cases. A smaller one is likely to be missed, \
             and “no difference found” then says little.",
            percent(baseline),
            percent(baseline + effect),
            percent(typed("power")),
        ),
        numbers: vec![
            number(
                "Smallest detectable rise",
                Some(format!("{:.2} pp", effect * 100.0)),
                format!("to {}", percent(baseline + effect)),
            ),
            number("Relative to today", lift, "of the rate itself"),
        ],
    }
}

fn ratio(answer: Answer) -> Finding {
    let (Some(p), Some(chi)) = (answer.number("/p_value"), answer.number("/chi_square")) else {
        return nothing(answer);
    };
    let is_alarm = answer.0["alarm"] == true;
    Finding {
        tone: if is_alarm { Tone::Bad } else { Tone::Good },
        sentence: if is_alarm {
            format!(
                "Sample-ratio mismatch: such counts come by chance with {}. Something sends units astray, and may have made the difference too: trust no result of this experiment.",
                p_is(p)
            )
        } else {
            format!(
                "The counts fit the split: {}; the alarm is at p < 0.001.",
                p_is(p)
            )
        },
        numbers: vec![
            number("p-value", Some(p_value(p)), "alarm below 0.001"),
            number("χ²", Some(format!("{chi:.3}")), "distance from the split"),
        ],
    }
}

fn threshold(answer: Answer, typed: impl Fn(&'static str) -> f64) -> Finding {
    let Some(rate) = answer.number("/false_positive_rate") else {
        return nothing(answer);
    };
    let one_in = if rate > 0.0 && rate < 0.5 {
        format!(", one in {}", grouped(rounded(1.0 / rate)))
    } else {
        String::new()
    };
    Finding {
        tone: if rate > 0.05 { Tone::Bad } else { Tone::Info },
        sentence: format!(
            "With {} in each arm and no difference at all, an observed gain of {:.1} pp or more turns up in {} of tests{one_in}.",
            counted(rounded(typed("n")), "unit"),
            typed("threshold") * 100.0,
            fine_percent(rate),
        ),
        numbers: vec![
            number(
                "False winners",
                Some(fine_percent(rate)),
                "exact, for these numbers",
            ),
            number(
                "Out of 100 such decisions",
                Some(format!("{:.0}", rate * 100.0)),
                "would ship nothing",
            ),
        ],
    }
}

fn cache(answer: Answer, ttl: Ttl) -> Finding {
    let (Some(most), Some(expected), Some(writes)) = (
        answer.number("/upper_bound_usd"),
        answer.number("/expected_usd"),
        answer.number("/expected_writes"),
    ) else {
        return nothing(answer);
    };
    Finding {
        tone: Tone::Info,
        sentence: format!(
            "The change is expected to cost {} once, and {} at worst; after {} the new prefixes are warm.",
            dollars(expected),
            dollars(most),
            ttl.words(),
        ),
        numbers: vec![
            number("Expected", Some(dollars(expected)), "once, US dollars"),
            number(
                "At worst",
                Some(dollars(most)),
                format!("every request of {} misses", ttl.words()),
            ),
            number(
                "Prefixes written again",
                Some(format!("{writes:.1}")),
                "expected number",
            ),
        ],
    }
}

fn nothing(answer: Answer) -> Finding {
    Finding {
        tone: Tone::Warn,
        sentence: answer.reason(),
        numbers: Vec::new(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay below 2^53")]
const fn float(count: u64) -> f64 {
    count as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and what is shown is never negative"
)]
fn rounded(number: f64) -> u64 {
    number.round() as u64
}

#[cfg(test)]
mod tests;
