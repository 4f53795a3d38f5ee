//! The Import tab: a file of cases, looked at before anything is added. Without script the text
//! is pasted, and rows that cannot be read stop it unless they are to be left out.

use leptos::{ev, prelude::*};
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{FileReader, HtmlInputElement};

use domain::actor::Permission;

use super::{
    calls::{ImportCases, PreviewCases},
    cases::{CaseTable, row},
    links::{self, Tab},
    shapes::{Here, Place, Preview},
    suite::when_done,
};
use crate::{
    error::UiError,
    frame::use_membership,
    prompts::{
        parts::{field_error, refusal},
        words::counted,
    },
    ui::{Banner, Empty, Field, Glyph, Icon, Refusal, Tone, described_by, error::sentence},
};

/// The formats, as their choice says it: word, name, what a file holds.
const FORMATS: [(&str, &str, &str); 3] = [
    (
        "csv",
        "CSV",
        "A column for each variable, and expected, tags, __must_pass, __note",
    ),
    (
        "jsonl",
        "JSON Lines",
        "A case on each line, or one JSON list of them",
    ),
    (
        "promptfoo",
        "promptfooconfig.yaml",
        "Its tests, with vars and assert",
    ),
];

/// What is done there.
#[derive(Clone, Copy)]
pub struct Importing {
    import: ServerAction<ImportCases>,
    preview: ServerAction<PreviewCases>,
    /// Whether the preview is of what stands in the form now.
    is_current: RwSignal<bool>,
}

impl Importing {
    /// Nothing yet. What was done and found is forgotten when its tab is left.
    pub fn new(here: Memo<Here>, tab: Memo<Tab>) -> Self {
        let import = ServerAction::<ImportCases>::new();
        let preview = ServerAction::<PreviewCases>::new();
        let is_current = RwSignal::new(false);
        when_done(
            move || import.value().get()?.ok(),
            move || {
                let here = here.get();
                let id = here.id.parse().ok()?;
                Some(links::tab(&here.project, id, Tab::Cases))
            },
        );
        Effect::new(move |before: Option<Tab>| {
            let now = tab.get();
            if before.is_some_and(|before| before != now) {
                import.clear();
                preview.clear();
                is_current.set(false);
            }
            now
        });
        Self {
            import,
            preview,
            is_current,
        }
    }

    /// What the file holds, if that was asked and nothing changed since.
    fn found(self) -> Option<Preview> {
        if !self.is_current.get() {
            return None;
        }
        self.preview.value().get()?.ok()
    }
}

/// The tab.
#[component]
pub fn ImportTab(place: Place, importing: Importing) -> impl IntoView {
    if !use_membership().may(Permission::RunEvals) {
        return view! {
            <Empty glyph=Glyph::Lock title="Adding cases takes the editor role" is_small=true>
                <p>"You can read and export them."</p>
            </Empty>
        }
        .into_any();
    }
    view! {
        <div class="stack" data-gap="wide">
            <Form place importing/>
            {move || importing.found().map(|found| view! { <Found found/> })}
        </div>
    }
    .into_any()
}

