//! What providers cache: the prompt's beginning, block by block, as long as it stays the same
//! to the byte. Here is which blocks there are and where a change first breaks them; `cost` reckons
//! from prices and traffic what that costs, `estimate` does it for a change from one version to
//! another, and `arms` says which arms of an experiment stay warm.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::content::{Content, Message, canonical};
use crate::template::{Segment, Template};

pub mod arms;
pub mod budget;
pub mod cost;
pub mod estimate;
mod ttl;

pub use ttl::Ttl;

/// One block of a prompt, in the order providers cache them: tools, response format,
/// instructions (system and developer messages), then the other messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = CacheBlock))]
pub struct Block {
    /// What a person calls it, such as `message 2 (user)`.
    pub label: String,
    /// Its text; a message's template as written.
    pub text: String,
    /// For how long the prefix is to stay warm that the author ends here (`cache_control`); none
    /// where it goes on.
    pub breakpoint: Option<Ttl>,
    /// Characters up to the first variable. Behind it the text is another for every caller:
    /// a prefix reaching further is warm only for calls with the very same values. A
    /// placeholder has none.
    pub stable_chars: usize,
    /// Whether it holds a variable or is a placeholder, so that calls differ from here on.
    pub varies: bool,
    /// All its characters.
    pub chars: usize,
}

/// Where two contents first differ, as providers cache.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FirstChange {
    /// Index of the block in the new content (its length, if blocks were only taken away).
    pub index: usize,
    /// The block's label; `model` for another model or provider, which keeps nothing.
    pub label: String,
    /// Characters before the change, all blocks counted: what stays warm.
    pub unchanged_chars: usize,
    /// Characters of the new content from the changed block to the last breakpoint: what has
    /// to be written again. Zero for a change behind it. `None` without any breakpoint, when
    /// the provider caches as much as it likes.
    pub chars_to_last_breakpoint: Option<usize>,
    /// Whether a variable or placeholder stands before the change. Then the prefix was never
    /// shared by all calls, and the change costs once for each set of values.
    pub behind_variable: bool,
}

/// A content's blocks in caching order.
pub fn blocks(content: &Content) -> Vec<Block> {
    let mut blocks: Vec<Block> = content.tools.iter().flatten().map(tool_block).collect();
    if let Some(format) = &content.response_format {
        blocks.push(fixed_block(
            "response format".to_owned(),
            canonical(format),
            None,
        ));
    }
    let mut conversation = Vec::new();
    for (index, message) in content.messages.iter().enumerate() {
        let number = index + 1;
        match message {
            Message::Chat(message) => {
                let label = format!("message {number} ({})", message.role);
                let mut block = template_block(label, &message.content);
                block.breakpoint = message.cache_control.as_ref().map(Ttl::of_breakpoint);
                let others = (&message.name, &message.tool_call_id, &message.tool_calls);
                if others != (&None, &None, &None) {
                    block.append(&canonical(&others));
                }
                if message.role.is_instruction() {
                    blocks.push(block);
                } else {
                    conversation.push(block);
                }
            }
            Message::Placeholder(placeholder) => {
                let label = format!("message {number} (placeholder {})", placeholder.name);
                let block = fixed_block(label, String::new(), None);
                conversation.push(Block {
                    varies: true,
                    ..block
                });
            }
        }
    }
    blocks.append(&mut conversation);
    blocks
}

/// The shortest time to live that a content's breakpoints ask for: after it, part of the prefix is
/// cold. The usual one where there is none.
pub fn shortest_ttl(content: &Content) -> Ttl {
    let ends = blocks(content)
        .into_iter()
        .filter_map(|block| block.breakpoint);
    ends.min().unwrap_or_default()
}

/// The first block that differs; `None` if everything that is cached stays the same.
/// Another model or provider shares no cache at all; other settings leave it alone.
pub fn first_changed_block(old: &Content, new: &Content) -> Option<FirstChange> {
    let (old_blocks, new_blocks) = (blocks(old), blocks(new));
    let identity = |content: &Content| {
        content
            .model
            .as_ref()
            .map(|model| (model.provider.clone(), model.name.clone()))
    };
    if identity(old) != identity(new) {
        return Some(FirstChange {
            index: 0,
            label: "model".to_owned(),
            unchanged_chars: 0,
            chars_to_last_breakpoint: chars_to_last_breakpoint(&new_blocks, 0),
            behind_variable: false,
        });
    }
    // A moved breakpoint changes what is stored from now on, not what is stored already.
    let is_same = |(old, new): &(&Block, &Block)| old.label == new.label && old.text == new.text;
    let index = old_blocks
        .iter()
        .zip(&new_blocks)
        .take_while(is_same)
        .count();
    let (before, at) = (
        &old_blocks[..index],
        (old_blocks.get(index), new_blocks.get(index)),
    );
    let label = at.1.or(at.0)?.label.clone();
    let shared = match at {
        (Some(old), Some(new)) if old.label == new.label => old
            .text
            .chars()
            .zip(new.text.chars())
            .take_while(|(old, new)| old == new)
            .count(),
        _ => 0,
    };
    let is_past_variable = at.0.is_some_and(|block| shared > block.stable_chars);
    Some(FirstChange {
        index,
        label,
        unchanged_chars: before.iter().map(|block| block.chars).sum::<usize>() + shared,
        chars_to_last_breakpoint: chars_to_last_breakpoint(&new_blocks, index),
        behind_variable: is_past_variable || before.iter().any(|block| block.varies),
    })
}

fn chars_to_last_breakpoint(blocks: &[Block], from: usize) -> Option<usize> {
    let last = blocks
        .iter()
        .rposition(|block| block.breakpoint.is_some())?;
    let affected = blocks.get(from..=last).unwrap_or_default();
    Some(affected.iter().map(|block| block.chars).sum())
}

