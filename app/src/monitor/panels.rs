//! The monitor's parts: what is looked at, the strip of numbers, the pictures, the tables.

use domain::monitor::window::Window;
use leptos::prelude::*;
use leptos_router::{NavigateOptions, hooks::use_navigate};

use super::{
    links::{Query, monitor},
    shapes::{FailureRow, MonitorView, Pair, Picture, Tile, VERSION_COLUMNS},
};
use crate::{
    charts::Figure,
    prompts::{Here, links::prompt, parts::typed},
    ui::{Moment, RelativeTime, TableWrap},
};

/// The window as links, the rest as a form.
#[component]
pub fn Controls(here: Here, shown: MonitorView) -> impl IntoView {
    let Here { project, name } = here;
    let query = shown.query;
    let windows = Window::ALL
        .map(|window| {
            let is_current = (window == query.window()).then_some("true");
            let href = monitor(&project, &name, &query.through(window));
            view! { <li><a class="chip" href=href aria-current=is_current>{window.words()}</a></li> }
        })
        .collect_view();
    let option = |value: String, words: String, chosen: &str| {
        let is_chosen = value == chosen;
        view! { <option value=value selected=is_chosen>{words}</option> }
    };
    let environments = std::iter::once(("all".to_owned(), "All environments".to_owned()))
        .chain(
            shown
                .environments
                .into_iter()
                .map(|name| (name.clone(), name)),
        )
        .map(|(value, words)| option(value, words, &query.environment))
        .collect_view();
    let versions = |chosen: &str| {
        shown
            .versions
            .iter()
            .map(|number| option(number.to_string(), format!("v{number}"), chosen))
            .collect_view()
    };
    let (version, beside) = (versions(&query.version), versions(&query.beside));
    let window = query.window.clone();
    // Without script the browser sends the form; with it the page stays.
    let navigate = use_navigate();
    let action = prompt(&project, &name);
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let chosen = |id| typed(id).unwrap_or_default();
        let query = Query {
            window: query.window.clone(),
            environment: chosen("monitor-environment"),
            version: chosen("monitor-version"),
            beside: chosen("monitor-beside"),
        };
        navigate(
            &monitor(&project, &name, &query),
            NavigateOptions::default(),
        );
    };
    view! {
        <section class="section" aria-label="What is shown">
            <div class="monitor-controls">
                <nav aria-label="Window"><ul class="windows">{windows}</ul></nav>
                <form method="get" action=action class="filters" on:submit=submit>
                    <input type="hidden" name="tab" value="monitor"/>
                    <input type="hidden" name="window" value=window/>
                    <div class="field">
                        <label for="monitor-environment">"Environment"</label>
                        <select class="input" id="monitor-environment" name="environment">{environments}</select>
                    </div>
                    <div class="field">
                        <label for="monitor-version">"Version"</label>
                        <select class="input" id="monitor-version" name="version"><option value="">"All versions"</option>{version}</select>
                    </div>
                    <div class="field">
                        <label for="monitor-beside">"Compared with"</label>
                        <select class="input" id="monitor-beside" name="beside"><option value="">"–"</option>{beside}</select>
                    </div>
                    <button type="submit" class="btn">"Show"</button>
                </form>
            </div>
            <p class="note">"Since "<Moment at=shown.from/>"; the pictures leave out the step that is under way. Percentiles are within 1 % of the exact ones."</p>
        </section>
    }
}

/// The numbers that matter.
#[component]
pub fn Tiles(tiles: Vec<Tile>) -> impl IntoView {
    let tiles = tiles
        .into_iter()
        .map(|tile| {
            view! {
                <div class="stat" data-tone=tile.tone>
                    <dt>{tile.label}</dt>
                    <dd class="value">{tile.value}<small>{tile.unit}</small></dd>
                    <dd>{tile.note}</dd>
                </div>
            }
        })
        .collect_view();
    view! { <div class="stats" role="group" aria-label="In this window"><dl>{tiles}</dl></div> }
}

/// The pictures, two in a row where there is room.
#[component]
pub fn Pictures(pictures: Vec<Picture>) -> impl IntoView {
    let pictures = pictures
        .into_iter()
        .map(|Picture { topic, chart }| {
            let heading = format!("{}-h", topic.id());
            view! {
                <section class="section" aria-labelledby=heading.clone()>
                    <div class="section-head"><h2 id=heading.clone()>{topic.title()}</h2></div>
                    <Figure id=topic.id() name=topic.numbers() chart/>
                </section>
            }
        })
        .collect_view();
    view! { <div class="pictures">{pictures}</div> }
}

