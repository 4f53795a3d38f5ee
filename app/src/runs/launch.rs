//! The form that launches a run: which suite, then which version, how much of the suite, how
//! often and for how much. Works without script; what is refused is said beside its control.

use leptos::prelude::*;
use leptos_router::{NavigateOptions, hooks::use_navigate};

use super::{
    calls::LaunchEval,
    links::{self, ListQuery},
    shapes::{LaunchView, SuiteChoice, Trouble},
};
use crate::{
    error::UiError,
    prompts::{
        links::{edit_from, prompt as prompt_address},
        parts::{field_error, refusal, typed},
        words::counted,
    },
    ui::{Banner, Field, Glyph, Icon, Refusal, Tone, described_by, error::sentence},
};

/// How many cases the smoke subset has.
const SMOKE: u32 = 50;

/// A launch under way. It outlives a reload of what is shown, and so do refusals.
#[derive(Clone, Copy)]
pub struct Launching {
    action: ServerAction<LaunchEval>,
    /// Refusals that belong to no control.
    other: Signal<Option<UiError>>,
    provider: Signal<Option<String>>,
    version: Signal<Option<String>>,
    tags: Signal<Option<String>>,
    repeats: Signal<Option<String>>,
    seed: Signal<Option<String>>,
    budget: Signal<Option<String>>,
    judge: Signal<Option<String>>,
}

impl Launching {
    /// Nothing launched yet.
    pub fn new() -> Self {
        let action = ServerAction::new();
        let error = refusal(action);
        let (by_provider, by_model) = (
            field_error(error, "judge.provider"),
            field_error(error, "judge.model"),
        );
        let other = Signal::derive(move || {
            error.get().filter(|error| match error {
                UiError::Invalid(errors) => errors.iter().any(|error| {
                    ![
                        "provider",
                        "version",
                        "tags",
                        "repeats",
                        "seed",
                        "budget_usd",
                        "judge.provider",
                        "judge.model",
                    ]
                    .contains(&error.field.as_str())
                }),
                _ => true,
            })
        });
        Self {
            action,
            other,
            provider: field_error(error, "provider"),
            version: field_error(error, "version"),
            tags: field_error(error, "tags"),
            repeats: field_error(error, "repeats"),
            seed: field_error(error, "seed"),
            budget: field_error(error, "budget_usd"),
            judge: Signal::derive(move || by_provider.get().or_else(|| by_model.get())),
        }
    }
}

/// The form, in a panel above the list.
#[component]
pub fn Launch(
    project: String,
    query: ListQuery,
    launch: LaunchView,
    launching: Launching,
    may_run: bool,
) -> impl IntoView {
    let close = links::list(&project, &query.with(|_| ()));
    let said = |words: &'static str| view! { <p class="panel-body">{words}</p> }.into_any();
    let body = if !may_run {
        said("Running evals needs the editor role.")
    } else if launch.suites.is_empty() {
        view! { <NoSuite project=project.clone() launch/> }.into_any()
    } else if launch.prompt.is_none() {
        view! { <ChooseSuite project=project.clone() suites=launch.suites/> }.into_any()
    } else if launch.versions.is_empty() {
        said("This prompt has no version yet.")
    } else {
        view! { <Form project=project.clone() launch launching/> }.into_any()
    };
    view! {
        <section class="panel launch" aria-labelledby="launch-h">
            <div class="panel-head">
                <h2 id="launch-h">"Run eval"</h2>
                <a class="btn" data-size="small" data-kind="quiet" data-shape="icon" aria-label="Close" href=close><Icon glyph=Glyph::Close/></a>
            </div>
            {body}
        </section>
    }
}

#[component]
fn NoSuite(project: String, launch: LaunchView) -> impl IntoView {
    let words = match &launch.prompt {
        Some(prompt) => format!(
            "{prompt} has no suite yet. A suite holds cases with what is expected of each; every version is held against the same ones."
        ),
        None => {
            "There is no suite yet. A suite holds a prompt’s cases with what is expected of each."
                .to_owned()
        }
    };
    let suites = match &launch.prompt {
        Some(prompt) => crate::prompts::links::with_query(
            format!("/p/{project}/suites"),
            &[("prompt", prompt.as_str())],
        ),
        None => format!("/p/{project}/suites"),
    };
    view! {
        <div class="panel-body stack">
            <p>{words}</p>
            <div class="row"><a class="btn" data-kind="primary" href=suites><Icon glyph=Glyph::Layers/>"To the suites"</a></div>
        </div>
    }
}

