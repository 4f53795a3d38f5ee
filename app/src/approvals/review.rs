//! One promotion: what changes, what the gate found, what it costs, who wants it and why, and the
//! two buttons.

use domain::{
    actor::Permission,
    gate::Verdict,
    release::{Evidence, FullPromotion, PromotionStatus},
};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::{
    calls::{Approve, Cancel, Comment, Execute, Reject, Review, load_review},
    experiment::Experiment,
    side::People,
    status,
};
use crate::{
    costs::{AcceptCost, CostBox, use_asked},
    error::UiError,
    frame::{use_membership, use_project},
    live::use_feed,
    prompts::{Broken, Differences, parts::close_after, remember_refusal},
    releases::prompt_address,
    ui::{
        Badge, Banner, Dialog, DialogHead, Empty, Field, Glyph, Heading, Icon, LoadedPage, Refusal,
        RelativeTime, Tone, error::sentence,
    },
};

/// What can be done here; made outside of what loads again.
#[derive(Clone, Copy)]
struct Actions {
    approve: ServerAction<Approve>,
    reject: ServerAction<Reject>,
    cancel: ServerAction<Cancel>,
    comment: ServerAction<Comment>,
    execute: ServerAction<Execute>,
    refused: Signal<Option<UiError>>,
}

impl Actions {
    fn new() -> Self {
        let (approve, reject, cancel) = (
            ServerAction::<Approve>::new(),
            ServerAction::<Reject>::new(),
            ServerAction::<Cancel>::new(),
        );
        let (comment, execute) = (
            ServerAction::<Comment>::new(),
            ServerAction::<Execute>::new(),
        );
        close_after(approve, "approve");
        close_after(reject, "reject");
        close_after(execute, "go-live");
        let refused = Signal::derive(move || {
            [
                approve.value().get().and_then(Result::err),
                reject.value().get().and_then(Result::err),
                cancel.value().get().and_then(Result::err),
                comment.value().get().and_then(Result::err),
                execute.value().get().and_then(Result::err),
            ]
            .into_iter()
            .flatten()
            .next()
        });
        Self {
            approve,
            reject,
            cancel,
            comment,
            execute,
            refused,
        }
    }

    fn n_done(self) -> usize {
        self.approve.version().get()
            + self.reject.version().get()
            + self.cancel.version().get()
            + self.comment.version().get()
            + self.execute.version().get()
    }
}

/// `/p/<project>/approvals/<id>`
#[component]
pub fn ReviewPage() -> impl IntoView {
    remember_refusal();
    let project = use_project();
    let params = use_params_map();
    let id = Memo::new(move |_| params.read().get("id").unwrap_or_default());
    let asked = use_asked();
    let actions = Actions::new();
    let heard = use_feed().heard(&["promotion", "deployment", "run", "version", "suite", "gate"]);
    let review = Resource::new(
        move || {
            (
                project.get(),
                id.get(),
                asked.get(),
                heard.get(),
                actions.n_done(),
            )
        },
        |(project, id, asked, _, _)| load_review(project, id, asked),
    );
    view! {
        <LoadedPage from=review let:found>
            <Shown project=project.get_untracked() found actions/>
        </LoadedPage>
    }
}

#[component]
fn Shown(project: String, found: Review, actions: Actions) -> impl IntoView {
    let full = found.promotion.clone();
    let promotion = full.promotion.clone();
    let number = promotion.version;
    let title = format!("{} v{number} → {}", promotion.prompt, promotion.environment);
    let serves = full.evidence.serves;
    let itself = format!(
        "{}?version={number}",
        prompt_address(&project, promotion.prompt.as_str())
    );
    let changes = match (&found.comparison, serves) {
        (Some(comparison), Some(from)) => {
            let breaks = comparison.broken().next().is_some().then(|| {
                view! { <Broken from to=number comparison=comparison.clone()/> }
            });
            view! {
                {breaks}
                <Differences comparison=comparison.clone() from to=number/>
            }
            .into_any()
        }
        (None, Some(from)) if from == number => view! {
            <Banner tone=Tone::Info><p>{format!("Version {number} serves {} now.", promotion.environment)}</p></Banner>
        }
        .into_any(),
        _ => view! {
            <Empty glyph=Glyph::Promote title="Nothing serves here yet" is_small=true>
                <p>"There is nothing to compare with: look at the version itself."</p>
                <a class="btn" href=itself>{format!("Open v{number}")}</a>
            </Empty>
        }
        .into_any(),
    };
    let refused = actions.refused;
    view! {
        <header class="page-header">
            <div class="title">
                <Heading text=title/>
                <div class="row">{status(promotion.status)}<span class="lede">{promotion.reason.clone()}</span></div>
            </div>
            <Buttons project=project.clone() found=found.clone() actions/>
        </header>
        <Refusal error=refused/>
        <Missing full=full.clone()/>
        <div class="split" data-ratio="wide-first">
            <div class="stack" data-gap="wide">
                {changes}
                <Discussion project=project.clone() full=full.clone() now=found.now actions/>
            </div>
            <aside class="evidence" aria-label="Evidence">
                <Gate project=project.clone() evidence=full.evidence.clone() now=found.now/>
                <Experiment project=project.clone() evidence=full.evidence.clone() now=found.now/>
                <CostBox estimate=found.cost.clone() frozen=full.evidence.cache_cost.clone()/>
                <People full change=found.change_description.clone() now=found.now/>
            </aside>
        </div>
    }
}

