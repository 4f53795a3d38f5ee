//! Rolling back: one page that works without script, with the target chosen and the button
//! focused, so that the key that led here also confirms.

use domain::{diff::ContentDiff, release::DeploymentKind};
use leptos::{form::ActionForm, html, prelude::*};
use leptos_router::hooks::{use_params_map, use_query_map};

use super::{
    calls::{self, RollBack},
    prompt_address, roll_back_address,
};
use crate::{
    costs::{CostBox, in_short, use_asked},
    frame::use_project,
    ui::{Banner, Empty, Glyph, Icon, LoadedPage, PageHeader, Refusal, RelativeTime, Tone},
};

/// `/p/:project/roll-back/*name?environment=&to=`
#[component]
pub fn RollBackPage() -> impl IntoView {
    let project = use_project();
    let (params, query) = (use_params_map(), use_query_map());
    let name = Memo::new(move |_| params.read().get("name").unwrap_or_default());
    let wanted = Memo::new(move |_| {
        let query = query.read();
        (
            query.get("environment").unwrap_or_default(),
            query.get("to").and_then(|to| to.parse().ok()),
        )
    });
    let action = ServerAction::<calls::RollBackTo>::new();
    let asked = use_asked();
    let view = Resource::new(
        move || {
            (
                project.get(),
                name.get(),
                wanted.get(),
                asked.get(),
                action.version().get(),
            )
        },
        |(project, name, (environment, to), asked, _)| {
            calls::roll_back_view(project, name, environment, to, asked)
        },
    );
    view! {
        <LoadedPage from=view let:view>
            <RollBackForm project=project.get_untracked() name=name.get_untracked() view action/>
        </LoadedPage>
    }
}

#[component]
fn RollBackForm(
    project: String,
    name: String,
    view: RollBack,
    action: ServerAction<calls::RollBackTo>,
) -> impl IntoView {
    let button = NodeRef::<html::Button>::new();
    Effect::new(move |_| {
        // Not a loss of place: the page has one purpose, and this is it. After the heading had
        // its turn, as everywhere.
        if let Some(button) = button.get() {
            request_animation_frame(move || {
                let _ = button.focus();
            });
        }
    });
    let refusal = Signal::derive(move || action.value().get().and_then(Result::err));
    let title = format!("Roll back {name}");
    let prompt = prompt_address(&project, &name);
    let serving = view.serving.clone();
    let environment = serving.environment.clone();
    let Some(target) = view.target else {
        return view! {
            <PageHeader title/>
            <Empty glyph=Glyph::RollBack title=format!("v{} is the first version that served {environment}", serving.version)>
                <p>"There is nothing to go back to yet."</p>
                <div class="row"><a class="btn" href=prompt>"Back to the prompt"</a></div>
            </Empty>
        }
        .into_any();
    };
    let targets = (view.targets.len() > 1).then(|| targets(&project, &name, &view, target));
    let choose = (view.places.len() > 1).then(|| places(&project, &name, &view));
    let served = view.targets.iter().find(|former| former.version == target).map(|former| {
        view! { <p class="note">"last put there "<RelativeTime at=former.deployed_at now=view.now has_ago=true/></p> }
    });
    // Why there is none is said in the panel.
    let reckoned = view.cost.clone().filter(|cost| cost.free.is_none());
    let cost = reckoned.map(|estimate| {
        let kept = vec![
            ("environment", environment.clone()),
            ("to", target.to_string()),
        ];
        view! {
            <section class="section" aria-labelledby="cost-h">
                <div class="section-head"><h2 id="cost-h">"What going back costs"</h2></div>
                <div class="evidence"><CostBox estimate frozen=None kept/></div>
            </section>
        }
    });
    let is_undo = serving.kind == DeploymentKind::Rollback && serving.previous == Some(target);
    view! {
        <PageHeader title/>
        {is_undo.then(|| view! {
            <Banner tone=Tone::Warn title=format!("v{} itself came by a rollback", serving.version)>
                <p>{format!("Going back to v{target} undoes that rollback.")}</p>
            </Banner>
        })}
        {(!view.may).then(|| view! {
            <Banner tone=Tone::Info title="You can look, but not roll back">
                <p>"Rolling back needs the editor role."</p>
            </Banner>
        })}
        {choose}
        <ActionForm action attr:class="panel dialog-form">
            <input type="hidden" name="project" value=project.clone()/>
            <input type="hidden" name="name" value=name.clone()/>
            <input type="hidden" name="environment" value=environment.clone()/>
            <input type="hidden" name="to_version" value=target/>
            <input type="hidden" name="expected" value=serving.deployment_id.to_string()/>
            <div class="panel-body stack">
                <div class="consequence">
                    <div>
                        <p class="note">"serves now"</p>
                        <p class="big">{format!("v{}", serving.version)}</p>
                        <p class="note">"since "<RelativeTime at=serving.deployed_at now=view.now has_ago=true/>", by "{serving.by.name().to_owned()}</p>
                    </div>
                    <Icon glyph=Glyph::ArrowRight/>
                    <div>
                        <p class="note">"served before"</p>
                        <p class="big">{format!("v{target}")}</p>
                        {served}
                    </div>
                </div>
                <p>{consequence(view.n_clients, &environment)}</p>
                {view.cost.as_ref().map(|cost| view! { <p>{in_short(cost)}</p> })}
                {view.difference.as_ref().map(what_changes)}
                {targets}
                <div class="field">
                    <label for="roll-back-reason">"Reason "<span class="optional">"(optional, goes to the audit log)"</span></label>
                    <input class="input" id="roll-back-reason" name="reason" maxlength=domain::release::MAX_REASON.to_string()
                        placeholder="e.g. refuses refunds it should pass on"/>
                </div>
                <Refusal error=refusal/>
            </div>
            <div class="panel-foot">
                <button class="btn" data-kind="danger" node_ref=button disabled=!view.may aria-busy=move || action.pending().get().then_some("true")>
                    <Icon glyph=Glyph::RollBack/>{format!("Roll back to v{target}")}
                </button>
                <a class="btn" href=prompt>"Cancel"</a>
                <span class="note push">"No approval needed. Undo is one click."</span>
            </div>
        </ActionForm>
        {cost}
    }
    .into_any()
}

