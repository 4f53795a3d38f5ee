//! Providers: where models answer. A key goes in and never comes out.

use chrono::{DateTime, Utc};
use domain::{
    actor::Permission,
    provider::{Kind, Provider},
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::{
    AdminsOnly, Settings,
    calls::{Providers, SaveProvider, load_providers},
};
use crate::{
    error::UiError,
    frame::{use_membership, use_project},
    live::use_feed,
    prompts::{
        links::with_query,
        parts::{field_error, forget_between, refusal, remember_refusal, say_when_done},
    },
    ui::{
        Badge, Empty, Field, Glyph, Icon, Loaded, Nobody, Refusal, RelativeTime, TableSkeleton,
        TableWrap, TextField, Tone, clear_after, described_by,
    },
};

/// Addresses that many people need: whose, the address, what to know.
const READY: [(&str, Kind, &str, &str); 5] = [
    (
        "OpenAI",
        Kind::Openai,
        "https://api.openai.com/v1",
        "needs a key",
    ),
    (
        "Anthropic",
        Kind::Anthropic,
        "https://api.anthropic.com/v1",
        "needs a key",
    ),
    (
        "Ollama",
        Kind::Openai,
        "http://127.0.0.1:11434/v1",
        "no key needed",
    ),
    (
        "llama.cpp",
        Kind::Openai,
        "http://127.0.0.1:8080/v1",
        "no key needed",
    ),
    (
        "vLLM",
        Kind::Openai,
        "http://127.0.0.1:8000/v1",
        "no key needed, unless it was started with one",
    ),
];

/// `/p/<project>/settings/providers?change=`
#[component]
pub fn ProvidersPage() -> impl IntoView {
    remember_refusal();
    let project = use_project();
    let query = use_query_map();
    let changed = Memo::new(move |_| query.with(|query| query.get("change").unwrap_or_default()));
    let save = ServerAction::<SaveProvider>::new();
    let heard = use_feed().heard(&["provider"]);
    let providers = Resource::new(
        move || (project.get(), heard.get(), save.version().get()),
        |(project, _, _)| load_providers(project),
    );
    // Not told of changes: a form that somebody is filling in must hold still.
    let start = Resource::new(
        move || (project.get(), changed.get()),
        |(project, changed)| async move {
            if changed.is_empty() {
                return Ok(None);
            }
            let found = load_providers(project).await?;
            let mut providers = found.providers.into_iter();
            Ok::<_, UiError>(providers.find(|provider| provider.name == changed))
        },
    );
    say_when_done(save, "Saved");
    forget_between(save, changed);
    let may = use_membership().may(Permission::Administer);
    view! {
        <Settings title="Providers">
            <p class="lede">"Where models answer when a suite runs. A version names its provider; the key stays on the server."</p>
            <Loaded
                from=providers
                skeleton=|| view! { <TableSkeleton columns=&["Name", "Protocol", "Address", "Key", "At a time", "Changed"] label="Loading providers"/> }
                let:found
            >
                <ProviderTable found may/>
            </Loaded>
            {if may {
                view! { <Loaded from=start let:start><ProviderForm start save/></Loaded> }.into_any()
            } else {
                view! { <AdminsOnly/> }.into_any()
            }}
            <Ready/>
        </Settings>
    }
}

const fn protocol(kind: Kind) -> &'static str {
    match kind {
        Kind::Openai => "OpenAI chat completions",
        Kind::Anthropic => "Anthropic Messages",
    }
}

#[component]
fn ProviderTable(found: Providers, may: bool) -> impl IntoView {
    let here = use_membership().href("/settings/providers");
    let Providers { providers, now } = found;
    if providers.is_empty() {
        return view! {
            <Empty glyph=Glyph::Bolt title="No providers yet" is_small=true>
                <p>"Without one nothing can be run. A model on your own machine needs no key and costs nothing."</p>
            </Empty>
        }
        .into_any();
    }
    let rows = providers
        .into_iter()
        .map(|provider| row(provider, &here, now, may))
        .collect_view();
    let last = may.then(|| view! { <th scope="col"><span class="sr-only">"Action"</span></th> });
    let label = if may { "" } else { "Providers" };
    view! {
        <TableWrap label>
            <table class="table" data-stack="">
                <caption class="sr-only">"Providers by name"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Name"</th>
                        <th scope="col" data-rank="2">"Protocol"</th>
                        <th scope="col">"Address"</th>
                        <th scope="col">"Key"</th>
                        <th scope="col" data-align="end">"At a time"</th>
                        <th scope="col" data-align="end">"A minute"</th>
                        <th scope="col" data-align="end">"Changed"</th>
                        {last}
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </TableWrap>
    }
    .into_any()
}

