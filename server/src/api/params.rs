//! What comes with the address: path segments and query parameters. Whatever is wrong with them
//! is answered like everything else, as a problem that names the parameter.

use std::str::FromStr;

use axum::{
    Json,
    extract::{FromRequestParts, RawPathParams},
    http::{StatusCode, request::Parts},
};
use domain::{
    field::FieldError,
    id::{
        AlertId, AlertRuleId, CaseId, DeliveryId, DeploymentId, ExperimentId, KeyId, PersonId,
        PromotionId, RunId, SuiteId, WebhookId,
    },
    page::{Listing, PageError, PageRequest},
    prompt::{PromptName, check_slug},
};
use serde::{Deserialize, de::DeserializeOwned};
use utoipa::IntoParams;

use super::error::{ApiError, Result};

/// Which rows of a list that is short enough to be answered whole.
#[derive(Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Part {
    /// Rows on a page, 1 to 200; all of them when left out.
    limit: Option<String>,
    /// Where the page starts: an earlier page's `next_cursor`.
    cursor: Option<String>,
}

impl Part {
    /// From a query that has other parameters too.
    pub const fn of(limit: Option<String>, cursor: Option<String>) -> Self {
        Self { limit, cursor }
    }

    /// The part of the rows that is wanted; `key` names a row like no other.
    pub fn slice<T>(&self, rows: Vec<T>, key: impl Fn(&T) -> String) -> Result<Json<Listing<T>>> {
        let mut checks = Checks::default();
        let request = checks.page(self.limit.as_deref(), self.cursor.as_deref());
        checks.finish()?;
        Listing::slice(rows, &request, key)
            .map(Json)
            .map_err(|_| ApiError::invalid_field("cursor", "is not one that an earlier page gave"))
    }
}

/// Something that stands in a path.
pub trait Segment: Sized {
    /// What the route calls it.
    const NAME: &'static str;

    /// Reads it. What cannot be a name is not found; what cannot be a number is refused.
    fn parse(text: &str) -> Result<Self>;
}

/// A path's segment, read and checked.
pub struct FromPath<T>(pub T);

impl<T: Segment, S: Send + Sync> FromRequestParts<S> for FromPath<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let segments = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|rejection| ApiError::malformed(rejection.body_text()))?;
        let text = segments
            .iter()
            .find_map(|(name, text)| (name == T::NAME).then_some(text))
            .unwrap_or_default();
        T::parse(text).map(Self)
    }
}

fn not_found(noun: &'static str) -> ApiError {
    store::Error::NotFound(noun).into()
}

impl Segment for PromptName {
    const NAME: &'static str = "name";

    fn parse(text: &str) -> Result<Self> {
        Self::parse(text).map_err(|_| not_found("prompt"))
    }
}

/// An environment's name.
pub struct EnvironmentName(pub String);

impl Segment for EnvironmentName {
    const NAME: &'static str = "name";

    fn parse(text: &str) -> Result<Self> {
        check_slug(text).map_err(|_| not_found("environment"))?;
        Ok(Self(text.to_owned()))
    }
}

/// The environment beside a prompt's name.
pub struct EnvironmentOf(pub String);

impl Segment for EnvironmentOf {
    const NAME: &'static str = "environment";

    fn parse(text: &str) -> Result<Self> {
        EnvironmentName::parse(text).map(|EnvironmentName(name)| Self(name))
    }
}

impl Segment for CaseId {
    const NAME: &'static str = "case";

    fn parse(text: &str) -> Result<Self> {
        text.parse().map_err(|_| not_found("case"))
    }
}

impl Segment for DeliveryId {
    const NAME: &'static str = "delivery";

    fn parse(text: &str) -> Result<Self> {
        text.parse().map_err(|_| not_found("delivery"))
    }
}

/// A version as addresses name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionNumber {
    /// Whichever is newest.
    Latest,
    /// That one.
    Number(i32),
}

