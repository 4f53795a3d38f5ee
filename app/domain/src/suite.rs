//! Golden suites: cases with what is expected of the output, and the scorers that judge it.
//! Reading a suite or case lists everything that is wrong with it at once; how outputs are
//! scored is in `scoring`, what a run of a suite decides is in `gate`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    content::scan,
    field::{FieldError, Fields},
    prompt::{PromptName, check_prose, check_tags},
    template::is_name,
};

#[cfg(feature = "eval")]
pub mod import;
mod scorer;
mod shape;
mod smoke;
pub(crate) mod value;

pub use scorer::{Scorer, ScorerKind};
pub use shape::{KeptCase, Suite, SuiteRevision};
pub use smoke::{SMOKE, smoke};

/// The longest name of a suite, in characters.
pub const MAX_NAME: usize = 200;
/// The longest note on a case, in characters.
pub const MAX_NOTE: usize = 4_000;
/// The most cases in one suite, and in one import.
pub const MAX_CASES: usize = 10_000;
/// The most scorers of one suite, and of one case.
pub const MAX_SCORERS: usize = 50;
/// The most bytes of one case as JSON.
pub const MAX_CASE_BYTES: usize = 1024 * 1024;

/// Cases with this tag are the smoke subset.
pub const SMOKE_TAG: &str = "smoke";
/// Cases with this tag may never fail; the same as the member `must_pass`.
pub const MUST_PASS_TAG: &str = "must-pass";

/// Where a case comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = CaseOrigin))]
#[cfg_attr(feature = "sqlx", derive(sqlx::Type))]
#[cfg_attr(feature = "sqlx", sqlx(type_name = "text", rename_all = "snake_case"))]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Somebody reported a failing output.
    Report,
    /// Taken from what production saw.
    Production,
    /// Written by hand.
    Manual,
    /// Read from a file, or sent by a client.
    Import,
}

impl Origin {
    /// All of them, in the order people are offered them.
    pub const ALL: [Self; 4] = [Self::Report, Self::Production, Self::Manual, Self::Import];

    /// The word used in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Production => "production",
            Self::Manual => "manual",
            Self::Import => "import",
        }
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// One case: what the prompt is called with, and what is expected of the output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Case {
    /// The variables' values.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub variables: Map<String, Value>,
    /// The messages of each placeholder, as lists: the form rendering takes.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[cfg_attr(feature = "openapi", schema(required = false, value_type = Object))]
    pub placeholders: Map<String, Value>,
    /// What scorers without a value compare with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Value>,
    /// The case's own scorers; see [`scorers_of`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scorers: Vec<Scorer>,
    /// Words to filter by. `must-pass` is among them exactly if `must_pass` is true.
    pub tags: Vec<String>,
    /// Whether losing this case alone fails a gate.
    #[serde(default)]
    pub must_pass: bool,
    /// What the case is about, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Where it comes from.
    pub origin: Origin,
}

impl Case {
    /// Reads and checks a case; every offending field is listed. Where it comes from is not for
    /// the sender to say. `must_pass` and the tag `must-pass` are one thing; where they
    /// contradict each other, the member decides.
    pub fn parse(value: &Value, origin: Origin) -> Result<Self, Vec<FieldError>> {
        let length = value.to_string().len();
        if length > MAX_CASE_BYTES {
            let message = format!("has {length} bytes; at most {MAX_CASE_BYTES} are allowed");
            return Err(vec![FieldError::new("case", message)]);
        }
        let unfit = scan("case", value)?;
        let mut fields = Fields::new("", value.clone());
        fields.absorb(unfit);
        let variables = members(&mut fields, "variables");
        let placeholders = members(&mut fields, "placeholders");
        for (name, messages) in &placeholders {
            let is_messages = messages
                .as_array()
                .is_some_and(|messages| messages.iter().all(Value::is_object));
            if !is_messages {
                fields.refuse(
                    &format!("placeholders.{name}"),
                    "must be a list of messages",
                );
            }
        }
        let expected = fields.take("expected");
        let scorers = read_scorers(&mut fields);
        let mut tags = fields.texts("tags").unwrap_or_default();
        if let Err(message) = check_tags(&tags) {
            fields.refuse("tags", message);
        }
        let is_tagged = tags.iter().any(|tag| tag == MUST_PASS_TAG);
        let must_pass = fields.boolean("must_pass").unwrap_or(is_tagged);
        if must_pass && !is_tagged {
            tags.push(MUST_PASS_TAG.to_owned());
        } else if !must_pass && is_tagged {
            tags.retain(|tag| tag != MUST_PASS_TAG);
        }
        let note = fields.text("note").unwrap_or_default();
        if let Err(message) = check_prose(&note, MAX_NOTE) {
            fields.refuse("note", message);
        }
        fields.finish(|| Self {
            variables,
            placeholders,
            expected,
            scorers,
            tags,
            must_pass,
            note,
            origin,
        })
    }

