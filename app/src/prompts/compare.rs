//! The Compare tab: what two versions differ in, what breaks for callers first.

use domain::{cache::estimate::Estimate, prompt::Version};
use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_query_map},
};

use super::{
    calls::load_comparison,
    comparison::{Cache, Comparison, Line, MessagePart, Setting, Side, VariableRow},
    links,
    parts::typed,
    shapes::{CompareView, Compared, Here, Place},
    words,
};
use crate::{
    costs::{CostBox, use_asked},
    error::UiError,
    live::use_feed,
    ui::{
        Badge, Empty, Glyph, Hash, Icon, Loaded, Nobody, Status, TableSkeleton, TableWrap, Tone,
        error::sentence,
    },
};

/// Characters of a change's description shown in a choice.
const MAX_WORDS: usize = 48;

/// What the tab shows.
#[derive(Clone, Copy)]
pub struct Comparing {
    view: Resource<Result<Option<CompareView>, UiError>>,
}

impl Comparing {
    /// Loads while its tab is the one shown.
    pub fn new(here: Memo<Here>, tab: Memo<String>) -> Self {
        let query = use_query_map();
        let wanted = Memo::new(move |_| {
            let number = |name| {
                query.with(|query| query.get(name).and_then(|text| text.parse::<i32>().ok()))
            };
            (number("from"), number("to"))
        });
        let heard = use_feed().heard(&["version", "deployment"]);
        let asked = use_asked();
        let view = Resource::new(
            move || {
                let is_shown = *tab.read() == "compare";
                is_shown.then(|| (here.get(), wanted.get(), asked.get(), heard.get()))
            },
            async |wanted| match wanted {
                None => Ok(None),
                Some((here, (from, to), asked, _)) => {
                    load_comparison(here.project, here.name, from, to, asked)
                        .await
                        .map(Some)
                }
            },
        );
        Self { view }
    }
}

/// The tab.
#[component]
pub fn CompareTab(place: Place, comparison: Comparing) -> impl IntoView {
    view! {
        <Loaded from=comparison.view skeleton=|| view! { <Skeleton/> } let:shown>
            {match shown {
                None => view! { <Skeleton/> }.into_any(),
                Some(shown) => view! { <Shown place=place.clone() shown/> }.into_any(),
            }}
        </Loaded>
    }
}

#[component]
fn Skeleton() -> impl IntoView {
    view! { <TableSkeleton columns=&["Before", "After"] label="Comparing"/> }
}

#[component]
fn Shown(place: Place, shown: CompareView) -> impl IntoView {
    let Some(compared) = shown.compared else {
        return view! {
            <Empty glyph=Glyph::Compare title="Nothing to compare yet" is_small=true>
                <p>"Two versions are needed."</p>
            </Empty>
        }
        .into_any();
    };
    let Compared {
        from,
        to,
        comparison,
        cost,
    } = compared;
    let breaks = (comparison.broken().next().is_some())
        .then(|| view! { <Broken from=from.number to=to.number comparison=comparison.clone()/> });
    let body = if comparison.is_same {
        view! {
            <Empty glyph=Glyph::Check title="No differences" is_small=true>
                <p>"Both versions hold the same content."</p>
            </Empty>
        }
        .into_any()
    } else {
        view! { <Differences comparison=comparison.clone() from=from.number to=to.number/> }
            .into_any()
    };
    view! {
        <Choose place versions=shown.versions from=from.clone() to=to.clone()/>
        {breaks}
        <div class="split" data-ratio="wide-first">
            <div class="stack">{body}</div>
            <Consequences comparison from to cost/>
        </div>
    }
    .into_any()
}

