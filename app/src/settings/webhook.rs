//! One webhook: what it was told, every attempt, and what can be done about it.

use chrono::{DateTime, Utc};
use domain::{
    actor::Permission,
    id::WebhookId,
    webhook::{Attempt, Delivery, DeliveryState, Format, Webhook},
};
use leptos::prelude::*;
use leptos_router::hooks::{use_params_map, use_query_map};

use super::{
    AdminsOnly, Settings,
    alert_calls::{Redeliver, RemoveWebhook, RenewSecret, TestWebhook, WebhookLog, load_webhook},
    webhooks::{delivery_state, once},
};
use crate::{
    frame::{use_membership, use_project},
    live::use_feed,
    prompts::parts::{refusal, remember_refusal},
    ui::{
        Badge, Dialog, DialogHead, Empty, Glyph, Icon, Loaded, Pager, Refusal, RelativeTime,
        TableSkeleton, TableWrap, Tag, Tone, error::sentence,
    },
};

/// What is done; made by the page, so that it outlives what is shown.
#[derive(Clone, Copy)]
struct Acts {
    test: ServerAction<TestWebhook>,
    again: ServerAction<Redeliver>,
    renew: ServerAction<RenewSecret>,
    remove: ServerAction<RemoveWebhook>,
}

/// `/p/<project>/settings/webhooks/<id>?cursor=`
#[component]
pub fn WebhookPage() -> impl IntoView {
    remember_refusal();
    let project = use_project();
    let params = use_params_map();
    let query = use_query_map();
    let id = Memo::new(move |_| params.with(|params| params.get("id").unwrap_or_default()));
    let cursor = Memo::new(move |_| {
        query
            .read()
            .get("cursor")
            .filter(|cursor| !cursor.is_empty())
    });
    let acts = Acts {
        test: ServerAction::new(),
        again: ServerAction::new(),
        renew: ServerAction::new(),
        remove: ServerAction::new(),
    };
    let heard = use_feed().heard(&["webhook"]);
    let log = Resource::new(
        move || {
            let done = acts.test.version().get() + acts.again.version().get();
            (project.get(), id.get(), cursor.get(), heard.get(), done)
        },
        |(project, id, cursor, _, _)| load_webhook(project, id, cursor),
    );
    let may = use_membership().may(Permission::Administer);
    if !may {
        return view! { <Settings title="Webhooks"><AdminsOnly/></Settings> }.into_any();
    }
    view! {
        <Settings title="Webhooks">
            {move || acts.renew.value().get().and_then(Result::ok).and_then(|made| once(&made))}
            <Refusal error=refusal(acts.test)/>
            <Refusal error=refusal(acts.again)/>
            <Refusal error=refusal(acts.renew)/>
            <Refusal error=refusal(acts.remove)/>
            <Loaded
                from=log
                skeleton=|| view! { <TableSkeleton columns=&["Delivery", "State", "Attempts", "When"] label="Loading deliveries"/> }
                let:found
            >
                <Log found acts is_further=cursor.get_untracked().is_some()/>
            </Loaded>
        </Settings>
    }
    .into_any()
}

#[component]
fn Log(found: WebhookLog, acts: Acts, is_further: bool) -> impl IntoView {
    let WebhookLog {
        webhook,
        deliveries,
        next_cursor,
        now,
    } = found;
    let here = format!(
        "{}/{}",
        use_membership().href("/settings/webhooks"),
        webhook.id
    );
    let next = next_cursor.map(|cursor| format!("{here}?cursor={cursor}"));
    let shown = match deliveries.len() {
        1 => "1 delivery".to_owned(),
        n => format!("{n} deliveries"),
    };
    let list = if deliveries.is_empty() {
        view! {
            <Empty glyph=Glyph::Bell title="Nothing was told yet" is_small=true>
                <p>"A test says whether the address answers."</p>
            </Empty>
        }
        .into_any()
    } else {
        let id = webhook.id;
        let rows = deliveries
            .into_iter()
            .map(|delivery| row(id, delivery, acts, now))
            .collect_view();
        view! {
            <TableWrap>
                <table class="table" data-stack="">
                    <caption class="sr-only">"Deliveries, newest first"</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Delivery"</th>
                            <th scope="col">"State"</th>
                            <th scope="col">"Attempts"</th>
                            <th scope="col" data-align="end">"When"</th>
                            <th scope="col"><span class="sr-only">"Action"</span></th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableWrap>
            <Pager shown first=is_further.then_some(here) next/>
        }
        .into_any()
    };
    view! {
        <Head webhook acts/>
        <section class="section" aria-labelledby="log-h">
            <div class="section-head">
                <h2 id="log-h">"Deliveries"</h2>
                <span class="note">"Kept for 90 days."</span>
            </div>
            {list}
        </section>
    }
}