/// What still stands in the way.
#[component]
fn Missing(full: FullPromotion) -> impl IntoView {
    let promotion = full.promotion;
    if let (PromotionStatus::Approved, Some(at)) = (promotion.status, promotion.execute_at) {
        let why = promotion
            .execute_note
            .map(|note| format!(" ({note})"))
            .unwrap_or_default();
        let words = format!(
            "Goes live by itself at {} UTC{why}.",
            at.format("%Y-%m-%d %H:%M")
        );
        return view! { <Banner tone=Tone::Info><p>{words}</p></Banner> }.into_any();
    }
    if promotion.missing.is_empty() {
        return ().into_any();
    }
    let items = promotion
        .missing
        .into_iter()
        .map(|missing| view! { <li>{missing}</li> })
        .collect_view();
    view! { <Banner tone=Tone::Warn title="Still missing"><ul>{items}</ul></Banner> }.into_any()
}

#[component]
fn Buttons(project: String, found: Review, actions: Actions) -> impl IntoView {
    let promotion = found.promotion.promotion.clone();
    if !promotion.status.is_open() {
        return ().into_any();
    }
    let membership = use_membership();
    let id = promotion.id.to_string();
    let decide = match found.cannot_approve.clone() {
        None => {
            let evidence = found.promotion.evidence_hash.clone();
            let (number, ours) = (
                promotion.version,
                About {
                    project: project.clone(),
                    id: id.clone(),
                },
            );
            view! { <ApproveDialog number about=ours.clone() evidence actions/><RejectDialog number about=ours actions/> }
                .into_any()
        }
        Some(why) => {
            view! { <span class="note" id="cannot-approve">{sentence(&why)}</span> }.into_any()
        }
    };
    let execute = (membership.may(Permission::RequestPromotion)
        && promotion.status == PromotionStatus::Approved)
        .then(|| {
            let (project, id, found) = (project.clone(), id.clone(), found.clone());
            view! { <GoLive project id found actions/> }
        });
    let cancel = membership.may(Permission::RequestPromotion).then(|| {
        view! {
            <ActionForm action=actions.cancel>
                <input type="hidden" name="project" value=project/>
                <input type="hidden" name="id" value=id/>
                <button type="submit" class="btn" data-kind="quiet">"Withdraw"</button>
            </ActionForm>
        }
    });
    view! { <div class="actions">{cancel}{decide}{execute}</div> }.into_any()
}

/// What every form here says.
#[derive(Clone)]
struct About {
    project: String,
    id: String,
}

impl About {
    fn fields(self) -> impl IntoView {
        view! {
            <input type="hidden" name="project" value=self.project/>
            <input type="hidden" name="id" value=self.id/>
        }
    }
}

#[component]
fn ApproveDialog(number: i32, about: About, evidence: String, actions: Actions) -> impl IntoView {
    view! {
        <button type="button" class="btn" data-kind="primary" commandfor="approve" command="show-modal">
            <Icon glyph=Glyph::Check/>"Approve"
        </button>
        <Dialog id="approve">
            <ActionForm action=actions.approve attr:class="dialog-form">
                <DialogHead id="approve" title=format!("Approve version {number}")/>
                <div class="dialog-body">
                    {about.fields()}
                    <input type="hidden" name="evidence" value=evidence/>
                    <Field id="approve-comment" label="Comment" is_optional=true hint="Goes to the audit log.">
                        <input class="input" id="approve-comment" name="comment" maxlength="1000" autocomplete="off"/>
                    </Field>
                </div>
                <footer class="dialog-foot">
                    <span class="note">"Counts for what this page shows: other evidence asks again."</span>
                    <button type="button" class="btn" commandfor="approve" command="close">"Cancel"</button>
                    <button type="submit" class="btn" data-kind="primary">{format!("Approve v{number}")}</button>
                </footer>
            </ActionForm>
        </Dialog>
    }
}

#[component]
fn RejectDialog(number: i32, about: About, actions: Actions) -> impl IntoView {
    view! {
        <button type="button" class="btn" data-kind="danger-line" commandfor="reject" command="show-modal">"Reject"</button>
        <Dialog id="reject">
            <ActionForm action=actions.reject attr:class="dialog-form">
                <DialogHead id="reject" title=format!("Reject version {number}")/>
                <div class="dialog-body">
                    {about.fields()}
                    <Field id="reject-reason" label="Reason" hint="The author reads it.">
                        <input class="input" id="reject-reason" name="reason" maxlength="1000" required="" autocomplete="off"/>
                    </Field>
                </div>
                <footer class="dialog-foot">
                    <button type="button" class="btn" commandfor="reject" command="close">"Cancel"</button>
                    <button type="submit" class="btn" data-kind="danger">{format!("Reject v{number}")}</button>
                </footer>
            </ActionForm>
        </Dialog>
    }
}