/// Which two.
#[component]
fn Choose(place: Place, versions: Vec<Version>, from: Version, to: Version) -> impl IntoView {
    let choices = |chosen: &Version| {
        let mut listed = versions.clone();
        if listed.iter().all(|version| version.number != chosen.number) {
            listed.push(chosen.clone());
        }
        listed
            .into_iter()
            .map(|version| {
                let is_chosen = version.number == chosen.number;
                view! { <option value=version.number.to_string() selected=is_chosen>{choice(&version)}</option> }
            })
            .collect_view()
    };
    let (from_choices, to_choices) = (choices(&from), choices(&to));
    // Without script the browser sends the form; with it the page stays.
    let navigate = use_navigate();
    let (here, from_number, to_number) = (place.clone(), from.number, to.number);
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let chosen = |id, before| {
            typed(id)
                .and_then(|text| text.parse().ok())
                .unwrap_or(before)
        };
        let (from, to) = (chosen("from", from_number), chosen("to", to_number));
        let address = links::compare(&here.project, &here.name, from, to);
        navigate(&address, NavigateOptions::default());
    };
    let swapped = links::compare(&place.project, &place.name, to.number, from.number);
    view! {
        <form method="get" action=links::prompt(&place.project, &place.name) class="compare-form" on:submit=submit>
            <input type="hidden" name="tab" value="compare"/>
            <div class="field">
                <label for="from">"From"</label>
                <select class="input" id="from" name="from">{from_choices}</select>
            </div>
            <Icon glyph=Glyph::ArrowRight/>
            <div class="field">
                <label for="to">"To"</label>
                <select class="input" id="to" name="to">{to_choices}</select>
            </div>
            <button type="submit" class="btn">"Compare"</button>
            <a class="btn" data-kind="quiet" href=swapped>"Swap"</a>
        </form>
    }
}

/// `v40 · deprecated · Shorter reasons`.
fn choice(version: &Version) -> String {
    let mut words = format!("v{} · {}", version.number, version.status);
    if !version.change_description.is_empty() {
        words.push_str(" · ");
        words.extend(version.change_description.chars().take(MAX_WORDS));
        if version.change_description.chars().nth(MAX_WORDS).is_some() {
            words.push('…');
        }
    }
    words
}

/// What callers of the old version must change, before anything else.
#[component]
pub fn Broken(from: i32, to: i32, comparison: Comparison) -> impl IntoView {
    let rows = comparison
        .broken()
        .map(|row| {
            let why = sentence(&row.why.join("; "));
            view! { <li><code>{row.name.clone()}</code>": "{why}</li> }
        })
        .collect_view();
    view! {
        <div class="banner" data-tone="bad">
            <Icon glyph=Glyph::Warn/>
            <div>
                <strong>{format!("Version {to} breaks callers of version {from}")}</strong>
                <ul>{rows}</ul>
            </div>
        </div>
    }
}

/// What differs, word by word.
#[component]
pub fn Differences(comparison: Comparison, from: i32, to: i32) -> impl IntoView {
    let same = match comparison.n_same {
        0 => None,
        n_same => Some(format!(
            "{} unchanged",
            words::counted(u64::from(n_same), "message")
        )),
    };
    let has_messages = !comparison.messages.is_empty();
    let (words_in, words_out) = (comparison.words_in, comparison.words_out);
    let parts = comparison.messages.into_iter().map(part).collect_view();
    let messages = if has_messages {
        view! { <div class="diff">{parts}</div> }.into_any()
    } else {
        view! { <p class="muted">"The messages are the same."</p> }.into_any()
    };
    let kind = comparison.kind.map(|kind| {
        view! { <p>"Type: "<del>{kind.old}</del>" "<ins>{kind.new}</ins></p> }
    });
    let note = same
        .filter(|_| has_messages)
        .map(|same| view! { <p class="note">{same}</p> });
    view! {
        {kind}
        <section class="section" aria-labelledby="m-h">
            <div class="section-head">
                <h2 id="m-h">"Messages"</h2>
                {note}
                {has_messages.then(|| tally(words_in, words_out))}
            </div>
            {messages}
        </section>
        <Variables rows=comparison.variables is_rearranged=comparison.is_rearranged from to/>
        {comparison.tools.map(|lines| json("Tools", "to-h", lines))}
        {comparison.response_format.map(|lines| json("Response format", "rf-h", lines))}
    }
}

