//! Overview: what needs me now? The last deployments with a roll-back button each, how prompts do
//! in production, experiments that run, the clients.

mod calls;
mod experiments;
mod needs;

use domain::{prompt::Prompt, release::Consumer};
use leptos::prelude::*;

use self::calls::{Overview, Recent};
use crate::{
    frame::use_project,
    live::use_feed,
    monitor::{Day, day::line_and_number},
    releases::{change, confirmed, deployment_address, kind, prompt_address, roll_back_address},
    ui::{Empty, Glyph, Icon, LoadedPage, Nobody, PageHeader, RelativeTime, TableWrap},
};

/// `/p/:project`
#[component]
pub fn HomePage() -> impl IntoView {
    let project = use_project();
    let heard = use_feed().heard(&[
        "deployment",
        "clients",
        "prompt",
        "version",
        "promotion",
        "gate",
        "experiment",
        "alert",
    ]);
    let overview = Resource::new(
        move || (project.get(), heard.get()),
        |(project, _)| calls::read_overview(project),
    );
    view! {
        <LoadedPage from=overview let:overview>
            {content(&project.get_untracked(), &overview)}
        </LoadedPage>
    }
}

fn content(project: &str, overview: &Overview) -> AnyView {
    if overview.is_empty {
        return view! {
            <PageHeader title="Overview"/>
            {first_steps(project, overview.may_write)}
        }
        .into_any();
    }
    view! {
        <PageHeader title="Overview"/>
        {needs::section(project, overview)}
        {deployments(project, overview)}
        {prompts(project, overview)}
        {experiments::section(project, overview)}
        {clients(overview)}
    }
    .into_any()
}

fn first_steps(project: &str, may_write: bool) -> impl IntoView + use<> {
    let (new_prompt, keys) = (
        format!("/p/{project}/new-prompt"),
        format!("/p/{project}/settings/keys"),
    );
    let action = may_write.then(|| {
        view! { <a class="btn" data-kind="primary" href=new_prompt><Icon glyph=Glyph::Plus/>"New prompt"</a> }
    });
    view! {
        <Empty glyph=Glyph::Prompts title="No prompts yet">
            <p>"A prompt is versioned here, released to an environment, and fetched by your applications with a key."</p>
            <div class="row">{action}<a class="btn" href=keys><Icon glyph=Glyph::Key/>"API keys"</a></div>
            <pre class="code" tabindex="0" role="region" aria-label="Fetching a prompt"><code>
                "curl -H \"Authorization: Bearer clk_…\" \\\n  \"$CUELINE_URL/api/v1/prompts/support%2Ftriage/resolve?environment=production\""
            </code></pre>
        </Empty>
    }
}

fn deployments(project: &str, overview: &Overview) -> impl IntoView + use<> {
    let audit = format!("/p/{project}/audit?action=deployment");
    let body = if overview.deployments.is_empty() {
        view! {
            <Empty glyph=Glyph::Promote title="Nothing is deployed yet" is_small=true>
                <p>"Open a prompt and promote a version: it shows here with a button to take it back."</p>
            </Empty>
        }
        .into_any()
    } else {
        let rows = overview
            .deployments
            .iter()
            .map(|recent| deployment_row(project, recent, overview))
            .collect_view();
        view! {
            <TableWrap>
                <table class="table" data-stack="">
                    <caption class="sr-only">"Last deployments, newest first"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Prompt"</th>
                            <th scope="col">"Change"</th>
                            <th scope="col">"Environment"</th>
                            <th scope="col" data-rank="2">"Kind"</th>
                            <th scope="col" data-rank="2">"By"</th>
                            <th scope="col">"Clients"</th>
                            <th scope="col" data-align="end">"When"</th>
                            <th scope="col"><span class="sr-only">"Action"</span></th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableWrap>
        }
        .into_any()
    };
    view! {
        <section class="section" aria-labelledby="deployments">
            <div class="section-head">
                <h2 id="deployments">"Last deployments"</h2>
                <a href=audit>"All in the audit log"</a>
            </div>
            {body}
        </section>
    }
}

/// A prompt's name with its folder in a quieter tone.
fn prompt_link(project: &str, prompt: &domain::prompt::PromptName) -> impl IntoView + use<> {
    let folder = prompt.folder();
    let folder =
        (!folder.is_empty()).then(|| view! { <span class="folder">{format!("{folder}/")}</span> });
    view! {
        <a class="row-link" href=prompt_address(project, prompt.as_str()) title=prompt.to_string()>
            {folder}{prompt.leaf().to_owned()}
        </a>
    }
}

fn deployment_row(project: &str, recent: &Recent, overview: &Overview) -> impl IntoView + use<> {
    let deployment = &recent.deployment;
    let action = (recent.can_roll_back && overview.may_roll_back).then(|| {
        let back = roll_back_address(
            project,
            deployment.prompt.as_str(),
            &deployment.environment,
            None,
        );
        let what = format!(" {} in {}", deployment.prompt, deployment.environment);
        view! {
            <a class="btn" data-size="small" href=back>
                <Icon glyph=Glyph::RollBack/>"Roll back"<span class="sr-only">{what}</span>
            </a>
        }
    });
    let arrival = deployment_address(project, &deployment.deployment_id.to_string());
    view! {
        <tr>
            <th scope="row" data-cell="lead">{prompt_link(project, &deployment.prompt)}</th>
            <td data-fit="">{change(deployment)}</td>
            <td data-nowrap="">{deployment.environment.clone()}</td>
            <td data-rank="2">{kind(deployment.kind)}</td>
            <td data-rank="2" data-nowrap="">{deployment.by.name().to_owned()}</td>
            <td><a class="row-link" href=arrival>{confirmed(recent.n_confirmed, recent.n_clients)}</a></td>
            <td data-cell="when" data-align="end" data-fit=""><RelativeTime at=deployment.deployed_at now=overview.now/></td>
            <td data-cell="action" data-fit=""><div class="cell-actions">{action}</div></td>
        </tr>
    }
}

