//! One version in the middle of the Versions tab: what it says, what it asks for, and what can
//! be done with it.

use domain::{
    actor::Permission,
    content::Content,
    prompt::FullVersion,
    variable::{Trust, Variable},
};
use leptos::prelude::*;
use serde_json::Value;

use super::{
    calls::{Promote as Promotion, SetStatus},
    links,
    parts::{Messages, refusal},
    promote::Promote,
    shapes::{Place, VersionsView},
    versions::moves,
    words,
};
use crate::{
    error::UiError,
    frame::use_membership,
    runs::links::launch,
    ui::{Badge, Glyph, Icon, Nobody, Refusal, Status, TableWrap, Tone},
};

/// What is done with versions. It outlives a reload of what is shown, and so do refusals.
#[derive(Clone, Copy)]
pub struct Actions {
    /// Moving one along its life.
    pub status: ServerAction<SetStatus>,
    /// Why that was refused.
    pub status_error: Signal<Option<UiError>>,
    /// Putting one into an environment.
    pub promote: ServerAction<Promotion>,
    /// Why that was refused.
    pub promote_error: Signal<Option<UiError>>,
}

impl Actions {
    /// Nothing done yet.
    pub fn new() -> Self {
        let (status, promote) = (ServerAction::new(), ServerAction::new());
        Self {
            status,
            status_error: refusal(status),
            promote,
            promote_error: refusal(promote),
        }
    }
}

/// The version.
#[component]
pub fn Chosen(
    place: Place,
    chosen: FullVersion,
    shown: VersionsView,
    actions: Actions,
) -> impl IntoView {
    let version = &chosen.version;
    let written = chosen.source.clone().map(|source| {
        view! {
            <details class="panel">
                <summary class="panel-head">
                    <span><b>"As written"</b>" "<span class="muted">"before its snippets were put in"</span></span>
                    <Icon glyph=Glyph::ChevronDown/>
                </summary>
                <div class="panel-body"><Messages content=source project=place.project.clone()/></div>
            </details>
        }
    });
    let content = chosen.content.clone();
    let description = (!version.change_description.is_empty())
        .then(|| view! { <p>{version.change_description.clone()}</p> });
    view! {
        <article class="stack" aria-labelledby="v-h">
            <header class="version-head">
                <h2 id="v-h">{format!("Version {}", version.number)}</h2>
                <Status word=version.status.word()/>
                <Buttons place=place.clone() chosen=chosen.clone() shown actions/>
                {description}
            </header>
            <Refusal error=actions.status_error/>
            <Messages content=content.clone() project=place.project.clone() anchor="m"/>
            {written}
            <Variables number=version.number content=content.clone()/>
            {content.tools.filter(|tools| !tools.is_empty()).map(|tools| view! { <Tools tools/> })}
            {content.response_format.map(|format| view! {
                <section class="section" aria-labelledby="rf-h">
                    <div class="section-head"><h3 id="rf-h">"Response format"</h3></div>
                    <pre class="code" tabindex="0" role="region" aria-label="Response format, as JSON"><code>{words::pretty(&format)}</code></pre>
                </section>
            })}
        </article>
    }
}

#[component]
fn Buttons(
    place: Place,
    chosen: FullVersion,
    shown: VersionsView,
    actions: Actions,
) -> impl IntoView {
    let membership = use_membership();
    let Place { project, name, .. } = place.clone();
    let number = chosen.version.number;
    // With what serves, or where that is this one, with what it came from.
    let other = shown
        .active
        .filter(|active| *active != number)
        .or(chosen.version.parent);
    let compare = other.map(|other| {
        let (from, to) = (other.min(number), other.max(number));
        let words = if Some(other) == shown.active {
            format!("Compare with active v{other}")
        } else {
            format!("Compare with v{other}")
        };
        view! {
            <a class="btn" data-size="small" href=links::compare(&project, &name, from, to)>
                <Icon glyph=Glyph::Compare/>{words}
            </a>
        }
    });
    let may_write = membership.may(Permission::WriteDrafts);
    let edit = may_write.then(|| {
        view! {
            <a class="btn" data-size="small" href=links::edit_from(&project, &name, number)>
                <Icon glyph=Glyph::Edit/>"Edit from here"
            </a>
        }
    });
    let run = membership.may(Permission::RunEvals).then(|| {
        view! {
            <a class="btn" data-size="small" href=launch(&project, &name, Some(number))>
                <Icon glyph=Glyph::Runs/>"Run eval"
            </a>
        }
    });
    let promote = membership
        .may(Permission::RequestPromotion)
        .then(|| view! { <Promote place number shown action=actions.promote error=actions.promote_error/> });
    let moves = moves(chosen.version.status);
    let more = (may_write && !moves.is_empty()).then(|| {
        let items = moves
            .into_iter()
            .map(|(to, words, glyph)| {
                let (project, name) = (project.clone(), name.clone());
                view! {
                    <ActionForm action=actions.status>
                        <input type="hidden" name="project" value=project/>
                        <input type="hidden" name="name" value=name/>
                        <input type="hidden" name="number" value=number.to_string()/>
                        <input type="hidden" name="to" value=to.word()/>
                        <button type="submit" class="menu-item"><Icon glyph/>{words}</button>
                    </ActionForm>
                }
            })
            .collect_view();
        view! {
            <button
                type="button" class="btn" data-size="small" data-shape="icon" data-kind="quiet"
                popovertarget="v-more" aria-label=format!("More for version {number}")
            >
                <Icon glyph=Glyph::More/>
            </button>
            <div class="menu" data-side="end" popover="auto" id="v-more">{items}</div>
        }
    });
    view! { <span class="actions">{compare}{edit}{run}{promote}{more}</span> }
}

