//! The Cases tab: one page of rows, all of them or those with a tag, now or at a revision.

use domain::{
    actor::Permission,
    suite::{MUST_PASS_TAG, SMOKE_TAG},
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::{
    calls::load_cases,
    links::{self, CaseQuery, Opened, Tab},
    shapes::{CaseLine, CasesView, Here, Place},
    suite::n_cases,
};
use crate::{
    error::UiError,
    frame::use_membership,
    live::use_feed,
    prompts::words::counted,
    ui::{
        Badge, Banner, Empty, Glyph, Icon, Loaded, Nobody, Pager, TableSkeleton, TableWrap, Tone,
    },
};

/// What the tab shows.
#[derive(Clone, Copy)]
pub struct Cases {
    view: Resource<Result<Option<CasesView>, UiError>>,
    query: Memo<CaseQuery>,
}

impl Cases {
    /// Loads while its tab is the one shown.
    pub fn new(here: Memo<Here>, tab: Memo<Tab>) -> Self {
        let params = use_query_map();
        let query = Memo::new(move |_| params.with(CaseQuery::read));
        let heard = use_feed().heard(&["suite"]);
        let view = Resource::new(
            move || {
                let is_shown = tab.get() == Tab::Cases;
                is_shown.then(|| (here.get(), query.get(), heard.get()))
            },
            async |wanted| match wanted {
                None => Ok(None),
                Some((here, query, _)) => load_cases(here, query).await.map(Some),
            },
        );
        Self { view, query }
    }
}

/// The tab.
#[component]
pub fn CasesTab(place: Place, cases: Cases) -> impl IntoView {
    view! {
        <Loaded from=cases.view skeleton=|| view! { <Skeleton/> } let:shown>
            {match shown {
                None => view! { <Skeleton/> }.into_any(),
                Some(shown) => {
                    view! { <Shown place=place.clone() query=cases.query.get_untracked() shown/> }.into_any()
                }
            }}
        </Loaded>
    }
}

#[component]
fn Skeleton() -> impl IntoView {
    view! { <TableSkeleton columns=&["No.", "Variables", "Expected", "Tags", "Origin"] label="Loading cases"/> }
}

#[component]
fn Shown(place: Place, query: CaseQuery, shown: CasesView) -> impl IntoView {
    let may_write = use_membership().may(Permission::RunEvals) && query.revision.is_none();
    let is_whole = query == CaseQuery::default();
    if shown.n_cases == 0 && is_whole {
        return view! { <NoCases place may_write/> }.into_any();
    }
    let content = if shown.cases.items.is_empty() {
        view! { <NoMatches place=place.clone() query=query.clone() n_all=shown.n_cases/> }
            .into_any()
    } else {
        view! { <Rows place=place.clone() query=query.clone() shown/> }.into_any()
    };
    view! {
        <section class="section" aria-label="Cases">
            <Past place=place.clone() query=query.clone()/>
            <Filter place query may_write/>
            {content}
        </section>
    }
    .into_any()
}

/// That these are not the cases of today.
#[component]
fn Past(place: Place, query: CaseQuery) -> impl IntoView {
    query.revision.map(|revision| {
        let now = links::tab(&place.project, place.id, Tab::Cases);
        view! {
            <Banner
                tone=Tone::Info title=format!("As the suite was at revision {revision}")
                actions=move || view! { <a class="btn" data-size="small" href=now>"As it is now"</a> }
            >
                <p>"Runs of that revision ran exactly these cases. They cannot be changed."</p>
            </Banner>
        }
    })
}

#[component]
fn Filter(place: Place, query: CaseQuery, may_write: bool) -> impl IntoView {
    let Place { project, id } = place;
    let action = links::tab(&project, id, Tab::Cases);
    let chip = |tag: &'static str| {
        let is_set = query.tag == tag;
        let toggled = CaseQuery {
            tag: if is_set {
                String::new()
            } else {
                tag.to_owned()
            },
            cursor: String::new(),
            ..query.clone()
        };
        view! {
            <a class="chip" href=links::cases(&project, id, &toggled) aria-current=is_set.then_some("true")>{tag}</a>
        }
    };
    let all = CaseQuery {
        revision: query.revision,
        ..CaseQuery::default()
    };
    let clear = (!query.tag.is_empty()).then(|| {
        view! { <a class="btn" data-kind="quiet" href=links::cases(&project, id, &all)>"All cases"</a> }
    });
    let revision = query.revision.map(
        |revision| view! { <input type="hidden" name="revision" value=revision.to_string()/> },
    );
    let add = may_write.then(|| {
        let here = CaseQuery {
            cursor: String::new(),
            ..query.clone()
        };
        let href = links::opened(&project, id, &here, Some(Opened::New));
        view! {
            <a class="btn push" href=href data-noscroll=""><Icon glyph=Glyph::Plus/>"Add a case"</a>
        }
    });
    view! {
        <form class="filters" method="get" action=action role="search" aria-label="Filter cases">
            {revision}
            <div class="field">
                <label for="tag">"Tag"</label>
                <input class="input" id="tag" name="tag" autocomplete="off" placeholder="any" value=query.tag.clone()/>
            </div>
            <button class="btn">"Filter"</button>
            {clear}
            <div class="chips" data-beside="">{chip(SMOKE_TAG)}{chip(MUST_PASS_TAG)}</div>
            {add}
        </form>
    }
}

