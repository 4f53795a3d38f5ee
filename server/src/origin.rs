//! Protection against cross-site request forgery, for everything that a cookie authorises:
//! what is not a safe method must come from this site's own pages. The same check as Go's
//! `http.CrossOriginProtection`: browsers say where a request comes from in `Sec-Fetch-Site`,
//! older ones in `Origin`; what sends neither is no browser and carries no cookie of ours.

use axum::{
    extract::Request,
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::api::error::ApiError;

/// Refuses what another site's page makes a browser send.
pub async fn check(request: Request, next: Next) -> Response {
    if is_own(request.method(), request.headers()) {
        return next.run(request).await;
    }
    ApiError::new(
        StatusCode::FORBIDDEN,
        "cross_origin",
        "this request comes from another site's page and was refused",
    )
    .into_response()
}

fn is_own(method: &Method, headers: &HeaderMap) -> bool {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return true;
    }
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    match text("sec-fetch-site") {
        Some(site) => matches!(site, "same-origin" | "none"),
        None => match text("origin") {
            None => true,
            Some(origin) => {
                let host = headers
                    .get(header::HOST)
                    .and_then(|host| host.to_str().ok())
                    .unwrap_or_default();
                origin
                    .split_once("://")
                    .is_some_and(|(_, authority)| authority == host)
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: &Method, headers: &[(&'static str, &'static str)], expected: bool) {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        assert_eq!(is_own(method, &headers), expected, "{headers:?}");
    }

    #[test]
    fn only_our_own_pages_may_change_things() {
        check(&Method::GET, &[("sec-fetch-site", "cross-site")], true);
        check(&Method::POST, &[("sec-fetch-site", "same-origin")], true);
        check(&Method::POST, &[("sec-fetch-site", "cross-site")], false);
        check(&Method::POST, &[("sec-fetch-site", "same-site")], false);
        check(
            &Method::POST,
            &[("origin", "http://cueline.test"), ("host", "cueline.test")],
            true,
        );
        check(
            &Method::POST,
            &[("origin", "http://evil.test"), ("host", "cueline.test")],
            false,
        );
        check(
            &Method::POST,
            &[("origin", "null"), ("host", "cueline.test")],
            false,
        );
        check(&Method::DELETE, &[], true);
    }
}