#[component]
fn Variables(number: i32, content: Content) -> impl IntoView {
    let rows = content.declared().iter().map(variable).collect_view();
    let table = if content.declared().is_empty() {
        view! { <p class="muted">"None: every call sends the same text."</p> }.into_any()
    } else {
        view! {
            <TableWrap label="Variables">
                <table class="table">
                    <caption class="sr-only">{format!("Variables of version {number}")}</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Variable"</th>
                            <th scope="col">"Type"</th>
                            <th scope="col">"Limits"</th>
                            <th scope="col">"Required"</th>
                            <th scope="col">"Trust"</th>
                            <th scope="col" data-rank="2">"Example"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableWrap>
        }
        .into_any()
    };
    view! {
        <section class="section" aria-labelledby="var-h">
            <div class="section-head"><h3 id="var-h">"Variables"</h3></div>
            {table}
        </section>
    }
}

fn variable(variable: &Variable) -> impl IntoView + use<> {
    let trust = variable.trust();
    let limits = match words::limits(variable) {
        text if text.is_empty() => view! { <Nobody/> }.into_any(),
        text => text.into_any(),
    };
    let example = match &variable.example {
        Some(example) => {
            let text = words::written(example);
            view! { <span class="cell-clip mono muted" title=text.clone()>{text.clone()}</span> }
                .into_any()
        }
        None => view! { <Nobody/> }.into_any(),
    };
    let trusted = match trust {
        Trust::Untrusted => view! { <Badge tone=Tone::Warn>"untrusted"</Badge> }.into_any(),
        Trust::Trusted => "trusted".into_any(),
    };
    let about = variable
        .description
        .clone()
        .map(|text| view! { <span class="note">{text}</span> });
    view! {
        <tr>
            <th scope="row">
                <span class="var" data-trust=words::trust(trust)>{variable.name.clone()}</span>
                {about.map(|about| view! { " "{about} })}
            </th>
            <td>{variable.kind.word()}</td>
            <td>{limits}</td>
            <td>{words::required(variable)}</td>
            <td>{trusted}</td>
            <td data-rank="2">{example}</td>
        </tr>
    }
}

#[component]
fn Tools(tools: Vec<Value>) -> impl IntoView {
    let panels = tools
        .iter()
        .map(|tool| {
            let function = tool.get("function").unwrap_or(tool);
            let text = |member: &str| {
                let text = function.get(member).and_then(Value::as_str);
                text.unwrap_or_default().to_owned()
            };
            let name = match text("name") {
                name if name.is_empty() => "tool".to_owned(),
                name => name,
            };
            let label = format!("{name} schema");
            view! {
                <details class="panel">
                    <summary class="panel-head">
                        <span><b>{name}</b>" "<span class="muted">{text("description")}</span></span>
                        <Icon glyph=Glyph::ChevronDown/>
                    </summary>
                    <div class="panel-body">
                        <pre class="code" tabindex="0" role="region" aria-label=label><code>{words::pretty(tool)}</code></pre>
                    </div>
                </details>
            }
        })
        .collect_view();
    view! {
        <section class="section" aria-labelledby="tool-h">
            <div class="section-head"><h3 id="tool-h">"Tools"</h3></div>
            {panels}
        </section>
    }
}