/// The suite first: it says which prompt.
#[component]
fn ChooseSuite(project: String, suites: Vec<SuiteChoice>) -> impl IntoView {
    let action = links::list(&project, &ListQuery::default());
    let navigate = use_navigate();
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let query = ListQuery {
            suite: typed("launch-suite").unwrap_or_default(),
            is_launching: true,
            ..ListQuery::default()
        };
        navigate(&links::list(&project, &query), NavigateOptions::default());
    };
    let options = suites
        .into_iter()
        .map(|suite| {
            let words = format!("{}: {}", suite.prompt, choice(&suite));
            view! { <option value=suite.id.to_string()>{words}</option> }
        })
        .collect_view();
    view! {
        <form method="get" action=action class="panel-body filters" on:submit=submit>
            <input type="hidden" name="launch" value="1"/>
            <div class="field" data-grow="">
                <label for="launch-suite">"On which suite"</label>
                <select class="input" id="launch-suite" name="suite">{options}</select>
            </div>
            <button type="submit" class="btn" data-kind="primary">"Continue"</button>
        </form>
    }
}

fn choice(suite: &SuiteChoice) -> String {
    let n_cases = u64::try_from(suite.n_cases).unwrap_or_default();
    format!(
        "{} r{}, {}",
        suite.name,
        suite.revision,
        counted(n_cases, "case")
    )
}

