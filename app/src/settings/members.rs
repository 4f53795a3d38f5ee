//! Members: who belongs to the project, and with which role.

use domain::{
    actor::{Permission, Role},
    project::Member,
};
use leptos::prelude::*;

use super::{
    AdminsOnly, Settings,
    calls::{AddMember, Added, Members, RemoveMember, RenewLink, SetRole, load_members},
};
use crate::{
    error::UiError,
    frame::{use_membership, use_project},
    live::use_feed,
    ui::{
        Badge, Copyable, Dialog, DialogHead, Field, Glyph, Icon, Loaded, Nobody, Refusal,
        RelativeTime, TableSkeleton, TableWrap, TextField, Tone, Who, clear_after, close_dialog,
        described_by,
    },
};

/// What can be done here.
#[derive(Clone, Copy)]
struct Actions {
    add: ServerAction<AddMember>,
    renew: ServerAction<RenewLink>,
    set_role: ServerAction<SetRole>,
    remove: ServerAction<RemoveMember>,
}

/// The members.
#[component]
pub fn MembersPage() -> impl IntoView {
    let project = use_project();
    let actions = Actions {
        add: ServerAction::new(),
        renew: ServerAction::new(),
        set_role: ServerAction::new(),
        remove: ServerAction::new(),
    };
    let heard = use_feed().heard(&["member"]);
    let members = Resource::new(
        move || {
            let done = (
                actions.add.version().get(),
                actions.set_role.version().get(),
                actions.remove.version().get(),
            );
            (project.get(), heard.get(), done)
        },
        |(project, _, _)| load_members(project),
    );
    let may = use_membership().may(Permission::Administer);
    view! {
        <Settings title="Members">
            {if may { view! { <Invite actions/> }.into_any() } else { view! { <AdminsOnly/> }.into_any() }}
            <section class="section" aria-labelledby="members-h">
                <div class="section-head"><h2 id="members-h">"Members"</h2></div>
                <Refusal error=refused(actions)/>
                <Loaded
                    from=members
                    skeleton=|| view! { <TableSkeleton columns=&["Name", "E-mail", "Role", "Since"] label="Loading members"/> }
                    let:found
                >
                    <MemberTable found actions may/>
                </Loaded>
            </section>
            <Roles/>
        </Settings>
    }
}

/// What changing a role or removing somebody was refused with, whichever was last.
fn refused(actions: Actions) -> Signal<Option<UiError>> {
    Signal::derive(move || {
        let of_role = actions.set_role.value().get().and_then(Result::err);
        let of_removal = actions.remove.value().get().and_then(Result::err);
        let of_renewal = actions.renew.value().get().and_then(Result::err);
        of_role.or(of_removal).or(of_renewal)
    })
}

#[component]
fn Invite(actions: Actions) -> impl IntoView {
    let project = use_project();
    let add = actions.add;
    let error = Signal::derive(move || add.value().get().and_then(Result::err));
    let of = move |field: &'static str| {
        Signal::derive(move || error.get().and_then(|error| error.of_field(field)))
    };
    let other = Signal::derive(move || {
        error
            .get()
            .filter(|error| !matches!(error, UiError::Invalid(_)))
    });
    let form = NodeRef::new();
    clear_after(form, move || matches!(add.value().get(), Some(Ok(_))));
    let added = move || {
        let renewed = actions.renew.value().get().and_then(Result::ok);
        let added = add.value().get().and_then(Result::ok);
        renewed.or(added).map(once)
    };
    let roles = Role::ALL
        .map(|role| {
            let words = format!("{} – {}", role.word(), role.meaning());
            view! { <option value=role.word() selected=role == Role::Editor>{words}</option> }
        })
        .collect_view();
    view! {
        {added}
        <p class="lede" data-scripting="none">"A link for a new member is shown once, in this page, and that takes script. The terminal adds members too: "<code>"cueline user add"</code></p>
        <ActionForm action=add node_ref=form attr:class="panel" attr:data-scripting="needed">
            <input type="hidden" name="project" value=project/>
            <div class="panel-head"><h2>"Add somebody"</h2></div>
            <div class="panel-body form">
                <Refusal error=other/>
                <div class="form-pair">
                    <TextField id="new-email" name="email" label="E-mail" kind="email" autocomplete="off" error=of("email")/>
                    <TextField id="new-name" name="name" label="Name" autocomplete="off" error=of("name")/>
                </div>
                <Field id="new-role" label="Role">
                    <select class="input" id="new-role" name="role" aria-describedby=described_by("new-role")>{roles}</select>
                </Field>
            </div>
            <div class="panel-foot">
                <button class="btn" data-kind="primary" aria-busy=move || add.pending().get().then_some("true")>"Add to the project"</button>
                <span class="note">"Whoever has no account yet gets a link from you; it works once, for 7 days."</span>
            </div>
        </ActionForm>
    }
}

