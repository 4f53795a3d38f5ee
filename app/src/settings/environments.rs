//! Environments: where versions serve, and who may change that.

use domain::{actor::Permission, prompt::Environment, release::Policy};
use leptos::prelude::*;

use super::{
    AdminsOnly, Settings,
    calls::{CreateEnvironment, SetPolicy, load_environments},
};
use crate::{
    error::UiError,
    frame::{use_membership, use_project},
    live::use_feed,
    prompts::parts::say_when_done,
    ui::{Glyph, Icon, Loaded, Refusal, TextField, clear_after},
};

/// As many as the store takes.
const MAX_APPROVALS: u16 = 10;

const APPROVERS_START: &str = "Starting an experiment, and raising its traffic, takes the approver role, unless every version in it was approved for this environment or served it.";

/// The environments.
#[component]
pub fn EnvironmentsPage() -> impl IntoView {
    let project = use_project();
    let create = ServerAction::<CreateEnvironment>::new();
    let set = ServerAction::<SetPolicy>::new();
    let heard = use_feed().heard(&["environment"]);
    let environments = Resource::new(
        move || {
            let done = (create.version().get(), set.version().get());
            (project.get(), heard.get(), done)
        },
        |(project, _, _)| load_environments(project),
    );
    say_when_done(set, "Saved");
    let may = use_membership().may(Permission::Administer);
    view! {
        <Settings title="Environments">
            {(!may).then(|| view! { <AdminsOnly/> })}
            <Refusal error=Signal::derive(move || set.value().get().and_then(Result::err))/>
            <Loaded
                from=environments
                skeleton=|| view! { <div class="panel" aria-busy="true"><div class="panel-body"><span class="skeleton" data-width="medium"></span></div></div> }
                let:environments
            >
                {environments
                    .into_iter()
                    .map(|environment| panel(environment, set, may))
                    .collect_view()}
            </Loaded>
            {may.then(|| view! { <NewEnvironment create/> })}
        </Settings>
    }
}

fn panel(environment: Environment, set: ServerAction<SetPolicy>, may: bool) -> impl IntoView {
    let project = use_project();
    let Environment { name, policy, .. } = environment;
    let heading = format!("env-{name}");
    let id = heading.clone();
    let is_open = policy.asks_for_nothing();
    let lock = (!is_open).then(|| view! { <Icon glyph=Glyph::Lock/> });
    let says = view! { <div class="env-asks">{lock}<p>{asks(&policy)}</p></div> };
    if !may {
        return view! {
            <section class="panel" aria-labelledby=heading>
                <div class="panel-head"><h2 id=id>{name}</h2></div>
                <div class="panel-body">
                    {says}
                    {policy.experiments_need_approver.then(|| view! { <p>{APPROVERS_START}</p> })}
                </div>
            </section>
        }
        .into_any();
    }
    view! {
        <ActionForm action=set attr:class="panel" attr:aria-labelledby=heading>
            <input type="hidden" name="project" value=project/>
            <input type="hidden" name="name" value=name.clone()/>
            <div class="panel-head"><h2 id=id>{name.clone()}</h2></div>
            <div class="panel-body form">
                {says}
                {fields(&name, &policy)}
            </div>
            <div class="panel-foot"><button class="btn">"Save"<span class="sr-only">" "{name}</span></button></div>
        </ActionForm>
    }
    .into_any()
}

/// What the policy comes to, in a sentence.
fn asks(policy: &Policy) -> String {
    let approvals = match policy.approvals {
        0 => None,
        1 => Some("1 approval by somebody who neither wrote nor asked for it".to_owned()),
        n => Some(format!(
            "{n} approvals by people who neither wrote nor asked for it"
        )),
    };
    let gate = policy.gate.then(|| "a passed gate".to_owned());
    let wanted: Vec<String> = gate.into_iter().chain(approvals).collect();
    if wanted.is_empty() {
        return "A promotion executes at once. Every editor may ask for one.".to_owned();
    }
    format!(
        "A promotion waits for {}. Rolling back stays open to every editor.",
        wanted.join(" and ")
    )
}

/// What a policy is set with. `place` keeps the ids of several apart.
fn fields(place: &str, policy: &Policy) -> impl IntoView + use<> {
    let approvals = format!("approvals-{place}");
    let chosen = policy.approvals;
    let options = (0..=MAX_APPROVALS)
        .map(|n| {
            let words = match n {
                0 => "none".to_owned(),
                n => n.to_string(),
            };
            view! { <option value=n.to_string() selected=n == chosen>{words}</option> }
        })
        .collect_view();
    view! {
        <label class="choice">
            <input type="checkbox" name="policy[gate]" value="true" checked=policy.gate/>
            <span>"A passed gate"</span>
            <span class="hint">"On the same content, by the suite that is set for the prompt, or its largest."</span>
        </label>
        <div class="field">
            <label for=approvals.clone()>"Approvals"</label>
            <p class="hint" id=format!("{approvals}-h")>"By approvers or admins other than the author and whoever asks."</p>
            <select class="input" data-width="short" id=approvals.clone() name="policy[approvals]" aria-describedby=format!("{approvals}-h")>
                {options}
            </select>
        </div>
        <label class="choice">
            <input type="checkbox" name="policy[experiments_need_approver]" value="true" checked=policy.experiments_need_approver/>
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
                {fields("new", &Policy::default())}
            </div>
            <div class="panel-foot">
                <button class="btn" data-kind="primary" aria-busy=move || create.pending().get().then_some("true")>"Create environment"</button>
            </div>
        </ActionForm>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_says_what_it_asks_for() {
        let policy = |gate, approvals| Policy {
            gate,
            approvals,
            ..Policy::default()
        };
        assert!(asks(&policy(false, 0)).starts_with("A promotion executes at once"));
        assert!(asks(&policy(true, 0)).starts_with("A promotion waits for a passed gate."));
        assert!(asks(&policy(false, 2)).starts_with("A promotion waits for 2 approvals by people"));
        let both = asks(&Policy::guarded());
        assert!(
            both.contains("a passed gate and 1 approval by somebody"),
            "{both}"
        );
    }
}