/// Now, or at a set time.
#[component]
fn GoLive(project: String, id: String, found: Review, actions: Actions) -> impl IntoView {
    let promotion = found.promotion.promotion;
    let from = found.promotion.evidence.serves;
    let what = match from {
        Some(from) => format!("v{from} → v{} for ", promotion.version),
        None => format!("v{} for ", promotion.version),
    };
    let clients = match found.n_clients {
        1 => "1 client".to_owned(),
        n_clients => format!("{n_clients} clients"),
    };
    // Rather than the moment above: the browser without script cannot take the one away.
    let quietest = match found.quietest {
        Ok(words) => view! {
            <label class="choice">
                <input type="checkbox" name="quietest" value="true"/>
                <span>"In the quietest hour instead"</span>
                <span class="hint">{words}". Others due then go together with it."</span>
            </label>
        }
        .into_any(),
        Err(why) => view! { <p class="note">{sentence(&why)}</p> }.into_any(),
    };
    let accept = found.objection.map(|why| view! { <AcceptCost why/> });
    view! {
        <button type="button" class="btn" data-kind="primary" commandfor="go-live" command="show-modal">
            <Icon glyph=Glyph::Promote/>"Go live"
        </button>
        <Dialog id="go-live">
            <ActionForm action=actions.execute attr:class="dialog-form">
                <DialogHead id="go-live" title=format!("Version {} goes live", promotion.version)/>
                <div class="dialog-body">
                    <input type="hidden" name="project" value=project/>
                    <input type="hidden" name="id" value=id/>
                    <p>{what}{clients}" connected to "{promotion.environment}"."</p>
                    <Field id="go-live-at" label="At" is_optional=true hint="UTC. Empty: at once.">
                        <input class="input" id="go-live-at" name="at" type="datetime-local"/>
                    </Field>
                    {quietest}
                    {accept}
                </div>
                <footer class="dialog-foot">
                    <button type="button" class="btn" commandfor="go-live" command="close">"Cancel"</button>
                    <button type="submit" class="btn" data-kind="primary">{format!("Serve v{}", promotion.version)}</button>
                </footer>
            </ActionForm>
        </Dialog>
    }
}

/// What the gate found.
#[component]
fn Gate(project: String, evidence: Evidence, now: chrono::DateTime<chrono::Utc>) -> impl IntoView {
    let found = match evidence.gate {
        None => view! { <p class="muted">"No gate run on this content yet."</p> }.into_any(),
        Some(gate) => {
            let tone = match gate.verdict {
                Verdict::Pass => Tone::Good,
                Verdict::Fail => Tone::Bad,
                Verdict::Inconclusive => Tone::Warn,
            };
            let cases = (gate.n_cases > 0)
                .then(|| view! { <dt>"Cases"</dt><dd>{gate.n_cases.to_string()}</dd> });
            view! {
                <p><Badge tone>{gate.verdict.word()}</Badge></p>
                <p>{gate.sentence}</p>
                <dl class="facts">
                    <dt>"Suite"</dt><dd><a href=format!("/p/{project}/suites/{}", gate.suite)>{gate.suite_name}</a>{format!(" r{}", gate.revision)}</dd>
                    {cases}
                    <dt>"Run"</dt><dd><a href=format!("/p/{project}/runs/{}", gate.run_id)>"results"</a></dd>
                    <dt>"Decided"</dt><dd><RelativeTime at=gate.decided_at now has_ago=true/></dd>
                </dl>
            }
            .into_any()
        }
    };
    view! { <section><h3>"Gate"</h3>{found}</section> }
}

#[component]
fn Discussion(
    project: String,
    full: FullPromotion,
    now: chrono::DateTime<chrono::Utc>,
    actions: Actions,
) -> impl IntoView {
    let said = full
        .comments
        .into_iter()
        .map(|comment| {
            view! {
                <li>
                    <p><b>{comment.by.name().to_owned()}</b>" "<span class="muted"><RelativeTime at=comment.at now has_ago=true/></span></p>
                    <p>{comment.text}</p>
                </li>
            }
        })
        .collect::<Vec<_>>();
    let said = (!said.is_empty()).then(|| view! { <ol class="stack comments">{said}</ol> });
    view! {
        <section class="section" aria-labelledby="di-h">
            <div class="section-head"><h2 id="di-h">"Comments"</h2></div>
            {said}
            <ActionForm action=actions.comment attr:class="form">
                <input type="hidden" name="project" value=project/>
                <input type="hidden" name="id" value=full.promotion.id.to_string()/>
                <Field id="comment" label="Say something">
                    <textarea class="input" id="comment" name="text" rows="2" maxlength="1000" required=""></textarea>
                </Field>
                <div class="form-foot"><button type="submit" class="btn">"Comment"</button></div>
            </ActionForm>
        </section>
    }
}
