//! The list: folders and tags at the left, filters on top, one page of rows.

use domain::{
    actor::Permission,
    prompt::{Prompt, Serving},
};
use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_query_map},
};

use super::{
    calls::load_prompts,
    links::{self, ListQuery, Order},
    parts::{EnvBadge, env_state, typed},
    shapes::{ListView, author},
    tree::{Branch, total, tree},
    words,
};
use crate::{
    error::UiError,
    frame::{use_membership, use_project},
    live::use_feed,
    ui::{
        Empty, Glyph, Icon, Loaded, Nobody, PageHeader, Pager, RelativeTime, TableSkeleton,
        TableWrap, Tag,
    },
};

/// Environments with a column of their own; the others share one.
const MAX_COLUMNS: usize = 4;

/// Tags shown at once.
const MAX_TAGS: usize = 12;

/// `/p/<project>/prompts`.
#[component]
pub fn PromptsPage() -> impl IntoView {
    let project = use_project();
    let params = use_query_map();
    let query = Memo::new(move |_| params.with(ListQuery::read));
    let heard = use_feed().heard(&["prompt", "version", "deployment", "environment"]);
    let list = Resource::new(
        move || (project.get(), query.get(), heard.get()),
        |(project, query, _)| load_prompts(project, query),
    );
    let may_write = use_membership().may(Permission::WriteDrafts);
    let new = move || {
        may_write.then(|| {
            view! {
                <a class="btn" data-kind="primary" href=links::new_prompt(&project.get())>
                    <Icon glyph=Glyph::Plus/>"New prompt"
                </a>
            }
        })
    };
    view! {
        <PageHeader title="Prompts" lede=move || view! { <Lede list/> } actions=move || view! { {new} }/>
        <Loaded
            from=list
            skeleton=|| view! { <TableSkeleton columns=&["Name", "production", "staging", "development", "Last change", "Changed"] label="Loading prompts"/> }
            let:shown
        >
            <Shown project=project.get_untracked() query=query.get_untracked() shown may_write/>
        </Loaded>
    }
}