    /// The case as [`Case::parse`] reads it: everything but where it comes from.
    pub fn to_submitted(&self) -> Value {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        if let Some(members) = value.as_object_mut() {
            members.shift_remove("origin");
            if !self.must_pass {
                members.shift_remove("must_pass");
            }
        }
        value
    }
}

/// An object whose members are named as variables are; empty if absent.
fn members(fields: &mut Fields, name: &str) -> Map<String, Value> {
    let members = match fields.take(name) {
        None => Map::new(),
        Some(Value::Object(members)) => members,
        Some(_) => {
            fields.refuse(name, "must be an object");
            Map::new()
        }
    };
    for wrong in members.keys().filter(|key| !is_name(key)) {
        let message = "is not a name: letters, digits and `_`, not beginning with a digit";
        fields.refuse(&format!("{name}.{wrong}"), message);
    }
    members
}

fn read_scorers(fields: &mut Fields) -> Vec<Scorer> {
    let items = fields.list("scorers").unwrap_or_default();
    Scorer::parse_list(&fields.path_of("scorers"), &items).unwrap_or_else(|errors| {
        fields.absorb(errors);
        Vec::new()
    })
}

/// A suite as somebody asks for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewSuite {
    /// What people call it.
    pub name: String,
    /// The prompt it is for.
    pub prompt: PromptName,
    /// Scorers that apply to every case.
    #[serde(default)]
    pub scorers: Vec<Scorer>,
    /// From which weighted score a case passes, 0 to 1; without it every scorer that counts
    /// must pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
}

impl NewSuite {
    /// Reads and checks a suite; every offending field is listed.
    pub fn parse(value: &Value) -> Result<Self, Vec<FieldError>> {
        let unfit = scan("body", value)?;
        let mut fields = Fields::new("", value.clone());
        fields.absorb(unfit);
        let name = fields.required_text("name");
        if !name.is_empty()
            && let Err(message) = check_name(&name)
        {
            fields.refuse("name", message);
        }
        let written = fields.required_text("prompt");
        let prompt = PromptName::parse(&written);
        if let Err(error) = prompt
            && !written.is_empty()
        {
            fields.refuse("prompt", error.to_string());
        }
        let scorers = read_scorers(&mut fields);
        let threshold = fields.number("threshold");
        if threshold.is_some_and(|threshold| !(0.0..=1.0).contains(&threshold)) {
            fields.refuse("threshold", "must be from 0 to 1");
        }
        fields.finish(|| ())?;
        let prompt = prompt.map_err(|error| vec![FieldError::new("prompt", error.to_string())])?;
        Ok(Self {
            name,
            prompt,
            scorers,
            threshold,
        })
    }
}

/// Whether people may call a suite this.
pub fn check_name(name: &str) -> Result<(), String> {
    if name.trim().is_empty() {
        return Err("must not be empty".to_owned());
    }
    if name.contains(['\n', '\r', '\t']) {
        return Err("must be one line".to_owned());
    }
    check_prose(name, MAX_NAME)
}

