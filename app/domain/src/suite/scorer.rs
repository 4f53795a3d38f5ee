//! Scorers as suites and cases define them: which kinds there are, and what each takes as value
//! and threshold. What a scorer says of an output is in `scoring`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::value;
use crate::field::{FieldError, Fields};

/// What a scorer looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ScorerKind {
    /// The output is the value: as text, or as JSON where the value is an object or a list.
    Equals,
    /// The same, letters' case aside.
    Iequals,
    /// The value stands in the output.
    Contains,
    /// The same, letters' case aside.
    Icontains,
    /// Every text of a list stands in the output.
    ContainsAll,
    /// At least one text of a list stands in the output.
    ContainsAny,
    /// Every text of a list, letters' case aside.
    IcontainsAll,
    /// At least one text of a list, letters' case aside.
    IcontainsAny,
    /// The output begins with the value.
    StartsWith,
    /// The pattern matches somewhere in the output; linear time, so no look-around.
    Regex,
    /// The output is JSON, and fits the JSON Schema if the value holds one.
    IsJson,
    /// Somewhere in the output is JSON, and some of it fits the JSON Schema in the value.
    ContainsJson,
    /// The output calls tools, each by a declared name with arguments that fit its schema.
    #[serde(alias = "is-valid-openai-tools-call")]
    IsValidToolCall,
    /// How like two JSON values are, 0 to 1; passes from the threshold on (default 1).
    JsonDiff,
    /// How like two numbers are, 0 to 1; passes from the threshold on (default 1).
    NumericDiff,
    /// Edits between output and value; passes up to the threshold (default 5).
    Levenshtein,
    /// Words of the output: a number, or `{"min","max"}`.
    WordCount,
    /// Characters of the output: a number, or `{"min","max"}`.
    Length,
    /// Passes up to so many milliseconds.
    Latency,
    /// Passes up to so many US dollars.
    Cost,
    /// Why the model stopped.
    FinishReason,
    /// The output declines to answer.
    IsRefusal,
    /// The output is a list that holds the values' share of the threshold (default all).
    ListContains,
    /// A model judges by a rubric.
    LlmRubric,
    /// A model compares with a reference answer.
    Factuality,
    /// A model answers whether the output meets a criterion.
    #[serde(alias = "model-graded-closedqa")]
    ClosedQa,
    /// A model says how far the output answers what was asked.
    AnswerRelevance,
    /// A model says how far the context supports the output.
    #[serde(alias = "context-faithfulness")]
    Faithfulness,
    /// A model says whether the output is at least as good as the case's `expected`, asked in both orders.
    Pairwise,
    /// Another system says: it gets the output and answers pass, score and reason.
    Webhook,
}

impl ScorerKind {
    /// All of them, in the order people are offered them.
    pub const ALL: [Self; 30] = [
        Self::Equals,
        Self::Iequals,
        Self::Contains,
        Self::Icontains,
        Self::ContainsAll,
        Self::ContainsAny,
        Self::IcontainsAll,
        Self::IcontainsAny,
        Self::StartsWith,
        Self::Regex,
        Self::IsJson,
        Self::ContainsJson,
        Self::IsValidToolCall,
        Self::JsonDiff,
        Self::NumericDiff,
        Self::Levenshtein,
        Self::WordCount,
        Self::Length,
        Self::Latency,
        Self::Cost,
        Self::FinishReason,
        Self::IsRefusal,
        Self::ListContains,
        Self::LlmRubric,
        Self::Factuality,
        Self::ClosedQa,
        Self::AnswerRelevance,
        Self::Faithfulness,
        Self::Pairwise,
        Self::Webhook,
    ];