/// Links to the same page for the other environments this prompt serves.
fn places(project: &str, name: &str, view: &RollBack) -> impl IntoView + use<> {
    let chips = view
        .places
        .iter()
        .map(|place| {
            let current = (*place == view.serving.environment).then_some("true");
            view! { <a class="chip" href=roll_back_address(project, name, place, None) aria-current=current>{place.clone()}</a> }
        })
        .collect_view();
    view! { <nav class="chips" aria-label="Environment">{chips}</nav> }
}

/// Links to the same page for the other versions that served: what is shown and what will happen
/// are always about the same one.
fn targets(project: &str, name: &str, view: &RollBack, target: i32) -> impl IntoView + use<> {
    /// More are on the releases tab.
    const MOST: usize = 8;
    let chips = view
        .targets
        .iter()
        .take(MOST)
        .map(|former| {
            let note = if Some(former.version) == view.serving.previous { " · served before" } else { "" };
            let href = roll_back_address(project, name, &view.serving.environment, Some(former.version));
            let current = (former.version == target).then_some("true");
            view! { <a class="chip" href=href aria-current=current>{format!("v{}{note}", former.version)}</a> }
        })
        .collect_view();
    view! { <nav class="chips" aria-label="Back to">{chips}</nav> }
}

/// What will happen, in numbers.
fn consequence(n_clients: i64, environment: &str) -> String {
    match n_clients {
        0 => format!(
            "No client is connected to {environment} right now: applications get the old version with their next request."
        ),
        1 => format!("1 client in {environment} switches within about a second."),
        n => format!("{n} clients in {environment} switch within about a second."),
    }
}

fn what_changes(difference: &ContentDiff) -> impl IntoView + use<> {
    let broken: Vec<String> = difference
        .variables
        .iter()
        .filter(|change| change.breaks_callers)
        .map(|change| format!("{}: {}", change.name, change.why.join("; ")))
        .collect();
    let broken = (!broken.is_empty()).then(|| {
        let lines = broken
            .into_iter()
            .map(|line| view! { <li>{line}</li> })
            .collect_view();
        view! {
            <Banner tone=Tone::Warn title="Callers of the version that serves now may break">
                <ul>{lines}</ul>
            </Banner>
        }
    });
    view! {
        <p>"What changes back: "{difference.summary()}"."</p>
        {broken}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_consequence_is_said_in_numbers() {
        assert_eq!(
            consequence(12, "production"),
            "12 clients in production switch within about a second."
        );
        assert_eq!(
            consequence(1, "staging"),
            "1 client in staging switches within about a second."
        );
        assert!(consequence(0, "production").starts_with("No client is connected"));
    }
}
