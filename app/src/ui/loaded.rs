//! What a resource holds once it is there: a skeleton first, the error in place, the old content
//! while new content is on its way.

use leptos::prelude::*;
use serde::{Serialize, de::DeserializeOwned};

use super::{ErrorPage, ErrorView};
use crate::error::UiError;

/// Whether the content shown is being loaded again. Provided by [`Loaded`].
#[derive(Clone, Copy)]
struct IsPending(RwSignal<bool>);

/// A section: `<Loaded from=resource skeleton=|| view! { <TableSkeleton …/> } let:members>…</Loaded>`.
/// An error shows in the section and leaves the rest of the page standing.
#[component]
pub fn Loaded<T, V>(
    /// The resource.
    from: Resource<Result<T, UiError>>,
    /// What stands there until it is loaded the first time.
    #[prop(into, optional)]
    skeleton: ViewFn,
    /// What to show of it.
    children: impl Fn(T) -> V + Clone + Send + Sync + 'static,
) -> impl IntoView
where
    T: Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
    V: IntoView + 'static,
{
    let retry = Callback::new(move |()| from.refetch());
    loaded(
        from,
        skeleton,
        move |value| children(value).into_any(),
        move |error| view! { <ErrorView error retry/> }.into_any(),
    )
}

/// The same for what makes the page: an error takes the page's place and sets its status.
#[component]
pub fn LoadedPage<T, V>(
    /// The resource.
    from: Resource<Result<T, UiError>>,
    /// What stands there until it is loaded the first time.
    #[prop(into, optional)]
    skeleton: ViewFn,
    /// What to show of it.
    children: impl Fn(T) -> V + Clone + Send + Sync + 'static,
) -> impl IntoView
where
    T: Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
    V: IntoView + 'static,
{
    loaded(
        from,
        skeleton,
        move |value| children(value).into_any(),
        |error| view! { <ErrorPage error/> }.into_any(),
    )
}

fn loaded<T>(
    from: Resource<Result<T, UiError>>,
    skeleton: ViewFn,
    show: impl Fn(T) -> AnyView + Clone + Send + Sync + 'static,
    fail: impl Fn(UiError) -> AnyView + Clone + Send + Sync + 'static,
) -> impl IntoView
where
    T: Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    let is_pending = RwSignal::new(false);
    provide_context(IsPending(is_pending));
    view! {
        <Transition fallback=move || skeleton.run() set_pending=is_pending>
            {move || {
                let (show, fail) = (show.clone(), fail.clone());
                Suspend::new(async move {
                    match from.await {
                        Ok(value) => show(value),
                        Err(error) => fail(error),
                    }
                })
            }}
        </Transition>
    }
}

/// The box around a table that may scroll; a thin bar runs while the rows are loaded again.
#[component]
pub fn TableWrap(
    /// Names the table when nothing in it can have the focus, so that the box can;
    /// empty: something in it can.
    #[prop(optional, into)]
    label: String,
    /// The table.
    children: Children,
) -> impl IntoView {
    let is_pending = use_context::<IsPending>().map(|IsPending(is_pending)| is_pending);
    // On the way to another page the signal goes before the table does.
    let busy = move || is_pending.and_then(|is_pending| is_pending.try_get()?.then_some("true"));
    let (tab, role, label) = if label.is_empty() {
        (None, None, None)
    } else {
        (Some("0"), Some("group"), Some(label))
    };
    view! {
        <div class="table-wrap" aria-busy=busy tabindex=tab role=role aria-label=label>{children()}</div>
    }
}
