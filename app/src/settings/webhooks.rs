//! Webhooks: where other systems are told. For admins: an address may hold a token.

use chrono::{DateTime, Utc};
use domain::{
    actor::Permission,
    alert::Kind,
    webhook::{DeliveryState, Format, Webhook},
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::{
    AdminsOnly, Settings,
    alert_calls::{NewSecret, SaveWebhook, Webhooks, load_webhooks},
};
use crate::{
    error::UiError,
    frame::{use_membership, use_project},
    live::use_feed,
    prompts::parts::{FormRefusal, field_error, refusal, remember_refusal},
    ui::{
        Badge, Copyable, Empty, Field, Glyph, Icon, Loaded, Nobody, RelativeTime, TableSkeleton,
        TableWrap, TextField, Tone, described_by,
    },
};

/// What fields are called, by their names in refusals.
const FIELDS: &[(&str, &str)] = &[
    ("name", "Name"),
    ("url", "Address"),
    ("format", "Format"),
    ("audit", "Audit trail"),
];

/// `/p/<project>/settings/webhooks?change=`
#[component]
pub fn WebhooksPage() -> impl IntoView {
    remember_refusal();
    let project = use_project();
    let query = use_query_map();
    let changed = Memo::new(move |_| query.with(|query| query.get("change").unwrap_or_default()));
    let save = ServerAction::<SaveWebhook>::new();
    let heard = use_feed().heard(&["webhook"]);
    let may = use_membership().may(Permission::Administer);
    let webhooks = Resource::new(
        move || (project.get(), heard.get(), save.version().get()),
        |(project, _, _)| load_webhooks(project),
    );
    // Not told of changes: a form that somebody is filling in must hold still.
    let start = Resource::new(
        move || (project.get(), changed.get()),
        |(project, changed)| async move {
            if changed.is_empty() {
                return Ok(None);
            }
            let found = load_webhooks(project).await?;
            let mut webhooks = found.webhooks.into_iter();
            Ok::<_, UiError>(webhooks.find(|webhook| webhook.id.to_string() == changed))
        },
    );
    if !may {
        return view! { <Settings title="Webhooks"><AdminsOnly/></Settings> }.into_any();
    }
    view! {
        <Settings title="Webhooks">
            <p class="lede">"Addresses that are told of alerts and of entries in the audit trail. Every delivery is signed, tried for a day, and logged."</p>
            {move || save.value().get().and_then(Result::ok).and_then(|made| once(&made))}
            <Loaded
                from=webhooks
                skeleton=|| view! { <TableSkeleton columns=&["Name", "Address", "Hears of", "Last delivery", "When"] label="Loading webhooks"/> }
                let:found
            >
                <WebhookTable found/>
            </Loaded>
            <Loaded from=start let:start><WebhookForm start save/></Loaded>
            <p class="note" data-scripting="none">"Adding a webhook here takes a browser with script: its secret is shown once. Without it, POST /api/v1/webhooks."</p>
        </Settings>
    }
    .into_any()
}

/// The secret, once.
pub(super) fn once(made: &NewSecret) -> Option<impl IntoView + use<>> {
    let secret = made.secret.clone()?;
    Some(view! {
        <section class="once" aria-labelledby="once-h" role="status">
            <h2 id="once-h">{format!("Secret of “{}”: copy it now", made.name)}</h2>
            <Copyable text=secret/>
            <p class="note">
                "It is not shown again. X-Cueline-Signature is t=<unix>,v1=<hex>: HMAC-SHA256 with this secret over the time, a dot and the body."
            </p>
        </section>
    })
}

#[component]
fn WebhookTable(found: Webhooks) -> impl IntoView {
    let here = use_membership().href("/settings/webhooks");
    let Webhooks { webhooks, now } = found;
    if webhooks.is_empty() {
        return view! {
            <Empty glyph=Glyph::Bell title="No webhooks yet" is_small=true>
                <p>"Alerts come to the inbox. A webhook brings them to a chat, a pager or a program of yours."</p>
            </Empty>
        }
        .into_any();
    }
    let rows = webhooks
        .into_iter()
        .map(|webhook| row(webhook, &here, now))
        .collect_view();
    view! {
        <TableWrap>
            <table class="table" data-stack="">
                <caption class="sr-only">"Webhooks by name"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Name"</th>
                        <th scope="col">"Address"</th>
                        <th scope="col">"Hears of"</th>
                        <th scope="col">"Last delivery"</th>
                        <th scope="col" data-align="end">"When"</th>
                        <th scope="col"><span class="sr-only">"Action"</span></th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </TableWrap>
    }
    .into_any()
}

fn row(webhook: Webhook, here: &str, now: DateTime<Utc>) -> impl IntoView + use<> {
    let (id, name) = (webhook.id.to_string(), webhook.name.clone());
    let hears = match (webhook.alerts.len(), webhook.audit.len()) {
        (n, 0) if n == Kind::ALL.len() => "all alerts".to_owned(),
        (0, 0) => "nothing".to_owned(),
        (n, 0) => format!("{n} kinds of alerts"),
        (0, _) => format!("audit: {}", webhook.audit.join(", ")),
        (_, _) => format!("alerts; audit: {}", webhook.audit.join(", ")),
    };
    let last = match webhook.last_state {
        Some(state) => delivery_state(state).into_any(),
        None => view! { <Nobody word="none"/> }.into_any(),
    };
    let when = match webhook.last_at {
        Some(at) => view! { <RelativeTime at now/> }.into_any(),
        None => view! { <Nobody word="never"/> }.into_any(),
    };
    let off = (!webhook.enabled).then(|| view! { " " <Badge tone=Tone::Outline>"off"</Badge> });
    view! {
        <tr>
            <th scope="row" data-cell="lead">
                <a class="row-link" href=format!("{here}/{id}")>{name.clone()}</a>{off}
            </th>
            <td data-grow="" data-cell="full"><span class="cell-clip" title=webhook.url.clone()><code>{webhook.url.clone()}</code></span></td>
            <td>{hears}</td>
            <td data-fit="">{last}</td>
            <td data-align="end" data-fit="" data-cell="when">{when}</td>
            <td data-fit="" data-cell="action">
                <a class="btn" data-size="small" href=format!("{here}?change={id}#webhook-h")>"Change"<span class="sr-only">" "{name}</span></a>
            </td>
        </tr>
    }
}

/// What became of a delivery, with a mark that needs no colour.
pub(super) fn delivery_state(state: DeliveryState) -> impl IntoView {
    match state {
        DeliveryState::Waiting => {
            view! { <Badge tone=Tone::Warn><Icon glyph=Glyph::Clock/>"waiting"</Badge> }
        }
        DeliveryState::Delivered => {
            view! { <Badge tone=Tone::Good><Icon glyph=Glyph::Check/>"delivered"</Badge> }
        }
        DeliveryState::GivenUp => {
            view! { <Badge tone=Tone::Bad><Icon glyph=Glyph::Error/>"given up"</Badge> }
        }
    }
}

#[component]
fn WebhookForm(start: Option<Webhook>, save: ServerAction<SaveWebhook>) -> impl IntoView {
    let project = use_project();
    let here = use_membership().href("/settings/webhooks");
    let error = refusal(save);
    let is_change = start.is_some();
    let (title, verb) = match &start {
        Some(webhook) => (format!("Change “{}”", webhook.name), "Save webhook"),
        None => ("Add a webhook".to_owned(), "Add webhook"),
    };
    let of = |read: fn(&Webhook) -> String| start.as_ref().map(read).unwrap_or_default();
    let (id, name, url) = (
        of(|webhook| webhook.id.to_string()),
        of(|webhook| webhook.name.clone()),
        of(|webhook| webhook.url.clone()),
    );
    let audit = of(|webhook| webhook.audit.join(", "));
    let format = start
        .as_ref()
        .map_or(Format::Json, |webhook| webhook.format);
    let is_on = start.as_ref().is_none_or(|webhook| webhook.enabled);
    let kinds = Kind::ALL
        .map(|kind| {
            let is_chosen = start
                .as_ref()
                .is_none_or(|webhook| webhook.alerts.contains(&kind));
            view! {
                <label class="choice">
                    <input type="checkbox" name="webhook[alerts][]" value=kind.word() checked=is_chosen/>
                    <span>{kind.label()}</span>
                </label>
            }
        })
        .collect_view();
    // A plain form's answer could not show the secret, which is shown once.
    let scripting = (!is_change).then_some("needed");
    let url_error = field_error(error, "url");
    let cancel = is_change.then(|| view! { <a class="btn" href=here>"Cancel"</a> });
    view! {
        <ActionForm action=save attr:class="panel" attr:aria-labelledby="webhook-h" attr:data-scripting=scripting>
            <input type="hidden" name="project" value=project/>
            <input type="hidden" name="webhook[id]" value=id/>
            <div class="panel-head"><h2 id="webhook-h">{title}</h2></div>
            <div class="panel-body form">
                <FormRefusal error fields=FIELDS/>
                <TextField id="name" name="webhook[name]" label="Name" value=name autocomplete="off" error=field_error(error, "name")/>
                <Field
                    id="url" label="Address" error=url_error
                    hint="Private addresses are refused when it is called, unless the server’s operator opened them."
                >
                    <input
                        class="input" id="url" name="webhook[url]" type="url" data-font="mono" required=true autocomplete="off" spellcheck="false"
                        value=url placeholder="https://hooks.example.com/cueline" aria-describedby=described_by("url")
                        aria-invalid=move || url_error.try_with(Option::is_some).unwrap_or_default().then_some("true")
                    />
                </Field>
                <Field id="format" label="Format" error=field_error(error, "format")>
                    <select class="input" id="format" name="webhook[format]" aria-describedby=described_by("format")>
                        <option value="json" selected=format == Format::Json>"JSON, with everything"</option>
                        <option value="slack" selected=format == Format::Slack>"Slack and what reads the same: text and blocks"</option>
                    </select>
                </Field>
                <fieldset>
                    <legend>"Alerts it hears of"</legend>
                    <div class="scopes">{kinds}</div>
                </fieldset>
                <TextField
                    id="audit" name="webhook[audit]" label="Entries of the audit trail" value=audit autocomplete="off" is_optional=true
                    placeholder="deployment, promotion.request" error=field_error(error, "audit")
                    hint="Actions or their nouns, with commas between."
                />
                <label class="choice">
                    <input type="checkbox" name="webhook[enabled]" value="true" checked=is_on/>
                    <span>"On"</span>
                    <span class="hint">"While it is off nothing is queued. What waits when it is turned off is given up."</span>
                </label>
            </div>
            <div class="panel-foot">
                <button class="btn" data-kind="primary" aria-busy=move || save.pending().get().then_some("true")>{verb}</button>
                {cancel}
                <span class="note">{(!is_change).then_some("Its secret is made now and shown once.")}</span>
            </div>
        </ActionForm>
    }
}
