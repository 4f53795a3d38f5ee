//! Planning an experiment, or changing a draft's plan: which versions, on whom, to find what; how many units and days that
//! takes stands beside it while one types. Without script, "Recalculate" loads the page again with
//! everything that was filled in.

use domain::actor::Permission;
use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_query_map},
};

use super::{
    calls::{SaveDraft, load_plan},
    fields::{Arms, Basics, Guards, InLayer, Numbers, control, id_of, label_of},
    links,
    plan::{ArmValues, GuardrailValues, MOST, PlanValues},
    shapes::PlanView,
    sizing::Calculated,
};
use crate::{
    costs::{Again, ArmsWarmth, TRAFFIC, use_asked},
    error::UiError,
    frame::{use_membership, use_project},
    prompts::parts::{refusal, remember_refusal},
    ui::{
        Banner, Empty, ErrorPage, Glyph, Icon, Loaded, PageHeader, Refusal, Tone, error::sentence,
    },
};

/// `/p/<project>/new-experiment?plan[…]=…`
#[component]
pub fn NewExperimentPage() -> impl IntoView {
    let membership = use_membership();
    if !membership.may(Permission::RunExperiments) {
        let denied = domain::actor::Denied::Role {
            needed: Permission::RunExperiments.role(),
            held: membership.role(),
        };
        return view! { <ErrorPage error=UiError::Denied(denied.to_string())/> }.into_any();
    }
    remember_refusal();
    let project = use_project();
    let params = use_query_map();
    let values = Memo::new(move |_| params.with(PlanValues::read));
    let save = ServerAction::<SaveDraft>::new();
    let error = refusal(save);
    let is_change = move || !values.read_untracked().draft.is_empty();
    let title = if is_change() {
        "Change the plan"
    } else {
        "New experiment"
    };
    let asked = use_asked();
    // Not told of changes: a form that somebody is filling in must hold still.
    let view = Resource::new(
        move || (project.get(), values.get(), asked.get()),
        |(project, values, asked)| load_plan(project, values, asked),
    );
    view! {
        <PageHeader title lede=|| "It starts as a draft: nobody takes part until it is started."/>
        <Loaded from=view let:shown>
            <Shown project=project.get_untracked() shown save error/>
        </Loaded>
    }
    .into_any()
}

#[component]
fn Shown(
    project: String,
    shown: PlanView,
    save: ServerAction<SaveDraft>,
    error: Signal<Option<UiError>>,
) -> impl IntoView {
    if shown.values.prompt.is_empty() {
        return view! { <ChoosePrompt project prompts=shown.prompts/> }.into_any();
    }
    if shown.serving.is_empty() || shown.versions.len() < 2 {
        let prompt = crate::prompts::links::prompt(&project, &shown.values.prompt);
        let why = if shown.versions.len() < 2 {
            "An experiment needs two versions to compare, and this prompt has fewer."
        } else {
            "An experiment runs beside what serves, and this prompt serves nowhere yet: deploy a version first."
        };
        return view! {
            <Empty glyph=Glyph::Experiments title="Not yet">
                <p>{why}</p>
                <div class="row"><a class="btn" data-kind="primary" href=prompt>"To the prompt"</a></div>
            </Empty>
        }
        .into_any();
    }
    let typed = RwSignal::new(shown.values.clone());
    let read = move || PlanValues::collect(control);
    let prompt = shown.values.prompt.clone();
    let prompt_page = crate::prompts::links::prompt(&project, &prompt);
    let again = links::new(&project);
    let draft = shown.values.draft.clone();
    let cancel = if draft.is_empty() {
        links::list(&project, &links::ListQuery::default())
    } else {
        links::experiment(&project, &draft)
    };
    let is_busy = move || save.pending().get().then_some("true");
    let show = show_again(project.clone());
    let warmth = shown.warmth.clone().map(|warmth| {
        let again = Again {
            address: again.clone(),
            go: Callback::new(move |()| show.run(read())),
        };
        view! { <ArmsWarmth warmth again/> }
    });
    let arms = view! { <Arms shown=shown.clone() error/> };
    let guards = view! { <Guards values=shown.values.clone()/> };
    let rows = Rows {
        page: again.clone(),
        show,
    };
    view! {
        <ActionForm action=save attr:class="plan-form">
            // Return in a field presses the first button: it must not be one that adds a row.
            <button type="submit" class="sr-only" tabindex="-1" aria-hidden="true">"Save draft"</button>
            <div class="plan-columns" on:input=move |_| typed.set(read()) on:change=move |_| typed.set(read())>
                <div class="form">
                    <WhatIsWrong error/>
                    <input type="hidden" name="project" value=project.clone()/>
                    <input type="hidden" id="plan[draft]" name="plan[draft]" value=draft/>
                    <input type="hidden" id="plan[prompt]" name="plan[prompt]" value=prompt.clone()/>
                    <p>"On "<a href=prompt_page><b>{prompt}</b></a></p>
                    <Basics shown=shown.clone() error/>
                    {arms}
                    {rows.button("arm", "Add an arm", Glyph::Plus, shown.values.arms.len() < MOST)}
                    {rows.button("no-arm", "Remove the last arm", Glyph::Close, shown.values.arms.len() > 2)}
                    {guards}
                    {rows.button("guardrail", "Add a guardrail", Glyph::Plus, shown.values.guardrails.len() < MOST)}
                </div>
                <section class="panel plan-numbers" aria-labelledby="numbers-h">
                    <div class="panel-head"><h2 id="numbers-h">"How many, how long"</h2></div>
                    <div class="panel-body form">
                        <Numbers values=shown.values.clone() counted=shown.counted.clone() error/>
                        <InLayer values=shown.values.clone() layers=shown.layers.clone() error/>
                        <Calculated values=typed.into()/>
                        <div class="row">
                            <button type="submit" class="btn" data-size="small" formmethod="get" formaction=again formnovalidate=true data-scripting="none">"Recalculate"</button>
                        </div>
                    </div>
                </section>
            </div>
            {warmth}
            <div class="form-foot">
                <button type="submit" class="btn" data-kind="primary" aria-busy=is_busy>"Save draft"</button>
                <a class="btn" data-kind="quiet" href=cancel>"Cancel"</a>
            </div>
        </ActionForm>
    }
    .into_any()
}

