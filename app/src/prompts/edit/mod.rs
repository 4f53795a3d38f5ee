//! The Edit tab: writing the next version. What can be known is known while typing, with the
//! rules of the server running in the browser; without script the tab says so.

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
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

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
    frame::use_membership,
    ui::{Empty, Glyph, Icon, Loaded, TableSkeleton},
};

/// Shown only where no script runs. As text, because browsers with script do not read what is inside.
const NO_SCRIPT: &str = "<div class=\"banner\" data-tone=\"info\"><div>\
    <strong>Writing a version needs script</strong>\
    <p>Allow it for this page, or save the version with the call below.</p></div></div>";

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
    let key = (place.project.clone(), place.name.clone());
    // Loaded once: what somebody else saves meanwhile must not take the text away.
    let start = Resource::new(
        move || (key.clone(), from.get()),
        |((project, name), from)| load_edit(project, name, from),
    );
    // Fields without script would be a lie, so they are made in the browser only.
    let is_awake = RwSignal::new(false);
    Effect::new(move |_| is_awake.set(true));
    let here = place.clone();
    let skeleton =
        || view! { <TableSkeleton columns=&["Messages"] label="Opening the editor" n_rows=3/> };
    view! {
        <noscript inner_html=NO_SCRIPT></noscript>
        <Loaded from=start skeleton let:start>
            {
                let place = here.clone();
                move || is_awake.get().then(|| view! { <Editor place=place.clone() start=start.clone() is_text/> })
            }
        </Loaded>
        <ByProgram place is_awake/>
    }
    .into_any()
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
fn ByProgram(place: Place, is_awake: RwSignal<bool>) -> impl IntoView {
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
        <details class="panel" open=move || !is_awake.get()>
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
