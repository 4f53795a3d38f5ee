//! Builds the comparison of two contents.

use domain::{
    cache::{Block, blocks},
    content::{Content, Model},
    diff::{
        Change, ContentDiff, MessageChange, MessageDiff, Op, SettingChange, VariableChange, diff,
        text_diff,
    },
    variable::Variable,
};
use serde_json::Value;

use super::{
    super::words,
    BlockState, Cache, CacheBlock, Comparison, Line, MessagePart, Setting, Side, VariableRow,
    lines::{count_words, folded, gap, lines},
};

/// Blocks of one state that are still shown one by one.
const MAX_BLOCKS: usize = 3;

/// Compares two contents.
pub fn compare(old: &Content, new: &Content) -> Comparison {
    let difference = diff(old, new);
    let messages: Vec<MessagePart> = difference
        .messages
        .iter()
        .filter(|message| message.change != MessageChange::Same)
        .map(message_part)
        .collect();
    let mut variables: Vec<VariableRow> = difference
        .variables
        .iter()
        .map(|change| variable_row(change, old, new))
        .collect();
    // Stable: otherwise in the order of the declarations.
    variables.sort_by_key(|row| !row.breaks_callers);
    Comparison {
        is_same: difference.is_empty(),
        kind: difference.kind.as_ref().map(changed),
        n_same: short(difference.messages.len() - messages.len()),
        words_in: messages.iter().map(|message| message.words_in).sum(),
        words_out: messages.iter().map(|message| message.words_out).sum(),
        messages,
        variables,
        is_rearranged: difference.variables_rearranged,
        model: model(old.model.as_ref(), new.model.as_ref()),
        tools: difference
            .tools_changed
            .then(|| json_lines(list(old.tools.as_deref()), list(new.tools.as_deref()))),
        response_format: difference
            .response_format_changed
            .then(|| json_lines(old.response_format.clone(), new.response_format.clone())),
        cache: cache(new, &difference),
    }
}

