//! What the list is narrowed to: the folder tree and the tags, the filters, and a chip for each that is set.

use leptos::prelude::*;
use leptos_router::{NavigateOptions, hooks::use_navigate};

use super::unsigned;
use crate::{
    prompts::{
        links::{self, ListQuery, Order},
        parts::typed,
        shapes::ListView,
        tree::{Branch, total, tree},
        words,
    },
    ui::{Glyph, Icon},
};

/// Tags shown at once.
const MAX_TAGS: usize = 12;

/// The tree and the tags.
#[component]
pub fn Folders(project: String, query: ListQuery, shown: ListView) -> impl IntoView {
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
pub fn Filters(project: String, query: ListQuery) -> impl IntoView {
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
pub fn Chips(project: String, query: ListQuery) -> impl IntoView {
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