/// Two versions side by side.
#[component]
pub fn PairTable(pair: Pair) -> impl IntoView {
    let Pair {
        version,
        beside,
        rows,
    } = pair;
    let rows = rows
        .into_iter()
        .map(|[name, left, right, change]| {
            view! {
                <tr>
                    <th scope="row">{name}</th>
                    <td data-align="end">{left}</td>
                    <td data-align="end">{right}</td>
                    <td data-align="end">{change}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <section class="section" aria-labelledby="pair-h">
            <div class="section-head"><h2 id="pair-h">{format!("v{version} and v{beside}")}</h2></div>
            <p class="note">"What each did in the window. They did not serve the same people at the same time: an experiment says what a version causes."</p>
            <TableWrap label="Two versions">
                <table class="table">
                    <caption class="sr-only">"Two versions side by side"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Measure"</th>
                            <th scope="col" data-align="end">{format!("v{version}")}</th>
                            <th scope="col" data-align="end">{format!("v{beside}")}</th>
                            <th scope="col" data-align="end">"Change"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableWrap>
        </section>
    }
}

/// Each version's numbers, with a link that shows it alone.
#[component]
pub fn ByVersion(here: Here, shown: MonitorView) -> impl IntoView {
    let Here { project, name } = here;
    let head = VERSION_COLUMNS
        .map(|column| view! { <th scope="col" data-align="end">{column}</th> })
        .collect_view();
    let rows = shown
        .by_version
        .into_iter()
        .map(|row| {
            let version = match row.version {
                Some(number) => {
                    let query = Query {
                        version: number.to_string(),
                        beside: String::new(),
                        ..shown.query.clone()
                    };
                    view! { <a href=monitor(&project, &name, &query)>{format!("v{number}")}</a> }
                        .into_any()
                }
                None => view! { <span class="muted">"not named"</span> }.into_any(),
            };
            let cells = row
                .cells
                .into_iter()
                .map(|cell| view! { <td data-align="end">{cell}</td> })
                .collect_view();
            view! { <tr><th scope="row">{version}</th>{cells}</tr> }
        })
        .collect_view();
    view! {
        <section class="section" aria-labelledby="versions-h">
            <div class="section-head"><h2 id="versions-h">"By version"</h2></div>
            <TableWrap label="Traffic by version">
                <table class="table">
                    <caption class="sr-only">"Traffic by version, the newest first"</caption>
                    <thead><tr><th scope="col">"Version"</th>{head}</tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableWrap>
        </section>
    }
}

/// Failures by kind.
#[component]
pub fn Failures(failures: Vec<FailureRow>) -> impl IntoView {
    let body = if failures.is_empty() {
        view! { <p class="muted">"No call failed."</p> }.into_any()
    } else {
        let rows = failures
            .into_iter()
            .map(|row| {
                view! {
                    <tr>
                        <th scope="row">{row.words}</th>
                        <td data-align="end">{row.n}</td>
                        <td data-align="end">{row.share}</td>
                    </tr>
                }
            })
            .collect_view();
        view! {
            <TableWrap label="Failures by kind">
                <table class="table">
                    <caption class="sr-only">"Failures by kind"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Kind"</th>
                            <th scope="col" data-align="end">"Failed"</th>
                            <th scope="col" data-align="end">"Of all requests"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableWrap>
        }
        .into_any()
    };
    view! {
        <section class="section" aria-labelledby="failures-h">
            <div class="section-head"><h2 id="failures-h">"Failures"</h2></div>
            {body}
        </section>
    }
}

/// What was released and tried meanwhile.
#[component]
pub fn Happenings(shown: MonitorView) -> impl IntoView {
    let now = shown.now;
    let body = if shown.happenings.is_empty() {
        view! { <p class="muted">"Nothing was released and no experiment began or ended."</p> }
            .into_any()
    } else {
        let rows = shown
            .happenings
            .into_iter()
            .map(|one| {
                view! {
                    <li>
                        <p><a href=one.href>{one.sentence}</a></p>
                        <p class="note">{one.environment}", "<RelativeTime at=one.at now has_ago=true/></p>
                    </li>
                }
            })
            .collect_view();
        view! { <ol class="story">{rows}</ol> }.into_any()
    };
    view! {
        <section class="section" aria-labelledby="happenings-h">
            <div class="section-head"><h2 id="happenings-h">"Meanwhile"</h2></div>
            {body}
        </section>
    }
}
