//! How many tokens a text is about, without the providers' tokenizers: those of the models in use
//! are megabytes of tables, or were never published. Every run of characters of one kind weighs
//! what the last published tokenizers make of it on average; how far that is off was measured and
//! is part of what is shown.

/// Whose tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tokenizer {
    /// `OpenAI`'s `o200k_base`; also stands in for Google and for models of one's own.
    OpenAi,
    /// The last one that Anthropic published.
    Anthropic,
}

/// How far an estimate may be off, in words.
pub const ERROR: &str =
    "estimated from the text: within 15 % in English and code, 25 % in other languages";

/// The largest relative error over texts in English and code of twenty tokens or more.
pub const ERROR_IN_ENGLISH: f64 = 0.15;
/// The same in other languages.
pub const ERROR_ELSEWHERE: f64 = 0.25;

/// What a character is counted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Letter,
    Digit,
    Punctuation,
    Newline,
    Space,
    Script(usize),
}

/// Tokens for each of what [`Tally`] counts, fitted by least squares of the relative error.
struct Weights {
    word: f64,
    long: f64,
    upper: f64,
    digits: f64,
    punctuation: f64,
    punctuation_run: f64,
    newline: f64,
    space: f64,
    accented: f64,
    /// In the order of [`script`].
    scripts: [f64; 10],
}

const OPENAI: Weights = Weights {
    word: 0.998,
    long: 0.131,
    upper: 0.402,
    digits: 1.356,
    punctuation: 0.129,
    punctuation_run: 0.608,
    newline: 0.308,
    space: 0.68,
    accented: 2.044,
    scripts: [
        0.278, 0.365, 0.391, 0.459, 0.364, 0.355, 0.675, 0.664, 0.681, 1.266,
    ],
};

const ANTHROPIC: Weights = Weights {
    word: 1.047,
    long: 0.179,
    upper: 0.407,
    digits: 1.085,
    punctuation: 0.041,
    punctuation_run: 0.876,
    newline: 0.906,
    space: 0.475,
    accented: 4.319,
    scripts: [
        0.571, 1.331, 1.147, 1.081, 1.345, 1.744, 0.993, 1.053, 1.335, 2.332,
    ],
};

impl Tokenizer {
    /// The one that stands for a provider's models, by the provider's kind or by the model's name.
    #[must_use]
    pub fn of(provider: &str, model: &str) -> Self {
        if provider.contains("anthropic") || model.contains("claude") {
            Self::Anthropic
        } else {
            Self::OpenAi
        }
    }

    /// About how many tokens the text is.
    #[must_use]
    pub fn count(self, text: &str) -> f64 {
        let weights = match self {
            Self::OpenAi => &OPENAI,
            Self::Anthropic => &ANTHROPIC,
        };
        let mut tokens = 0.0;
        let mut before = None;
        let mut was_lower = false;
        let mut n_in_run = 0_usize;
        for character in text.chars() {
            let kind = kind(character);
            let is_new = before != Some(kind);
            // A capital after a small letter begins a word, as in `camelCase`.
            let is_word =
                kind == Kind::Letter && (is_new || (was_lower && character.is_uppercase()));
            n_in_run = if is_new || is_word { 1 } else { n_in_run + 1 };
            tokens += match kind {
                Kind::Letter => letter(weights, character, is_word, n_in_run),
                Kind::Digit if n_in_run % 3 == 1 => weights.digits,
                Kind::Punctuation if is_new => weights.punctuation + weights.punctuation_run,
                Kind::Punctuation => weights.punctuation,
                Kind::Newline if is_new => weights.newline,
                // The first space belongs to the word behind it.
                Kind::Space if n_in_run == 2 => weights.space,
                Kind::Script(script) => weights.scripts[script],
                Kind::Digit | Kind::Newline | Kind::Space => 0.0,
            };
            was_lower = kind == Kind::Letter && !character.is_uppercase();
            before = Some(kind);
        }
        tokens
    }
}

