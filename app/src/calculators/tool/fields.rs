//! The fields of each calculator.

use super::{Spec, Unit};

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

pub const SIZE: &[Spec] = &[
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
pub const EFFECT: &[Spec] = &[
    rate("Rate today, %", "80").hint("The share of units that succeed now."),
    spec("n", "n", "Units in each arm", Unit::Count, "1000"),
    ALPHA,
    POWER,
];
pub const COMPARE: &[Spec] = &[CONTROL[0], CONTROL[1], TREATMENT[0], TREATMENT[1], ALPHA];
pub const RATIO: &[Spec] = &[
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
pub const THRESHOLD: &[Spec] = &[
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
pub const CACHE: &[Spec] = &[
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
    spec("ttl", "ttl", "A prefix stays warm for", Unit::Ttl, "5m")
        .hint("1 hour where breakpoints say ttl: 1h.")
        .legal("must be 5m or 1h"),
    spec(
        "write",
        "prices.write",
        "Cache write, US dollars per million tokens",
        Unit::Number,
        "3.75",
    )
    .hint("For the time above; a model that offers none for so long leaves it empty."),
    spec(
        "read",
        "prices.read",
        "Cache read, US dollars per million tokens",
        Unit::Number,
        "0.30",
    ),
];
