//! Signing in, and choosing a password by a one-time link: plain forms that post to the server
//! and work without script. What went wrong comes back in the address.

use domain::project::MIN_PASSWORD;
use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};
use serde::{Deserialize, Serialize};

use crate::{
    error::UiError,
    frame::NameAndSlug,
    ui::{
        Banner, ErrorPage, Field, IconSize, Mark, TextField, Tone, described_by, error::sentence,
    },
};

/// The sign-in page.
#[component]
pub fn SignInPage() -> impl IntoView {
    let query = use_query_map().get_untracked();
    let text = move |name| query.get(name).unwrap_or_default();
    let refusal = refusal(&text("error"), text("seconds").parse().unwrap_or(60));
    view! {
        <Gate title="Sign in to Cueline">
            <form class="form" method="post" action="/sign-in">
                {refusal.map(|refusal| view! { <Banner tone=Tone::Bad><p>{refusal}</p></Banner> })}
                <input type="hidden" name="next" value=text("next")/>
                <TextField id="email" name="email" label="E-mail" kind="email" autocomplete="username" value=text("email")/>
                <TextField id="password" name="password" label="Password" kind="password" autocomplete="current-password"/>
                <button class="btn" data-kind="primary" data-width="full">"Sign in"</button>
            </form>
            <p class="note">"Forgotten? Whoever runs this server can set a new password with "<code>"cueline user passwd"</code>"."</p>
        </Gate>
    }
}

/// What the server's word means.
fn refusal(word: &str, seconds: i64) -> Option<String> {
    match word {
        "" => None,
        "wait" => Some(format!(
            "Too many tries. Wait {} and try again.",
            wait(seconds)
        )),
        "away" => Some("Signing in does not work at the moment. Try again in a moment.".to_owned()),
        _ => Some("E-mail or password is not right.".to_owned()),
    }
}

fn wait(seconds: i64) -> String {
    if seconds < 90 {
        format!("{} seconds", seconds.max(1))
    } else {
        format!("{} minutes", (seconds + 59) / 60)
    }
}

/// Whom a one-time link is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Invitation {
    /// Whoever runs this installation.
    FirstAdmin,
    /// Somebody who was invited.
    Person {
        /// As people call them.
        name: String,
        /// Where they will sign in with.
        email: String,
    },
}

/// Whom the link is for; none when it was used or has expired.
#[server(FindInvitation)]
pub async fn invitation(token: String) -> Result<Option<Invitation>, UiError> {
    use store::people::LinkFor;
    let request = crate::context::request()?;
    let token = store::secret::hash(&token);
    let link = store::people::link(&request.store, &token, request.now).await?;
    Ok(link.map(|link| match link {
        LinkFor::FirstAdmin => Invitation::FirstAdmin,
        LinkFor::Person(person) => Invitation::Person {
            name: person.name,
            email: person.email,
        },
    }))
}

/// A one-time link: the first admin, or somebody who was invited, chooses a password.
#[component]
pub fn SetUpPage() -> impl IntoView {
    let token = use_params_map()
        .get_untracked()
        .get("token")
        .unwrap_or_default();
    let action = format!("/set-up/{token}");
    let found = Resource::new_blocking(move || token.clone(), invitation);
    view! {
        <Transition>
            {move || {
                let action = action.clone();
                Suspend::new(async move {
                    match found.await {
                        Ok(Some(Invitation::FirstAdmin)) => view! { <FirstAdmin action/> }.into_any(),
                        Ok(Some(Invitation::Person { name, email })) => {
                            view! { <Invited action name email/> }.into_any()
                        }
                        Ok(None) => view! { <Expired/> }.into_any(),
                        Err(error) => view! { <main class="gate" id="main"><ErrorPage error/></main> }.into_any(),
                    }
                })
            }}
        </Transition>
    }
}

#[component]
fn FirstAdmin(action: String) -> impl IntoView {
    let query = use_query_map().get_untracked();
    let text = move |name| query.get(name).unwrap_or_default();
    view! {
        <Gate
            title="Set up Cueline" is_wide=true
            lede="You are the first one here. This account becomes the admin; this link works once."
        >
            <form class="form" method="post" action=action>
                <Refused text=text("error")/>
                <TextField id="name" name="name" label="Your name" autocomplete="name" value=text("name")/>
                <TextField id="email" name="email" label="E-mail" kind="email" autocomplete="username" value=text("email")/>
                <NewPassword/>
                <NameAndSlug
                    name_field="project_name" slug_field="project_slug" label="First project"
                    name=text("project_name") slug=text("project_slug")
                />
                <button class="btn" data-kind="primary" data-width="full">"Create admin and project"</button>
            </form>
        </Gate>
    }
}

#[component]
fn Invited(action: String, name: String, email: String) -> impl IntoView {
    let refused = use_query_map()
        .get_untracked()
        .get("error")
        .unwrap_or_default();
    let lede = format!("You will sign in as {email}. This link works once.");
    view! {
        <Gate title=format!("Welcome, {name}") lede>
            <form class="form" method="post" action=action>
                <Refused text=refused/>
                // Hidden, so that password managers know what the password is for.
                <input type="hidden" name="email" value=email autocomplete="username"/>
                <NewPassword/>
                <button class="btn" data-kind="primary" data-width="full">"Choose password and sign in"</button>
            </form>
        </Gate>
    }
}

#[component]
fn Expired() -> impl IntoView {
    view! {
        <Gate title="This link does not work any more" lede="It was used already, was replaced by a newer one, or has expired.">
            <p>"An admin of your project can make a new one under Settings, Members. Whoever runs this server gets one for the first admin by starting it again."</p>
            <a class="btn" data-width="full" href="/sign-in">"To the sign-in page"</a>
        </Gate>
    }
}

#[component]
fn NewPassword() -> impl IntoView {
    let hint =
        format!("At least {MIN_PASSWORD} characters. A sentence is fine; password managers work.");
    view! {
        <Field id="password" label="Password" hint>
            <input
                class="input" id="password" name="password" type="password" autocomplete="new-password"
                minlength=MIN_PASSWORD.to_string() required aria-describedby=described_by("password")
            />
        </Field>
    }
}

#[component]
fn Refused(text: String) -> impl IntoView {
    (!text.is_empty()).then(|| view! { <Banner tone=Tone::Bad><p>{sentence(&text)}</p></Banner> })
}

/// A page without the frame: a card in the middle.
#[component]
pub fn Gate(
    /// The heading, and the document's title.
    #[prop(into)]
    title: String,
    /// A line below it; none if empty.
    #[prop(optional, into)]
    lede: String,
    /// Whether it needs room for two fields side by side.
    #[prop(optional)]
    is_wide: bool,
    /// What is in the card.
    children: Children,
) -> impl IntoView {
    view! {
        <Title text=title.clone()/>
        <main class="gate" id="main">
            <div class="gate-card" data-size=is_wide.then_some("wide")>
                <div class="gate-head">
                    <Mark size=IconSize::Large/>
                    <div>
                        <h1>{title}</h1>
                        {(!lede.is_empty()).then(|| view! { <p class="lede">{lede}</p> })}
                    </div>
                </div>
                {children()}
            </div>
        </main>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_in_words() {
        assert_eq!(refusal("", 0), None);
        assert!(refusal("wait", 30).is_some_and(|text| text.contains("30 seconds")));
        assert!(refusal("wait", 601).is_some_and(|text| text.contains("11 minutes")));
        assert!(refusal("wrong", 0).is_some());
    }
}