/// How many there are.
#[component]
fn Lede(list: Resource<Result<ListView, UiError>>) -> impl IntoView {
    view! {
        <Transition>
            {move || Suspend::new(async move {
                list.await.ok().map(|list| {
                    let n_prompts = total(&list.folders);
                    match n_prompts {
                        0 => "No prompts yet".to_owned(),
                        _ => format!(
                            "{} in {}",
                            words::counted(unsigned(n_prompts), "prompt"),
                            words::counted(u64::try_from(list.folders.len()).unwrap_or_default(), "folder"),
                        ),
                    }
                })
            })}
        </Transition>
    }
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

#[component]
fn Shown(project: String, query: ListQuery, shown: ListView, may_write: bool) -> impl IntoView {
    if shown.folders.is_empty() {
        return view! { <NoPrompts project may_write public_url=shown.public_url/> }.into_any();
    }
    let n_all = total(&shown.folders);
    let content = if shown.prompts.is_empty() {
        view! { <NoMatches project=project.clone() query=query.clone() n_all/> }.into_any()
    } else {
        view! { <Rows project=project.clone() query=query.clone() shown=shown.clone()/> }.into_any()
    };
    view! {
        <div class="library">
            <Folders project=project.clone() query=query.clone() shown/>
            <section class="section" aria-label="Prompts">
                <Filters project=project.clone() query=query.clone()/>
                <Chips project query/>
                {content}
            </section>
        </div>
    }
    .into_any()
}

/// The tree and the tags.
#[component]
fn Folders(project: String, query: ListQuery, shown: ListView) -> impl IntoView {
    let whole = query.with(|query| query.folder.clear());
    let is_whole = query.folder.is_empty().then_some("page");
    let tree = tree(&shown.folders, &query.folder);
    let open = if query.folder.is_empty() {
        "All folders".to_owned()
    } else {
        query.folder.clone()
    };
    let chip = |tag: &String| {
        let is_set = *tag == query.tag;
        let toggled = query.with(|query| {
            query.tag = if is_set { String::new() } else { tag.clone() };
        });
        view! {
            <a class="chip" href=links::list(&project, &toggled) aria-current=is_set.then_some("true")>
                {tag.clone()}
            </a>
        }
    };
    let n_first = shown.tags.len().min(MAX_TAGS);
    let tags = shown.tags[..n_first].iter().map(chip).collect_view();
    let more = (shown.tags.len() > n_first).then(|| {
        let chips = shown.tags[n_first..].iter().map(chip).collect_view();
        let n_more = shown.tags.len() - n_first;
        view! {
            <details open=shown.tags[n_first..].contains(&query.tag)>
                <summary class="disclosure"><Icon glyph=Glyph::ChevronRight/>{format!("{n_more} more")}</summary>
                <div class="chips">{chips}</div>
            </details>
        }
    });
    let has_tags = n_first > 0;
    view! {
        <nav class="tree" aria-label="Folders">
            <details>
                <summary>
                    <Icon glyph=Glyph::Folder/><span class="label">{open}</span><Icon glyph=Glyph::ChevronDown/>
                </summary>
                <ul>
                    <li>
                        <a href=links::list(&project, &whole) aria-current=is_whole>
                            <Icon glyph=Glyph::Prompts/>
                            <span class="label">"All prompts"</span>
                            <span class="num">{words::grouped(unsigned(total(&shown.folders)))}</span>
                        </a>
                    </li>
                    {branches(&project, &query, tree, true)}
                </ul>
            </details>
            {has_tags.then(|| view! { <div class="tree-tags"><h2>"Tags"</h2><div class="chips">{tags}</div>{more}</div> })}
        </nav>
    }
}

fn branches(project: &str, query: &ListQuery, tree: Vec<Branch>, is_top: bool) -> Vec<AnyView> {
    tree.into_iter()
        .map(|branch| {
            let chosen = query.with(|query| query.folder.clone_from(&branch.path));
            let is_chosen = (branch.path == query.folder).then_some("page");
            let below = branches(project, query, branch.below, false);
            let below = (!below.is_empty()).then(|| view! { <ul>{below}</ul> });
            view! {
                <li>
                    <a href=links::list(project, &chosen) aria-current=is_chosen title=branch.path>
                        {is_top.then(|| view! { <Icon glyph=Glyph::Folder/> })}
                        <span class="label">{branch.name}</span>
                        <span class="num">{words::grouped(unsigned(branch.n_prompts))}</span>
                    </a>
                    {below}
                </li>
            }
            .into_any()
        })
        .collect()
}

/// Search and order; the folder and tag one is in stay.
#[component]
fn Filters(project: String, query: ListQuery) -> impl IntoView {
    let kept = [("folder", query.folder.clone()), ("tag", query.tag.clone())]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| view! { <input type="hidden" name=name value=value/> })
        .collect_view();
    let is_by_name = query.order == Order::Name;
    // Without script the browser sends the form; with it the page stays.
    let navigate = use_navigate();
    let action = links::all(&project);
    let wanted = query.clone();
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let query = wanted.with(|query| {
            typed("q")
                .unwrap_or_default()
                .trim()
                .clone_into(&mut query.search);
            query.order = match typed("order").as_deref() {
                Some("name") => Order::Name,
                _ => Order::Changed,
            };
        });
        navigate(&links::list(&project, &query), NavigateOptions::default());
    };
    view! {
        <form method="get" action=action class="filters" role="search" aria-label="Filter prompts" on:submit=submit>
            {kept}
            <div class="field" data-grow="">
                <label for="q">"Search names and descriptions"</label>
                <span class="affix">
                    <Icon glyph=Glyph::Search/>
                    <input class="input" id="q" name="q" type="search" value=query.search/>
                </span>
            </div>
            <div class="field">
                <label for="order">"Order"</label>
                <select class="input" id="order" name="order">
                    <option value="" selected=!is_by_name>"Last changed"</option>
                    <option value="name" selected=is_by_name>"Name"</option>
                </select>
            </div>
            <button type="submit" class="btn">"Filter"</button>
        </form>
    }
}