fn letter(weights: &Weights, character: char, is_word: bool, n_in_run: usize) -> f64 {
    let mut tokens = 0.0;
    if is_word {
        tokens += weights.word;
    }
    if n_in_run > 7 {
        tokens += weights.long;
    }
    if character.is_uppercase() && n_in_run > 1 {
        tokens += weights.upper;
    }
    if !character.is_ascii() {
        tokens += weights.accented;
    }
    tokens
}

fn kind(character: char) -> Kind {
    match character {
        'a'..='z' | 'A'..='Z' | '\u{c0}'..='\u{24f}' => Kind::Letter,
        '0'..='9' => Kind::Digit,
        '\n' | '\r' => Kind::Newline,
        ' ' | '\t' => Kind::Space,
        _ if character.is_ascii() => Kind::Punctuation,
        _ => Kind::Script(script(character)),
    }
}

/// Cyrillic, Greek, Arabic, Hebrew, Indic, South-East Asian, Han, Kana, Hangul, everything else.
fn script(character: char) -> usize {
    match character {
        '\u{400}'..='\u{52f}' => 0,
        '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => 1,
        '\u{600}'..='\u{6ff}' | '\u{750}'..='\u{77f}' => 2,
        '\u{590}'..='\u{5ff}' => 3,
        '\u{900}'..='\u{dff}' => 4,
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' => 5,
        '\u{3000}'..='\u{303f}'
        | '\u{3400}'..='\u{9fff}'
        | '\u{ff00}'..='\u{ffef}'
        | '\u{20000}'..='\u{2ffff}' => 6,
        '\u{3040}'..='\u{30ff}' => 7,
        '\u{ac00}'..='\u{d7af}' => 8,
        _ => 9,
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Known {
        name: String,
        kind: String,
        text: String,
        openai: f64,
        anthropic: f64,
    }

    /// The demo's prompts, reviews (UCI Sentiment Labelled Sentences, CC BY 4.0) and short messages
    /// (UCI SMS Spam Collection, CC BY 4.0), and other languages, counted by `js-tiktoken` 1.0
    /// (`o200k_base`) and `@anthropic-ai/tokenizer` 0.0.4.
    fn known() -> Vec<Known> {
        serde_json::from_str(include_str!("../tests/golden/tokens.json")).unwrap()
    }

    #[test]
    fn no_text_is_further_off_than_is_said() {
        let mut off = Vec::new();
        for text in known() {
            let most = if text.kind == "other" {
                ERROR_ELSEWHERE
            } else {
                ERROR_IN_ENGLISH
            };
            for (tokenizer, real) in [
                (Tokenizer::OpenAi, text.openai),
                (Tokenizer::Anthropic, text.anthropic),
            ] {
                let error = tokenizer.count(&text.text) / real - 1.0;
                if real >= 20.0 && error.abs() > most {
                    off.push(format!("{} {tokenizer:?}: {error:.3}", text.name));
                }
            }
        }
        assert!(off.is_empty(), "{off:#?}");
    }

    #[test]
    fn the_mean_error_over_many_english_texts_is_small() {
        let english: Vec<Known> = known()
            .into_iter()
            .filter(|text| text.kind == "english" && text.openai >= 100.0)
            .collect();
        assert!(english.len() >= 15);
        let off = |counted: fn(&Known) -> f64| {
            let errors = english.iter().map(counted);
            errors.map(f64::abs).sum::<f64>()
                / crate::stats::float(u64::try_from(english.len()).unwrap())
        };
        let openai = off(|text| Tokenizer::OpenAi.count(&text.text) / text.openai - 1.0);
        let anthropic = off(|text| Tokenizer::Anthropic.count(&text.text) / text.anthropic - 1.0);
        assert!(openai < 0.05 && anthropic < 0.05, "{openai} {anthropic}");
    }

    #[test]
    fn the_provider_says_whose_tokens() {
        assert_eq!(Tokenizer::of("anthropic", "x"), Tokenizer::Anthropic);
        assert_eq!(
            Tokenizer::of("gateway", "claude-sonnet-4-6"),
            Tokenizer::Anthropic
        );
        assert_eq!(Tokenizer::of("openai", "gpt-5"), Tokenizer::OpenAi);
        assert!(Tokenizer::OpenAi.count("") <= 0.0);
    }
}
