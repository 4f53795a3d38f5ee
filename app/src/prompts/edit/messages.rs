//! The messages: who speaks, what is said, in which order.

use domain::content::{ChatMessage, Kind, Role};
use leptos::prelude::*;

use super::{
    desk::Desk,
    draft::{Body, DraftMessage},
};
use crate::ui::{Glyph, Icon};

/// All messages, and what adds one.
#[component]
pub fn EditMessages(desk: Desk) -> impl IntoView {
    let ids = Memo::new(move |_| {
        desk.draft.with(|draft| {
            draft
                .messages
                .iter()
                .map(|message| message.id)
                .collect::<Vec<_>>()
        })
    });
    let is_text = Memo::new(move |_| desk.draft.with(|draft| draft.kind == Kind::Text));
    let error =
        desk.error_where(|field| matches!(field, "content" | "content.messages" | "content.type"));
    let kind = move |event| {
        let kind = if event_target_value(&event) == "text" {
            Kind::Text
        } else {
            Kind::Chat
        };
        desk.change(|draft| draft.kind = kind);
    };
    let next_role = move || {
        desk.draft
            .with_untracked(|draft| match draft.messages.last().map(|last| &last.body) {
                Some(Body::Chat(ChatMessage {
                    role: Role::User, ..
                })) => Role::Assistant,
                _ => Role::User,
            })
    };
    view! {
        <div class="row">
            <label for="edit-kind">"Type"</label>
            <select class="input" data-size="small" id="edit-kind" on:change=kind>
                <option value="chat" selected=!is_text.get_untracked()>"Chat: messages with roles"</option>
                <option value="text" selected=is_text.get_untracked()>"Text: one user message"</option>
            </select>
        </div>
        <div class="edit-messages">
            <For each=move || ids.get() key=move |id| desk.key(*id) let:id>
                <EditMessage desk id/>
            </For>
        </div>
        <p class="error" hidden=move || error.try_with(Option::is_none).unwrap_or(true)>{move || error.try_get().flatten()}</p>
        <div class="row" hidden=is_text>
            <button type="button" class="btn" data-size="small" on:click=move |_| desk.change(|draft| draft.add_message(next_role()))>
                <Icon glyph=Glyph::Plus/>"Message"
            </button>
            <button type="button" class="btn" data-size="small" on:click=move |_| desk.change(super::draft::Draft::add_placeholder)>
                <Icon glyph=Glyph::Plus/>"Placeholder"
            </button>
        </div>
    }
}

