//! One suite: what does it hold a prompt to? The header, and a tab for each view.

use domain::{actor::Permission, id::SuiteId};
use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_params_map, use_query_map},
};

use super::{
    calls::load_suite,
    case::{CaseSheet, Desk},
    cases::{Cases, CasesTab},
    import::{ImportTab, Importing},
    links::{self, Tab},
    revisions::{Revisions, RevisionsTab},
    scorers::{Scorers, ScorersTab},
    shapes::{Done, Here, Place, SuiteView},
    words,
};
use crate::{
    error::UiError,
    frame::{use_membership, use_project},
    live::use_feed,
    prompts::{
        links as prompt_links,
        parts::remember_refusal,
        words::{counted, grouped},
    },
    ui::{
        ErrorPage, ErrorView, Glyph, Icon, PageHeader, RelativeTime, Tab as TabLink, Tabs, Tag,
        Tone, use_toasts,
    },
};

/// `/p/<project>/suites/<id>?tab=…`, on the first tab also `?tag=&revision=&cursor=&case=`.
///
/// Everything that loads or is done is made here and handed down, see the prompt's page.
#[component]
pub fn SuitePage() -> impl IntoView {
    remember_refusal();
    let project = use_project();
    let params = use_params_map();
    let query = use_query_map();
    let here = Memo::new(move |_| Here {
        project: project.get(),
        id: params.with(|params| params.get("id").unwrap_or_default()),
    });
    let tab = Memo::new(move |_| {
        let word = query.with(|query| query.get("tab").unwrap_or_default());
        Tab::ALL
            .into_iter()
            .find(|tab| tab.word() == word)
            .unwrap_or_default()
    });
    let heard = use_feed().heard(&["suite"]);
    let head = Resource::new(
        move || (here.get(), heard.get()),
        |(here, _)| load_suite(here),
    );
    let views = Views {
        cases: Cases::new(here, tab),
        desk: Desk::new(here, tab),
        scorers: Scorers::new(here, tab),
        importing: Importing::new(here, tab),
        revisions: Revisions::new(here, tab),
    };
    view! {
        <Transition>
            <Body head here tab views/>
        </Transition>
    }
}

/// What the tabs show.
#[derive(Clone, Copy)]
struct Views {
    cases: Cases,
    desk: Desk,
    scorers: Scorers,
    importing: Importing,
    revisions: Revisions,
}

#[component]
fn Body(
    head: Resource<Result<SuiteView, UiError>>,
    here: Memo<Here>,
    tab: Memo<Tab>,
    views: Views,
) -> impl IntoView {
    // Stays what it is while the header loads again or cannot: a change elsewhere never takes a
    // form out of somebody's hands.
    let place = Memo::new(move |before: Option<&Option<Place>>| {
        let here = here.get();
        match head.get() {
            Some(Ok(head)) => Some(Place {
                project: here.project,
                id: head.suite.id,
            }),
            Some(Err(UiError::NotFound(_))) => None,
            Some(Err(_)) | None => before
                .cloned()
                .flatten()
                .filter(|place| place.id.to_string() == here.id && place.project == here.project),
        }
    });
    let counts = Memo::new(move |_| {
        let suite = head.get()?.ok()?.suite;
        let n_scorers = i64::try_from(suite.scorers.len()).unwrap_or_default();
        Some((
            i64::from(suite.n_cases),
            n_scorers,
            i64::from(suite.revision),
        ))
    });
    let header = move || {
        Suspend::new(async move {
            match head.await {
                Ok(shown) => {
                    view! { <Header project=here.get_untracked().project shown/> }.into_any()
                }
                Err(error) if place.get_untracked().is_some() => {
                    let retry = Callback::new(move |()| head.refetch());
                    view! { <ErrorView error retry/> }.into_any()
                }
                Err(error) => view! { <ErrorPage error/> }.into_any(),
            }
        })
    };
    let body = move || {
        place.get().map(|place| {
            view! {
                <SuiteTabs place=place.clone() counts tab/>
                <Panel place tab views/>
            }
        })
    };
    view! {
        {header}
        {body}
    }
}

#[component]
fn Panel(place: Place, tab: Memo<Tab>, views: Views) -> impl IntoView {
    move || {
        let place = place.clone();
        match tab.get() {
            Tab::Cases => view! {
                <CaseSheet place=place.clone() desk=views.desk/>
                <CasesTab place cases=views.cases/>
            }
            .into_any(),
            Tab::Scorers => view! { <ScorersTab place scorers=views.scorers/> }.into_any(),
            Tab::Import => view! { <ImportTab place importing=views.importing/> }.into_any(),
            Tab::Revisions => view! { <RevisionsTab place revisions=views.revisions/> }.into_any(),
        }
    }
}