fn tally(words_in: u32, words_out: u32) -> impl IntoView {
    let words =
        |sign: &str, number: u32| format!("{sign}{}", words::counted(u64::from(number), "word"));
    view! {
        <span class="diff-tally">
            <span class="in">{words("+", words_in)}</span>
            <span class="out">{words("−", words_out)}</span>
        </span>
    }
}

fn part(message: MessagePart) -> impl IntoView {
    let role = match message.old_role {
        Some(old) => view! { <del>{old}</del>" "<ins>{message.role.clone()}</ins> }.into_any(),
        None => message.role.clone().into_any(),
    };
    let members = (!message.members.is_empty())
        .then(|| view! { <span>{format!("{} changed", message.members.join(", "))}</span> });
    let label = format!("{}, {}", message.role, message.place);
    view! {
        <section class="diff-part" aria-label=label>
            <header class="diff-head">
                <h3>{role}</h3>
                <span>{message.place}</span>
                {members}
                {tally(message.words_in, message.words_out)}
            </header>
            {lines(message.lines)}
        </section>
    }
}

fn lines(lines: Vec<Line>) -> impl IntoView {
    let lines = lines.into_iter().map(line).collect_view();
    view! { <div class="diff-lines">{lines}</div> }
}

fn line(line: Line) -> impl IntoView {
    let (side, sign, spoken) = match line.side {
        Side::Both => (None, "", None),
        Side::In => (Some("in"), "+", Some("added: ")),
        Side::Out => (Some("out"), "−", Some("removed: ")),
        Side::Gap => (Some("gap"), "", None),
    };
    let is_in = line.side == Side::In;
    // Words are marked where some of the line stayed: a whole new line says so by its sign.
    let is_whole = line
        .spans
        .iter()
        .all(|span| span.is_changed || span.text.trim().is_empty());
    let spans = line
        .spans
        .into_iter()
        .map(|span| match (span.is_changed && !is_whole, is_in) {
            (false, _) => span.text.into_any(),
            (true, true) => view! { <ins>{span.text}</ins> }.into_any(),
            (true, false) => view! { <del>{span.text}</del> }.into_any(),
        })
        .collect_view();
    let number = |number: Option<u32>| number.map(|number| number.to_string());
    let spoken = spoken.map(|spoken| view! { <span class="sr-only">{spoken}</span> });
    view! {
        <div class="diff-line" data-side=side>
            <span class="n">{number(line.old)}</span>
            <span class="n">{number(line.new)}</span>
            <span class="sign" aria-hidden="true">{sign}</span>
            <span class="words">{spoken}{spans}</span>
        </div>
    }
}

fn json(title: &'static str, id: &'static str, json: Vec<Line>) -> impl IntoView {
    view! {
        <section class="section" aria-labelledby=id>
            <div class="section-head"><h2 id=id>{title}</h2></div>
            <div class="diff">{lines(json)}</div>
        </section>
    }
}

#[component]
fn Variables(rows: Vec<VariableRow>, is_rearranged: bool, from: i32, to: i32) -> impl IntoView {
    if rows.is_empty() {
        return is_rearranged
            .then(|| {
                view! {
                    <p class="muted">
                        "The same variables are listed in another order. That changes the hash and nothing else."
                    </p>
                }
            })
            .into_any();
    }
    let rows = rows.into_iter().map(variable).collect_view();
    view! {
        <section class="section" aria-labelledby="va-h">
            <div class="section-head"><h2 id="va-h">"Variables"</h2></div>
            <TableWrap label="Changes of variables">
                <table class="table">
                    <caption class="sr-only">"Changes of variables"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Variable"</th>
                            <th scope="col">"Callers"</th>
                            <th scope="col">"Change"</th>
                            <th scope="col">{format!("v{from}")}</th>
                            <th scope="col">{format!("v{to}")}</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableWrap>
        </section>
    }
    .into_any()
}

