//! The Edit tab: writing the next version. What can be known is known while typing, with the
//! rules of the server running in the browser; without script the tab says so.

#![expect(
    clippy::unnecessary_wraps,
    reason = "what is in another file may fail to arrive"
)]

mod check;
mod desk;
mod draft;
mod leave;
mod messages;
mod panels;
mod save;
mod side;
mod variable;
mod variables;

use domain::{actor::Permission, content::Kind};
use futures::{FutureExt, TryFutureExt, future::try_join};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use send_wrapper::SendWrapper;
use wasm_split_helpers::wasm_split;

pub use check::place as place_of;

use self::{
    desk::Desk,
    draft::Draft,
    messages::EditMessages,
    panels::Panels,
    save::{SaveBar, Summary},
    side::Side,
    variables::EditVariables,
};
use super::{
    calls::{SaveVersion, load_edit},
    links,
    shapes::{EditView, Place},
};
use crate::{
    error::UiError,
    frame::use_membership,
    ui::{Empty, ErrorView, Glyph, Icon},
};

/// The tab.
#[component]
pub fn EditTab(place: Place) -> impl IntoView {
    if !use_membership().may(Permission::WriteDrafts) {
        return view! {
            <Empty glyph=Glyph::Lock title="Editors write versions" is_small=true>
                <p>"Your role here reads. Ask an admin of the project for the editor role."</p>
            </Empty>
        }
        .into_any();
    }
    let query = use_query_map();
    let from = Memo::new(move |_| {
        query.with(|query| query.get("from").and_then(|text| text.parse::<i32>().ok()))
    });
    let is_text =
        query.with_untracked(|query| query.get("kind").is_some_and(|kind| kind == "text"));
    let (project, name) = (place.project.clone(), place.name.clone());
    // Loaded once and in the browser only: fields without script would be a lie, and what
    // somebody else saves meanwhile must not take the text away.
    let start = Action::new(move |from: &Option<i32>| {
        let start = load_edit(project.clone(), name.clone(), *from);
        let code = SendWrapper::new(load_editor().map_err(UiError::from));
        async move { Ok(try_join(code, start).await?.1) }
    });
    Effect::new(move |_| {
        start.dispatch(from.get());
    });
    let retry = Callback::new(move |()| {
        start.dispatch(from.get_untracked());
    });
    let here = place.clone();
    let editor = move || match start.value().get() {
        // Whoever has the start has the code, so there is nothing to wait for.
        Some(Ok(start)) => show_editor(here.clone(), start, is_text)
            .now_or_never()
            .and_then(Result::ok)
            .into_any(),
        Some(Err(error)) => view! { <ErrorView error retry/> }.into_any(),
        None => view! { <Closed/> }.into_any(),
    };
    let is_open = Signal::derive(move || start.value().with(Option::is_some));
    view! {
        {editor}
        <ByProgram place is_open/>
    }
    .into_any()
}

/// What stands there until script runs, and where none does.
#[component]
fn Closed() -> impl IntoView {
    view! {
        <div class="banner">
            <Icon glyph=Glyph::Edit/>
            <div>
                <strong>"The editor opens when the page’s script runs"</strong>
                <p>"Without script, save a version with the call below."</p>
            </div>
        </div>
    }
}

/// In a file of its own: most visits of a prompt are to read.
#[wasm_split(editor, preload(load_editor), fallible)]
fn show_editor(place: Place, start: EditView, is_text: bool) -> Result<AnyView, UiError> {
    Ok(view! { <Editor place start is_text/> }.into_any())
}

#[component]
fn Editor(place: Place, start: EditView, is_text: bool) -> impl IntoView {
    let draft = match &start.content {
        Some(content) => Draft::of(content),
        None if is_text => Draft::empty(Kind::Text),
        None => Draft::empty(Kind::Chat),
    };
    let save = ServerAction::<SaveVersion>::new();
    let desk = Desk::new(draft, save);
    leave::guard(desk.is_dirty);
    let from = start.from.map(|from| {
        let words = if from == start.latest {
            format!("from v{from}, the newest")
        } else {
            format!("from v{from}; the newest is v{}", start.latest)
        };
        view! { <span class="muted">{words}</span> }
    });
    view! {
        <form class="editor" novalidate="" on:submit=|event| event.prevent_default()>
            <div class="stack">
                <Summary desk/>
                <section class="section" aria-labelledby="em-h">
                    <div class="section-head"><h2 id="em-h">"Messages"</h2>{from}</div>
                    <EditMessages desk/>
                </section>
                <EditVariables desk/>
                <Panels desk/>
                <SaveBar place desk latest=start.latest/>
            </div>
            <Side desk/>
        </form>
    }
}

/// The same with the REST API.
#[component]
fn ByProgram(place: Place, is_open: Signal<bool>) -> impl IntoView {
    let curl = format!(
        "curl -X POST -H \"Authorization: Bearer $CUELINE_API_KEY\" \\\n  \
         -H 'Content-Type: application/json' \\\n  '{}' \\\n  -d '{{\n    \
         \"content\": {{\n      \"type\": \"chat\",\n      \"messages\": [\n        \
         {{\"role\": \"user\", \"content\": \"Hello {{{{name}}}}\"}}\n      ],\n      \
         \"variables\": [{{\"name\": \"name\", \"type\": \"string\", \"max_length\": 100}}]\n    }},\n    \
         \"change_description\": \"Greet by name\"\n  }}'",
        links::api_versions(&place.public_url, &place.name)
    );
    view! {
        <details class="panel" open=move || !is_open.get()>
            <summary class="panel-head">
                <span><b>"By program"</b>" "<span class="muted">"save a version with the API"</span></span>
                <Icon glyph=Glyph::ChevronDown/>
            </summary>
            <div class="panel-body stack">
                <pre class="code" tabindex="0" role="region" aria-label="API call that saves a version"><code>{curl}</code></pre>
                <p class="note">"With a key that has the scope drafts:write."</p>
            </div>
        </details>
    }
}