/// One message. Its fields are filled once: from then on they hold what is typed.
#[component]
fn EditMessage(desk: Desk, id: u32) -> impl IntoView {
    let place = Memo::new(move |_| {
        desk.draft
            .with(|draft| draft.messages.iter().position(|message| message.id == id))
            .unwrap_or_default()
    });
    let is_last = Memo::new(move |_| {
        desk.draft
            .with(|draft| draft.messages.last().is_some_and(|last| last.id == id))
    });
    let n_messages = Memo::new(move |_| desk.draft.with(|draft| draft.messages.len()));
    let number = move || place.get() + 1;
    let error = desk.error_where(move |field| {
        let path = format!("content.messages[{}]", place.get());
        field
            .strip_prefix(&path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    });
    let labelled = move |words: &'static str| move || format!("{words} {}", number());
    let body = desk
        .draft
        .with_untracked(|draft| draft.message(id).map(|message| message.body.clone()));
    let (bar, field) = match body {
        Some(Body::Chat(message)) => (
            role(desk, id, &message, labelled("Role of message")),
            text(
                desk,
                id,
                message.content,
                error,
                labelled("Text of message"),
            ),
        ),
        Some(Body::Placeholder(name)) => (
            placeholder(desk, id, name, error, labelled("Name of placeholder")),
            ().into_any(),
        ),
        None => (().into_any(), ().into_any()),
    };
    view! {
        <fieldset class="edit-message" id=move || format!("edit-message-{}", number())>
            <legend class="sr-only">{labelled("Message")}</legend>
            <div class="edit-bar">
                <span class="num">{number}</span>
                {bar}
                <span class="push row">
                    <button
                        type="button" class="btn" data-size="small" data-kind="quiet" data-shape="icon"
                        aria-label=labelled("Move up message") disabled=move || place.get() == 0
                        on:click=move |_| desk.change(|draft| draft.move_up(id))
                    >
                        <Icon glyph=Glyph::ArrowUp/>
                    </button>
                    <button
                        type="button" class="btn" data-size="small" data-kind="quiet" data-shape="icon"
                        aria-label=labelled("Move down message") disabled=is_last
                        on:click=move |_| desk.change(|draft| draft.move_down(id))
                    >
                        <Icon glyph=Glyph::ArrowDown/>
                    </button>
                    <button
                        type="button" class="btn" data-size="small" data-kind="quiet" data-shape="icon"
                        aria-label=labelled("Remove message") disabled=move || n_messages.get() == 1
                        on:click=move |_| desk.change(|draft| draft.messages.retain(|message| message.id != id))
                    >
                        <Icon glyph=Glyph::Trash/>
                    </button>
                </span>
            </div>
            {field}
            <p class="error" id=format!("edit-message-e-{id}") hidden=move || error.try_with(Option::is_none).unwrap_or(true)>{move || error.try_get().flatten()}</p>
        </fieldset>
    }
}

fn role(
    desk: Desk,
    id: u32,
    message: &ChatMessage,
    label: impl Fn() -> String + Send + Sync + 'static,
) -> AnyView {
    let chosen = message.role;
    let options = Role::ALL
        .into_iter()
        .map(|role| view! { <option value=role.word() selected=role == chosen>{role.word()}</option> })
        .collect_view();
    let change = move |event| {
        let word = event_target_value(&event);
        if let Some(role) = Role::ALL.into_iter().find(|role| role.word() == word) {
            desk.change(|draft| with_chat(draft.message_mut(id), |message| message.role = role));
        }
    };
    // No field shows them, so it is said that they are there and stay.
    let kept = [
        message.name.as_ref().map(|_| "name"),
        message.tool_call_id.as_ref().map(|_| "tool_call_id"),
        message.tool_calls.as_ref().map(|_| "tool_calls"),
        message.cache_control.as_ref().map(|_| "cache_control"),
    ]
    .into_iter()
    .flatten()
    .collect::<Vec<_>>()
    .join(", ");
    let kept =
        (!kept.is_empty()).then(|| view! { <span class="note">{format!("keeps {kept}")}</span> });
    view! {
        <select class="input" data-size="small" aria-label=label on:change=change>{options}</select>
        {kept}
    }
    .into_any()
}

fn text(
    desk: Desk,
    id: u32,
    text: String,
    error: Signal<Option<String>>,
    label: impl Fn() -> String + Send + Sync + 'static,
) -> AnyView {
    let change = move |event| {
        let text = event_target_value(&event);
        desk.type_in(|draft| with_chat(draft.message_mut(id), |message| message.content = text));
    };
    view! {
        <textarea
            class="input" data-font="mono" rows="4" spellcheck="false" prop:value=text aria-label=label
            aria-invalid=move || error.try_with(Option::is_some).unwrap_or_default().then_some("true")
            aria-describedby=format!("edit-message-e-{id}") on:input=change
        ></textarea>
    }
    .into_any()
}

fn placeholder(
    desk: Desk,
    id: u32,
    name: String,
    error: Signal<Option<String>>,
    label: impl Fn() -> String + Send + Sync + 'static,
) -> AnyView {
    let change = move |event| {
        let name = event_target_value(&event);
        desk.type_in(|draft| {
            if let Some(message) = draft.message_mut(id) {
                message.body = Body::Placeholder(name);
            }
        });
    };
    view! {
        <span class="note">"placeholder"</span>
        <input
            class="input" data-size="small" data-font="mono" placeholder="history" prop:value=name aria-label=label
            aria-invalid=move || error.try_with(Option::is_some).unwrap_or_default().then_some("true")
            aria-describedby=format!("edit-message-e-{id}") on:input=change
        />
    }
    .into_any()
}

fn with_chat(message: Option<&mut DraftMessage>, change: impl FnOnce(&mut ChatMessage)) {
    if let Some(Body::Chat(message)) = message.map(|message| &mut message.body) {
        change(message);
    }
}
