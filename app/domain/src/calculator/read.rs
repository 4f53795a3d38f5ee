//! Reading the calculators' numbers.

use serde_json::Value;

use super::MAX_LIST;
use crate::{
    cache::Ttl,
    field::Fields,
    stats::{MAX_COUNT, mean, proportion::Sample},
};

/// The error rate unless told otherwise.
const ALPHA: f64 = 0.05;

pub fn sample(fields: &mut Fields, name: &str) -> Sample {
    fields.require(name);
    let mut found = Sample { successes: 0, n: 0 };
    if let Some(value) = fields.take(name) {
        let mut one = Fields::new(&fields.path_of(name), value);
        found = Sample {
            successes: count(&mut one, "successes"),
            n: count(&mut one, "n"),
        };
        if found.successes > found.n {
            one.refuse_unless_refused("successes", "must not be more than n");
        }
        if let Err(errors) = one.finish(|| ()) {
            fields.absorb(errors);
        }
    }
    found
}

pub fn summary(fields: &mut Fields, name: &str) -> mean::Summary {
    fields.require(name);
    let mut found = mean::Summary {
        mean: 0.0,
        sd: 0.0,
        n: 0,
    };
    if let Some(value) = fields.take(name) {
        let mut one = Fields::new(&fields.path_of(name), value);
        one.require("mean");
        one.require("sd");
        found = mean::Summary {
            mean: one.number("mean").unwrap_or_default(),
            sd: one.number("sd").unwrap_or_default(),
            n: count(&mut one, "n"),
        };
        if found.sd < 0.0 {
            one.refuse("sd", "must be 0 or more");
        }
        if let Err(errors) = one.finish(|| ()) {
            fields.absorb(errors);
        }
    }
    found
}

/// For how long a cached prefix stays warm; the usual time where nothing is said.
pub fn ttl(fields: &mut Fields) -> Ttl {
    let Some(word) = fields.text("ttl") else {
        return Ttl::default();
    };
    Ttl::from_word(&word).unwrap_or_else(|| {
        fields.refuse("ttl", "must be `5m` or `1h`");
        Ttl::default()
    })
}

pub fn count(fields: &mut Fields, name: &str) -> u64 {
    fields.require(name);
    optional_count(fields, name)
}

pub fn optional_count(fields: &mut Fields, name: &str) -> u64 {
    let Some(number) = fields.integer(name) else {
        return 0;
    };
    let legal = u64::try_from(number).ok().filter(|n| *n <= MAX_COUNT);
    if legal.is_none() {
        fields.refuse(name, "must be from 0 to a billion");
    }
    legal.unwrap_or_default()
}

pub fn share(fields: &mut Fields, name: &str) -> f64 {
    fields.require(name);
    let number = fields.number(name).unwrap_or(0.5);
    if !(0.0..=1.0).contains(&number) {
        fields.refuse(name, "must be from 0 to 1");
    }
    number
}

pub fn alpha(fields: &mut Fields) -> f64 {
    let alpha = fields.number("alpha").unwrap_or(ALPHA);
    if !(1e-12..=0.5).contains(&alpha) {
        fields.refuse("alpha", "must be above 0 and at most 0.5");
    }
    alpha
}

pub fn power(fields: &mut Fields) -> f64 {
    let power = fields.number("power").unwrap_or(0.8);
    if !(0.01..=0.9999).contains(&power) {
        fields.refuse("power", "must be from 0.01 to 0.9999");
    }
    power
}

pub fn numbers(fields: &mut Fields, name: &str, items: Vec<Value>) -> Vec<f64> {
    let numbers: Vec<f64> = items
        .iter()
        .filter_map(Value::as_f64)
        .filter(|number| number.is_finite())
        .collect();
    if numbers.len() != items.len() {
        fields.refuse(name, "must be numbers");
    }
    numbers
}

pub fn check_weights(fields: &mut Fields, weights: &[f64]) {
    let legal = (2..=MAX_LIST).contains(&weights.len())
        && weights.iter().all(|weight| *weight > 0.0 && *weight <= 1e9);
    if !legal {
        fields.refuse_unless_refused("weights", "must be two or more numbers above 0");
    }
}