/// What is filtered by, each with a way to drop it.
#[component]
fn Chips(project: String, query: ListQuery) -> impl IntoView {
    let chip = |words: String, without: ListQuery| {
        view! {
            <a class="chip" data-set="" href=links::list(&project, &without)>
                {words}<Icon glyph=Glyph::Close/><span class="sr-only">" remove"</span>
            </a>
        }
    };
    let search = (!query.search.is_empty()).then(|| {
        chip(
            format!("“{}”", query.search),
            query.with(|query| query.search.clear()),
        )
    });
    let folder = (!query.folder.is_empty()).then(|| {
        chip(
            format!("in {}", query.folder),
            query.with(|query| query.folder.clear()),
        )
    });
    let tag = (!query.tag.is_empty()).then(|| {
        chip(
            format!("tag: {}", query.tag),
            query.with(|query| query.tag.clear()),
        )
    });
    query.is_filtered().then(|| {
        view! {
            <div class="chips">
                <span class="sr-only">"Filters:"</span>
                {search}{folder}{tag}
                <a href=links::all(&project)>"Clear filters"</a>
            </div>
        }
    })
}

#[component]
fn Rows(project: String, query: ListQuery, shown: ListView) -> impl IntoView {
    let n_shown = u64::try_from(shown.prompts.len()).unwrap_or_default();
    let first = (!query.cursor.is_empty()).then(|| links::list(&project, &query.with(|_| ())));
    let next = shown.next_cursor.clone().map(|cursor| {
        links::list(
            &project,
            &ListQuery {
                cursor,
                ..query.clone()
            },
        )
    });
    let is_all = first.is_none() && next.is_none();
    let status = if is_all {
        words::counted(n_shown, "prompt")
    } else {
        format!("{} on this page", words::counted(n_shown, "prompt"))
    };
    let mut columns = shown.environments.clone();
    let others = columns.split_off(columns.len().min(MAX_COLUMNS));
    let head = columns
        .iter()
        .map(|name| view! { <th scope="col" data-align="end">{name.clone()}</th> })
        .collect_view();
    let has_others = !others.is_empty();
    let now = shown.now;
    let rows = shown
        .prompts
        .into_iter()
        .map(|prompt| {
            let cells = columns
                .iter()
                .map(|name| place(name, &prompt.serving, prompt.active_version))
                .collect_view();
            let elsewhere = has_others.then(|| {
                let badges = prompt
                    .serving
                    .iter()
                    .filter(|serving| others.contains(&serving.environment))
                    .map(|serving| {
                        view! { <EnvBadge serving=serving.clone() active=prompt.active_version/> }
                    })
                    .collect_view();
                view! { <td data-rank="2"><span class="envs">{badges}</span></td> }
            });
            row(&project, prompt, (cells, elsewhere).into_any(), now)
        })
        .collect_view();
    view! {
        <TableWrap>
            <table class="table" data-stack="">
                <caption class="sr-only">
                    {match query.order {
                        Order::Changed => "Prompts, most recently changed first",
                        Order::Name => "Prompts by name",
                    }}
                </caption>
                <thead>
                    <tr>
                        {sorted("Name", Order::Name, &project, &query)}
                        {head}
                        {has_others.then(|| view! { <th scope="col" data-rank="2">"Elsewhere"</th> })}
                        <th scope="col">"Last change"</th>
                        <th scope="col" data-rank="2">"By"</th>
                        {sorted("Changed", Order::Changed, &project, &query)}
                        <th scope="col" data-rank="3">"Tags"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </TableWrap>
        <Pager shown=status first next/>
    }
}

/// A header that orders the list.
fn sorted(
    word: &'static str,
    order: Order,
    project: &str,
    query: &ListQuery,
) -> impl IntoView + use<> {
    let is_by = query.order == order;
    let (direction, align) = match order {
        Order::Name => ("ascending", None),
        Order::Changed => ("descending", Some("end")),
    };
    let href = links::list(project, &query.with(|query| query.order = order));
    let arrow = is_by.then(|| {
        let glyph = match order {
            Order::Name => Glyph::ArrowUp,
            Order::Changed => Glyph::ArrowDown,
        };
        view! { <Icon glyph/> }
    });
    view! {
        <th scope="col" data-align=align aria-sort=is_by.then_some(direction)>
            <a href=href>{word}{arrow}</a>
        </th>
    }
}

