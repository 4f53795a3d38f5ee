//! API keys: what machines sign in with.

use chrono::{DateTime, Utc};
use domain::{
    actor::{Permission, Scope},
    project::ApiKey,
    prompt::Environment,
};
use leptos::prelude::*;

use super::{
    AdminsOnly, Settings,
    calls::{CreateKey, Keys, NewKey, RevokeKey, load_environments, load_keys},
};
use crate::{
    error::UiError,
    frame::{use_membership, use_project},
    live::use_feed,
    ui::{
        Badge, Copyable, Dialog, DialogHead, Empty, Glyph, Loaded, Nobody, Refusal, RelativeTime,
        TableSkeleton, TableWrap, Tag, TextField, Tone, clear_after, close_dialog,
    },
};

/// The keys.
#[component]
pub fn KeysPage() -> impl IntoView {
    let project = use_project();
    let create = ServerAction::<CreateKey>::new();
    let revoke = ServerAction::<RevokeKey>::new();
    let heard = use_feed().heard(&["key"]);
    let keys = Resource::new(
        move || {
            let done = (create.version().get(), revoke.version().get());
            (project.get(), heard.get(), done)
        },
        |(project, _, _)| load_keys(project),
    );
    // Not told of new keys: a form that somebody is filling in must hold still.
    let environments = Resource::new(move || project.get(), load_environments);
    let may = use_membership().may(Permission::Administer);
    view! {
        <Settings title="API keys">
            {move || create.value().get().and_then(Result::ok).map(once)}
            {if may {
                view! { <Loaded from=environments let:environments><NewKeyForm environments create/></Loaded> }.into_any()
            } else {
                view! { <AdminsOnly/> }.into_any()
            }}
            <Loaded
                from=keys
                skeleton=|| view! { <TableSkeleton columns=&["Name", "Starts with", "Scopes", "Environments", "Last used"] label="Loading keys"/> }
                let:found
            >
                {
                    let Keys { keys, now } = found;
                    view! {
                        <section class="section" aria-labelledby="keys-h">
                            <div class="section-head"><h2 id="keys-h">"Keys"</h2><span class="muted num">{keys.len().to_string()}</span></div>
                            <Refusal error=Signal::derive(move || revoke.value().get().and_then(Result::err))/>
                            <KeyTable keys now revoke may/>
                        </section>
                    }
                }
            </Loaded>
        </Settings>
    }
}

/// The key, once.
fn once(key: NewKey) -> impl IntoView {
    view! {
        <section class="once" aria-labelledby="once-h" role="status">
            <h2 id="once-h">{format!("Key “{}”: copy it now", key.name)}</h2>
            <Copyable text=key.secret/>
            <p class="note">"It is not shown again. Lost keys are revoked and replaced."</p>
        </section>
    }
}

#[component]
fn NewKeyForm(environments: Vec<Environment>, create: ServerAction<CreateKey>) -> impl IntoView {
    let project = use_project();
    let error = Signal::derive(move || create.value().get().and_then(Result::err));
    let name = Signal::derive(move || error.get().and_then(|error| error.of_field("name")));
    let other = Signal::derive(move || error.get().filter(|error| !is_only_of(error, "name")));
    let form = NodeRef::new();
    clear_after(form, move || matches!(create.value().get(), Some(Ok(_))));
    let scopes = Scope::ALL
        .map(|scope| {
            view! {
                <label class="choice">
                    <input type="checkbox" name="scopes[]" value=scope.word() checked=scope == Scope::PromptsRead/>
                    <span><code>{scope.word()}</code></span>
                    <span class="hint">{scope.meaning()}</span>
                </label>
            }
        })
        .collect_view();
    let environments = environments
        .into_iter()
        .map(|environment| {
            let name = environment.name;
            view! {
                <label class="choice">
                    <input type="checkbox" name="environments[]" value=name.clone()/>
                    <span>{name}</span>
                </label>
            }
        })
        .collect_view();
    view! {
        <p class="lede" data-scripting="none">"A key is shown once, in this page, and that takes script. The terminal makes keys too: "<code>"cueline key create"</code></p>
        <ActionForm action=create node_ref=form attr:class="panel" attr:data-scripting="needed">
            <input type="hidden" name="project" value=project/>
            <div class="panel-head"><h2>"Create a key"</h2></div>
            <div class="panel-body form">
                <Refusal error=other/>
                <TextField id="key-name" name="name" label="Name" placeholder="who uses it, e.g. api servers" autocomplete="off" error=name/>
                <fieldset>
                    <legend>"Scopes"</legend>
                    <div class="scopes">{scopes}</div>
                </fieldset>
                <fieldset>
                    <legend>"Environments"</legend>
                    <p class="hint">"None ticked: all of them, also those that come later."</p>
                    <div class="scopes">{environments}</div>
                </fieldset>
            </div>
            <div class="panel-foot">
                <button class="btn" data-kind="primary" aria-busy=move || create.pending().get().then_some("true")>"Create key"</button>
                <span class="note">"It is shown once, and stored only as a hash."</span>
            </div>
        </ActionForm>
    }
}

