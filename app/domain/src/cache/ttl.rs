//! For how long a written prefix stays warm. Providers offer one time to live or two, and ask more
//! for the longer one.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cost::Price;

/// A cache's time to live: it begins anew with every read.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = CacheTtl))]
pub enum Ttl {
    /// Five minutes: what a breakpoint means that says nothing else.
    #[default]
    #[serde(rename = "5m")]
    FiveMinutes,
    /// An hour, by breakpoints that say `"ttl": "1h"`.
    #[serde(rename = "1h")]
    Hour,
}

impl Ttl {
    /// Both, the shorter first.
    pub const ALL: [Self; 2] = [Self::FiveMinutes, Self::Hour];

    /// How long it is.
    #[must_use]
    pub const fn lasts(self) -> TimeDelta {
        match self {
            Self::FiveMinutes => TimeDelta::minutes(5),
            Self::Hour => TimeDelta::hours(1),
        }
    }

    /// The same in seconds.
    #[must_use]
    pub fn seconds(self) -> f64 {
        self.lasts().as_seconds_f64()
    }

    /// The word in JSON, in addresses and on the command line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::FiveMinutes => "5m",
            Self::Hour => "1h",
        }
    }

    /// The time of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ttl| ttl.word() == word)
    }

    /// As people read it.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::FiveMinutes => "5 minutes",
            Self::Hour => "1 hour",
        }
    }

    /// What a breakpoint's `cache_control` asks for; a `ttl` that nobody knows counts as none.
    #[must_use]
    pub fn of_breakpoint(control: &Value) -> Self {
        let word = control.get("ttl").and_then(Value::as_str);
        word.and_then(Self::from_word).unwrap_or_default()
    }

    /// What writing for so long costs, in US dollars per million tokens: for five minutes the
    /// input's price where the row names none, for an hour nothing that could be known.
    #[must_use]
    pub fn write_price(self, price: &Price) -> Option<f64> {
        match self {
            Self::FiveMinutes => Some(price.write_5m.unwrap_or(price.input)),
            Self::Hour => price.write_1h,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_breakpoint_says_for_how_long() {
        for (control, ttl) in [
            (json!({ "type": "ephemeral" }), Ttl::FiveMinutes),
            (
                json!({ "type": "ephemeral", "ttl": "5m" }),
                Ttl::FiveMinutes,
            ),
            (json!({ "type": "ephemeral", "ttl": "1h" }), Ttl::Hour),
            (
                json!({ "type": "ephemeral", "ttl": "2h" }),
                Ttl::FiveMinutes,
            ),
            (json!({ "ttl": 3_600 }), Ttl::FiveMinutes),
        ] {
            assert_eq!(Ttl::of_breakpoint(&control), ttl, "{control}");
        }
        for ttl in Ttl::ALL {
            assert_eq!(Ttl::from_word(ttl.word()), Some(ttl));
            assert_eq!(serde_json::to_value(ttl).unwrap(), ttl.word());
        }
    }
}