#[component]
fn Form(project: String, launch: LaunchView, launching: Launching) -> impl IntoView {
    let Launching { action, .. } = launching;
    let prompt = launch
        .prompt
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let trouble = launch
        .trouble
        .clone()
        .map(|trouble| said_before(&project, &prompt, launch.version, &trouble));
    let suites = launch
        .suites
        .iter()
        .map(|suite| {
            let is_chosen = Some(suite.id) == launch.suite;
            view! { <option value=suite.id.to_string() selected=is_chosen>{choice(suite)}</option> }
        })
        .collect_view();
    let n_cases = launch
        .suites
        .iter()
        .find(|suite| Some(suite.id) == launch.suite)
        .map_or(0, |suite| suite.n_cases);
    let versions = launch
        .versions
        .iter()
        .map(|version| {
            let is_chosen = Some(version.number) == launch.version;
            let mut words = format!("v{} · {}", version.number, version.status);
            if !version.change_description.is_empty() {
                words.push_str(" · ");
                words.extend(version.change_description.chars().take(48));
            }
            view! { <option value=version.number.to_string() selected=is_chosen>{words}</option> }
        })
        .collect_view();
    let tags = if launch.tags.is_empty() {
        "Only cases with one of these tags, separated by commas.".to_owned()
    } else {
        let mut known = launch.tags.join(", ");
        if known.len() > 60 {
            known = format!("{}, …", launch.tags[..launch.tags.len().min(4)].join(", "));
        }
        format!("Only cases with one of these tags; there are {known}.")
    };
    let is_small = u32::try_from(n_cases).unwrap_or_default() <= SMOKE;
    let all = match n_cases {
        0 => "All cases".to_owned(),
        n => format!(
            "All {}",
            counted(u64::try_from(n).unwrap_or_default(), "case")
        ),
    };
    let judges = launch
        .providers
        .iter()
        .map(|name| view! { <option value=name.clone()>{format!("A model at {name}")}</option> })
        .collect_view();
    let is_busy = move || action.pending().get().then_some("true");
    let settings = links::providers(&project);
    let provider_error = move || {
        launching.provider.get().map(|message| {
            view! { <InTheWay title="The model cannot be asked" text=message href=settings.clone() verb="Settings, Providers"/> }
        })
    };
    let invalid = |error: Signal<Option<String>>| {
        move || {
            error
                .try_with(Option::is_some)
                .unwrap_or_default()
                .then_some("true")
        }
    };
    view! {
        <ActionForm action>
            <div class="panel-body form">
                {trouble}
                {provider_error}
                <Refusal error=launching.other/>
                <input type="hidden" name="project" value=project.clone()/>
                <input type="hidden" name="prompt" value=prompt.clone()/>
                <p>"Prompt "<a href=prompt_address(&project, &prompt)><b>{prompt.clone()}</b></a></p>
                <div class="form-pair">
                    <Field id="launch-version" label="Version" error=launching.version>
                        <select class="input" id="launch-version" name="version" aria-describedby=described_by("launch-version") aria-invalid=invalid(launching.version)>{versions}</select>
                    </Field>
                    <Field id="launch-suite" label="Suite">
                        <select class="input" id="launch-suite" name="suite">{suites}</select>
                    </Field>
                </div>
                <fieldset>
                    <legend>"Cases"</legend>
                    <div class="choices">
                        <label class="choice">
                            <input type="radio" name="limit" value="" checked=true/>
                            <span>{all}</span>
                        </label>
                        <label class="choice">
                            <input type="radio" name="limit" value=SMOKE.to_string()/>
                            <span>{format!("Smoke subset: {SMOKE} cases")}</span>
                            <span class="hint">
                                {if is_small {
                                    "This suite has no more than that."
                                } else {
                                    "Those tagged smoke, or else drawn evenly by tag; the seed says which."
                                }}
                            </span>
                        </label>
                    </div>
                </fieldset>
                <Field id="launch-tags" label="Tags" is_optional=true hint=tags error=launching.tags>
                    <input class="input" id="launch-tags" name="tags" autocomplete="off" aria-describedby=described_by("launch-tags") aria-invalid=invalid(launching.tags)/>
                </Field>
                <div class="form-pair">
                    <Field id="launch-repeats" label="Repeats" hint="A case passes by its majority." error=launching.repeats>
                        <input class="input" id="launch-repeats" name="repeats" inputmode="numeric" value="1" data-align="end" aria-describedby=described_by("launch-repeats") aria-invalid=invalid(launching.repeats)/>
                    </Field>
                    <Field id="launch-seed" label="Seed" hint="Of the subset and the model." error=launching.seed>
                        <input class="input" id="launch-seed" name="seed" inputmode="numeric" value="0" data-align="end" aria-describedby=described_by("launch-seed") aria-invalid=invalid(launching.seed)/>
                    </Field>
                    <Field id="launch-budget" label="Budget, US dollars" is_optional=true hint="No call is made beyond it." error=launching.budget>
                        <input class="input" id="launch-budget" name="budget_usd" inputmode="decimal" data-align="end" aria-describedby=described_by("launch-budget") aria-invalid=invalid(launching.budget)/>
                    </Field>
                </div>
                <div class="form-pair">
                    <Field id="launch-judge" label="Judge" hint="Who grades model-graded scorers." error=launching.judge>
                        <select class="input" id="launch-judge" name="judge_provider" aria-describedby=described_by("launch-judge") aria-invalid=invalid(launching.judge)>
                            <option value="">"The version’s own model"</option>
                            {judges}
                        </select>
                    </Field>
                    <Field id="launch-judge-model" label="Judge’s model" is_optional=true hint="Its name at that provider.">
                        <input class="input" id="launch-judge-model" name="judge_model" autocomplete="off" spellcheck="false" aria-describedby=described_by("launch-judge-model")/>
                    </Field>
                </div>
            </div>
            <div class="panel-foot">
                <button type="submit" class="btn" data-kind="primary" aria-busy=is_busy><Icon glyph=Glyph::Runs/>"Run"</button>
                <span class="note">"A draft starts testing by it."</span>
            </div>
        </ActionForm>
    }
}

fn said_before(project: &str, prompt: &str, version: Option<i32>, trouble: &Trouble) -> AnyView {
    let version = version.unwrap_or_default();
    match trouble {
        Trouble::NoModel => view! {
            <InTheWay
                title=format!("v{version} names no model")
                text="an eval needs a provider and a model: save a version that names them, then run that"
                href=edit_from(project, prompt, version) verb=format!("Edit from v{version}")
            />
        }
        .into_any(),
        Trouble::NoProvider(name) => view! {
            <InTheWay
                title=format!("No provider named {name} is configured")
                text=format!("v{version} asks {name}; an admin says where it answers under Settings, Providers")
                href=links::providers(project) verb="Settings, Providers"
            />
        }
        .into_any(),
    }
}

#[component]
fn InTheWay(
    #[prop(into)] title: String,
    #[prop(into)] text: String,
    href: String,
    #[prop(into)] verb: String,
) -> impl IntoView {
    let actions = move || view! { <a class="btn" data-size="small" href=href>{verb}</a> };
    view! {
        <Banner tone=Tone::Warn title=title actions><p>{sentence(&text)}</p></Banner>
    }
}