/// The scorers that judge a case, ready to run: the suite's, those of a type (and `not`) that
/// the case has itself replaced by the case's, then what the case adds. A comparing scorer
/// without a value gets the case's `expected` as its value.
///
/// Refused for this case: a comparing scorer, or a pairwise judge, that has nothing to compare with, an `expected`
/// that its scorer cannot work with, and a case that no scorer decides about.
pub fn scorers_of(suite: &[Scorer], case: &Case) -> Result<Vec<Scorer>, Vec<FieldError>> {
    let mut scorers: Vec<Scorer> = that_judge(suite, case).cloned().collect();
    let mut errors = Vec::new();
    for scorer in &mut scorers {
        if lacks_other_output(scorer, case) {
            let message = "has nothing to compare the output with: the case has no `expected`";
            errors.push(FieldError::new(scorer.word(), message));
        }
        if scorer.value.is_some() || !scorer.kind.compares() {
            continue;
        }
        let Some(expected) = &case.expected else {
            let message =
                "has nothing to compare with: the scorer has no `value` and the case no `expected`";
            errors.push(FieldError::new(scorer.word(), message));
            continue;
        };
        match value::check(scorer.kind, Some(expected)) {
            Ok(()) => scorer.value = Some(expected.clone()),
            Err(message) => {
                let message = format!("cannot compare with the case's `expected`, which {message}");
                errors.push(FieldError::new(scorer.word(), message));
            }
        }
    }
    if !scorers.iter().any(Scorer::counts) {
        let message = "nothing decides whether this case passes: give the suite or the case a scorer with a weight above 0";
        errors.push(FieldError::new("scorers", message));
    }
    if errors.is_empty() {
        Ok(scorers)
    } else {
        Err(errors)
    }
}

/// The suite's scorers that the case does not replace, then the case's.
fn that_judge<'s>(suite: &'s [Scorer], case: &'s Case) -> impl Iterator<Item = &'s Scorer> {
    let is_replaced = |scorer: &&Scorer| {
        case.scorers
            .iter()
            .any(|own| own.kind == scorer.kind && own.not == scorer.not)
    };
    let inherited = suite.iter().filter(move |scorer| !is_replaced(scorer));
    inherited.chain(&case.scorers)
}

/// A pairwise judge compares with what the case expects; its own value is what it looks at.
fn lacks_other_output(scorer: &Scorer, case: &Case) -> bool {
    scorer.kind == ScorerKind::Pairwise && case.expected.is_none()
}

/// Refuses to keep a case for which a pairwise judge asks a model to compare the output with
/// nothing. Other scorers may be given a value after the cases were written: of them a run says
/// which cases they cannot score.
pub fn check_expected(suite: &[Scorer], case: &Case) -> Result<(), FieldError> {
    match that_judge(suite, case).find(|scorer| lacks_other_output(scorer, case)) {
        None => Ok(()),
        Some(scorer) => {
            let message = format!(
                "is required: the scorer {} compares the output with it",
                scorer.word()
            );
            Err(FieldError::new("expected", message))
        }
    }
}

/// Refuses scorers of a suite whose cases, by their positions, expect nothing that a pairwise judge
/// among them could compare with.
pub fn check_all_expected<'c>(
    suite: &[Scorer],
    cases: impl IntoIterator<Item = (i32, &'c Case)>,
) -> Result<(), FieldError> {
    /// As many are named.
    const MOST: usize = 5;
    let lacking: Vec<i32> = cases
        .into_iter()
        .filter(|(_, case)| check_expected(suite, case).is_err())
        .map(|(position, _)| position)
        .collect();
    if lacking.is_empty() {
        return Ok(());
    }
    let mut named: Vec<String> = lacking.iter().take(MOST).map(ToString::to_string).collect();
    if lacking.len() > MOST {
        named.push(format!("{} more", lacking.len() - MOST));
    }
    let last = named.pop().unwrap_or_default();
    let (noun, expect) = if lacking.len() == 1 {
        ("case", "expects")
    } else {
        ("cases", "expect")
    };
    let named = if named.is_empty() {
        last
    } else {
        format!("{} and {last}", named.join(", "))
    };
    let message = format!(
        "pairwise compares the output with what a case expects, and {noun} {named} {expect} nothing"
    );
    Err(FieldError::new("scorers", message))
}

#[cfg(test)]
mod tests;