/// Whether nothing but that field was refused; then the field says so itself.
fn is_only_of(error: &UiError, field: &str) -> bool {
    matches!(error, UiError::Invalid(errors) if errors.iter().all(|error| error.field == field))
}

#[component]
fn KeyTable(
    keys: Vec<ApiKey>,
    now: DateTime<Utc>,
    revoke: ServerAction<RevokeKey>,
    may: bool,
) -> impl IntoView {
    if keys.is_empty() {
        return view! {
            <Empty glyph=Glyph::Key title="No keys yet" is_small=true>
                <p>"Applications, scripts and the command line sign in with a key."</p>
            </Empty>
        }
        .into_any();
    }
    let dialogs = may.then(|| {
        keys.iter()
            .filter(|key| key.revoked_at.is_none())
            .map(|key| view! { <RevokeDialog key_name=key.name.clone() id=key.id revoke/> })
            .collect_view()
    });
    let rows = keys
        .into_iter()
        .map(|key| row(key, now, may))
        .collect_view();
    let last = may.then(|| view! { <th scope="col"><span class="sr-only">"Action"</span></th> });
    let label = if may { "" } else { "API keys" };
    view! {
        <TableWrap label>
            <table class="table" data-stack="">
                <caption class="sr-only">"API keys"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Name"</th>
                        <th scope="col">"Starts with"</th>
                        <th scope="col">"Scopes"</th>
                        <th scope="col">"Environments"</th>
                        <th scope="col" data-rank="2">"Created by"</th>
                        <th scope="col" data-align="end">"Last used"</th>
                        {last}
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </TableWrap>
        {dialogs}
    }
    .into_any()
}

fn row(key: ApiKey, now: DateTime<Utc>, may: bool) -> impl IntoView {
    let tags = key
        .scopes
        .iter()
        .map(|scope| view! { <Tag word=scope.word()/> })
        .collect_view();
    let environments = key
        .environments
        .map_or_else(|| "all".to_owned(), |names| names.join(", "));
    let used = match key.last_used_at {
        Some(at) => view! { <RelativeTime at now/> }.into_any(),
        None => view! { <Nobody word="never"/> }.into_any(),
    };
    let is_revoked = key.revoked_at.is_some();
    let action = may.then(|| {
        let button = (!is_revoked).then(|| {
            view! {
                <button type="button" class="btn" data-size="small" commandfor=dialog_id(key.id) command="show-modal">
                    "Revoke"<span class="sr-only">" "{key.name.clone()}</span>
                </button>
            }
        });
        view! { <td data-fit="" data-cell="action">{button}</td> }
    });
    view! {
        <tr>
            <th scope="row" data-cell="lead">
                <b>{key.name.clone()}</b>
                {is_revoked.then(|| view! { " " <Badge tone=Tone::Outline>"revoked"</Badge> })}
            </th>
            <td><code>{key.prefix}"…"</code></td>
            <td data-cell="full"><span class="envs">{tags}</span></td>
            <td>{environments}</td>
            <td data-rank="2" data-nowrap="">{key.created_by.name().to_owned()}</td>
            <td data-align="end" data-cell="when" data-fit="">{used}</td>
            {action}
        </tr>
    }
}

fn dialog_id(key: domain::id::KeyId) -> String {
    format!("revoke-{key}")
}

#[component]
fn RevokeDialog(
    key_name: String,
    id: domain::id::KeyId,
    revoke: ServerAction<RevokeKey>,
) -> impl IntoView {
    let project = use_project();
    let dialog = dialog_id(id);
    let close = {
        let dialog = dialog.clone();
        move |_| close_dialog(&dialog)
    };
    view! {
        <Dialog id=dialog.clone()>
            // The dialog goes with its row, or closes and shows the refusal above the table.
            <ActionForm action=revoke attr:class="dialog-form" on:submit=close>
                <DialogHead id=dialog.clone() title=format!("Revoke “{key_name}”")/>
                <div class="dialog-body">
                    <input type="hidden" name="project" value=project/>
                    <input type="hidden" name="key" value=id.to_string()/>
                    <p>"Every server refuses it within a second. Applications that use it keep serving what they have in memory and get no more changes. This cannot be undone."</p>
                </div>
                <footer class="dialog-foot">
                    <button type="button" class="btn" commandfor=dialog.clone() command="close" autofocus=true>"Cancel"</button>
                    <button class="btn" data-kind="danger">"Revoke key"</button>
                </footer>
            </ActionForm>
        </Dialog>
    }
}
