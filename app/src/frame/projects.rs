//! Outside of any project: choosing one, and creating one.

use domain::project::Project;
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    error::UiError,
    sign_in::Gate,
    ui::{ErrorPage, Field, Refusal, described_by, who::initials},
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
        <Transition>
            {move || Suspend::new(async move {
                match choice.await {
                    Ok(choice) => view! { <Chooser choice/> }.into_any(),
                    Err(error) => view! { <main class="gate" id="main"><ErrorPage error/></main> }.into_any(),
                }
            })}
        </Transition>
    }
}

#[component]
fn Chooser(choice: Choice) -> impl IntoView {
    let lede = if choice.projects.is_empty() {
        "You do not belong to any project yet. An admin of one can add you."
    } else {
        "Where to?"
    };
    let items = choice
        .projects
        .into_iter()
        .map(|project| {
            view! {
                <li>
                    <a class="menu-item" href=format!("/p/{}", project.slug) rel="external">
                        <span class="avatar" aria-hidden="true">{initials(&project.name)}</span>
                        {project.name}
                        <span class="muted push">{project.role.word()}</span>
                    </a>
                </li>
            }
        })
        .collect_view();
    view! {
        <Gate title="Projects" lede>
            <ul>{items}</ul>
            <div class="row">
                {choice.may_create.then(|| view! { <a class="btn" href="/new-project">"New project"</a> })}
                <form class="push" method="post" action="/sign-out">
                    <button class="btn" data-kind="quiet">"Sign out"</button>
                </form>
            </div>
        </Gate>
    }
}

/// Creates a project.
#[component]
pub fn NewProjectPage() -> impl IntoView {
    let create = ServerAction::<CreateProject>::new();
    let error = Signal::derive(move || create.value().get().and_then(Result::err));
    view! {
        <Gate
            title="New project" is_wide=true
            lede="Prompts, keys and members of one team. It starts with the environments production, staging and development, and you become its admin."
        >
            <ActionForm action=create attr:class="form">
                <Refusal error=Signal::derive(move || error.get().filter(|error| !matches!(error, UiError::Invalid(_))))/>
                <NameAndSlug name_field="name" slug_field="slug" label="Name" error/>
                <button
                    class="btn" data-kind="primary" data-width="full"
                    aria-busy=move || create.pending().get().then_some("true")
                >
                    "Create project"
                </button>
            </ActionForm>
            <a class="note" href="/">"Back to the projects"</a>
        </Gate>
    }
}

/// A project's name and its address; with script the address follows the name until it is typed.
#[component]
pub fn NameAndSlug(
    /// The name of the name, as submitted.
    name_field: &'static str,
    /// The name of the address, as submitted.
    slug_field: &'static str,
    /// What the name is called.
    label: &'static str,
    /// The name at first.
    #[prop(optional)]
    name: String,
    /// The address at first.
    #[prop(optional)]
    slug: String,
    /// Why both were refused, if they were.
    #[prop(optional, into)]
    error: Signal<Option<UiError>>,
) -> impl IntoView {
    let of = move |field: &'static str| {
        Signal::derive(move || error.get().and_then(|error| error.of_field(field)))
    };
    let is_typed = StoredValue::new(!slug.is_empty());
    let typed = RwSignal::new(slug.clone());
    let follow = move |event: leptos::ev::Event| {
        if !is_typed.get_value() {
            typed.set(slug_of(&event_target_value(&event)));
        }
    };
    let own = move |event: leptos::ev::Event| {
        let text = event_target_value(&event);
        is_typed.set_value(!text.is_empty());
        typed.set(text);
    };
    view! {
        <div class="form-pair">
            <Field id="project-name" label error=of(name_field)>
                <input
                    class="input" id="project-name" name=name_field value=name placeholder="Acme Support" required
                    aria-describedby=described_by("project-name") on:input=follow
                />
            </Field>
            <Field id="project-slug" label="Address" hint="As in /p/acme-support; it stays." error=of(slug_field)>
                <input
                    class="input" id="project-slug" name=slug_field value=slug prop:value=typed placeholder="acme-support"
                    required autocapitalize="off" spellcheck="false" aria-describedby=described_by("project-slug") on:input=own
                />
            </Field>
        </div>
    }
}

/// An address for a name: lower-case letters and digits with dashes between the words.
fn slug_of(name: &str) -> String {
    let words: Vec<String> = name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let slug = words.join("-");
    slug.get(..40)
        .unwrap_or(&slug)
        .trim_end_matches('-')
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_an_address() {
        assert_eq!(slug_of("Acme Support"), "acme-support");
        assert_eq!(slug_of("  Größe & Co. "), "gr-e-co");
        assert_eq!(slug_of("日本"), "");
        assert_eq!(slug_of(&"long name ".repeat(9)).len(), 39);
    }
}