impl VersionNumber {
    fn read(name: &str, text: &str) -> Result<Self> {
        if text == "latest" {
            return Ok(Self::Latest);
        }
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ApiError::invalid_field(
                name,
                "must be a version's number or `latest`",
            ));
        }
        // A number too large to be kept is the number of no version.
        text.parse()
            .map(Self::Number)
            .map_err(|_| not_found("version"))
    }
}

impl Segment for VersionNumber {
    const NAME: &'static str = "number";

    fn parse(text: &str) -> Result<Self> {
        Self::read(Self::NAME, text)
    }
}

/// The version that another is compared with.
pub struct Other(pub VersionNumber);

impl Segment for Other {
    const NAME: &'static str = "other";

    fn parse(text: &str) -> Result<Self> {
        VersionNumber::read(Self::NAME, text).map(Self)
    }
}

/// The run that another is compared with.
pub struct OtherRun(pub RunId);

impl Segment for OtherRun {
    const NAME: &'static str = "other";

    fn parse(text: &str) -> Result<Self> {
        text.parse().map(Self).map_err(|_| not_found("run"))
    }
}

macro_rules! ids {
    ($($id:ident $noun:literal),+ $(,)?) => {$(
        impl Segment for $id {
            const NAME: &'static str = "id";

            fn parse(text: &str) -> Result<Self> {
                text.parse().map_err(|_| not_found($noun))
            }
        }
    )+};
}

ids! {
    AlertId "alert",
    AlertRuleId "alert rule",
    WebhookId "webhook",
    DeploymentId "deployment",
    ExperimentId "experiment",
    KeyId "key",
    PersonId "member",
    PromotionId "promotion",
    RunId "run",
    SuiteId "suite",
}

/// The query's parameters, all as text; [`Checks`] reads what the text says.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self> {
        let text = parts.uri.query().unwrap_or_default();
        if text.contains('%') {
            let decoded = percent_encoding::percent_decode_str(text)
                .decode_utf8()
                .map_err(|_| ApiError::malformed("the query is not UTF-8"))?;
            // Postgres cannot keep it, so nothing there can be found by it either.
            if decoded.contains('\0') {
                return Err(ApiError::malformed("the query holds a NUL character"));
            }
        }
        axum::extract::Query::try_from_uri(&parts.uri)
            .map(|axum::extract::Query(query)| Self(query))
            .map_err(|rejection| {
                ApiError::new(
                    StatusCode::BAD_REQUEST,
                    "malformed_request",
                    rejection.body_text(),
                )
            })
    }
}

/// Reads parameters one by one and remembers everything that was wrong.
#[derive(Default)]
pub struct Checks {
    errors: Vec<FieldError>,
}

impl Checks {
    /// Which rows of a list are wanted.
    pub fn page(&mut self, limit: Option<&str>, cursor: Option<&str>) -> PageRequest {
        // Apart first, so that both can be wrong.
        for parsed in [
            PageRequest::parse(limit, None),
            PageRequest::parse(None, cursor),
        ] {
            match parsed {
                Ok(_) => {}
                Err(PageError::Limit) => {
                    self.refuse("limit", "must be a whole number from 1 to 200");
                }
                Err(PageError::Cursor) => {
                    self.refuse("cursor", "is not one that an earlier page gave");
                }
            }
        }
        PageRequest::parse(limit, cursor).unwrap_or_default()
    }

    /// A word out of a few.
    pub fn word<T: FromStr<Err: std::fmt::Display>>(
        &mut self,
        name: &str,
        text: Option<&str>,
    ) -> Option<T> {
        match present(text)?.parse() {
            Ok(word) => Some(word),
            Err(message) => {
                self.refuse(name, message.to_string());
                None
            }
        }
    }

    /// Notes that a parameter is not acceptable.
    pub fn refuse(&mut self, name: &str, message: impl Into<String>) {
        self.errors.push(FieldError::new(name, message));
    }

    /// Ends the reading: everything that was wrong, if anything was.
    pub fn finish(self) -> Result<()> {
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(ApiError::invalid(&self.errors))
        }
    }
}

/// A form that leaves a filter empty means none.
pub fn present(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}
