//! The releases tab of a prompt: environments as columns, history beneath.

use domain::release::{Deployment, DeploymentKind};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::{
    calls::{self, Place, Releases},
    deployment_address, prompt_address, roll_back_address,
};
use crate::{
    error::UiError,
    live::use_feed,
    prompts::Here,
    ui::{
        Badge, Empty, Glyph, Icon, Loaded, Nobody, Pager, RelativeTime, TableSkeleton, TableWrap,
        Tone,
    },
};

/// What the tab shows; made by the prompt's page.
#[derive(Clone, Copy)]
pub struct History {
    view: Resource<Result<Option<Releases>, UiError>>,
    here: Memo<Here>,
    wanted: Memo<(Option<String>, Option<String>)>,
}

impl History {
    /// Loads while its tab is the one shown.
    pub fn new(here: Memo<Here>, tab: Memo<String>) -> Self {
        let query = use_query_map();
        let wanted = Memo::new(move |_| {
            let query = query.read();
            let place = query.get("place").filter(|place| !place.is_empty());
            (place, query.get("cursor"))
        });
        let heard = use_feed().heard(&["deployment", "clients", "environment"]);
        let view = Resource::new(
            move || {
                let is_shown = *tab.read() == "releases";
                is_shown.then(|| (here.get(), wanted.get(), heard.get()))
            },
            async |wanted| match wanted {
                None => Ok(None),
                Some((Here { project, name }, (place, cursor), _)) => {
                    calls::read_releases(project, name, place, cursor)
                        .await
                        .map(Some)
                }
            },
        );
        Self { view, here, wanted }
    }
}

/// `?tab=releases&place=&cursor=`
#[component]
pub fn ReleasesTab(
    /// What it shows.
    history: History,
) -> impl IntoView {
    view! {
        <Loaded from=history.view skeleton=|| view! { <Skeleton/> } let:shown>
            {match shown {
                None => view! { <Skeleton/> }.into_any(),
                Some(shown) => {
                    let Here { project, name } = history.here.get_untracked();
                    let (place, cursor) = history.wanted.get_untracked();
                    content(&project, &name, place.as_deref(), cursor.is_some(), shown).into_any()
                }
            }}
        </Loaded>
    }
}

#[component]
fn Skeleton() -> impl IntoView {
    view! { <TableSkeleton columns=&["Environment", "Change", "Kind", "Reason", "By", "When"] label="Loading releases"/> }
}

fn content(
    project: &str,
    name: &str,
    chosen: Option<&str>,
    is_further: bool,
    releases: Releases,
) -> impl IntoView + use<> {
    let columns = releases
        .places
        .iter()
        .map(|place| column(project, name, place, &releases))
        .collect_view();
    let address = format!("{}?tab=releases", prompt_address(project, name));
    let chips = std::iter::once(None)
        .chain(releases.places.iter().map(|place| Some(place.environment.as_str())))
        .map(|place| {
            let href = place.map_or_else(|| address.clone(), |place| format!("{address}&place={place}"));
            let current = (place == chosen).then_some("true");
            view! { <a class="chip" href=href aria-current=current>{place.unwrap_or("all").to_owned()}</a> }
        })
        .collect_view();
    let chosen = chosen.map_or_else(String::new, |place| format!("&place={place}"));
    let next = releases
        .next_cursor
        .as_ref()
        .map(|cursor| format!("{address}{chosen}&cursor={cursor}"));
    let first = is_further.then(|| format!("{address}{chosen}"));
    let shown = match releases.history.len() {
        1 => "1 deployment".to_owned(),
        n => format!("{n} deployments"),
    };
    let table = if releases.history.is_empty() {
        view! {
            <Empty glyph=Glyph::Promote title="No deployments yet" is_small=true>
                <p>"Promote a version from the versions tab, and it shows here."</p>
            </Empty>
        }
        .into_any()
    } else {
        let rows = releases
            .history
            .iter()
            .map(|deployment| row(project, deployment, &releases))
            .collect_view();
        view! {
            <TableWrap>
                <table class="table" data-stack="">
                    <caption class="sr-only">"Deployments, newest first"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Environment"</th>
                            <th scope="col">"Change"</th>
                            <th scope="col">"Kind"</th>
                            <th scope="col">"Reason"</th>
                            <th scope="col" data-rank="2">"By"</th>
                            <th scope="col" data-align="end">"When"</th>
                            <th scope="col"><span class="sr-only">"Action"</span></th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableWrap>
            <Pager shown first next next_words="Older"/>
        }
        .into_any()
    };
    view! {
        <h2 class="sr-only">"Environments"</h2>
        <div class="env-columns">{columns}</div>
        <section class="section" aria-labelledby="history">
            <div class="section-head">
                <h2 id="history">"History"</h2>
                <nav class="chips" aria-label="Environment">{chips}</nav>
            </div>
            {table}
        </section>
    }
}