fn clients(overview: &Overview) -> impl IntoView + use<> {
    let n_current = overview
        .clients
        .iter()
        .filter(|client| client.n_behind == 0)
        .count();
    let body = if overview.clients.is_empty() {
        view! {
            <Empty glyph=Glyph::Client title="No clients are connected" is_small=true>
                <p>"Applications that hold "<code class="inline">"/api/v1/stream"</code>" open show here and confirm every deployment."</p>
            </Empty>
        }
        .into_any()
    } else {
        let rows = overview
            .clients
            .iter()
            .map(|client| client_row(client, overview))
            .collect_view();
        view! {
            <TableWrap label="Connected clients">
                <table class="table">
                    <caption class="sr-only">"Connected clients"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Client"</th>
                            <th scope="col">"Environment"</th>
                            <th scope="col">"Up to date"</th>
                            <th scope="col" data-align="end">"Connected"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableWrap>
        }
        .into_any()
    };
    view! {
        <section class="section" aria-labelledby="clients">
            <div class="section-head">
                <h2 id="clients">"Connected clients"</h2>
                <span class="muted num">{format!("{n_current} of {} up to date", overview.clients.len())}</span>
            </div>
            {body}
        </section>
    }
}

fn client_row(client: &Consumer, overview: &Overview) -> impl IntoView + use<> {
    let state = if client.n_behind == 0 {
        view! { <span class="confirmed" data-state="all"><Icon glyph=Glyph::Check/>"yes"</span> }
            .into_any()
    } else {
        let words = format!("{} behind", client.n_behind);
        view! { <span class="confirmed" data-state="some"><Icon glyph=Glyph::Clock/>{words}</span> }
            .into_any()
    };
    view! {
        <tr>
            <th scope="row"><span class="mono">{client.consumer.clone()}</span></th>
            <td>{client.environment.clone()}</td>
            <td>{state}</td>
            <td data-align="end"><RelativeTime at=client.connected_at now=overview.now/></td>
        </tr>
    }
}

fn prompts(project: &str, overview: &Overview) -> impl IntoView + use<> {
    let all = format!("/p/{project}/prompts");
    let rows = overview
        .prompts
        .iter()
        .map(|(prompt, day)| prompt_row(project, prompt, day.as_ref(), overview))
        .collect_view();
    view! {
        <section class="section" aria-labelledby="prompts">
            <div class="section-head">
                <h2 id="prompts">"In production, last 24 h"</h2>
                <a href=all>"All prompts"</a>
            </div>
            <TableWrap>
                <table class="table">
                    <caption class="sr-only">"Prompts in production over the last 24 hours: those that fail first, then the busiest"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Prompt"</th>
                            <th scope="col" data-align="end">"Active"</th>
                            <th scope="col" data-align="end" data-rank="1">"Newest"</th>
                            <th scope="col">"Requests"</th>
                            <th scope="col">"Success"</th>
                            <th scope="col" data-rank="2">"Latency p95"</th>
                            <th scope="col" data-align="end" data-rank="1">"Changed"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableWrap>
        </section>
    }
}

/// Its traffic: the line, and the numbers beside it.
fn day_cells(project: &str, prompt: &Prompt, day: Option<&Day>) -> impl IntoView + use<> {
    let Some(day) = day.cloned() else {
        return view! {
            <td class="muted">"no traffic"</td>
            <td><Nobody/></td>
            <td data-rank="2"><Nobody/></td>
        }
        .into_any();
    };
    let href = crate::prompts::links::tab(project, prompt.name.as_str(), "monitor");
    let state = day.is_bad.then_some("bad");
    view! {
        <td>
            <a class="day" href=href aria-label=format!("Monitor {}: {}", prompt.name, day.words)>
                {line_and_number(day.line, day.requests)}
            </a>
        </td>
        <td data-state=state><span class="day">{line_and_number(day.success_line, day.success)}</span></td>
        <td data-rank="2"><span class="day">{line_and_number(day.latency_line, day.latency)}</span></td>
    }
    .into_any()
}

fn prompt_row(
    project: &str,
    prompt: &Prompt,
    day: Option<&Day>,
    overview: &Overview,
) -> impl IntoView + use<> {
    let version = |number: Option<i32>| match number {
        Some(number) => format!("v{number}").into_any(),
        None => view! { <Nobody/> }.into_any(),
    };
    view! {
        <tr>
            <th scope="row">{prompt_link(project, &prompt.name)}</th>
            <td data-align="end">{version(prompt.active_version)}</td>
            <td data-align="end" data-rank="1">{version(prompt.latest_version)}</td>
            {day_cells(project, prompt, day)}
            <td data-align="end" data-rank="1"><RelativeTime at=prompt.changed_at now=overview.now/></td>
        </tr>
    }
}