fn tool_block(tool: &Value) -> Block {
    let name = tool
        .get("name")
        .or_else(|| tool.get("function")?.get("name"));
    let label = match name.and_then(Value::as_str) {
        Some(name) => format!("tool {name}"),
        None => "tool".to_owned(),
    };
    let mut definition = tool.clone();
    let control = definition
        .as_object_mut()
        .and_then(|members| members.shift_remove("cache_control"));
    let control = control.filter(|control| !control.is_null());
    let breakpoint = control.as_ref().map(Ttl::of_breakpoint);
    fixed_block(label, canonical(&definition), breakpoint)
}

fn fixed_block(label: String, text: String, breakpoint: Option<Ttl>) -> Block {
    let chars = text.chars().count();
    Block {
        label,
        text,
        breakpoint,
        stable_chars: chars,
        varies: false,
        chars,
    }
}

fn template_block(label: String, source: &str) -> Block {
    let mut block = fixed_block(label, source.to_owned(), None);
    let segments = Template::parse(source).map(|template| template.segments().to_vec());
    let first_tag = segments.iter().flatten().find_map(|segment| match segment {
        Segment::Text(_) => None,
        Segment::Variable { span, .. } | Segment::Include { span, .. } => Some(span.start),
    });
    if let Some(at) = first_tag {
        block.stable_chars = source[..at].chars().count();
        block.varies = true;
    }
    block
}

impl Block {
    /// Adds members that are sent with a message and never templated.
    fn append(&mut self, text: &str) {
        let n_chars = text.chars().count();
        if !self.varies {
            self.stable_chars += n_chars;
        }
        self.chars += n_chars;
        self.text.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn content(messages: &Value) -> Content {
        let value = json!({
            "type": "chat",
            "messages": messages,
            "tools": [{"type": "function", "function": {"name": "look_up"}}],
            "model": {"provider": "anthropic", "name": "m", "temperature": 0},
        });
        serde_json::from_value(value).unwrap()
    }

    fn base() -> Content {
        content(&json!([
            {"role": "user", "content": "Hi {{name}}, and more", "cache_control": {"type": "ephemeral"}},
            {"role": "system", "content": "Be kind."},
            {"type": "placeholder", "name": "history"},
            {"role": "user", "content": "End"},
        ]))
    }

    #[test]
    fn blocks_stand_in_caching_order() {
        let blocks = blocks(&base());
        let labels: Vec<&str> = blocks.iter().map(|block| block.label.as_str()).collect();
        assert_eq!(
            labels,
            [
                "tool look_up",
                "message 2 (system)",
                "message 1 (user)",
                "message 3 (placeholder history)",
                "message 4 (user)",
            ]
        );
        assert_eq!(
            (
                blocks[2].stable_chars,
                blocks[2].chars,
                blocks[2].breakpoint
            ),
            (3, 21, Some(Ttl::FiveMinutes))
        );
        assert!(blocks[3].varies && !blocks[1].varies);
    }

    #[test]
    fn the_shortest_time_to_live_of_the_breakpoints_counts() {
        assert_eq!(shortest_ttl(&base()), Ttl::FiveMinutes);
        let hour = json!({"type": "ephemeral", "ttl": "1h"});
        let mut one = content(&json!([{"role": "system", "content": "x", "cache_control": hour}]));
        assert_eq!(shortest_ttl(&one), Ttl::Hour);
        one.tools = Some(vec![
            json!({"name": "t", "cache_control": {"type": "ephemeral"}}),
        ]);
        assert_eq!(blocks(&one)[0].breakpoint, Some(Ttl::FiveMinutes));
        assert_eq!(shortest_ttl(&one), Ttl::FiveMinutes);
        assert_eq!(shortest_ttl(&content(&json!([]))), Ttl::FiveMinutes);
    }

    #[test]
    fn nothing_changed_is_no_change() {
        assert_eq!(first_changed_block(&base(), &base()), None);
        let mut warmer = base();
        if let Some(model) = &mut warmer.model {
            model.temperature = Some(1.into());
        }
        assert_eq!(first_changed_block(&base(), &warmer), None);
    }

    #[test]
    fn another_model_or_tool_keeps_nothing() {
        let mut other = base();
        if let Some(model) = &mut other.model {
            model.name = "n".to_owned();
        }
        let change = first_changed_block(&base(), &other).unwrap();
        assert_eq!(
            (change.index, change.label.as_str(), change.unchanged_chars),
            (0, "model", 0)
        );
        let mut other = base();
        other.tools = None;
        let change = first_changed_block(&base(), &other).unwrap();
        assert_eq!((change.index, change.unchanged_chars), (0, 0));
        assert_eq!(change.chars_to_last_breakpoint, Some(8 + 21));
    }

    #[test]
    fn a_change_counts_what_stays_warm_before_it() {
        let mut other = base();
        let Message::Chat(message) = &mut other.messages[0] else {
            panic!()
        };
        message.content = "Hi {{name}}, or more".to_owned();
        let change = first_changed_block(&base(), &other).unwrap();
        let tool = blocks(&base())[0].chars;
        assert_eq!(change.label, "message 1 (user)");
        assert_eq!(change.unchanged_chars, tool + 8 + 13);
        assert_eq!(change.chars_to_last_breakpoint, Some(20));
        assert!(change.behind_variable);
    }

    #[test]
    fn a_change_behind_the_last_breakpoint_rewrites_nothing() {
        let mut other = base();
        other.messages.pop();
        let change = first_changed_block(&base(), &other).unwrap();
        assert_eq!(
            (change.index, change.label.as_str()),
            (4, "message 4 (user)")
        );
        assert_eq!(change.chars_to_last_breakpoint, Some(0));
    }
}
