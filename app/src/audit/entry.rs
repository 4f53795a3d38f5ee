//! One entry of the trail: who and why, before and after, its place in the chain.

use domain::audit::Entry;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use serde_json::Value;

use super::{
    calls::{Shown, load_entry},
    no_such_entry,
    words::{is_about_prompt, lines, plain, sentence},
};
use crate::{
    frame::{use_membership, use_project},
    ui::{Glyph, Icon, LoadedPage, Moment, PageHeader, Who},
};

/// One entry.
#[component]
pub fn EntryPage() -> impl IntoView {
    let project = use_project();
    let params = use_params_map();
    let sequence = Memo::new(move |_| params.read().get("sequence")?.parse::<i64>().ok());
    let shown = Resource::new(
        move || (project.get(), sequence.get()),
        |(project, sequence)| async move {
            match sequence {
                Some(sequence) => load_entry(project, sequence).await,
                None => Err(no_such_entry()),
            }
        },
    );
    view! {
        <LoadedPage from=shown let:shown>
            <OneEntry shown/>
        </LoadedPage>
    }
}

#[component]
fn OneEntry(shown: Shown) -> impl IntoView {
    let Shown {
        entry,
        is_linked,
        has_next,
    } = shown;
    let base = use_membership().href("");
    let title = sentence(&entry);
    let (action, at, sequence) = (entry.action.clone(), entry.at, entry.sequence);
    let neighbours = {
        let base = base.clone();
        move || neighbours(&base, sequence, has_next)
    };
    view! {
        <PageHeader
            title
            lede=move || view! { <span class="action">{action}</span>" · "<Moment at/> }
            actions=neighbours
        />
        <div class="split" data-ratio="wide-first">
            <div class="stack"><div class="json-pair">{sides(&entry.detail)}</div></div>
            <aside class="evidence" aria-label="Entry">
                <section><h2>"Who and why"</h2>{facts(&entry, &base)}</section>
                <section><h2>"Chain"</h2>{chain(&entry, is_linked)}</section>
            </aside>
        </div>
    }
}

fn neighbours(base: &str, sequence: i64, has_next: bool) -> impl IntoView + use<> {
    let before = sequence - 1;
    let after = sequence + 1;
    let earlier = (before > 0).then(|| {
        view! { <a class="btn" data-size="small" href=format!("{base}/audit/{before}")><Icon glyph=Glyph::ChevronLeft/><span class="sr-only">"Entry "</span>{before.to_string()}</a> }
    });
    let later = has_next.then(|| {
        view! { <a class="btn" data-size="small" href=format!("{base}/audit/{after}")><span class="sr-only">"Entry "</span>{after.to_string()}<Icon glyph=Glyph::ChevronRight/></a> }
    });
    view! { {earlier}{later} }
}

/// Before and after, as far as the entry has them.
fn sides(detail: &Value) -> AnyView {
    let member = |name: &str| detail.get(name).filter(|value| !value.is_null());
    let (before, after) = (member("before"), member("after"));
    let nothing = Value::Null;
    let of_before = before.map(|side| {
        let lines = lines(side, after.unwrap_or(&nothing));
        block("before-h", "Before", lines, Side::Before, after.is_some())
    });
    let of_after = after.map(|side| {
        let lines = lines(side, before.unwrap_or(&nothing));
        block("after-h", "After", lines, Side::After, before.is_some())
    });
    if of_before.is_none() && of_after.is_none() {
        return view! { <p class="muted">"The action says all there is."</p> }.into_any();
    }
    view! { {of_before}{of_after} }.into_any()
}

#[derive(Clone, Copy)]
enum Side {
    Before,
    After,
}

fn block(
    id: &'static str,
    title: &'static str,
    lines: Vec<(String, bool)>,
    side: Side,
    has_other: bool,
) -> impl IntoView {
    let n_lines = lines.len();
    let lines = lines
        .into_iter()
        .enumerate()
        .map(|(index, (mut line, is_changed))| {
            if index + 1 < n_lines {
                line.push('\n');
            }
            // Without another side everything would be marked, and that says nothing.
            match (is_changed && has_other, side) {
                (false, _) => view! { {line} }.into_any(),
                (true, Side::Before) => view! { <del>{line}</del> }.into_any(),
                (true, Side::After) => view! { <ins>{line}</ins> }.into_any(),
            }
        })
        .collect_view();
    view! {
        <div class="section">
            <h2 id=id>{title}</h2>
            <pre class="code" tabindex="0" role="region" aria-labelledby=id><code>{lines}</code></pre>
        </div>
    }
}

fn facts(entry: &Entry, base: &str) -> impl IntoView + use<> {
    let subject = if is_about_prompt(&entry.action) {
        let href = format!("{base}/prompts/{}", entry.subject);
        view! { <a href=href>{entry.subject.clone()}</a> }.into_any()
    } else {
        view! { {entry.subject.clone()} }.into_any()
    };
    let through = match entry.actor.kind() {
        "person" => "a person, signed in",
        "key" => "an API key",
        _ => "the server itself",
    };
    let more = entry
        .detail
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, value)| !matches!(name.as_str(), "before" | "after") && !value.is_null())
        .map(|(name, value)| {
            let name = crate::ui::error::sentence(&name.replace('_', " "));
            view! { <dt>{name.trim_end_matches('.').to_owned()}</dt><dd>{plain(value)}</dd> }
        })
        .collect_view();
    view! {
        <dl class="facts">
            <dt>"By"</dt><dd><Who name=entry.actor.name() kind=entry.actor.kind()/></dd>
            <dt>"As"</dt><dd>{through}</dd>
            <dt>"Subject"</dt><dd>{subject}</dd>
            {more}
        </dl>
    }
}

fn chain(entry: &Entry, is_linked: bool) -> impl IntoView + use<> {
    let (state, glyph, words) = if is_linked {
        (
            None,
            Glyph::Shield,
            "Matches its content and the entry before it",
        )
    } else {
        (
            Some("broken"),
            Glyph::Error,
            "Does not match its content or the entry before it",
        )
    };
    view! {
        <p class="chain" data-state=state><Icon glyph/><span>{words}</span></p>
        <dl class="facts">
            <dt>"Hash"</dt><dd class="entry-hash">{entry.hash.clone()}</dd>
            <dt>"Previous"</dt><dd class="entry-hash">{entry.previous_hash.clone()}</dd>
        </dl>
    }
}