fn short(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn changed(change: &SettingChange) -> Setting {
    Setting {
        name: change.setting.clone(),
        old: change.old.clone(),
        new: change.new.clone(),
    }
}

fn message_part(message: &MessageDiff) -> MessagePart {
    let place = match (message.old_index, message.new_index) {
        (Some(old), Some(new)) if old != new => format!("message {} → {}", old + 1, new + 1),
        (_, Some(new)) if message.change == MessageChange::Added => {
            format!("message {}, added", new + 1)
        }
        (Some(old), None) => format!("message {}, removed", old + 1),
        (_, Some(new)) => format!("message {}", new + 1),
        (None, None) => String::new(),
    };
    let lines = folded(lines(&message.segments));
    let has_changes = lines
        .iter()
        .any(|line| matches!(line.side, Side::In | Side::Out));
    let differs = message
        .segments
        .iter()
        .any(|segment| segment.op != Op::Equal);
    MessagePart {
        role: message.role().to_owned(),
        old_role: message
            .old_role
            .clone()
            .filter(|role| role != message.role()),
        place,
        members: message.members.clone(),
        words_in: count_words(&message.segments, Op::Insert),
        words_out: count_words(&message.segments, Op::Delete),
        lines: if differs && !has_changes {
            vec![gap("only a line break at the end differs".to_owned())]
        } else {
            lines
        },
    }
}

fn variable_row(change: &VariableChange, old: &Content, new: &Content) -> VariableRow {
    let find = |content: &Content| {
        let variable = content
            .declared()
            .iter()
            .find(|one| one.name == change.name);
        variable.map(declaration)
    };
    let (before, after) = if change.is_placeholder {
        (None, None)
    } else {
        (find(old), find(new))
    };
    VariableRow {
        name: change.name.clone(),
        is_placeholder: change.is_placeholder,
        breaks_callers: change.breaks_callers,
        change: match &change.change {
            Change::Added => "new".to_owned(),
            Change::Removed => "removed".to_owned(),
            Change::Changed(members) => format!("{} changed", members.join(", ")),
        },
        old: before,
        new: after,
        why: change.why.clone(),
    }
}

/// A declaration in a few words.
fn declaration(variable: &Variable) -> String {
    let mut words = vec![variable.kind.to_string()];
    words.push(words::limits(variable));
    words.push(match (&variable.default, variable.is_required()) {
        (_, true) => "required".to_owned(),
        (Some(default), false) => format!("default {}", words::written(default)),
        (None, false) => "optional".to_owned(),
    });
    words.push(words::trust(variable.trust()).to_owned());
    words.retain(|part| !part.is_empty());
    words.join(", ")
}

/// Every setting that either side has.
fn model(old: Option<&Model>, new: Option<&Model>) -> Vec<Setting> {
    let (old, new) = (settings(old), settings(new));
    old.into_iter()
        .zip(new)
        .filter(|((_, old), (_, new))| old.is_some() || new.is_some())
        .map(|((name, old), (_, new))| Setting {
            name: name.to_owned(),
            old,
            new,
        })
        .collect()
}

fn settings(model: Option<&Model>) -> [(&'static str, Option<String>); 6] {
    [
        ("Model", model.map(|model| model.name.clone())),
        ("Provider", model.map(|model| model.provider.clone())),
        (
            "Temperature",
            model.and_then(|model| Some(model.temperature.as_ref()?.to_string())),
        ),
        (
            "Max tokens",
            model.and_then(|model| Some(model.max_tokens?.to_string())),
        ),
        (
            "Seed",
            model.and_then(|model| Some(model.seed?.to_string())),
        ),
        (
            "Stop",
            model.and_then(|model| serde_json::to_string(model.stop.as_ref()?).ok()),
        ),
    ]
}

fn list(items: Option<&[Value]>) -> Option<Value> {
    items.map(|items| Value::Array(items.to_vec()))
}

fn json_lines(old: Option<Value>, new: Option<Value>) -> Vec<Line> {
    let text = |value: Option<Value>| value.as_ref().map(words::pretty).unwrap_or_default();
    folded(lines(&text_diff(&text(old), &text(new))))
}

fn cache(new: &Content, difference: &ContentDiff) -> Cache {
    let blocks = blocks(new);
    let total: usize = blocks.iter().map(|block| block.chars).sum();
    let first = difference.first_changed_block.as_ref();
    let state = |index: usize| match first {
        Some(first) if index == first.index => BlockState::First,
        Some(first) if index > first.index => BlockState::After,
        Some(_) | None => BlockState::Kept,
    };
    let mut runs: Vec<(BlockState, Vec<&Block>)> = Vec::new();
    for (index, block) in blocks.iter().enumerate() {
        match runs.last_mut() {
            Some((last, run)) if *last == state(index) => run.push(block),
            _ => runs.push((state(index), vec![block])),
        }
    }
    let mut shown = Vec::new();
    for (state, run) in runs {
        if run.len() <= MAX_BLOCKS {
            shown.extend(run.iter().map(|block| CacheBlock {
                label: block.label.clone(),
                state,
                share: share(block.chars, total),
            }));
        } else {
            shown.push(CacheBlock {
                label: format!("{} blocks", run.len()),
                state,
                share: share(run.iter().map(|block| block.chars).sum(), total),
            });
        }
    }
    Cache {
        blocks: shown,
        is_broken: first.is_some(),
        unchanged: short(first.map_or(total, |first| first.unchanged_chars)),
        total: short(total),
        is_behind_variable: first.is_some_and(|first| first.behind_variable),
    }
}

/// A quarter or less is 1, nearly everything 4.
fn share(chars: usize, total: usize) -> u8 {
    match (chars * 4).checked_div(total) {
        None | Some(0) => 1,
        Some(1) => 2,
        Some(2) => 3,
        Some(_) => 4,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn content(value: Value) -> Content {
        Content::parse("content", value).unwrap()
    }

    #[test]
    fn broken_callers_come_first_and_the_cache_says_where_it_breaks() {
        let old = content(json!({
            "type": "chat",
            "messages": [
                {"role": "system", "content": "You sort mails.\nBe short."},
                {"role": "user", "content": "{{mail}}"},
            ],
            "variables": [{"name": "mail", "type": "string", "max_length": 100}],
            "model": {"provider": "openai", "name": "gpt", "temperature": 0.2},
        }));
        let new = content(json!({
            "type": "chat",
            "messages": [
                {"role": "system", "content": "You sort mails.\nBe brief, in {{language}}."},
                {"role": "user", "content": "{{mail}}"},
            ],
            "variables": [
                {"name": "mail", "type": "string", "max_length": 200},
                {"name": "language", "type": "enum", "values": ["en"]},
            ],
            "model": {"provider": "openai", "name": "gpt", "temperature": 0},
        }));
        let comparison = compare(&old, &new);
        let names: Vec<&str> = comparison
            .variables
            .iter()
            .map(|row| row.name.as_str())
            .collect();
        assert_eq!(names, ["language", "mail"]);
        assert_eq!(comparison.broken().count(), 1);
        assert_eq!(
            comparison.variables[0].new.as_deref(),
            Some("enum, en, required, untrusted")
        );
        assert_eq!(comparison.variables[1].change, "max_length changed");
        assert_eq!((comparison.messages.len(), comparison.n_same), (1, 1));
        assert_eq!(comparison.messages[0].place, "message 1");
        let states: Vec<BlockState> = comparison
            .cache
            .blocks
            .iter()
            .map(|block| block.state)
            .collect();
        assert_eq!(states, [BlockState::First, BlockState::After]);
        assert_eq!(comparison.cache.unchanged, 19);
        let changed: Vec<&str> = comparison
            .model
            .iter()
            .filter(|setting| setting.old != setting.new)
            .map(|setting| setting.name.as_str())
            .collect();
        assert_eq!(changed, ["Temperature"]);
    }

    #[test]
    fn the_same_content_has_no_differences() {
        let same =
            content(json!({"type": "text", "messages": [{"role": "user", "content": "Hi"}]}));
        let comparison = compare(&same, &same);
        assert!(comparison.is_same);
        assert!(!comparison.cache.is_broken);
        assert_eq!(comparison.cache.unchanged, 2);
    }
}