/// What an environment serves, in a cell.
fn place(name: &str, serving: &[Serving], active: Option<i32>) -> impl IntoView + use<> {
    let here = serving.iter().find(|serving| serving.environment == name);
    let state = env_state(here, active);
    let number = match here {
        Some(serving) => format!("v{}", serving.version).into_any(),
        None => view! { <span aria-hidden="true">"–"</span><span class="sr-only">"none"</span> }
            .into_any(),
    };
    view! {
        <td data-align="end" data-fit="">
            <span class="env" data-state=state>
                <span class="env-name">{name.to_owned()}</span>
                <b>{number}</b>
            </span>
        </td>
    }
}

fn row(
    project: &str,
    prompt: Prompt,
    places: AnyView,
    now: chrono::DateTime<chrono::Utc>,
) -> impl IntoView + use<> {
    let name = prompt.name.as_str().to_owned();
    let folder = match prompt.name.folder() {
        "" => None,
        folder => Some(view! { <span class="folder">{format!("{folder}/")}</span> }),
    };
    let leaf = prompt.name.leaf().to_owned();
    let change = match (prompt.change_description, prompt.latest_version) {
        (Some(text), _) if !text.is_empty() => {
            view! { <span class="cell-clip" title=text.clone()>{text.clone()}</span> }.into_any()
        }
        (_, Some(number)) => {
            view! { <span class="muted">{format!("v{number}, without a word")}</span> }.into_any()
        }
        (_, None) => view! { <span class="muted">"no version yet"</span> }.into_any(),
    };
    let by = match author(prompt.changed_by.as_ref()) {
        Some(name) => name.into_any(),
        None => view! { <Nobody/> }.into_any(),
    };
    let tags = prompt
        .tags
        .into_iter()
        .map(|tag| view! { <Tag word=tag/> })
        .collect_view();
    view! {
        <tr>
            <th scope="row" data-cell="lead">
                <a class="row-link" href=links::prompt(project, &name) title=name>{folder}{leaf}</a>
            </th>
            {places}
            <td data-cell="full" data-grow="">{change}</td>
            <td data-rank="2" data-nowrap="">{by}</td>
            <td data-cell="when" data-align="end" data-fit=""><RelativeTime at=prompt.changed_at now/></td>
            <td data-rank="3"><span class="envs">{tags}</span></td>
        </tr>
    }
}

#[component]
fn NoPrompts(project: String, may_write: bool, public_url: String) -> impl IntoView {
    let sample = format!(
        "curl -H 'Authorization: Bearer cl_…' \\\n  '{}'",
        links::resolve(&public_url, "support/triage", domain::prompt::PRODUCTION)
    );
    view! {
        <Empty glyph=Glyph::Prompts title="No prompts yet">
            <p>
                "A prompt is a versioned text with typed variables. Applications fetch the version that is live in their environment, and follow when it changes."
            </p>
            {may_write.then(|| view! {
                <div class="row">
                    <a class="btn" data-kind="primary" href=links::new_prompt(&project)><Icon glyph=Glyph::Plus/>"New prompt"</a>
                </div>
            })}
            <pre class="code" tabindex="0" role="region" aria-label="Example"><code>{sample}</code></pre>
        </Empty>
    }
}

#[component]
fn NoMatches(project: String, query: ListQuery, n_all: i64) -> impl IntoView {
    let (title, text) = if query.is_filtered() {
        (
            "Nothing matches these filters",
            format!(
                "{} hidden. Names and descriptions were searched.",
                match n_all {
                    1 => "1 prompt is".to_owned(),
                    _ => format!("{} are", words::counted(unsigned(n_all), "prompt")),
                }
            ),
        )
    } else {
        (
            "Nothing more",
            "The list ended on an earlier page.".to_owned(),
        )
    };
    view! {
        <Empty glyph=Glyph::Search title=title is_small=true>
            <p>{text}</p>
            <a class="btn" href=links::all(&project)>"Clear filters"</a>
        </Empty>
    }
}
