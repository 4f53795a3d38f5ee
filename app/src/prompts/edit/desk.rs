//! What the editor's parts share: the draft, what can be said of it, what was refused.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use domain::field::FieldError;
use leptos::{leptos_dom::helpers::TimeoutHandle, prelude::*};

use super::{
    super::calls::SaveVersion,
    check::{Checked, check},
    draft::Draft,
};
use crate::{error::UiError, ui::error::sentence};

/// How long typing pauses before the draft is looked at again.
const PAUSE: Duration = Duration::from_millis(150);

/// The number of the next desk.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// The desk one writes at.
#[derive(Clone, Copy)]
pub struct Desk {
    /// What is being written.
    pub draft: RwSignal<Draft>,
    /// What can be said of it.
    pub checked: Memo<Checked>,
    /// Whether there is something to lose.
    pub is_dirty: RwSignal<bool>,
    /// Whether saving was tried: only then are fields marked.
    pub is_tried: RwSignal<bool>,
    /// Why, in the author's words.
    pub change_description: RwSignal<String>,
    /// The saving.
    pub save: ServerAction<SaveVersion>,
    /// What has to be put right, once saving was tried.
    pub errors: Memo<Vec<FieldError>>,
    pause: StoredValue<Option<TimeoutHandle>>,
    number: u32,
}

impl Desk {
    /// A desk with a draft on it.
    pub fn new(draft: Draft, save: ServerAction<SaveVersion>) -> Self {
        let draft = RwSignal::new(draft);
        let checked = Memo::new(move |_| draft.with(check));
        let is_tried = RwSignal::new(false);
        let change_description = RwSignal::new(String::new());
        let errors = Memo::new(move |_| {
            if !is_tried.get() {
                return Vec::new();
            }
            let mut errors = checked.with(|checked| checked.errors.clone());
            if change_description.with(|text| text.trim().is_empty()) {
                errors.push(FieldError::new(
                    "change_description",
                    "say what changes, and why",
                ));
            }
            if errors.is_empty()
                && let Some(Err(UiError::Invalid(refused))) = save.value().get()
            {
                return refused;
            }
            errors
        });
        Self {
            draft,
            checked,
            is_dirty: RwSignal::new(false),
            is_tried,
            change_description,
            save,
            errors,
            pause: StoredValue::new(None),
            number: NEXT.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// The key of a row: another desk's rows are other rows, whatever their ids, because they
    /// write to another draft.
    pub const fn key(self, id: u32) -> (u32, u32) {
        (self.number, id)
    }

    /// A change of what stands there: seen at once.
    pub fn change(self, change: impl FnOnce(&mut Draft)) {
        self.is_dirty.set(true);
        self.draft.update(change);
    }

    /// A keystroke: looked at when typing pauses, so that long prompts stay quick.
    pub fn type_in(self, change: impl FnOnce(&mut Draft)) {
        if !self.is_dirty.get_untracked() {
            self.is_dirty.set(true);
        }
        self.draft.update_untracked(change);
        if let Some(pause) = self.pause.get_value() {
            pause.clear();
        }
        let draft = self.draft;
        // The page may be gone by then.
        let look = move || {
            let _ = draft.try_update(|_| ());
        };
        self.pause
            .set_value(set_timeout_with_handle(look, PAUSE).ok());
    }

    /// What is wrong at the fields that `is_here` recognises by their path.
    pub fn error_where(
        self,
        is_here: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Signal<Option<String>> {
        Signal::derive(move || {
            self.errors.with(|errors| {
                let messages: Vec<String> = errors
                    .iter()
                    .filter(|error| is_here(&error.field))
                    .map(|error| sentence(&error.message))
                    .collect();
                (!messages.is_empty()).then(|| messages.join(" "))
            })
        })
    }

    /// What is wrong at one field.
    pub fn error_at(self, path: &'static str) -> Signal<Option<String>> {
        self.error_where(move |field| field == path)
    }
}

/// The id of the control that a refused path is about.
pub fn anchor(path: &str) -> String {
    let path = path.strip_prefix("content.").unwrap_or(path);
    for (list, id) in [
        ("messages[", "edit-message"),
        ("variables[", "edit-variable"),
    ] {
        if let Some((index, _)) = path
            .strip_prefix(list)
            .and_then(|rest| rest.split_once(']'))
            && let Ok(index) = index.parse::<usize>()
        {
            return format!("{id}-{}", index + 1);
        }
    }
    let first = path.split(['.', '[']).next().unwrap_or_default();
    match first {
        "change_description" => "change-description".to_owned(),
        "model" | "tools" => format!("edit-{first}"),
        "response_format" => "edit-format".to_owned(),
        _ => "em-h".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_lead_to_their_controls() {
        let check = |path, expected: &str| assert_eq!(anchor(path), expected);
        check("content.messages[2].content", "edit-message-3");
        check("content.variables[0]", "edit-variable-1");
        check("content.model.temperature", "edit-model");
        check("content.tools[1]", "edit-tools");
        check("change_description", "change-description");
        check("content.messages", "em-h");
    }
}
