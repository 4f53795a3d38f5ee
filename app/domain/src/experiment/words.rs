//! Numbers in the words of the verdict.

pub fn days_left(days: Option<f64>) -> String {
    match days {
        None => String::new(),
        Some(days) if days < 1.0 => ", less than a day left".to_owned(),
        Some(days) => {
            let days = days.ceil();
            let noun = if days <= 1.0 { "day" } else { "days" };
            format!(", about {days} {noun} left")
        }
    }
}

pub fn join(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

/// Few digits, but never a false zero.
pub fn p_value(p: f64) -> String {
    if p < 0.0001 {
        "< 0.0001".to_owned()
    } else {
        format!("= {p:.4}")
    }
}

/// With as many digits as say something.
pub fn amount(number: f64) -> String {
    let size = number.abs();
    if size >= 100.0 || size == 0.0 {
        format!("{number:.0}")
    } else if size >= 1.0 {
        format!("{number:.1}")
    } else if size >= 0.001 {
        format!("{number:.4}")
    } else {
        format!("{number:.2e}")
    }
}

/// With thousands apart.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A difference as percentage points; small ones keep a second digit.
pub fn points(difference: f64) -> String {
    format!("{} percentage points", bare(difference))
}

pub fn signed(difference: f64) -> String {
    format!("{} percentage points", signed_bare(difference))
}

pub fn signed_bare(difference: f64) -> String {
    let plus = if difference > 0.0 { "+" } else { "" };
    format!("{plus}{}", bare(difference))
}

pub fn bare(difference: f64) -> String {
    let points = difference * 100.0;
    let text = if points.abs() < 0.95 {
        format!("{points:.2}")
    } else {
        format!("{points:.1}")
    };
    text.replace('-', "−")
}