#[component]
fn Rows(place: Place, query: CaseQuery, shown: CasesView) -> impl IntoView {
    let Place { project, id } = place;
    let cases = shown.cases;
    let n_shown = u64::try_from(cases.items.len()).unwrap_or_default();
    let at = |cursor: String| {
        links::cases(
            &project,
            id,
            &CaseQuery {
                cursor,
                ..query.clone()
            },
        )
    };
    let first = (!query.cursor.is_empty()).then(|| at(String::new()));
    let next = cases.next_cursor.map(at);
    let is_all = query.tag.is_empty() && query.revision.is_none();
    let status = match (is_all, first.is_none() && next.is_none()) {
        (true, true) => n_cases(shown.n_cases),
        (true, false) => format!(
            "{} on this page, {} in all",
            counted(n_shown, "case"),
            n_cases(shown.n_cases)
        ),
        (false, true) => counted(n_shown, "case"),
        (false, false) => format!("{} on this page", counted(n_shown, "case")),
    };
    let rows = cases
        .items
        .into_iter()
        .map(|line| {
            let open = links::opened(&project, id, &query, Some(Opened::At(line.position)));
            row(line, Some(open))
        })
        .collect_view();
    view! {
        <CaseTable rows=rows.into_any() label=""/>
        <Pager shown=status first next/>
    }
}

/// The table around rows of cases.
#[component]
pub fn CaseTable(
    /// The rows.
    rows: AnyView,
    /// Names it where nothing in it can have the focus.
    label: &'static str,
) -> impl IntoView {
    view! {
        <TableWrap label>
            <table class="table" data-stack="" data-kind="cases">
                <caption class="sr-only">"Cases in their order"</caption>
                <thead>
                    <tr>
                        <th scope="col" data-align="end">"No."</th>
                        <th scope="col">"Called with"</th>
                        <th scope="col">"Expected"</th>
                        <th scope="col">"Tags"</th>
                        <th scope="col" data-rank="3">"Note"</th>
                        <th scope="col" data-rank="2">"Origin"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </TableWrap>
    }
}

/// A case; `open` is where it is shown whole.
pub fn row(line: CaseLine, open: Option<String>) -> impl IntoView {
    let called_with = if line.variables.is_empty() {
        "no variables".to_owned()
    } else {
        line.variables
    };
    let title = called_with.clone();
    let called_with = match open {
        Some(href) => view! {
            <a class="row-link" href=href data-noscroll="" title=title>
                <span class="sr-only">{format!("Case {}: ", line.position)}</span>
                {called_with}
            </a>
        }
        .into_any(),
        None => view! { <span class="cell-clip" title=title>{called_with}</span> }.into_any(),
    };
    let expected = match (line.expected, line.n_scorers) {
        (Some(text), _) => {
            view! { <span class="cell-clip" title=text.clone()>{text.clone()}</span> }.into_any()
        }
        (None, 0) => view! { <Nobody/> }.into_any(),
        (None, n_scorers) => {
            let n_scorers = u64::try_from(n_scorers).unwrap_or_default();
            let words = counted(n_scorers, "scorer");
            view! { <span class="muted">{words}" of its own"</span> }.into_any()
        }
    };
    let tags = line.tags.into_iter().map(mark).collect_view();
    let note = if line.note.is_empty() {
        view! { <Nobody/> }.into_any()
    } else {
        let text = line.note;
        view! { <span class="cell-clip" title=text.clone()>{text.clone()}</span> }.into_any()
    };
    view! {
        <tr>
            <td data-align="end" data-fit="" data-cell="when" class="muted">{line.position}</td>
            <th scope="row" data-cell="lead" data-grow="">{called_with}</th>
            <td data-cell="full">{expected}</td>
            <td><span class="envs">{tags}</span></td>
            <td data-rank="3">{note}</td>
            <td data-rank="2" data-fit="" class="muted">{line.origin.word()}</td>
        </tr>
    }
}

/// A tag; the two that mean something to the gate stand out.
fn mark(tag: String) -> AnyView {
    match tag.as_str() {
        MUST_PASS_TAG => view! { <Badge tone=Tone::Warn>{tag}</Badge> }.into_any(),
        SMOKE_TAG => view! { <Badge tone=Tone::Info>{tag}</Badge> }.into_any(),
        _ => view! { <span class="tag">{tag}</span> }.into_any(),
    }
}

#[component]
fn NoCases(place: Place, may_write: bool) -> impl IntoView {
    let add = links::opened(
        &place.project,
        place.id,
        &CaseQuery::default(),
        Some(Opened::New),
    );
    let import = links::tab(&place.project, place.id, Tab::Import);
    view! {
        <Empty glyph=Glyph::Layers title="No cases yet">
            <p>"A case holds values for the prompt’s variables and what a good answer looks like. Start with what went wrong lately, and with what must never go wrong."</p>
            {may_write.then(|| view! {
                <div class="row">
                    <a class="btn" data-kind="primary" href=add data-noscroll=""><Icon glyph=Glyph::Plus/>"Add a case"</a>
                    <a class="btn" href=import>"Import a file"</a>
                </div>
            })}
        </Empty>
    }
}

#[component]
fn NoMatches(place: Place, query: CaseQuery, n_all: i32) -> impl IntoView {
    let all = CaseQuery {
        revision: query.revision,
        ..CaseQuery::default()
    };
    let (title, text) = match (query.tag.as_str(), query.revision) {
        ("", Some(revision)) => (
            "No cases".to_owned(),
            format!("The suite held none at revision {revision}."),
        ),
        ("", None) => (
            "Nothing more".to_owned(),
            "The list ended on an earlier page.".to_owned(),
        ),
        (tag, _) => (
            format!("No case has the tag {tag}"),
            format!("The suite holds {}.", n_cases(n_all)),
        ),
    };
    view! {
        <Empty glyph=Glyph::Search title is_small=true>
            <p>{text}</p>
            <a class="btn" href=links::cases(&place.project, place.id, &all)>"All cases"</a>
        </Empty>
    }
}