#[component]
fn Head(webhook: Webhook, acts: Acts) -> impl IntoView {
    let project = use_project();
    let here = use_membership().href("/settings/webhooks");
    let id = webhook.id;
    let format = match webhook.format {
        Format::Json => "JSON",
        Format::Slack => "Slack",
    };
    let off = (!webhook.enabled).then(|| view! { " " <Badge tone=Tone::Outline>"off"</Badge> });
    let change = format!("{here}?change={id}#webhook-h");
    view! {
        <section class="panel" aria-labelledby="webhook-name">
            <div class="panel-head"><h2 id="webhook-name">{webhook.name.clone()}{off}</h2></div>
            <div class="panel-body">
                <dl class="facts">
                    <dt>"Address"</dt><dd><code>{webhook.url.clone()}</code></dd>
                    <dt>"Format"</dt><dd>{format}</dd>
                    <dt>"Waiting"</dt><dd>{webhook.n_waiting}</dd>
                </dl>
            </div>
            <div class="panel-foot">
                <ActionForm action=acts.test>
                    <input type="hidden" name="project" value=project/>
                    <input type="hidden" name="webhook" value=id.to_string()/>
                    <button class="btn" data-kind="primary" aria-busy=move || acts.test.pending().get().then_some("true")>
                        <Icon glyph=Glyph::Bolt/>"Send a test"
                    </button>
                </ActionForm>
                <a class="btn" href=change>"Change"</a>
                <ActionForm action=acts.renew attr:data-scripting="needed">
                    <input type="hidden" name="project" value=project/>
                    <input type="hidden" name="webhook" value=id.to_string()/>
                    <button class="btn" data-kind="quiet"><Icon glyph=Glyph::Key/>"New secret"</button>
                </ActionForm>
                <button type="button" class="btn" data-kind="quiet" commandfor="remove-webhook" command="show-modal">
                    <Icon glyph=Glyph::Trash/>"Remove"
                </button>
            </div>
        </section>
        <Dialog id="remove-webhook">
            <ActionForm action=acts.remove attr:class="dialog-form">
                <DialogHead id="remove-webhook" title=format!("Remove “{}”", webhook.name)/>
                <div class="dialog-body">
                    <input type="hidden" name="project" value=project/>
                    <input type="hidden" name="webhook" value=id.to_string()/>
                    <p>"It hears nothing more, and what waits for it is given up. This cannot be undone."</p>
                </div>
                <footer class="dialog-foot">
                    <button type="button" class="btn" commandfor="remove-webhook" command="close" autofocus=true>"Cancel"</button>
                    <button class="btn" data-kind="danger">"Remove webhook"</button>
                </footer>
            </ActionForm>
        </Dialog>
    }
}

fn row(
    webhook: WebhookId,
    delivery: Delivery,
    acts: Acts,
    now: DateTime<Utc>,
) -> impl IntoView + use<> {
    let project = use_project();
    let again = (delivery.state != DeliveryState::Waiting).then(|| {
        let what = format!(" {}", delivery.text);
        view! {
            <ActionForm action=acts.again>
                <input type="hidden" name="project" value=project/>
                <input type="hidden" name="webhook" value=webhook.to_string()/>
                <input type="hidden" name="delivery" value=delivery.id.to_string()/>
                <button class="btn" data-size="small">"Redeliver"<span class="sr-only">{what}</span></button>
            </ActionForm>
        }
    });
    let repeats = delivery
        .redelivers
        .is_some()
        .then(|| view! { " " <Badge tone=Tone::Outline>"repeated"</Badge> });
    let next = delivery
        .due_at
        .filter(|_| !delivery.attempts.is_empty())
        .map(|at| {
            view! { <p class="note">"next try "{crate::ui::time::exact(at)}</p> }
        });
    let reason = delivery
        .reason
        .as_deref()
        .map(|reason| view! { <p class="note">{sentence(reason)}</p> });
    let attempts = delivery.attempts.iter().map(attempt).collect_view();
    let n_attempts = delivery.attempts.len();
    let log = if n_attempts == 0 {
        view! { <span class="muted">"none yet"</span> }.into_any()
    } else {
        let words = if n_attempts == 1 {
            "1 attempt".to_owned()
        } else {
            format!("{n_attempts} attempts")
        };
        view! {
            <details class="attempts">
                <summary>{words}</summary>
                <ol>{attempts}</ol>
            </details>
        }
        .into_any()
    };
    view! {
        <tr>
            <th scope="row" data-cell="lead" data-grow=""><Tag word=delivery.event.clone()/>" "{delivery.text.clone()}{repeats}</th>
            <td data-cell="full">{delivery_state(delivery.state)}{reason}{next}</td>
            <td data-cell="full">{log}</td>
            <td data-align="end" data-fit="" data-cell="when"><RelativeTime at=delivery.created_at now/></td>
            <td data-fit="" data-cell="action">{again}</td>
        </tr>
    }
}

fn attempt(attempt: &Attempt) -> impl IntoView + use<> {
    let outcome = match (attempt.status, &attempt.error) {
        (Some(status), None) => format!("answered {status}"),
        (Some(status), Some(error)) => format!("answered {status}: {error}"),
        (None, Some(error)) => error.clone(),
        (None, None) => "no answer".to_owned(),
    };
    let answer = attempt
        .answer
        .clone()
        .map(|answer| view! { <code>{answer}</code> });
    view! {
        <li>
            <p>{crate::ui::time::exact(attempt.at)}": "{outcome}", "{attempt.duration_ms}" ms"</p>
            {answer}
        </li>
    }
}
