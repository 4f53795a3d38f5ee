//! Oneself: name and address, keyboard, password.

use domain::project::MIN_PASSWORD;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::Settings;
use crate::{
    frame::{set_single_keys, single_keys_on, use_membership},
    ui::{Banner, Field, TextField, Tone, described_by, error::sentence},
};

/// Oneself.
#[component]
pub fn ProfilePage() -> impl IntoView {
    view! {
        <Settings title="Profile">
            <You/>
            <Password/>
        </Settings>
    }
}

#[component]
fn You() -> impl IntoView {
    let membership = use_membership();
    // What this browser remembers is known after waking up only.
    let is_on = RwSignal::new(true);
    Effect::new(move |before: Option<()>| {
        if before.is_none() {
            is_on.set(single_keys_on());
        }
    });
    let change = move |event: leptos::ev::Event| {
        let wanted = event_target_checked(&event);
        set_single_keys(wanted);
        is_on.set(wanted);
    };
    view! {
        <section class="panel" aria-labelledby="you-h">
            <div class="panel-head"><h2 id="you-h">"You"</h2></div>
            <div class="panel-body form">
                <dl class="facts">
                    <dt>"Name"</dt><dd>{membership.name.clone()}</dd>
                    <dt>"E-mail"</dt><dd>{membership.email.clone()}</dd>
                    <dt>"Role here"</dt><dd>{membership.role().word()}", "{membership.role().meaning()}</dd>
                </dl>
                <fieldset>
                    <legend>"Keyboard, in this browser"</legend>
                    <label class="choice">
                        <input type="checkbox" checked prop:checked=is_on on:change=change/>
                        <span>"Single-key shortcuts"</span>
                        <span class="hint"><kbd>"/"</kbd>" searches. "<kbd>"Ctrl K"</kbd>" always works."</span>
                    </label>
                </fieldset>
            </div>
        </section>
    }
}

#[component]
fn Password() -> impl IntoView {
    let membership = use_membership();
    let query = use_query_map().get_untracked();
    let refused = query.get("error").unwrap_or_default();
    let is_done = query.get("password").is_some_and(|word| word == "changed");
    let hint =
        format!("At least {MIN_PASSWORD} characters. A sentence is fine; password managers work.");
    view! {
        <form class="panel" method="post" action="/password">
            <div class="panel-head"><h2>"Password"</h2></div>
            <div class="panel-body form">
                {is_done.then(|| view! { <Banner tone=Tone::Good><p>"Your password is changed; your other sessions were signed out."</p></Banner> })}
                {(!refused.is_empty()).then(|| view! { <Banner tone=Tone::Bad><p>{sentence(&refused)}</p></Banner> })}
                <input type="hidden" name="back" value=membership.href("/settings/profile")/>
                <input type="hidden" name="email" value=membership.email.clone() autocomplete="username"/>
                <TextField id="current" name="current" label="Current password" kind="password" autocomplete="current-password"/>
                <Field id="new" label="New password" hint>
                    <input
                        class="input" id="new" name="password" type="password" autocomplete="new-password"
                        minlength=MIN_PASSWORD.to_string() required aria-describedby=described_by("new")
                    />
                </Field>
            </div>
            <div class="panel-foot">
                <button class="btn">"Change password"</button>
                <span class="note">"Other sessions are signed out."</span>
            </div>
        </form>
    }
}
