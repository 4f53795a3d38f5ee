//! Rules: when people are told. Everybody reads them, admins change them.

use chrono::{DateTime, Utc};
use domain::{
    actor::Permission,
    alert::{Kind, NewRule, Rule, Unit},
};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::{
    AdminsOnly, Settings,
    alert_calls::{RemoveRule, RulesView, SaveRule, load_rules},
    rule_form::RuleForm,
};
use crate::{
    error::UiError,
    frame::{use_membership, use_project},
    live::use_feed,
    prompts::{
        links::with_query,
        parts::{forget_between, refusal, remember_refusal, say_when_done},
    },
    ui::{
        Badge, Dialog, DialogHead, Empty, Glyph, Icon, Loaded, Refusal, RelativeTime,
        TableSkeleton, TableWrap, Tone, close_dialog,
    },
};

/// `/p/<project>/settings/alerts?change=`
#[component]
pub fn AlertRulesPage() -> impl IntoView {
    remember_refusal();
    let project = use_project();
    let query = use_query_map();
    let changed = Memo::new(move |_| query.with(|query| query.get("change").unwrap_or_default()));
    let save = ServerAction::<SaveRule>::new();
    let remove = ServerAction::<RemoveRule>::new();
    let heard = use_feed().heard(&["alert"]);
    let rules = Resource::new(
        move || {
            let done = (save.version().get(), remove.version().get());
            (project.get(), heard.get(), done)
        },
        |(project, _, _)| load_rules(project),
    );
    // Not told of changes: a form that somebody is filling in must hold still.
    let start = Resource::new(
        move || (project.get(), changed.get()),
        |(project, changed)| async move {
            let found = load_rules(project).await?;
            let rule = found
                .rules
                .into_iter()
                .find(|rule| rule.id.to_string() == changed);
            Ok::<_, UiError>((rule, found.environments))
        },
    );
    say_when_done(save, "Saved");
    forget_between(save, changed);
    let may = use_membership().may(Permission::Administer);
    view! {
        <Settings title="Alerts">
            <p class="lede">"What raises an alert. Alerts come to the inbox, and to the webhooks that hear of their kind."</p>
            <Refusal error=refusal(remove)/>
            <Loaded
                from=rules
                skeleton=|| view! { <TableSkeleton columns=&["Rule", "When", "Where", "Firing", "Changed"] label="Loading rules"/> }
                let:found
            >
                <RuleTable found remove may/>
            </Loaded>
            {if may {
                view! {
                    <Loaded from=start let:start>
                        {
                            let (rule, environments) = start;
                            view! { <RuleForm rule environments save/> }
                        }
                    </Loaded>
                }
                    .into_any()
            } else {
                view! { <AdminsOnly/> }.into_any()
            }}
        </Settings>
    }
}

