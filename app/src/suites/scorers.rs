//! The Scorers tab: what judges every case of the suite. A row each, and empty ones to add more,
//! so that it works as a plain form.

use domain::{
    actor::Permission,
    suite::{Scorer, ScorerKind},
};
use leptos::prelude::*;

use super::{
    calls::{SetScorers, load_suite},
    links::Tab,
    shapes::{Here, Place, ScorerRow, SuiteView},
    suite::when_done,
    words,
};
use crate::{
    error::UiError,
    frame::use_membership,
    prompts::parts::{field_error, refusal},
    ui::{
        Banner, Empty, Glyph, Icon, Loaded, Refusal, TableSkeleton, TableWrap, Tone, described_by,
        error::sentence,
    },
};

/// Rows to fill in without script.
const SPARE: usize = 2;

/// What the tab shows, and what is done there.
#[derive(Clone, Copy)]
pub struct Scorers {
    view: Resource<Result<Option<SuiteView>, UiError>>,
    save: ServerAction<SetScorers>,
    error: Signal<Option<UiError>>,
}

impl Scorers {
    /// Loads when its tab is opened and when it was saved, and not at other changes: what
    /// somebody fills in must hold still.
    pub fn new(here: Memo<Here>, tab: Memo<Tab>) -> Self {
        let save = ServerAction::<SetScorers>::new();
        let saved = Memo::new(move |_| {
            matches!(save.value().get(), Some(Ok(_))).then(|| save.version().get())
        });
        let view = Resource::new(
            move || (tab.get() == Tab::Scorers).then(|| (here.get(), saved.get())),
            async |wanted| match wanted {
                None => Ok(None),
                Some((here, _)) => load_suite(here).await.map(Some),
            },
        );
        when_done(move || save.value().get()?.ok(), || None);
        Self {
            view,
            save,
            error: refusal(save),
        }
    }
}

/// The tab.
#[component]
pub fn ScorersTab(place: Place, scorers: Scorers) -> impl IntoView {
    view! {
        <Loaded from=scorers.view skeleton=|| view! { <Skeleton/> } let:shown>
            {match shown {
                None => view! { <Skeleton/> }.into_any(),
                Some(shown) => view! { <Shown place=place.clone() shown scorers/> }.into_any(),
            }}
        </Loaded>
    }
}

#[component]
fn Skeleton() -> impl IntoView {
    view! { <TableSkeleton columns=&["Type", "Value", "Threshold", "Weight", "Not"] label="Loading scorers"/> }
}

#[component]
fn Shown(place: Place, shown: SuiteView, scorers: Scorers) -> impl IntoView {
    let suite = shown.suite;
    if !use_membership().may(Permission::RunEvals) {
        return view! { <Listed scorers=suite.scorers/> }.into_any();
    }
    let Scorers { save, error, .. } = scorers;
    let other = Signal::derive(move || {
        error
            .get()
            .filter(|error| !matches!(error, UiError::Invalid(_)))
    });
    let threshold_error = field_error(error, "threshold");
    let threshold = suite
        .threshold
        .map(|threshold| threshold.to_string())
        .unwrap_or_default();
    let n_given = suite.scorers.len();
    let given: Vec<ScorerRow> = suite.scorers.iter().map(ScorerRow::of).collect();
    let given = StoredValue::new(given);
    let ids = RwSignal::new((0..n_given + SPARE).collect::<Vec<_>>());
    let next = StoredValue::new(n_given + SPARE);
    let add = move |_| {
        let id = next.get_value();
        next.set_value(id + 1);
        ids.update(|ids| ids.push(id));
    };
    let is_busy = move || save.pending().get().then_some("true");
    view! {
        <ActionForm action=save attr:class="stack" attr:novalidate="">
            <input type="hidden" name="project" value=place.project/>
            <input type="hidden" name="suite" value=place.id.to_string()/>
            <p class="lede">"These judge the output of every case. A case may bring its own; one of the same type takes the place of the suite’s."</p>
            <Refusal error=other/>
            <RowErrors error/>
            <TableWrap>
                <table class="table" data-kind="edit" data-stack="">
                    <caption class="sr-only">"Scorers, one a row"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Type"</th>
                            <th scope="col">"Not"</th>
                            <th scope="col">"Value"</th>
                            <th scope="col">"Threshold"</th>
                            <th scope="col">"Weight"</th>
                            <th scope="col"><span class="sr-only">"Remove"</span></th>
                        </tr>
                    </thead>
                    <tbody>
                        <For each=move || ids.get() key=|id| *id let:id>
                            {
                                let start = given.with_value(|given| given.get(id).cloned()).unwrap_or_default();
                                view! { <Row id start ids/> }
                            }
                        </For>
                    </tbody>
                </table>
            </TableWrap>
            <div class="row" data-scripting="needed">
                <button type="button" class="btn" data-size="small" on:click=add><Icon glyph=Glyph::Plus/>"Scorer"</button>
            </div>
            <p class="note" data-scripting="none">"Saving adds two more empty rows. A row without a type is not used: that also removes one."</p>
            <div class="form-pair">
                <div class="field">
                    <label for="suite-threshold">"A case passes from a score of"<span class="optional">" optional"</span></label>
                    <span class="hint" id="suite-threshold-h">"0 to 1, of the weighted scores together. Empty: every scorer with a weight must pass."</span>
                    <input
                        class="input" id="suite-threshold" name="threshold" inputmode="decimal" autocomplete="off" value=threshold
                        aria-describedby=described_by("suite-threshold")
                        aria-invalid=move || threshold_error.try_with(Option::is_some).unwrap_or_default().then_some("true")
                    />
                    <p class="error" id="suite-threshold-e" hidden=move || threshold_error.try_with(Option::is_none).unwrap_or(true)>{threshold_error}</p>
                </div>
            </div>
            <div class="form-foot">
                <button class="btn" data-kind="primary" aria-busy=is_busy>"Save scorers"</button>
                <span class="note">"Makes a revision; runs of earlier ones keep what judged them."</span>
            </div>
        </ActionForm>
    }
    .into_any()
}