    /// The word used in JSON, without `not-`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Equals => "equals",
            Self::Iequals => "iequals",
            Self::Contains => "contains",
            Self::Icontains => "icontains",
            Self::ContainsAll => "contains-all",
            Self::ContainsAny => "contains-any",
            Self::IcontainsAll => "icontains-all",
            Self::IcontainsAny => "icontains-any",
            Self::StartsWith => "starts-with",
            Self::Regex => "regex",
            Self::IsJson => "is-json",
            Self::ContainsJson => "contains-json",
            Self::IsValidToolCall => "is-valid-tool-call",
            Self::JsonDiff => "json-diff",
            Self::NumericDiff => "numeric-diff",
            Self::Levenshtein => "levenshtein",
            Self::WordCount => "word-count",
            Self::Length => "length",
            Self::Latency => "latency",
            Self::Cost => "cost",
            Self::FinishReason => "finish-reason",
            Self::IsRefusal => "is-refusal",
            Self::ListContains => "list-contains",
            Self::LlmRubric => "llm-rubric",
            Self::Factuality => "factuality",
            Self::ClosedQa => "closed-qa",
            Self::AnswerRelevance => "answer-relevance",
            Self::Faithfulness => "faithfulness",
            Self::Pairwise => "pairwise",
            Self::Webhook => "webhook",
        }
    }

    /// The kind a word names, promptfoo's words among them; `not-` is not part of it.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "is-valid-openai-tools-call" => Some(Self::IsValidToolCall),
            "model-graded-closedqa" => Some(Self::ClosedQa),
            "context-faithfulness" => Some(Self::Faithfulness),
            _ => Self::ALL.into_iter().find(|kind| kind.word() == word),
        }
    }

    /// Whether it is decided here, without asking a model or another system.
    pub const fn is_native(self) -> bool {
        !self.is_model_graded() && !matches!(self, Self::Webhook)
    }

    /// Whether a model judges.
    pub const fn is_model_graded(self) -> bool {
        matches!(
            self,
            Self::LlmRubric
                | Self::Factuality
                | Self::ClosedQa
                | Self::AnswerRelevance
                | Self::Faithfulness
                | Self::Pairwise
        )
    }

    /// Whether it compares with the case's `expected` where it has no value.
    pub const fn compares(self) -> bool {
        matches!(
            self,
            Self::Equals
                | Self::Iequals
                | Self::Contains
                | Self::Icontains
                | Self::ContainsAll
                | Self::ContainsAny
                | Self::IcontainsAll
                | Self::IcontainsAny
                | Self::StartsWith
                | Self::Regex
                | Self::JsonDiff
                | Self::NumericDiff
                | Self::Levenshtein
                | Self::ListContains
                | Self::Factuality
        )
    }
}

impl std::fmt::Display for ScorerKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// One scorer of a suite or a case. Read what somebody sent with [`Scorer::parse`], which
/// checks it; deserialising is for what was checked before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Scorer {
    /// What it looks at.
    #[serde(rename = "type")]
    pub kind: ScorerKind,
    /// What it compares with; each kind says what that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// From where (or up to where) it passes; each kind says in which unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// Its share in the case's score, 1 if absent. 0 is informational: it is shown and decides
    /// nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
    /// Whether it passes where the kind would fail, and the other way round.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not: bool,
}

impl Scorer {
    /// A scorer of this kind with this value and nothing else said.
    pub fn new(kind: ScorerKind, value: Option<Value>) -> Self {
        Self {
            kind,
            value,
            threshold: None,
            weight: None,
            not: false,
        }
    }

    /// Reads and checks a scorer; every offending field is listed, under its path from `path`
    /// on. The type may begin with `not-`.
    pub fn parse(path: &str, value: &Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::new(path, value.clone());
        let word = fields.required_text("type");
        let says_not = fields.boolean("not");
        let (is_negated, bare) = match word.strip_prefix("not-") {
            Some(bare) => (true, bare),
            None => (false, word.as_str()),
        };
        let kind = ScorerKind::from_word(bare);
        if kind.is_none() && !word.is_empty() {
            let message = format!("`{word}` is not a scorer; {}", why_unknown(bare));
            fields.refuse("type", message);
        }
        if is_negated && says_not == Some(false) {
            fields.refuse("not", format!("contradicts the type `{word}`"));
        }
        let wanted = fields.take("value");
        let threshold = fields.number("threshold");
        let weight = fields.number("weight");
        if weight.is_some_and(|weight| weight < 0.0) {
            fields.refuse("weight", "must be 0 or more");
        }
        // promptfoo's name for a metric; a label, which our lists do not need.
        fields.take("metric");
        let scorer = kind.map(|kind| Self {
            kind,
            value: wanted,
            threshold,
            weight,
            not: is_negated || says_not == Some(true),
        });
        if let Some(scorer) = &scorer {
            if let Err(message) = value::check(scorer.kind, scorer.value.as_ref()) {
                fields.refuse("value", message);
            }
            if let Err(message) = value::check_threshold(scorer.kind, threshold) {
                fields.refuse("threshold", message);
            }
        }
        let built = scorer.unwrap_or_else(|| Self::new(ScorerKind::Equals, None));
        fields.finish(|| built)
    }