#[component]
fn Header(project: String, shown: SuiteView) -> impl IntoView {
    let membership = use_membership();
    let SuiteView { suite, now } = shown;
    let id = suite.id;
    let prompt = suite.prompt.as_str().to_owned();
    let may_run = membership.may(Permission::RunEvals);
    let launch = links::launch(&project, id);
    let is_empty = suite.n_cases == 0;
    let actions = {
        let project = project.clone();
        move || {
            let run = (may_run && !is_empty).then(|| {
                view! {
                    <a class="btn" data-kind="primary" href=launch><Icon glyph=Glyph::Runs/>"Run this suite"</a>
                }
            });
            view! {
                {(!is_empty).then(|| view! { <Export project id/> })}
                {run}
            }
        }
    };
    let scorers = match suite.scorers.as_slice() {
        [] => view! { <span class="muted">"none: each case brings its own"</span> }.into_any(),
        scorers => scorers
            .iter()
            .map(|scorer| view! { <Tag word=words::clipped(&words::scorer(scorer), 80)/> })
            .collect_view()
            .into_any(),
    };
    let n_cases = u64::try_from(suite.n_cases).unwrap_or_default();
    view! {
        <PageHeader title=suite.name.clone() actions=actions>
            <dl class="bar">
                <div><dt>"Prompt"</dt><dd><a href=prompt_links::prompt(&project, &prompt)>{prompt.clone()}</a></dd></div>
                <div><dt>"Cases"</dt><dd>{grouped(n_cases)}</dd></div>
                <div><dt>"Revision"</dt><dd>{suite.revision}</dd></div>
                <div><dt>"Changed"</dt><dd><RelativeTime at=suite.changed_at now has_ago=true/></dd></div>
                <div><dt>"A case passes"</dt><dd>{words::threshold(suite.threshold)}</dd></div>
                <div><dt>"Its output"</dt><dd class="envs">{scorers}</dd></div>
            </dl>
        </PageHeader>
    }
}

#[component]
fn Export(project: String, id: SuiteId) -> impl IntoView {
    let link = |format: &'static str, words: &'static str| {
        let href = links::export(&project, id, format);
        view! { <a class="menu-item" href=href download>{words}</a> }
    };
    view! {
        <button type="button" class="btn" popovertarget="export">
            <Icon glyph=Glyph::Download/>"Export"<Icon glyph=Glyph::ChevronDown/>
        </button>
        <div class="menu" data-side="end" popover="auto" id="export">
            <p class="menu-label">"All cases as they are now"</p>
            {link("csv", "CSV")}
            {link("jsonl", "JSON Lines")}
            {link("promptfoo", "promptfooconfig.yaml")}
        </div>
    }
}

/// The tabs, with how many there are of each.
#[component]
fn SuiteTabs(place: Place, counts: Memo<Option<(i64, i64, i64)>>, tab: Memo<Tab>) -> impl IntoView {
    let tabs = Signal::derive(move || {
        let current = tab.get();
        let counts = counts.get();
        Tab::ALL
            .into_iter()
            .map(|tab| TabLink {
                word: tab.title(),
                href: links::tab(&place.project, place.id, tab),
                count: match tab {
                    Tab::Cases => counts.map(|counts| counts.0),
                    Tab::Scorers => counts.map(|counts| counts.1),
                    Tab::Import => None,
                    Tab::Revisions => counts.map(|counts| counts.2),
                },
                is_current: current == tab,
            })
            .collect::<Vec<_>>()
    });
    view! { <Tabs label="Suite" tabs/> }
}

/// Says what was done, and leads on to where `address` says; in the browser only.
pub fn when_done(
    done: impl Fn() -> Option<Done> + 'static,
    address: impl Fn() -> Option<String> + 'static,
) {
    let toasts = use_toasts();
    let navigate = use_navigate();
    Effect::new(move |_| {
        let Some(done) = done() else { return };
        toasts.say(Tone::Good, done.words);
        if let Some(address) = untrack(&address) {
            let options = NavigateOptions {
                scroll: false,
                ..NavigateOptions::default()
            };
            navigate(&address, options);
        }
    });
}

/// `1 case`, `2 cases`.
pub fn n_cases(number: i32) -> String {
    counted(u64::try_from(number).unwrap_or_default(), "case")
}