/// What is wrong with the rows, each by its number.
#[component]
fn RowErrors(error: Signal<Option<UiError>>) -> impl IntoView {
    move || match error.get() {
        Some(UiError::Invalid(errors)) => {
            let items = errors
                .into_iter()
                .filter(|error| error.field != "threshold")
                .map(|error| {
                    let (row, member) = place_of(&error.field);
                    let words = match row {
                        Some(row) => format!("Row {}, {member}", row + 1),
                        None => member.to_owned(),
                    };
                    view! { <li>{words}": "{sentence(&error.message)}</li> }
                })
                .collect::<Vec<_>>();
            (!items.is_empty()).then(|| {
                view! { <Banner tone=Tone::Bad title="The scorers were not saved"><ul>{items}</ul></Banner> }
            })
            .into_any()
        }
        _ => ().into_any(),
    }
}

/// `scorers[2].value` is row 2, member `value`.
fn place_of(path: &str) -> (Option<usize>, &str) {
    let inside = path
        .strip_prefix("scorers[")
        .and_then(|rest| rest.split_once(']'));
    match inside {
        Some((row, member)) => (row.parse().ok(), member.trim_start_matches('.')),
        None => (None, path),
    }
}

#[component]
fn Row(id: usize, start: ScorerRow, ids: RwSignal<Vec<usize>>) -> impl IntoView {
    let name = move |member: &str| format!("scorers[{id}][{member}]");
    let chosen = ScorerKind::from_word(&start.kind);
    let kind = RwSignal::new(chosen);
    let options = |is_here: fn(ScorerKind) -> bool| {
        ScorerKind::ALL
            .into_iter()
            .filter(|kind| is_here(*kind))
            .map(|kind| view! { <option value=kind.word() selected=Some(kind) == chosen>{kind.word()}</option> })
            .collect_view()
    };
    let choose = move |event| kind.set(ScorerKind::from_word(&event_target_value(&event)));
    let takes = move || kind.get().map_or("", words::takes);
    let takes_threshold = move || kind.get().map_or("", words::takes_threshold);
    view! {
        <tr>
            <td data-label="Type">
                <select class="input" name=name("kind") aria-label="Type" on:change=choose>
                    <option value="" selected=chosen.is_none()>"–"</option>
                    <optgroup label="Decided here">{options(ScorerKind::is_native)}</optgroup>
                    <optgroup label="A model judges">{options(ScorerKind::is_model_graded)}</optgroup>
                    <optgroup label="Elsewhere">{options(|kind| kind == ScorerKind::Webhook)}</optgroup>
                </select>
            </td>
            <td data-fit="" data-label="Not">
                <label class="choice">
                    <input type="checkbox" name=name("not") value="true" checked=start.not/>
                    <span class="sr-only">"Not: passes where it would fail"</span>
                </label>
            </td>
            <td data-label="Value" data-wide="" data-grow="">
                <textarea class="input" data-size="lines" rows="1" name=name("value") aria-label="Value" placeholder=takes spellcheck="false">{start.value}</textarea>
                <input type="hidden" name=name("was") value=start.was/>
            </td>
            <td data-label="Threshold">
                <input class="input" name=name("threshold") aria-label="Threshold" inputmode="decimal" autocomplete="off" placeholder=takes_threshold value=start.threshold/>
            </td>
            <td data-label="Weight">
                <input class="input" name=name("weight") aria-label="Weight" inputmode="decimal" autocomplete="off" placeholder="1" value=start.weight/>
            </td>
            <td data-fit="" data-scripting="needed">
                <button
                    type="button" class="btn" data-kind="quiet" data-shape="icon" aria-label="Remove this scorer"
                    on:click=move |_| ids.update(|ids| ids.retain(|one| *one != id))
                >
                    <Icon glyph=Glyph::Trash/>
                </button>
            </td>
        </tr>
    }
}

/// For those who may not change them.
#[component]
fn Listed(scorers: Vec<Scorer>) -> impl IntoView {
    if scorers.is_empty() {
        return view! {
            <Empty glyph=Glyph::Layers title="No scorers for the whole suite" is_small=true>
                <p>"Each case brings its own."</p>
            </Empty>
        }
        .into_any();
    }
    let rows = scorers
        .iter()
        .map(|scorer| {
            view! {
                <tr>
                    <th scope="row" data-fit="" data-cell="lead"><code>{scorer.word()}</code></th>
                    <td data-cell="full">{words::scorer(scorer)}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <TableWrap label="Scorers">
            <table class="table" data-stack="">
                <caption class="sr-only">"Scorers of every case"</caption>
                <thead><tr><th scope="col">"Type"</th><th scope="col">"A case passes if the output"</th></tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </TableWrap>
    }
    .into_any()
}