fn row(provider: Provider, here: &str, now: DateTime<Utc>, may: bool) -> impl IntoView + use<> {
    let name = provider.name;
    let key = if provider.has_key {
        view! { <Badge tone=Tone::Good><Icon glyph=Glyph::Key/>"kept"</Badge> }.into_any()
    } else {
        view! { <span class="muted">"none kept"</span> }.into_any()
    };
    let a_minute = match provider.requests_per_minute {
        Some(most) => most.to_string().into_any(),
        None => view! { <Nobody word="no limit"/> }.into_any(),
    };
    let action = may.then(|| {
        let href = with_query(here.to_owned(), &[("change", &name)]) + "#provider-h";
        view! {
            <td data-fit="" data-cell="action">
                <a class="btn" data-size="small" href=href>"Change"<span class="sr-only">" "{name.clone()}</span></a>
            </td>
        }
    });
    view! {
        <tr>
            <th scope="row" data-cell="lead"><b>{name.clone()}</b></th>
            <td data-rank="2" data-nowrap="">{protocol(provider.kind)}</td>
            <td data-grow="" data-cell="full"><span class="cell-clip" title=provider.base_url.clone()><code>{provider.base_url.clone()}</code></span></td>
            <td data-nowrap="">{key}</td>
            <td data-align="end" data-fit="" data-cell="hide">{provider.max_concurrency}</td>
            <td data-align="end" data-fit="" data-cell="hide">{a_minute}</td>
            <td data-align="end" data-fit="" data-cell="when"><RelativeTime at=provider.changed_at now/></td>
            {action}
        </tr>
    }
}

