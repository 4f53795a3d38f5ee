//! Signing in: a plain form that posts to the server and works without script.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

/// The sign-in page.
#[component]
pub fn SignInPage() -> impl IntoView {
    let query = use_query_map();
    let email = query.read_untracked().get("email").unwrap_or_default();
    let next = query.read_untracked().get("next").unwrap_or_default();
    view! {
        <Title text="Sign in"/>
        <main class="gate">
            <div class="gate-card">
                <h1>"Sign in"</h1>
                <form class="form" method="post" action="/sign-in">
                    <input type="hidden" name="next" value=next/>
                    <input class="input" type="email" name="email" value=email/>
                    <input class="input" type="password" name="password"/>
                    <button type="submit" class="btn" data-kind="primary">"Sign in"</button>
                </form>
            </div>
        </main>
    }
}

/// A one-time link: the first admin, or somebody who was invited, chooses a password.
#[component]
pub fn SetUpPage() -> impl IntoView {
    view! { <h1>"Set up"</h1> }
}