fn column(project: &str, name: &str, place: &Place, releases: &Releases) -> impl IntoView + use<> {
    let id = format!("place-{}", place.environment);
    let heading = id.clone();
    let protected = place.protected.then(|| {
        view! { <Badge tone=Tone::Outline><Icon glyph=Glyph::Lock/>"protected"</Badge> }
    });
    let body = match &place.serving {
        None => view! { <p class="note">"Nothing serves here yet."</p> }.into_any(),
        Some(serving) => {
            let can_go_back = releases.may_roll_back && serving.previous.is_some();
            let back = roll_back_address(project, name, &place.environment, None);
            let arrival = deployment_address(project, &serving.deployment_id.to_string());
            view! {
                <p class="serves">
                    <b>{format!("v{}", serving.version)}</b>
                    <a href=arrival>{confirmed(place.n_current, place.n_connected)}</a>
                </p>
                <p class="note">
                    "since "<RelativeTime at=serving.deployed_at now=releases.now/>
                    <br/>
                    {serving.by.name().to_owned()}
                </p>
                {can_go_back.then(|| view! {
                    <div class="row">
                        <a class="btn" data-size="small" data-kind="danger-line" href=back><Icon glyph=Glyph::RollBack/>"Roll back"</a>
                    </div>
                })}
            }
            .into_any()
        }
    };
    view! {
        <section class="env-column" aria-labelledby=id>
            <header>
                <h3 id=heading>{place.environment.clone()}</h3>
                {protected}
            </header>
            {body}
        </section>
    }
}

/// `12/12` clients, with a tick when all of them hold what serves.
pub fn confirmed(n_confirmed: i64, n_clients: i64) -> AnyView {
    if n_clients == 0 {
        return view! { <span class="muted">"no clients"</span> }.into_any();
    }
    let (state, glyph) = if n_confirmed >= n_clients {
        ("all", Glyph::Check)
    } else {
        ("some", Glyph::Clock)
    };
    view! {
        <span class="confirmed" data-state=state>
            <Icon glyph/>{format!("{n_confirmed}/{n_clients}")}<span class="sr-only">" clients confirmed"</span>
        </span>
    }
    .into_any()
}

/// The kind of a deployment; only what is out of the ordinary stands out.
pub fn kind(kind: DeploymentKind) -> AnyView {
    match kind {
        DeploymentKind::Promote => view! { <span class="muted">{kind.label()}</span> }.into_any(),
        DeploymentKind::Rollback => {
            view! { <Badge tone=Tone::Warn>{kind.label()}</Badge> }.into_any()
        }
        DeploymentKind::BreakGlass => {
            view! { <Badge tone=Tone::Bad>{kind.label()}</Badge> }.into_any()
        }
    }
}

/// `v40 → v41`.
pub fn change(deployment: &Deployment) -> AnyView {
    let to = format!("v{}", deployment.version);
    match deployment.from_version {
        None => view! { <span class="move"><b>{to}</b></span> }.into_any(),
        Some(from) => view! {
            <span class="move">
                <span>{format!("v{from}")}</span>
                <Icon glyph=Glyph::ArrowRight/>
                <span class="sr-only">" to "</span>
                <b>{to}</b>
            </span>
        }
        .into_any(),
    }
}

fn row(project: &str, deployment: &Deployment, releases: &Releases) -> impl IntoView + use<> {
    let serving = releases
        .places
        .iter()
        .find(|place| place.environment == deployment.environment)
        .and_then(|place| place.serving.as_ref());
    let is_current =
        serving.is_some_and(|serving| serving.deployment_id == deployment.deployment_id);
    let serves_same = serving.is_some_and(|serving| serving.version == deployment.version);
    let action = if is_current {
        view! { <span class="muted nowrap">"serves now"</span> }.into_any()
    } else if releases.may_roll_back && serving.is_some() && !serves_same {
        let back = roll_back_address(
            project,
            deployment.prompt.as_str(),
            &deployment.environment,
            Some(deployment.version),
        );
        let words = format!("Roll back to v{}", deployment.version);
        view! { <a class="btn" data-size="small" href=back><Icon glyph=Glyph::RollBack/>{words}</a> }.into_any()
    } else {
        ().into_any()
    };
    let reason = if deployment.reason.is_empty() {
        view! { <Nobody/> }.into_any()
    } else {
        deployment.reason.clone().into_any()
    };
    let arrival = deployment_address(project, &deployment.deployment_id.to_string());
    view! {
        <tr data-current=is_current.then_some("")>
            <td data-cell="lead">{deployment.environment.clone()}</td>
            <td data-fit=""><a class="row-link" href=arrival>{change(deployment)}</a></td>
            <td>{kind(deployment.kind)}</td>
            <td data-grow="" data-cell="full"><span class="cell-clip" title=deployment.reason.clone()>{reason}</span></td>
            <td data-rank="2" data-nowrap="">{deployment.by.name().to_owned()}</td>
            <td data-cell="when" data-align="end" data-fit=""><RelativeTime at=deployment.deployed_at now=releases.now/></td>
            <td data-cell="action" data-fit=""><div class="cell-actions">{action}</div></td>
        </tr>
    }
}