    /// Reads a list of scorers, at most [`super::MAX_SCORERS`].
    pub fn parse_list(path: &str, items: &[Value]) -> Result<Vec<Self>, Vec<FieldError>> {
        if items.len() > super::MAX_SCORERS {
            let message = format!(
                "holds {} scorers; at most {} are allowed",
                items.len(),
                super::MAX_SCORERS
            );
            return Err(vec![FieldError::new(path, message)]);
        }
        let mut scorers = Vec::with_capacity(items.len());
        let mut errors = Vec::new();
        for (index, item) in items.iter().enumerate() {
            match Self::parse(&format!("{path}[{index}]"), item) {
                Ok(scorer) => scorers.push(scorer),
                Err(found) => errors.extend(found),
            }
        }
        if errors.is_empty() {
            Ok(scorers)
        } else {
            Err(errors)
        }
    }

    /// The weight, 1 unless said otherwise.
    pub fn weight(&self) -> f64 {
        self.weight.unwrap_or(1.0)
    }

    /// Whether it decides anything.
    pub fn counts(&self) -> bool {
        self.weight() > 0.0
    }

    /// The kind's word, with `not-` in front where it is inverted.
    pub fn word(&self) -> String {
        if self.not {
            format!("not-{}", self.kind)
        } else {
            self.kind.word().to_owned()
        }
    }
}

/// What to do instead, for words people bring from elsewhere.
fn why_unknown(word: &str) -> String {
    match word {
        "javascript" | "python" | "ruby" => {
            "no user code runs in the server: use webhook".to_owned()
        }
        "similar" => "embeddings are not compared here: use llm-rubric or levenshtein".to_owned(),
        _ => format!(
            "known are {}",
            ScorerKind::ALL.map(ScorerKind::word).join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn refused(scorer: &Value, expected: &[&str]) {
        let errors = Scorer::parse("s", scorer).expect_err("is refused");
        let listed: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(listed, expected);
    }

    #[test]
    fn words_and_wire_are_the_same() {
        for kind in ScorerKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), json!(kind.word()));
            assert_eq!(ScorerKind::from_word(kind.word()), Some(kind));
        }
    }

    #[test]
    fn not_may_stand_in_the_type_or_beside_it() {
        let one = Scorer::parse("s", &json!({"type": "not-contains", "value": "x"})).unwrap();
        let other = json!({"type": "contains", "value": "x", "not": true});
        assert_eq!(one, Scorer::parse("s", &other).unwrap());
        assert_eq!(serde_json::to_value(&one).unwrap(), other);
        assert_eq!(one.word(), "not-contains");
        refused(
            &json!({"type": "not-contains", "value": "x", "not": false}),
            &["s.not: contradicts the type `not-contains`"],
        );
    }

    #[test]
    fn promptfoos_words_are_understood() {
        for (word, kind) in [
            ("is-valid-openai-tools-call", ScorerKind::IsValidToolCall),
            ("context-faithfulness", ScorerKind::Faithfulness),
        ] {
            assert_eq!(
                Scorer::parse("s", &json!({"type": word})).unwrap().kind,
                kind
            );
        }
    }

    #[test]
    fn every_wrong_member_is_named() {
        refused(
            &json!({"type": "regex", "value": "(", "weight": -1, "colour": "red"}),
            &[
                "s.weight: must be 0 or more",
                "s.value: is not a regular expression we can run: found open group without closing ')'",
                "s.colour: is not a known field",
            ],
        );
        refused(
            &json!({"type": "javascript", "value": "true"}),
            &["s.type: `javascript` is not a scorer; no user code runs in the server: use webhook"],
        );
        refused(&json!({"value": 1}), &["s.type: is required"]);
    }
}
