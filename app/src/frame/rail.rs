//! The rail: which project, which page, who is signed in.

use leptos::prelude::*;
use leptos_router::hooks::use_location;

use super::{Density, Theme, use_membership, waiting::Waiting};
use crate::ui::{Glyph, Icon, Mark, who::initials};

/// The rail; below 60 rem it is a drawer.
#[component]
pub fn Rail() -> impl IntoView {
    let Waiting(counts) = expect_context();
    let approvals = Signal::derive(move || counts.get().n_approvals);
    let alerts = Signal::derive(move || counts.get().n_alerts);
    view! {
        <nav class="rail" id="rail" popover="auto" aria-label="Main">
            <div class="rail-head"><Projects/></div>
            <ul class="rail-links">
                <RailLink glyph=Glyph::Overview word="Overview" rest=""/>
                <RailLink glyph=Glyph::Prompts word="Prompts" rest="/prompts"/>
                <RailLink glyph=Glyph::Layers word="Suites" rest="/suites"/>
                <RailLink glyph=Glyph::Runs word="Runs" rest="/runs"/>
                <RailLink glyph=Glyph::Experiments word="Experiments" rest="/experiments"/>
                <RailLink glyph=Glyph::Shield word="Approvals" rest="/approvals" count=Count { n: approvals, of: "waiting for you", tone: "info" }/>
                <RailLink glyph=Glyph::Drift word="Drift" rest="/drift"/>
                <RailLink glyph=Glyph::Bell word="Alerts" rest="/alerts" count=Count { n: alerts, of: "firing", tone: "bad" }/>
            </ul>
            <ul class="rail-links">
                <RailLink glyph=Glyph::Audit word="Audit" rest="/audit"/>
                <RailLink glyph=Glyph::Settings word="Settings" rest="/settings"/>
            </ul>
            <ul class="rail-links">
                <RailLink glyph=Glyph::Calculator word="Calculators" rest="/calculators"/>
                <RailLink glyph=Glyph::Advisor word="Advisor" rest="/advisor"/>
            </ul>
            <div class="rail-foot"><Account/></div>
        </nav>
    }
}

/// How many there are of what.
#[derive(Clone, Copy)]
struct Count {
    n: Signal<i64>,
    of: &'static str,
    tone: &'static str,
}

#[component]
fn RailLink(
    glyph: Glyph,
    word: &'static str,
    rest: &'static str,
    /// A number behind the word; nothing when it is 0.
    #[prop(optional)]
    count: Option<Count>,
) -> impl IntoView {
    let base = use_membership().href("");
    let href = format!("{base}{rest}");
    let path = use_location().pathname;
    let is_current = move || belongs(rest, path.read().strip_prefix(&base).unwrap_or("?"));
    view! {
        <li>
            <a class="rail-link" href=href aria-current=move || is_current().then_some("page")>
                <Icon glyph/>
                {word}
                {count.map(|Count { n, of, tone }| {
                    view! {
                        <span class="count" data-tone=tone hidden=move || n.get() == 0>
                            {move || n.get()}<span class="sr-only">{format!(" {of}")}</span>
                        </span>
                    }
                })}
            </a>
        </li>
    }
}

/// Whether a page, by its path within the project, is reached by way of that link.
fn belongs(link: &str, page: &str) -> bool {
    let first = page.split('/').find(|part| !part.is_empty()).unwrap_or("");
    match link {
        "" => first.is_empty(),
        "/prompts" => matches!(
            first,
            "prompts" | "new-prompt" | "roll-back" | "deployments"
        ),
        "/experiments" => matches!(first, "experiments" | "new-experiment"),
        link => link.trim_start_matches('/') == first,
    }
}

#[component]
fn Projects() -> impl IntoView {
    let membership = use_membership();
    let here = membership.project.slug.clone();
    let items = membership
        .projects
        .iter()
        .map(|project| {
            let is_here = project.slug == here;
            view! {
                <a class="menu-item" href=format!("/p/{}", project.slug) rel="external" aria-current=is_here.then_some("true")>
                    {project.name.clone()}
                    {is_here.then(|| view! { <Icon glyph=Glyph::Check attr:data-tick=""/> })}
                </a>
            }
        })
        .collect_view();
    let create = membership.may_create_projects.then(|| {
        view! {
            <hr/>
            <a class="menu-item" href="/new-project"><Icon glyph=Glyph::Plus/>"New project"</a>
        }
    });
    view! {
        <button type="button" class="menu-button" popovertarget="projects">
            <Mark/>
            <span class="label"><strong>{membership.project.name.clone()}</strong><small>"Project"</small></span>
            <Icon glyph=Glyph::Chevrons/>
        </button>
        <div class="menu" popover="auto" id="projects">
            <p class="menu-label">"Projects"</p>
            {items}
            {create}
        </div>
    }
}

#[component]
fn Account() -> impl IntoView {
    let membership = use_membership();
    let appearance = membership.appearance;
    let theme = move |theme: Theme, glyph: Glyph, words: &'static str| {
        view! {
            <button
                class="btn" data-size="small" data-shape="icon" name="theme" value=theme.word()
                aria-pressed=pressed(appearance.theme == theme) aria-label=words
            >
                <Icon glyph/>
            </button>
        }
    };
    let density = move |density: Density, words: &'static str| {
        view! {
            <button
                class="btn" data-size="small" name="density" value=density.word()
                aria-pressed=pressed(appearance.density == density)
            >
                {words}
            </button>
        }
    };
    view! {
        <button type="button" class="menu-button" popovertarget="account">
            <span class="avatar" aria-hidden="true">{initials(&membership.name)}</span>
            <span class="label">{membership.name.clone()}<small>{membership.role().word()}</small></span>
            <Icon glyph=Glyph::Chevrons/>
        </button>
        <div class="menu" data-side="above" popover="auto" id="account">
            <p class="menu-label">{membership.email.clone()}</p>
            <a class="menu-item" href=membership.href("/settings/profile")><Icon glyph=Glyph::User/>"Profile"</a>
            <hr/>
            <form method="post" action="/preferences">
                <div class="menu-row">
                    <span id="theme-l">"Theme"</span>
                    <span class="btn-group" role="group" aria-labelledby="theme-l">
                        {theme(Theme::Light, Glyph::Sun, "Light")}
                        {theme(Theme::Dark, Glyph::Moon, "Dark")}
                        {theme(Theme::System, Glyph::Monitor, "Like the system")}
                    </span>
                </div>
                <div class="menu-row">
                    <span id="density-l">"Rows"</span>
                    <span class="btn-group" role="group" aria-labelledby="density-l">
                        {density(Density::Compact, "Compact")}
                        {density(Density::Roomy, "Roomy")}
                    </span>
                </div>
            </form>
            <hr/>
            <form method="post" action="/sign-out">
                <button class="menu-item"><Icon glyph=Glyph::SignOut/>"Sign out"</button>
            </form>
        </div>
    }
}

const fn pressed(is_pressed: bool) -> &'static str {
    if is_pressed { "true" } else { "false" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_belongs_to_one_link() {
        assert!(belongs("", ""));
        assert!(belongs("", "/"));
        assert!(!belongs("", "/audit"));
        assert!(belongs("/prompts", "/prompts/support/triage"));
        assert!(belongs("/prompts", "/roll-back/audit"));
        assert!(!belongs("/audit", "/prompts/audit"));
        assert!(belongs("/audit", "/audit/12"));
    }
}
