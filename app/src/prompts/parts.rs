//! What several of the prompts' pages show: a version's mark in an environment, messages with
//! their variables, where a prompt is used.

use std::collections::BTreeMap;

use domain::{
    cache::Ttl,
    content::{Content, Message},
    prompt::Serving,
};
use leptos::{prelude::*, server::ServerActionError};
use leptos_router::hooks::use_query_map;

use super::{
    links,
    shapes::Use,
    words::{self, Piece},
};
use crate::{
    error::UiError,
    ui::{Banner, Refusal, Tone, close_dialog, error::sentence, use_toasts},
};

/// Without script a refused form comes back with its refusal in the address; this hands it to
/// the actions made after it, on the server and in the browser alike.
pub fn remember_refusal() {
    let query = use_query_map().get_untracked();
    if let (Some(path), Some(error)) = (query.get("__path"), query.get("__err")) {
        provide_context(ServerActionError::new(&path, &error));
    }
}

/// What stands in a control now, in the browser. Asked of the page itself: what was typed before
/// the script woke up counts too.
pub fn typed(id: &str) -> Option<String> {
    let control = document().get_element_by_id(id)?;
    web_sys::js_sys::Reflect::get(&control, &"value".into())
        .ok()?
        .as_string()
}

/// What an environment serves: `ahead` of production, the `same`, or nothing.
pub fn env_state(serving: Option<&Serving>, active: Option<i32>) -> Option<&'static str> {
    match serving {
        None => Some("none"),
        Some(serving) if serving.environment == domain::prompt::PRODUCTION => None,
        Some(serving) if Some(serving.version) == active => Some("same"),
        Some(_) => Some("ahead"),
    }
}

/// An environment and the version that serves it.
#[component]
pub fn EnvBadge(
    /// What it serves.
    serving: Serving,
    /// The version that serves production.
    active: Option<i32>,
) -> impl IntoView {
    let state = env_state(Some(&serving), active);
    view! {
        <span class="env" data-state=state>
            <span class="env-name">{serving.environment}</span>
            <b>{format!("v{}", serving.version)}</b>
        </span>
    }
}

/// A version as people write it.
#[component]
pub fn Ver(
    /// Its number.
    number: i32,
) -> impl IntoView {
    view! { <span class="ver">{format!("v{number}")}</span> }
}

/// The messages of a content as they were written, variables and snippets marked.
#[component]
pub fn Messages(
    /// The content.
    content: Content,
    /// The project, for links to snippets.
    project: String,
    /// What the ids of messages begin with, for links to them.
    #[prop(optional)]
    anchor: Option<&'static str>,
) -> impl IntoView {
    let trust: BTreeMap<String, &'static str> = content
        .declared()
        .iter()
        .map(|variable| (variable.name.clone(), words::trust(variable.trust())))
        .collect();
    let message = |(index, message): (usize, &Message)| {
        let id = anchor.map(|anchor| format!("{anchor}-{}", index + 1));
        match message {
            Message::Placeholder(placeholder) => view! {
                <div class="message" data-kind="placeholder" id=id>
                    <div class="role">"placeholder"<small>{placeholder.name.clone()}</small></div>
                    <div class="prompt">"Messages filled in at run time, never templated."</div>
                </div>
            }
            .into_any(),
            Message::Chat(message) => {
                let pieces = words::pieces(&message.content)
                    .into_iter()
                    .map(|piece| mark(piece, &trust, &project))
                    .collect_view();
                let aside = beside(message);
                view! {
                    <div class="message" id=id>
                        <div class="role">{message.role.word()}{aside}</div>
                        <div class="prompt">{pieces}</div>
                    </div>
                }
                .into_any()
            }
        }
    };
    let messages = content
        .messages
        .iter()
        .enumerate()
        .map(message)
        .collect_view();
    view! { <div class="messages">{messages}</div> }
}

/// What a message says beside its text, in a small line.
fn beside(message: &domain::content::ChatMessage) -> Option<impl IntoView + use<>> {
    let mut parts = Vec::new();
    parts.extend(message.name.clone());
    parts.extend(
        message
            .tool_call_id
            .as_ref()
            .map(|id| format!("answers {id}")),
    );
    parts.extend(
        message.tool_calls.as_ref().map(|calls| {
            words::counted(u64::try_from(calls.len()).unwrap_or(u64::MAX), "tool call")
        }),
    );
    parts.extend(
        message
            .cache_control
            .as_ref()
            .map(|control| match Ttl::of_breakpoint(control) {
                Ttl::FiveMinutes => "cached up to here".to_owned(),
                ttl @ Ttl::Hour => format!("cached up to here for {}", ttl.words()),
            }),
    );
    (!parts.is_empty()).then(|| view! { <small>{parts.join(", ")}</small> })
}