fn variable(row: VariableRow) -> impl IntoView {
    let callers = if row.breaks_callers {
        view! { <Badge tone=Tone::Bad><Icon glyph=Glyph::Warn/>"breaks callers"</Badge> }.into_any()
    } else {
        view! { <Badge>"safe"</Badge> }.into_any()
    };
    let side = |text: Option<String>| match text {
        Some(text) => text.into_any(),
        None => view! { <Nobody/> }.into_any(),
    };
    let placeholder = row
        .is_placeholder
        .then(|| view! { " "<span class="note">"placeholder"</span> });
    view! {
        <tr>
            <th scope="row"><span class="var">{row.name}</span>{placeholder}</th>
            <td>{callers}</td>
            <td>{row.change}</td>
            <td>{side(row.old)}</td>
            <td>{side(row.new)}</td>
        </tr>
    }
}

/// What follows from it: model, cache, and the two versions themselves.
#[component]
fn Consequences(
    comparison: Comparison,
    from: Version,
    to: Version,
    cost: Estimate,
) -> impl IntoView {
    let kept = vec![
        ("tab", "compare".to_owned()),
        ("from", from.number.to_string()),
        ("to", to.number.to_string()),
    ];
    let model = comparison.model.iter().cloned().map(setting).collect_view();
    let has_model = !comparison.model.is_empty();
    let version = |version: Version| {
        let label = format!("hash of v{}", version.number);
        view! {
            <dt>{format!("v{}", version.number)}</dt>
            <dd><Status word=version.status.word()/>" "<Hash whole=version.content_hash.as_str() label/></dd>
        }
    };
    view! {
        <aside class="evidence" aria-label="Consequences">
            {has_model.then(|| view! { <section><h3>"Model"</h3><dl class="facts">{model}</dl></section> })}
            <CacheBlocks cache=comparison.cache/>
            <CostBox estimate=cost frozen=None kept/>
            <section><h3>"Versions"</h3><dl class="facts">{version(from)}{version(to)}</dl></section>
        </aside>
    }
}

fn setting(setting: Setting) -> impl IntoView {
    let value = if setting.old == setting.new {
        view! { {setting.new}" "<span class="muted">"same"</span> }.into_any()
    } else {
        let old = setting.old.map(|old| view! { <del>{old}</del>" " });
        let new = setting.new.map(|new| view! { <ins>{new}</ins> });
        view! { {old}{new} }.into_any()
    };
    view! { <dt>{setting.name}</dt><dd>{value}</dd> }
}

#[component]
fn CacheBlocks(cache: Cache) -> impl IntoView {
    let blocks = cache
        .blocks
        .into_iter()
        .map(|block| {
            let share = (block.share > 1).then(|| block.share.to_string());
            view! {
                <li data-state=block.state.word() data-share=share>
                    <span><b>{block.label}</b>{block.state.meaning()}</span>
                </li>
            }
        })
        .collect_view();
    let grouped = |number: u32| words::grouped(u64::from(number));
    let note = if cache.is_broken && cache.unchanged == 0 {
        format!(
            "Nothing stays cached: all {} characters are written again.",
            grouped(cache.total)
        )
    } else if cache.is_broken {
        format!(
            "The first {} of {} characters stay the same, and so stay cached.",
            grouped(cache.unchanged),
            grouped(cache.total)
        )
    } else {
        "Nothing that providers cache changes.".to_owned()
    };
    let variable = cache.is_behind_variable.then(|| {
        view! { <p class="note">"A variable stands before the change: the cache was never shared by all calls."</p> }
    });
    view! {
        <section>
            <h3>"Cached prefix"</h3>
            <ol class="cache-blocks">{blocks}</ol>
            <p class="note">{note}</p>
            {variable}
        </section>
    }
}