#[component]
fn Form(place: Place, importing: Importing) -> impl IntoView {
    let Importing {
        import,
        preview,
        is_current,
    } = importing;
    let refused = refusal(import);
    let unread = refusal(preview);
    let error = Signal::derive(move || {
        if import.pending().get() || preview.pending().get() {
            return None;
        }
        refused
            .get()
            .or_else(|| unread.get().filter(|_| is_current.get()))
    });
    let text_error = field_error(error, "text");
    let other = Signal::derive(move || {
        error
            .get()
            .filter(|error| !matches!(error, UiError::Invalid(_)))
    });
    let form = NodeRef::<leptos::html::Form>::new();
    let text = NodeRef::<leptos::html::Textarea>::new();
    let formats = FORMATS
        .into_iter()
        .enumerate()
        .map(|(index, (word, name, hint))| {
            view! {
                <label class="choice">
                    <input type="radio" name="format" id=format!("format-{word}") value=word checked=index == 0/>
                    <span>{name}</span>
                    <span class="hint">{hint}</span>
                </label>
            }
        })
        .collect_view();
    let choose = move |event: ev::Event| {
        is_current.set(false);
        if let Some(text) = text.get_untracked() {
            read_file(&event, text);
        }
    };
    let project = place.project.clone();
    let look = move |_| {
        let Some(text) = text.get_untracked() else {
            return;
        };
        is_current.set(true);
        preview.dispatch(PreviewCases {
            project: project.clone(),
            suite: place.id,
            format: chosen_format(),
            text: text.value(),
        });
    };
    // A preview was seen: what is left out of it was agreed to.
    let is_seen = move || importing.found().is_some();
    let verb = move || match importing.found() {
        None => "Add cases".to_owned(),
        Some(found) => {
            let added = counted(unsigned(found.n_cases), "case");
            match found.n_rejected {
                0 => format!("Add {added}"),
                n_rows => format!(
                    "Add {added}, leave out {}",
                    counted(unsigned(n_rows), "row")
                ),
            }
        }
    };
    let is_hopeless = move || importing.found().is_some_and(|found| found.n_cases == 0);
    view! {
        <ActionForm
            action=import node_ref=form attr:class="panel"
            on:input=move |_| if is_current.get_untracked() { is_current.set(false) }
        >
            <div class="panel-head"><h2>"Cases from a file"</h2></div>
            <div class="panel-body form">
                <Refusal error=other/>
                <input type="hidden" name="project" value=place.project.clone()/>
                <input type="hidden" name="suite" value=place.id.to_string()/>
                <fieldset>
                    <legend>"Format"</legend>
                    <div class="scopes">{formats}</div>
                </fieldset>
                <div class="field" data-scripting="needed">
                    <label for="import-file">"File"<span class="optional">" optional"</span></label>
                    <input
                        class="input" type="file" id="import-file" accept=".csv,.jsonl,.ndjson,.json,.yaml,.yml"
                        on:change=choose
                    />
                </div>
                <Field id="import-text" label="Its text" hint="Paste it, or choose a file above." error=text_error>
                    <textarea
                        class="input" data-font="mono" id="import-text" name="text" rows="8" spellcheck="false" required=true
                        node_ref=text placeholder="text,expected,tags\nWhere is my parcel?,shipping,smoke"
                        aria-describedby=described_by("import-text")
                        aria-invalid=move || text_error.try_with(Option::is_some).unwrap_or_default().then_some("true")
                    ></textarea>
                </Field>
                <label class="choice" hidden=is_seen>
                    <input type="checkbox" name="leave_out" value="true" prop:checked=is_seen/>
                    <span>"Leave out rows that cannot be read"</span>
                    <span class="hint">"Otherwise one such row stops the whole import, and each is named."</span>
                </label>
                <label class="choice">
                    <input type="checkbox" name="take_scorers" value="true"/>
                    <span>"Take over scorers for the whole suite"</span>
                    <span class="hint">"promptfoo’s defaultTest; a scorer of the same type takes the place of the suite’s."</span>
                </label>
            </div>
            <div class="panel-foot">
                <button
                    type="button" class="btn" data-scripting="needed" on:click=look
                    aria-busy=move || preview.pending().get().then_some("true")
                >"Preview"</button>
                <button
                    class="btn" data-kind="primary" disabled=is_hopeless
                    aria-busy=move || import.pending().get().then_some("true")
                >{verb}</button>
                <span class="note">"All of them make one revision."</span>
            </div>
        </ActionForm>
    }
}