fn mark(piece: Piece, trust: &BTreeMap<String, &'static str>, project: &str) -> AnyView {
    match piece {
        Piece::Text(text) => text.into_any(),
        Piece::Variable { name, tag } => {
            let (trust, state) = match trust.get(&name) {
                Some(trust) => (Some(*trust), None),
                None => (None, Some("unknown")),
            };
            view! { <span class="var" data-trust=trust data-state=state>{tag}</span> }.into_any()
        }
        Piece::Include { include, tag } => {
            let number = i32::try_from(include.version).unwrap_or(i32::MAX);
            let href = links::version(project, &include.name, number);
            view! { <a class="var" href=href>{tag}</a> }.into_any()
        }
    }
}

/// Links to the versions that include a snippet.
#[component]
pub fn Uses(
    /// The project.
    project: String,
    /// Who includes it.
    uses: Vec<Use>,
    /// Whether to say which of our versions each is pinned to.
    #[prop(optional)]
    has_pins: bool,
) -> impl IntoView {
    uses.into_iter()
        .map(|one| {
            let href = links::version(&project, &one.prompt, one.number);
            let pin = has_pins.then(|| format!(" pinned to v{}", one.snippet_number));
            let old = (!one.is_latest).then_some(" (not its newest)");
            view! {
                <li>
                    <a href=href>{format!("{} v{}", one.prompt, one.number)}</a>
                    <span class="muted">{pin}{old}</span>
                </li>
            }
        })
        .collect_view()
}

/// A form's refusal: fields by name with links to them, anything else in words.
#[component]
pub fn FormRefusal(
    /// What was refused.
    #[prop(into)]
    error: Signal<Option<UiError>>,
    /// What fields are called, by their names in refusals; their controls have these ids.
    fields: &'static [(&'static str, &'static str)],
) -> impl IntoView {
    move || match error.get() {
        Some(UiError::Invalid(errors)) => {
            let title = match errors.len() {
                1 => "One field needs another look".to_owned(),
                n_fields => format!("{n_fields} fields need another look"),
            };
            let items = errors
                .into_iter()
                .map(|error| {
                    let label = fields
                        .iter()
                        .find(|(field, _)| *field == error.field)
                        .map_or(error.field.clone(), |(_, label)| (*label).to_owned());
                    view! { <li><a href=format!("#{}", error.field)>{label}</a>": "{sentence(&error.message)}</li> }
                })
                .collect_view();
            view! { <Banner tone=Tone::Bad title=title><ul>{items}</ul></Banner> }.into_any()
        }
        Some(_) => view! { <Refusal error/> }.into_any(),
        None => ().into_any(),
    }
}

/// What is wrong with one field, as a sentence. Whoever reads it asks with `try_`: a form in a part
/// of the page that is put together anew is gone a moment before its effects are.
pub fn field_error(error: Signal<Option<UiError>>, field: &'static str) -> Signal<Option<String>> {
    Signal::derive(move || {
        let message = error.try_get().flatten()?.of_field(field)?;
        Some(sentence(&message))
    })
}

/// An action's refusal.
pub fn refusal<T, S>(action: ServerAction<S>) -> Signal<Option<UiError>>
where
    T: Clone + Send + Sync + 'static,
    S: leptos::server_fn::ServerFn<Output = T, Error = UiError> + Clone + Send + Sync + 'static,
{
    Signal::derive(move || action.value().get().and_then(Result::err))
}

/// Says that it is done, each time it is.
pub fn say_when_done<T, S>(action: ServerAction<S>, words: &'static str)
where
    T: Clone + Send + Sync + 'static,
    S: leptos::server_fn::ServerFn<Output = T, Error = UiError> + Clone + Send + Sync + 'static,
{
    let toasts = use_toasts();
    Effect::new(move |_| {
        if matches!(action.value().get(), Some(Ok(_))) {
            toasts.say(Tone::Good, words);
        }
    });
}

/// Forgets what was refused when a form is about something else: it says nothing of the next one.
pub fn forget_between<T, S, K>(action: ServerAction<S>, about: Memo<K>)
where
    T: Clone + Send + Sync + 'static,
    S: leptos::server_fn::ServerFn<Output = T, Error = UiError> + Clone + Send + Sync + 'static,
    K: Clone + PartialEq + Send + Sync + 'static,
{
    Effect::new(move |before: Option<K>| {
        let now = about.get();
        if before.is_some_and(|before| before != now) {
            action.clear();
        }
        now
    });
}

/// Closes a dialog when what its form asks for is done: the page around it may stay as it is. Called
/// by the page, once for each action: parts that are put together anew would close what is open again.
pub fn close_after<T, S>(action: ServerAction<S>, dialog: &'static str)
where
    T: Clone + Send + Sync + 'static,
    S: leptos::server_fn::ServerFn<Output = T, Error = UiError> + Clone + Send + Sync + 'static,
{
    Effect::new(move |_| {
        if matches!(action.value().get(), Some(Ok(_))) {
            close_dialog(dialog);
        }
    });
}