/// The link, once.
fn once(added: Added) -> AnyView {
    let Added { name, link } = added;
    match link {
        Some(link) => view! {
            <section class="once" aria-labelledby="once-h" role="status">
                <h2 id="once-h">{format!("A link for {name}: copy it now")}</h2>
                <Copyable text=link/>
                <p class="note">"Pass it on yourself. It works once, for 7 days, and is not shown again."</p>
            </section>
        }
        .into_any(),
        None => view! {
            <section class="once" aria-labelledby="once-h" role="status">
                <h2 id="once-h">{format!("{name} belongs to the project")}</h2>
                <p class="note">"They have an account, or an invitation, already and sign in with it."</p>
            </section>
        }
        .into_any(),
    }
}

#[component]
fn MemberTable(found: Members, actions: Actions, may: bool) -> impl IntoView {
    let Members { members, now } = found;
    let n_members = members.len().to_string();
    let dialogs = may.then(|| {
        members
            .iter()
            .map(|member| view! { <RemoveDialog member=member.clone() actions/> })
            .collect_view()
    });
    let rows = members
        .into_iter()
        .map(|member| row(member, now, actions, may))
        .collect_view();
    let last = may.then(|| view! { <th scope="col"><span class="sr-only">"Action"</span></th> });
    // Without controls nothing in the table takes the focus, so its box must, to be scrolled.
    let label = if may { "" } else { "Members" };
    view! {
        <p class="sr-only" role="status">{n_members}" members"</p>
        <TableWrap label>
            <table class="table" data-stack="">
                <caption class="sr-only">"Members and roles"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Name"</th>
                        <th scope="col">"E-mail"</th>
                        <th scope="col">"Role"</th>
                        <th scope="col" data-align="end">"Since"</th>
                        {last}
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </TableWrap>
        {dialogs}
    }
}

fn row(
    member: Member,
    now: chrono::DateTime<chrono::Utc>,
    actions: Actions,
    may: bool,
) -> impl IntoView {
    let Member {
        id,
        email,
        name,
        role,
        created_at,
        has_signed_up,
    } = member;
    let role = if may {
        view! { <RoleForm id name=name.clone() role actions/> }.into_any()
    } else {
        view! { {role.word()} }.into_any()
    };
    let action = may.then(|| {
        let remove = format!("Remove {name}");
        let renew = (!has_signed_up).then(|| view! { <RenewForm id name=name.clone() actions/> });
        view! {
            <td data-fit="" data-cell="action">
                <div class="cell-actions">
                    {renew}
                    <button
                        type="button" class="btn" data-size="small" data-kind="quiet" data-shape="icon"
                        aria-label=remove commandfor=dialog_id(id) command="show-modal"
                    >
                        <Icon glyph=Glyph::Trash/>
                    </button>
                </div>
            </td>
        }
    });
    view! {
        <tr>
            <th scope="row" data-cell="lead"><Who name/></th>
            <td data-cell="full" class="muted">
                {email}
                {(!has_signed_up).then(|| view! { " " <Badge tone=Tone::Outline>"invited"</Badge> })}
            </td>
            <td data-fit="">{role}</td>
            <td data-align="end" data-cell="when" data-fit=""><RelativeTime at=created_at now/></td>
            {action}
        </tr>
    }
}