#[component]
fn ProviderForm(start: Option<Provider>, save: ServerAction<SaveProvider>) -> impl IntoView {
    let project = use_project();
    let here = use_membership().href("/settings/providers");
    let form = NodeRef::new();
    // The key above all: what was sent does not stay in the page.
    clear_after(form, move || matches!(save.value().get(), Some(Ok(()))));
    let error = refusal(save);
    let other = Signal::derive(move || {
        error
            .try_get()
            .flatten()
            .filter(|error| !matches!(error, UiError::Invalid(_)))
    });
    let name_error = field_error(error, "name");
    let address_error = field_error(error, "base_url");
    let key_error = field_error(error, "api_key");
    let is_change = start.is_some();
    let has_key = start.as_ref().is_some_and(|provider| provider.has_key);
    let kind = start
        .as_ref()
        .map_or(Kind::Openai, |provider| provider.kind);
    let (title, verb) = match &start {
        Some(provider) => (format!("Change {}", provider.name), "Save provider"),
        None => ("Add a provider".to_owned(), "Add provider"),
    };
    let name = start
        .as_ref()
        .map(|provider| provider.name.clone())
        .unwrap_or_default();
    let address = start
        .as_ref()
        .map(|provider| provider.base_url.clone())
        .unwrap_or_default();
    let at_a_time = start
        .as_ref()
        .map_or(8, |provider| provider.max_concurrency)
        .to_string();
    let a_minute = start
        .as_ref()
        .and_then(|provider| provider.requests_per_minute)
        .map(|most| most.to_string())
        .unwrap_or_default();
    let key_hint = if has_key {
        "One is kept. Leave this empty and it stays; another address needs it again."
    } else {
        "Local servers such as Ollama and llama.cpp need none. It is kept sealed, and never shown again."
    };
    let kinds = [Kind::Openai, Kind::Anthropic]
        .map(|one| {
            view! { <option value=one.word() selected=one == kind>{protocol(one)}</option> }
        })
        .collect_view();
    let cancel =
        is_change.then(|| view! { <a class="btn" data-kind="quiet" href=here>"Cancel"</a> });
    view! {
        <ActionForm action=save node_ref=form attr:class="panel" attr:autocomplete="off">
            <input type="hidden" name="project" value=project/>
            <div class="panel-head"><h2 id="provider-h">{title}</h2></div>
            <div class="panel-body form">
                <Refusal error=other/>
                <div class="form-pair">
                    <Field
                        id="provider-name" label="Name" error=name_error
                        hint="What versions name it by, such as openai or local."
                    >
                        <input
                            class="input" id="provider-name" name="name" data-font="mono" required=true maxlength="40"
                            autocomplete="off" spellcheck="false" readonly=is_change value=name placeholder="openai"
                            aria-describedby=described_by("provider-name")
                            aria-invalid=move || name_error.try_with(Option::is_some).unwrap_or_default().then_some("true")
                        />
                    </Field>
                    <Field id="provider-kind" label="Protocol" hint="Most servers speak the first.">
                        <select class="input" id="provider-kind" name="kind" aria-describedby=described_by("provider-kind")>{kinds}</select>
                    </Field>
                </div>
                <Field
                    id="provider-address" label="Address" error=address_error
                    hint="Up to and without /chat/completions or /messages."
                >
                    <input
                        class="input" id="provider-address" name="base_url" type="url" data-font="mono" required=true list="ready-addresses"
                        autocomplete="off" spellcheck="false" value=address placeholder="https://api.openai.com/v1"
                        aria-describedby=described_by("provider-address")
                        aria-invalid=move || address_error.try_with(Option::is_some).unwrap_or_default().then_some("true")
                    />
                </Field>
                <Field id="provider-key" label="API key" is_optional=true hint=key_hint error=key_error>
                    <input
                        class="input" id="provider-key" name="api_key" type="password" autocomplete="off" spellcheck="false"
                        aria-describedby=described_by("provider-key")
                        aria-invalid=move || key_error.try_with(Option::is_some).unwrap_or_default().then_some("true")
                    />
                </Field>
                <div class="form-pair">
                    <TextField
                        id="provider-at-a-time" name="max_concurrency" label="Calls at a time" value=at_a_time autocomplete="off"
                        hint="At most, by all runs together." error=field_error(error, "max_concurrency")
                    />
                    <TextField
                        id="provider-a-minute" name="requests_per_minute" label="Calls a minute" value=a_minute autocomplete="off"
                        is_optional=true hint="Empty: as many as it takes." error=field_error(error, "requests_per_minute")
                    />
                </div>
            </div>
            <div class="panel-foot">
                <button class="btn" data-kind="primary" aria-busy=move || save.pending().get().then_some("true")>{verb}</button>
                {cancel}
                <span class="note">"Runs that are under way use it from their next call on."</span>
            </div>
        </ActionForm>
    }
}

/// Addresses to copy from.
#[component]
fn Ready() -> impl IntoView {
    let options = READY
        .map(|(name, _, address, _)| view! { <option value=address>{name}</option> })
        .collect_view();
    let rows = READY
        .map(|(name, kind, address, words)| {
            view! {
                <tr>
                    <th scope="row" data-fit="" data-cell="lead">{name}</th>
                    <td data-nowrap="" data-cell="full"><code>{address}</code></td>
                    <td data-nowrap="">{protocol(kind)}</td>
                    <td>{words}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <datalist id="ready-addresses">{options}</datalist>
        <section class="section" aria-labelledby="ready-h">
            <div class="section-head">
                <h2 id="ready-h">"Addresses that work as they are"</h2>
                <p class="note">"127.0.0.1 is the machine the server runs on. Without a key kept here, OPENAI_API_KEY and ANTHROPIC_API_KEY of the server’s environment go to their makers, and to nobody else."</p>
            </div>
            <TableWrap label="Ready-made addresses">
                <table class="table" data-stack="">
                    <caption class="sr-only">"Ready-made addresses"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Server"</th>
                            <th scope="col">"Address"</th>
                            <th scope="col">"Protocol"</th>
                            <th scope="col">"Key"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableWrap>
        </section>
    }
}