fn unsigned(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// The format that is chosen, in the browser.
fn chosen_format() -> String {
    FORMATS
        .into_iter()
        .map(|(word, ..)| word)
        .find(|word| radio(word).is_some_and(|radio| radio.checked()))
        .unwrap_or("csv")
        .to_owned()
}

fn radio(word: &str) -> Option<HtmlInputElement> {
    document()
        .get_element_by_id(&format!("format-{word}"))?
        .dyn_into()
        .ok()
}

/// Puts a file's text into the form, and chooses the format its name tells.
fn read_file(event: &ev::Event, text: web_sys::HtmlTextAreaElement) {
    let file = event_target::<HtmlInputElement>(event)
        .files()
        .and_then(|files| files.get(0));
    let (Some(file), Ok(reader)) = (file, FileReader::new()) else {
        return;
    };
    let name = file.name().to_lowercase();
    let word = match name.rsplit('.').next() {
        Some("yaml" | "yml") => "promptfoo",
        Some("json" | "jsonl" | "ndjson") => "jsonl",
        _ => "csv",
    };
    if let Some(radio) = radio(word) {
        radio.set_checked(true);
    }
    let done = {
        let reader = reader.clone();
        Closure::once_into_js(move || {
            if let Some(read) = reader.result().ok().and_then(|read| read.as_string()) {
                text.set_value(&read);
            }
        })
    };
    reader.set_onload(Some(done.unchecked_ref()));
    // Refused only while another file is being read, by a reader that is new.
    let _ = reader.read_as_text(&file);
}

/// What would be added, and what would not.
#[component]
fn Found(found: Preview) -> impl IntoView {
    let n_more = found.n_rejected.saturating_sub(found.rejected.len());
    let rejected = (!found.rejected.is_empty()).then(|| {
        let items = found
            .rejected
            .into_iter()
            .map(|(row, reason)| match row {
                0 => view! { <li>{sentence(&reason)}</li> }.into_any(),
                row => view! { <li><b>{format!("Row {row}")}</b>": "{reason}</li> }.into_any(),
            })
            .collect_view();
        let more = (n_more > 0).then(|| view! { <li>{format!("and {n_more} more")}</li> });
        let title = if found.is_unreadable {
            "The file cannot be read".to_owned()
        } else {
            let n_rows = counted(unsigned(found.n_rejected), "row");
            format!("{n_rows} cannot be read")
        };
        view! {
            <Banner tone=Tone::Warn title=title>
                <ul>{items}{more}</ul>
                <p class="note">"Rows are counted from 1; the heading is not."</p>
            </Banner>
        }
    });
    let notes = (!found.notes.is_empty()).then(|| {
        let items = found
            .notes
            .into_iter()
            .map(|note| view! { <li>{sentence(&note)}</li> })
            .collect_view();
        view! { <Banner tone=Tone::Info title="Read differently"><ul>{items}</ul></Banner> }
    });
    let scorers = (!found.scorers.is_empty()).then(|| {
        let list = found.scorers.join("; ");
        view! {
            <p class="note">
                <Icon glyph=Glyph::Info/>" Scorers for the whole suite, taken over only if you tick it: "{list}
            </p>
        }
    });
    let summary = format!(
        "{} would be added; the suite would hold {}.",
        counted(unsigned(found.n_cases), "case"),
        counted(unsigned(found.n_after), "case")
    );
    let n_shown = found.first.len();
    let is_part = n_shown < found.n_cases;
    let rows = found
        .first
        .into_iter()
        .map(|line| row(line, None))
        .collect_view();
    view! {
        <section class="section" aria-labelledby="preview-h">
            <div class="section-head">
                <h2 id="preview-h">"Preview"</h2>
                <p class="note" role="status">{summary}</p>
            </div>
            {rejected}
            {notes}
            {scorers}
            {(n_shown > 0).then(|| view! { <CaseTable rows=rows.into_any() label="Cases that would be added"/> })}
            {is_part.then(|| view! { <p class="note">{format!("The first {n_shown} are shown.")}</p> })}
        </section>
    }
}