/// Shows the form again with a plan, where one was in it, and keeps the traffic that was entered for
/// the costs.
fn show_again(project: String) -> Callback<PlanValues> {
    let navigate = use_navigate();
    Callback::new(move |values: PlanValues| {
        let traffic = TRAFFIC.map(|name| {
            let typed = control(name).unwrap_or_default();
            (name, typed.trim().to_owned())
        });
        let options = NavigateOptions {
            scroll: false,
            replace: true,
            ..NavigateOptions::default()
        };
        navigate(&links::planned(&project, &values, &traffic), options);
    })
}

/// Buttons that change how many rows there are: by the address, with everything filled in so far.
struct Rows {
    page: String,
    show: Callback<PlanValues>,
}

impl Rows {
    fn button(
        &self,
        what: &'static str,
        words: &'static str,
        glyph: Glyph,
        is_possible: bool,
    ) -> Option<AnyView> {
        if !is_possible {
            return None;
        }
        let show = self.show;
        let click = move |event: leptos::ev::MouseEvent| {
            event.prevent_default();
            let mut values = PlanValues::collect(control);
            match what {
                "arm" => {
                    let letter =
                        char::from(b'A' + u8::try_from(values.arms.len()).unwrap_or_default());
                    values.arms.push(ArmValues {
                        name: letter.to_string(),
                        ..ArmValues::default()
                    });
                }
                "no-arm" => {
                    values.arms.pop();
                }
                _ => values.guardrails.push(GuardrailValues {
                    direction: "lower".to_owned(),
                    ..GuardrailValues::default()
                }),
            }
            show.run(values);
        };
        let view = view! {
            <div class="row">
                <button
                    type="submit" class="btn" data-size="small" name="row" value=what formmethod="get"
                    formaction=self.page.clone() formnovalidate=true on:click=click
                >
                    <Icon glyph=glyph/>{words}
                </button>
            </div>
        };
        Some(view.into_any())
    }
}

/// The prompt first: it says which versions there are.
#[component]
fn ChoosePrompt(project: String, prompts: Vec<String>) -> impl IntoView {
    if prompts.is_empty() {
        let all = crate::prompts::links::all(&project);
        return view! {
            <Empty glyph=Glyph::Prompts title="No prompts yet">
                <p>"An experiment compares versions of a prompt that serves."</p>
                <div class="row"><a class="btn" data-kind="primary" href=all>"To the prompts"</a></div>
            </Empty>
        }
        .into_any();
    }
    let options = prompts
        .into_iter()
        .map(|name| view! { <option value=name.clone()>{name.clone()}</option> })
        .collect_view();
    let navigate = use_navigate();
    let action = links::new(&project);
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if let Some(prompt) = control("choose-prompt") {
            navigate(
                &links::new_for(&project, &prompt),
                NavigateOptions::default(),
            );
        }
    };
    view! {
        <form method="get" action=action class="filters" on:submit=submit>
            <div class="field" data-grow="">
                <label for="choose-prompt">"On which prompt"</label>
                <select class="input" id="choose-prompt" name="plan[prompt]">{options}</select>
            </div>
            <button type="submit" class="btn" data-kind="primary">"Continue"</button>
        </form>
    }
    .into_any()
}

/// Everything that was refused, with links to the controls.
#[component]
fn WhatIsWrong(error: Signal<Option<UiError>>) -> impl IntoView {
    move || match error.get() {
        Some(UiError::Invalid(errors)) => {
            let items = errors
                .into_iter()
                .map(|error| {
                    let id = id_of(&error.field);
                    view! { <li><a href=format!("#{id}")>{label_of(&error.field)}</a>": "{sentence(&error.message)}</li> }
                })
                .collect_view();
            view! { <Banner tone=Tone::Bad title="The plan needs another look"><ul>{items}</ul></Banner> }.into_any()
        }
        Some(_) => view! { <Refusal error/> }.into_any(),
        None => ().into_any(),
    }
}
