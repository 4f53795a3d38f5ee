//! Members of a row that take any JSON: what is of the wrong type is noted, not refused, so that
//! everything wrong with a row is found at once. Text is borrowed from the request where it can be.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;

/// Text, if it is.
#[derive(Default)]
pub(super) enum Text<'a> {
    /// Not there, or null.
    #[default]
    Missing,
    Given(Cow<'a, str>),
    /// Something else.
    Wrong,
}

/// A number, if it is.
#[derive(Default)]
pub(super) enum Number {
    /// Not there, or null.
    #[default]
    Missing,
    Given(f64),
    /// Something else.
    Wrong,
}

/// Any JSON.
#[derive(Default)]
pub(super) struct Json(pub Option<Value>);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(|value| Self(Some(value)))
    }
}

macro_rules! wrong {
    ($($visit:ident: $type:ty),+) => {$(
        fn $visit<E>(self, _: $type) -> Result<Self::Value, E> {
            Ok(Self::Value::Wrong)
        }
    )+};
}

macro_rules! everything_else {
    () => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("any JSON")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(Self::Value::Missing)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            Ok(Self::Value::Wrong)
        }

        fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
            while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok(Self::Value::Wrong)
        }
    };
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Text::Given(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Text::Given(Cow::Owned(text.to_owned())))
    }

    wrong!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64);
    everything_else!();
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct NumberVisitor;

impl<'de> Visitor<'de> for NumberVisitor {
    type Value = Number;

    #[expect(
        clippy::cast_precision_loss,
        reason = "numbers so large are refused later"
    )]
    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Number::Given(number as f64))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "numbers so large are refused later"
    )]
    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Number::Given(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Number::Given(number))
    }

    wrong!(visit_bool: bool, visit_str: &str);
    everything_else!();
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor)
    }
}
