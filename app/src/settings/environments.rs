//! Environments: where versions serve, and who may change that.

use domain::{actor::Permission, prompt::Environment};
use leptos::prelude::*;

use super::{
    AdminsOnly, Settings,
    calls::{CreateEnvironment, ProtectEnvironment, load_environments},
};
use crate::{
    error::UiError,
    frame::{use_membership, use_project},
    live::use_feed,
    ui::{Glyph, Icon, Loaded, Refusal, TextField, Tone, clear_after, use_toasts},
};

const PROTECTED: &str =
    "Deploying takes the approver role; rolling back stays open to every editor.";

const APPROVERS_START: &str = "Starting an experiment, and raising its traffic, takes the approver role, unless every version in it was approved for this environment or served it.";

/// The environments.
#[component]
pub fn EnvironmentsPage() -> impl IntoView {
    let project = use_project();
    let create = ServerAction::<CreateEnvironment>::new();
    let protect = ServerAction::<ProtectEnvironment>::new();
    let heard = use_feed().heard(&["environment"]);
    let environments = Resource::new(
        move || {
            let done = (create.version().get(), protect.version().get());
            (project.get(), heard.get(), done)
        },
        |(project, _, _)| load_environments(project),
    );
    let toasts = use_toasts();
    Effect::new(move |_| {
        if let Some(Ok(())) = protect.value().get() {
            toasts.say(Tone::Good, "Saved");
        }
    });
    let may = use_membership().may(Permission::Administer);
    view! {
        <Settings title="Environments">
            {(!may).then(|| view! { <AdminsOnly/> })}
            <Refusal error=Signal::derive(move || protect.value().get().and_then(Result::err))/>
            <Loaded
                from=environments
                skeleton=|| view! { <div class="panel" aria-busy="true"><div class="panel-body"><span class="skeleton" data-width="medium"></span></div></div> }
                let:environments
            >
                {environments
                    .into_iter()
                    .map(|environment| panel(environment, protect, may))
                    .collect_view()}
            </Loaded>
            {may.then(|| view! { <NewEnvironment create/> })}
        </Settings>
    }
}

fn panel(
    environment: Environment,
    protect: ServerAction<ProtectEnvironment>,
    may: bool,
) -> impl IntoView {
    let project = use_project();
    let Environment {
        name,
        protected,
        policy,
    } = environment;
    let approvers_start = policy.experiments_need_approver;
    let heading = format!("env-{name}");
    let id = heading.clone();
    if !may {
        let words = if protected {
            PROTECTED
        } else {
            "Open to every editor."
        };
        return view! {
            <section class="panel" aria-labelledby=heading>
                <div class="panel-head"><h2 id=id>{name}</h2></div>
                <div class="panel-body">
                    <p>{protected.then(|| view! { <Icon glyph=Glyph::Lock/> })}{words}</p>
                    {approvers_start.then(|| view! { <p>{APPROVERS_START}</p> })}
                </div>
            </section>
        }
        .into_any();
    }
    view! {
        <ActionForm action=protect attr:class="panel" attr:aria-labelledby=heading>
            <input type="hidden" name="project" value=project/>
            <input type="hidden" name="name" value=name.clone()/>
            <div class="panel-head"><h2 id=id>{name.clone()}</h2></div>
            <div class="panel-body form">
                <label class="choice">
                    <input type="checkbox" name="protected" value="true" checked=protected/>
                    <span>"Protected"</span>
                    <span class="hint">{PROTECTED}</span>
                </label>
                {experiments(approvers_start)}
            </div>
            <div class="panel-foot"><button class="btn">"Save"<span class="sr-only">" "{name}</span></button></div>
        </ActionForm>
    }
    .into_any()
}

/// Who starts experiments.
fn experiments(checked: bool) -> impl IntoView {
    view! {
        <label class="choice">
            <input type="checkbox" name="experiments_need_approver" value="true" checked=checked/>
            <span>"Approvers start experiments"</span>
            <span class="hint">{APPROVERS_START}</span>
        </label>
    }
}

#[component]
fn NewEnvironment(create: ServerAction<CreateEnvironment>) -> impl IntoView {
    let project = use_project();
    let error = Signal::derive(move || create.value().get().and_then(Result::err));
    let name = Signal::derive(move || error.get().and_then(|error| error.of_field("name")));
    let form = NodeRef::new();
    clear_after(form, move || matches!(create.value().get(), Some(Ok(()))));
    let other = Signal::derive(move || {
        error
            .get()
            .filter(|error| !matches!(error, UiError::Invalid(_)))
    });
    view! {
        <ActionForm action=create node_ref=form attr:class="panel">
            <input type="hidden" name="project" value=project/>
            <div class="panel-head"><h2>"New environment"</h2></div>
            <div class="panel-body form">
                <Refusal error=other/>
                <TextField
                    id="new-environment" name="name" label="Name" error=name placeholder="canary" autocomplete="off"
                    hint="Lower-case letters, digits, - and _. Applications name it when they fetch a prompt."
                />
                <label class="choice">
                    <input type="checkbox" name="protected" value="true"/>
                    <span>"Protected"</span>
                    <span class="hint">{PROTECTED}</span>
                </label>
                {experiments(false)}
            </div>
            <div class="panel-foot">
                <button class="btn" data-kind="primary" aria-busy=move || create.pending().get().then_some("true")>"Create environment"</button>
            </div>
        </ActionForm>
    }
}