#[component]
fn RoleForm(id: domain::id::PersonId, name: String, role: Role, actions: Actions) -> impl IntoView {
    let project = use_project();
    let options = Role::ALL
        .map(|other| view! { <option value=other.word() selected=other == role>{other.word()}</option> })
        .collect_view();
    view! {
        <ActionForm action=actions.set_role attr:class="row">
            <input type="hidden" name="project" value=project/>
            <input type="hidden" name="person" value=id.to_string()/>
            <select class="input" data-size="small" name="role" aria-label=format!("Role of {name}")>{options}</select>
            <button class="btn" data-size="small" data-kind="quiet">"Change"<span class="sr-only">" the role of "{name}</span></button>
        </ActionForm>
    }
}

#[component]
fn RenewForm(id: domain::id::PersonId, name: String, actions: Actions) -> impl IntoView {
    let project = use_project();
    view! {
        <ActionForm action=actions.renew attr:data-scripting="needed">
            <input type="hidden" name="project" value=project/>
            <input type="hidden" name="person" value=id.to_string()/>
            <button class="btn" data-size="small" data-kind="quiet">"New link"<span class="sr-only">" for "{name}</span></button>
        </ActionForm>
    }
}

fn dialog_id(person: domain::id::PersonId) -> String {
    format!("remove-{person}")
}

#[component]
fn RemoveDialog(member: Member, actions: Actions) -> impl IntoView {
    let project = use_project();
    let id = dialog_id(member.id);
    let close = {
        let id = id.clone();
        move |_| close_dialog(&id)
    };
    view! {
        <Dialog id=id.clone()>
            // The dialog goes with its row, or closes and shows the refusal above the table.
            <ActionForm action=actions.remove attr:class="dialog-form" on:submit=close>
                <DialogHead id=id.clone() title=format!("Remove {}", member.name)/>
                <div class="dialog-body">
                    <input type="hidden" name="project" value=project/>
                    <input type="hidden" name="person" value=member.id.to_string()/>
                    <p>"They lose access to this project at once. What they did stays in the audit trail, and they can be added again."</p>
                </div>
                <footer class="dialog-foot">
                    <button type="button" class="btn" commandfor=id.clone() command="close">"Cancel"</button>
                    <button class="btn" data-kind="danger" autofocus=true>"Remove from the project"</button>
                </footer>
            </ActionForm>
        </Dialog>
    }
}

/// What each role may do.
#[component]
fn Roles() -> impl IntoView {
    const LINES: [(&str, Permission); 4] = [
        ("Read everything", Permission::Read),
        (
            "Write versions and suites, run evals, ask for promotions, roll back",
            Permission::WriteDrafts,
        ),
        ("Promote to protected environments", Permission::Approve),
        ("Members, keys, environments", Permission::Administer),
    ];
    let head = Role::ALL
        .map(|role| view! { <th scope="col">{role.word()}</th> })
        .collect_view();
    let rows = LINES
        .map(|(words, permission)| {
            let cells = Role::ALL
                .map(|role| {
                    let cell = if role >= permission.role() {
                        view! { <Icon glyph=Glyph::Check/><span class="sr-only">"yes"</span> }
                            .into_any()
                    } else {
                        view! { <Nobody word="no"/> }.into_any()
                    };
                    view! { <td>{cell}</td> }
                })
                .collect_view();
            view! { <tr><th scope="row">{words}</th>{cells}</tr> }
        })
        .collect_view();
    view! {
        <section class="section" aria-labelledby="roles-h">
            <div class="section-head"><h2 id="roles-h">"What each role may do"</h2></div>
            <TableWrap label="Roles and permissions">
                <table class="table">
                    <caption class="sr-only">"Roles and permissions"</caption>
                    <thead><tr><th scope="col">"Permission"</th>{head}</tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </TableWrap>
        </section>
    }
}
