//! Calls that were kept to be read: the list, what is kept, and the way into a golden suite.

use domain::actor::Permission;
use leptos::prelude::*;

use super::{
    calls::{AddSample, SetSampling},
    shapes::{MonitorView, SampleRow, Sampling, SuiteChoice},
};
use crate::{
    error::UiError,
    frame::use_membership,
    prompts::parts::say_when_done,
    ui::{Glyph, Icon, Refusal, RelativeTime},
};

/// What can be done with samples; made by the prompt's page.
#[derive(Clone, Copy)]
pub struct SampleActs {
    add: ServerAction<AddSample>,
    set: ServerAction<SetSampling>,
}

impl SampleActs {
    /// Makes them, and says when something was saved.
    pub fn new() -> Self {
        let (add, set) = (ServerAction::new(), ServerAction::<SetSampling>::new());
        say_when_done(set, "Saved");
        Self { add, set }
    }

    /// Rises when something was done.
    pub fn version(self) -> usize {
        self.set.version().get()
    }
}

/// The last calls that were kept.
#[component]
pub fn Samples(project: String, shown: MonitorView, acts: SampleActs) -> impl IntoView {
    let membership = use_membership();
    let is_off = shown.sampling.share == "0";
    let words = if is_off {
        "Off: of inputs and outputs nothing is kept to be read.".to_owned()
    } else {
        format!(
            "{} % of the calls that report their variables or their output are kept, redacted before anything is stored.",
            shown.sampling.share
        )
    };
    let may_add = membership.may(Permission::RunEvals) && !shown.suites.is_empty();
    let no_suite = (membership.may(Permission::RunEvals)
        && shown.suites.is_empty()
        && !shown.samples.is_empty())
    .then(|| view! { <p class="note">"This prompt has no suite yet: make one, and samples can be added to it."</p> });
    let refused = Signal::derive(move || acts.add.value().get().and_then(Result::err));
    let rows = shown
        .samples
        .iter()
        .map(|sample| {
            let form = may_add.then(|| add_form(&project, sample, &shown.suites, acts).into_any());
            sample_row(sample, shown.now, form)
        })
        .collect_view();
    let list = if shown.samples.is_empty() {
        (!is_off)
            .then(
                || view! { <p class="muted">"No call that says something has been kept yet."</p> },
            )
            .into_any()
    } else {
        view! { <ol class="samples">{rows}</ol> }.into_any()
    };
    let settings = membership
        .may(Permission::Administer)
        .then(|| view! { <What project=project.clone() sampling=shown.sampling.clone() acts/> });
    view! {
        <section class="section" aria-labelledby="samples-h">
            <div class="section-head"><h2 id="samples-h">"Samples"</h2></div>
            <p class="note">{words}</p>
            <Refusal error=refused/>
            {no_suite}
            {list}
            {settings}
        </section>
    }
}

fn sample_row(
    sample: &SampleRow,
    now: chrono::DateTime<chrono::Utc>,
    form: Option<AnyView>,
) -> impl IntoView + use<> {
    let SampleRow {
        version,
        at,
        variables,
        output,
        error,
        ..
    } = sample.clone();
    let error = error.map(|error| view! { <p data-tone="bad">{error}</p> });
    let input = (!variables.is_empty())
        .then(|| view! { <pre class="code" tabindex="0" role="region" aria-label="Input">{variables}</pre> });
    let output = (!output.is_empty())
        .then(|| view! { <pre class="code" tabindex="0" role="region" aria-label="Output">{output}</pre> });
    view! {
        <li>
            <p class="note">{version}", "<RelativeTime at now has_ago=true/></p>
            {error}
            {input}
            {output}
            {form}
        </li>
    }
}

/// Which suite, and go: the case opens there with the output as what is expected.
fn add_form(
    project: &str,
    sample: &SampleRow,
    suites: &[SuiteChoice],
    acts: SampleActs,
) -> impl IntoView + use<> {
    let (project, id) = (project.to_owned(), sample.id.clone());
    let field = format!("suite-{id}");
    let options = suites
        .iter()
        .map(|suite| view! { <option value=suite.id.clone()>{suite.name.clone()}</option> })
        .collect_view();
    view! {
        <ActionForm action=acts.add attr:class="filters">
            <input type="hidden" name="project" value=project/>
            <input type="hidden" name="sample" value=id/>
            <div class="field">
                <label for=field.clone()>"Suite"</label>
                <select class="input" id=field.clone() name="suite">{options}</select>
            </div>
            <button type="submit" class="btn" data-size="small" disabled=move || acts.add.pending().get()>
                <Icon glyph=Glyph::Plus/>"Add to golden suite"
            </button>
        </ActionForm>
    }
}

/// What is kept and what is taken out, for whoever may say so.
#[component]
fn What(project: String, sampling: Sampling, acts: SampleActs) -> impl IntoView {
    let error = Signal::derive(move || acts.set.value().get().and_then(Result::err));
    let of = move |field: &'static str| {
        Signal::derive(move || error.try_get().flatten()?.of_field(field))
    };
    let (share, patterns) = (of("share"), of("patterns"));
    let other = Signal::derive(move || {
        error
            .try_get()
            .flatten()
            .filter(|error| !matches!(error, UiError::Invalid(_)))
    });
    view! {
        <details class="sampling">
            <summary class="disclosure"><Icon glyph=Glyph::ChevronRight/>"What is kept"</summary>
            <ActionForm action=acts.set attr:class="form">
                <input type="hidden" name="project" value=project/>
                <p class="note">"For all prompts of this project. Calls are chosen by their id; 0 keeps nothing."</p>
                <div class="field">
                    <label for="sampling-share">"Share of calls, percent"</label>
                    <input class="input" id="sampling-share" name="share" inputmode="decimal" value=sampling.share aria-describedby="sampling-share-error"/>
                    <p class="error" id="sampling-share-error">{move || share.try_get().flatten()}</p>
                </div>
                <div class="field">
                    <label for="sampling-patterns">"Taken out: regular expressions, one a line"</label>
                    <textarea class="input" data-font="mono" id="sampling-patterns" name="patterns" rows="4" spellcheck="false" aria-describedby="sampling-patterns-hint sampling-patterns-error">{sampling.patterns}</textarea>
                    <p class="hint" id="sampling-patterns-hint">"What they match is replaced in inputs and outputs before anything is stored, such as "<code class="inline">r"[\w.+-]+@[\w.-]+"</code>" for addresses."</p>
                    <p class="error" id="sampling-patterns-error">{move || patterns.try_get().flatten()}</p>
                </div>
                <Refusal error=other/>
                <button type="submit" class="btn" disabled=move || acts.set.pending().get()>"Save"</button>
            </ActionForm>
        </details>
    }
}