#[component]
fn RuleTable(found: RulesView, remove: ServerAction<RemoveRule>, may: bool) -> impl IntoView {
    let here = use_membership().href("/settings/alerts");
    let RulesView { rules, now, .. } = found;
    if rules.is_empty() {
        return view! {
            <Empty glyph=Glyph::Bell title="No rules" is_small=true>
                <p>"Nothing raises an alert until there is a rule."</p>
            </Empty>
        }
        .into_any();
    }
    let dialogs = may.then(|| {
        rules
            .iter()
            .map(|rule| view! { <RemoveDialog rule=rule.clone() remove/> })
            .collect_view()
    });
    let rows = rules
        .into_iter()
        .map(|rule| row(rule, &here, now, may))
        .collect_view();
    let last = may.then(|| view! { <th scope="col"><span class="sr-only">"Action"</span></th> });
    let label = if may { "" } else { "Rules" };
    view! {
        <TableWrap label>
            <table class="table" data-stack="">
                <caption class="sr-only">"Rules by name"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Rule"</th>
                        <th scope="col">"When"</th>
                        <th scope="col">"Where"</th>
                        <th scope="col">"Now"</th>
                        <th scope="col" data-align="end" data-rank="3">"Changed"</th>
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

fn row(rule: Rule, here: &str, now: DateTime<Utc>, may: bool) -> impl IntoView + use<> {
    let NewRule {
        name,
        kind,
        enabled,
        roll_back,
        ..
    } = rule.plan.clone();
    let place = match (&rule.plan.prompt, &rule.plan.environment) {
        (None, None) => "everywhere".to_owned(),
        (Some(prompt), None) => prompt.to_string(),
        (None, Some(environment)) => environment.clone(),
        (Some(prompt), Some(environment)) => format!("{prompt} in {environment}"),
    };
    let state = match (enabled, rule.n_firing) {
        (false, _) => view! { <Badge tone=Tone::Outline>"off"</Badge> }.into_any(),
        (true, 0) => view! { <span class="muted">"quiet"</span> }.into_any(),
        (true, n) => view! { <Badge tone=Tone::Bad><Icon glyph=Glyph::Error/>{n}" firing"</Badge> }
            .into_any(),
    };
    let back = roll_back.then(
        || view! { " " <Badge tone=Tone::Warn><Icon glyph=Glyph::RollBack/>"rolls back"</Badge> },
    );
    let label = (name != kind.label() && kind.unit() != Unit::YesOrNo)
        .then(|| view! { <p class="note">{kind.label()}</p> });
    let action = may.then(|| {
        let id = rule.id.to_string();
        let href = with_query(here.to_owned(), &[("change", &id)]) + "#rule-h";
        view! {
            <td data-fit="" data-cell="action">
                <div class="cell-actions">
                    <a class="btn" data-size="small" href=href>"Change"<span class="sr-only">" "{name.clone()}</span></a>
                    <button
                        type="button" class="btn" data-size="small" data-kind="quiet" data-shape="icon"
                        aria-label=format!("Remove {name}") commandfor=dialog_id(&rule) command="show-modal"
                    >
                        <Icon glyph=Glyph::Trash/>
                    </button>
                </div>
            </td>
        }
    });
    view! {
        <tr>
            <th scope="row" data-cell="lead"><b>{name.clone()}</b>{back}{label}</th>
            <td data-cell="full">{rule.plan.condition()}</td>
            <td data-nowrap="">{place}</td>
            <td data-fit="">{state}</td>
            <td data-rank="3" data-align="end" data-fit="" data-cell="when"><RelativeTime at=rule.changed_at now/></td>
            {action}
        </tr>
    }
}

fn dialog_id(rule: &Rule) -> String {
    format!("remove-{}", rule.id)
}

#[component]
fn RemoveDialog(rule: Rule, remove: ServerAction<RemoveRule>) -> impl IntoView {
    let project = use_project();
    let id = dialog_id(&rule);
    let close = {
        let id = id.clone();
        move |_| close_dialog(&id)
    };
    view! {
        <Dialog id=id.clone()>
            // The dialog goes with its row, or closes and shows the refusal above the table.
            <ActionForm action=remove attr:class="dialog-form" on:submit=close>
                <DialogHead id=id.clone() title=format!("Remove “{}”", rule.plan.name)/>
                <div class="dialog-body">
                    <input type="hidden" name="project" value=project/>
                    <input type="hidden" name="rule" value=rule.id.to_string()/>
                    <p>"Its alerts are over and stay in the inbox. To make it silent for a while, turn it off instead."</p>
                </div>
                <footer class="dialog-foot">
                    <button type="button" class="btn" commandfor=id.clone() command="close" autofocus=true>"Cancel"</button>
                    <button class="btn" data-kind="danger">"Remove rule"</button>
                </footer>
            </ActionForm>
        </Dialog>
    }
}

/// What a kind's numbers count, for the hints of the form.
pub(super) fn unit_words(kind: Kind) -> &'static str {
    match kind.unit() {
        Unit::YesOrNo => "no number",
        Unit::Share => "a share, 0.05 for 5 %",
        Unit::Milliseconds => "milliseconds",
        Unit::Seconds => "seconds",
        Unit::Hours => "hours",
        Unit::Usd => "US dollars",
    }
}
