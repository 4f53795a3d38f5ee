//! How errors look: in the section that failed, beside the control that was refused, or as a page.

use leptos::prelude::*;
use leptos_meta::Title;

use super::{Banner, Tone};
use crate::error::UiError;

/// A section that could not be loaded, with a way to try again.
#[component]
pub fn ErrorView(
    /// Why.
    error: UiError,
    /// Loads it again without loading the page again; without script the page is loaded again.
    #[prop(optional, into)]
    retry: Option<Callback<()>>,
) -> impl IntoView {
    let again = move |event: leptos::ev::MouseEvent| {
        if let Some(retry) = retry {
            event.prevent_default();
            retry.run(());
        }
    };
    let (title, text) = words(&error);
    // `rel="external"` keeps the router from taking a link to this very page for no navigation.
    view! {
        <Banner
            tone=Tone::Bad
            title=title
            actions=move || view! { <a class="btn" data-size="small" href="" rel="external" on:click=again>"Try again"</a> }
        >
            <p>{text}</p>
        </Banner>
    }
}

/// A refusal beside the control that caused it: an alert that is there only when something was
/// refused. `<Refusal error=move || action.value().get().and_then(Result::err)/>`.
#[component]
pub fn Refusal(
    /// What was refused.
    #[prop(into)]
    error: Signal<Option<UiError>>,
) -> impl IntoView {
    // Content that is loaded again takes its signals along and stays on screen a moment longer.
    move || {
        error.try_get().flatten().map(|error| {
            let text = sentence(&error.to_string());
            view! { <Banner tone=Tone::Bad><p>{text}</p></Banner> }
        })
    }
}

/// A page that cannot be shown. On the server it also sets the status.
#[component]
pub fn ErrorPage(
    /// Why.
    error: UiError,
) -> impl IntoView {
    #[cfg(feature = "ssr")]
    answer_with(error.status());
    let (title, text) = words(&error);
    let facts = request_id().map(
        |request| view! { <dl class="facts"><dt>"Request"</dt><dd><code>{request}</code></dd></dl> },
    );
    // External: a page that failed is best left with a whole new page.
    view! {
        <Title text=title.clone()/>
        <div class="empty error-page">
            <p class="error-code">{error.status()}</p>
            <h1 tabindex="-1">{title}</h1>
            <p>{text}</p>
            <div class="row">
                <a class="btn" data-kind="primary" href="/" rel="external">"To the overview"</a>
                <a class="btn" href="" rel="external">"Try again"</a>
            </div>
            {facts}
        </div>
    }
}

/// What happened, and what to do.
fn words(error: &UiError) -> (String, String) {
    match error {
        UiError::SignedOut => (
            "You are not signed in any more".to_owned(),
            "Sign in again; you come back to where you were.".to_owned(),
        ),
        UiError::NotFound(noun) => (
            format!("There is no such {noun}"),
            "It may have been removed, or it is in a project you do not belong to.".to_owned(),
        ),
        UiError::Denied(why) => ("You may not do this".to_owned(), sentence(why)),
        UiError::Refused(why) => ("This was refused".to_owned(), sentence(why)),
        UiError::Invalid(_) => (
            "This cannot be read".to_owned(),
            sentence(&error.to_string()),
        ),
        UiError::Away => (
            "The database does not answer".to_owned(),
            "Applications are served from memory; nothing was changed. Try again in a moment."
                .to_owned(),
        ),
        UiError::Internal => (
            "Something went wrong here".to_owned(),
            "It was logged. Nothing was changed.".to_owned(),
        ),
        UiError::Network(_) => (
            "The server could not be reached".to_owned(),
            "Check the connection and try again.".to_owned(),
        ),
    }
}

/// A refusal as a sentence: refusals begin small, so that they can follow a colon.
#[must_use]
pub fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    let Some(first) = rest.next() else {
        return String::new();
    };
    let end = if text.ends_with(['.', '!', '?']) {
        ""
    } else {
        "."
    };
    format!("{}{}{end}", first.to_uppercase(), rest.as_str())
}

/// The number under which the request for this document stands in the log; nothing on a page that
/// was reached without one. Not a shared value: this runs in suspended views, several times.
fn request_id() -> Option<String> {
    #[cfg(feature = "ssr")]
    let id = crate::frame::request_id();
    #[cfg(not(feature = "ssr"))]
    let id = Owner::current_shared_context()
        .filter(|shared| shared.during_hydration())
        .and_then(|_| document().query_selector("meta[name=request-id]").ok()?)
        .and_then(|element| element.get_attribute("content"));
    id.filter(|id| !id.is_empty())
}

#[cfg(feature = "ssr")]
fn answer_with(status: u16) {
    use axum::http::StatusCode;
    use leptos_axum::ResponseOptions;
    if let (Some(response), Ok(status)) = (
        use_context::<ResponseOptions>(),
        StatusCode::from_u16(status),
    ) {
        response.set_status(status);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_become_sentences() {
        assert_eq!(
            sentence("this needs the admin role"),
            "This needs the admin role."
        );
        assert_eq!(sentence("Done."), "Done.");
        assert_eq!(sentence(""), "");
    }
}
