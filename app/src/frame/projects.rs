//! Outside of any project: choosing one, and creating one.

use domain::project::Project;
use leptos::prelude::*;
use leptos_meta::Title;
use serde::{Deserialize, Serialize};

use crate::{
    error::UiError,
    ui::{ErrorPage, IconSize, Mark, Refusal, TextField},
};

/// What the chooser shows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Choice {
    projects: Vec<Project>,
    may_create: bool,
}

/// The projects one belongs to. Whoever has just one is led there.
#[server]
pub async fn my_projects() -> Result<Choice, UiError> {
    let (request, person) = crate::context::signed_in()?;
    let found = store::people::by_id(&request.store, person)
        .await?
        .ok_or(UiError::SignedOut)?;
    let projects = store::projects::of_person(&request.store, person).await?;
    if let [only] = projects.as_slice() {
        leptos_axum::redirect(&format!("/p/{}", only.slug));
    }
    let is_admin = projects
        .iter()
        .any(|project| project.role == domain::actor::Role::Admin);
    Ok(Choice {
        projects,
        may_create: found.is_operator || is_admin,
    })
}

/// Creates a project and leads there.
#[server]
pub async fn create_project(name: String, slug: String) -> Result<(), UiError> {
    let (request, person) = crate::context::signed_in()?;
    let project =
        store::projects::create(&request.store, person, &slug, &name, request.now).await?;
    leptos_axum::redirect(&format!("/p/{}", project.slug));
    Ok(())
}

/// `/`: leads to the project one has, or lets one choose.
#[component]
pub fn ChooseProjectPage() -> impl IntoView {
    let choice = Resource::new_blocking(|| (), |()| my_projects());
    view! {
        <Title text="Projects"/>
        <main class="gate" id="main">
            <Transition>
                {move || Suspend::new(async move {
                    match choice.await {
                        Ok(choice) => view! { <Chooser choice/> }.into_any(),
                        Err(error) => view! { <ErrorPage error/> }.into_any(),
                    }
                })}
            </Transition>
        </main>
    }
}

#[component]
fn Chooser(choice: Choice) -> impl IntoView {
    let lede = if choice.projects.is_empty() {
        "You do not belong to any project yet. An admin of one can add you."
    } else {
        "Which one?"
    };
    let items = choice
        .projects
        .into_iter()
        .map(|project| {
            view! {
                <li>
                    <a class="menu-item" href=format!("/p/{}", project.slug)>
                        <span class="avatar" aria-hidden="true">{crate::ui::who::initials(&project.name)}</span>
                        {project.name}
                        <span class="muted push">{project.role.word()}</span>
                    </a>
                </li>
            }
        })
        .collect_view();
    view! {
        <div class="gate-card">
            <div class="gate-head">
                <Mark size=IconSize::Large/>
                <div><h1>"Projects"</h1><p class="lede">{lede}</p></div>
            </div>
            <ul>{items}</ul>
            {choice.may_create.then(|| view! { <a class="btn" href="/new-project">"New project"</a> })}
        </div>
        <form method="post" action="/sign-out"><button class="btn" data-kind="quiet" data-size="small">"Sign out"</button></form>
    }
}

/// Creates a project.
#[component]
pub fn NewProjectPage() -> impl IntoView {
    let create = ServerAction::<CreateProject>::new();
    let error = Signal::derive(move || create.value().get().and_then(Result::err));
    let of = move |field: &'static str| {
        Signal::derive(move || error.get().and_then(|error| error.of_field(field)))
    };
    let other = Signal::derive(move || {
        error
            .get()
            .filter(|error| !matches!(error, UiError::Invalid(_)))
    });
    view! {
        <Title text="New project"/>
        <main class="gate" id="main">
            <div class="gate-card" data-size="wide">
                <div class="gate-head">
                    <Mark size=IconSize::Large/>
                    <div>
                        <h1>"New project"</h1>
                        <p class="lede">"Prompts, keys and members of one team. It starts with the environments production, staging and development, and you become its admin."</p>
                    </div>
                </div>
                <ActionForm action=create attr:class="form">
                    <Refusal error=other/>
                    <TextField id="name" name="name" label="Name" placeholder="Acme Support" error=of("name")/>
                    <TextField
                        id="slug" name="slug" label="Address" placeholder="acme-support" error=of("slug")
                        hint="As in addresses: lower-case letters, digits and dashes. It cannot be changed later."
                    />
                    <button class="btn" data-kind="primary" data-width="full" aria-busy=move || create.pending().get().then_some("true")>
                        "Create project"
                    </button>
                </ActionForm>
            </div>
            <p class="gate-foot"><a href="/">"Back to the projects"</a></p>
        </main>
    }
}
