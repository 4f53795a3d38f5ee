//! Requests to a server in this process, and what they answered.

use std::net::SocketAddr;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::ConnectInfo,
    http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header},
};
use serde_json::Value;
use tower::ServiceExt;

use super::TestApp;

/// Somebody who sends requests.
#[derive(Clone)]
pub struct Client {
    router: Router,
    headers: HeaderMap,
}

impl Client {
    /// Somebody with a credential, or without any.
    pub fn new(router: Router, credential: Option<(HeaderName, String)>) -> Self {
        let client = Self {
            router,
            headers: HeaderMap::new(),
        };
        match credential {
            Some((name, value)) => client.with(name.as_str(), &value),
            None => client,
        }
    }

    /// The same with one header more.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(
            HeaderName::try_from(name).unwrap(),
            HeaderValue::try_from(value).unwrap(),
        );
        self
    }

    /// The same caller at another server.
    pub fn at(&self, app: &TestApp) -> Self {
        Self {
            router: app.router(),
            headers: self.headers.clone(),
        }
    }

    /// What it sends as `Authorization`.
    pub fn credential(&self) -> String {
        self.headers[header::AUTHORIZATION]
            .to_str()
            .unwrap()
            .to_owned()
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, Body::empty()).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, Body::from(body.to_string()))
            .await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PATCH, path, Body::from(body.to_string()))
            .await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PUT, path, Body::from(body.to_string()))
            .await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, Body::empty()).await
    }

    /// A form, as a browser sends it.
    pub async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let encoded: Vec<String> = fields
            .iter()
            .map(|(name, value)| {
                let value: Vec<String> = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
                let value = value.concat();
                format!("{name}={value}")
            })
            .collect();
        self.clone()
            .with("content-type", "application/x-www-form-urlencoded")
            .send(Method::POST, path, Body::from(encoded.join("&")))
            .await
    }

    pub async fn send(&self, method: Method, path: &str, body: Body) -> Answer {
        let described = format!("{method} {path}");
        let response = self.open(method, path, body).await;
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Answer {
            described,
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    /// An answer whose body is still coming.
    pub async fn open(&self, method: Method, path: &str, body: Body) -> axum::response::Response {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .body(body)
            .unwrap();
        request.headers_mut().extend(self.headers.clone());
        request
            .headers_mut()
            .entry(header::HOST)
            .or_insert(HeaderValue::from_static("cueline.test"));
        let peer = SocketAddr::from(([192, 0, 2, 1], 40_000));
        request.extensions_mut().insert(ConnectInfo(peer));
        self.router.clone().oneshot(request).await.unwrap()
    }
}

/// What a request answered.
#[derive(Clone, Debug)]
pub struct Answer {
    described: String,
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// An answer whose body nobody waits for.
    pub fn without_body(described: &str, status: StatusCode) -> Self {
        Self {
            described: described.to_owned(),
            status,
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("{}: no JSON: {}", self.described, self.text()))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The status must be this one.
    #[track_caller]
    pub fn is(&self, status: u16) -> &Self {
        assert_eq!(
            self.status.as_u16(),
            status,
            "{} answered {}",
            self.described,
            String::from_utf8_lossy(&self.body),
        );
        self
    }

    /// It worked; what it says.
    #[track_caller]
    pub fn ok(&self) -> Value {
        self.is(200).json()
    }

    /// Something was made; what it says.
    #[track_caller]
    pub fn created(&self) -> Value {
        self.is(201).json()
    }

    /// Something was begun; what it says.
    #[track_caller]
    pub fn accepted(&self) -> Value {
        self.is(202).json()
    }

    /// It failed as this problem, and said so properly.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> Value {
        self.is(status);
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{}",
            self.described
        );
        let problem = self.json();
        assert_eq!(problem["code"], code, "{}: {problem}", self.described);
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], "about:blank");
        assert!(problem["title"].is_string() && problem["detail"].is_string());
        problem
    }

    /// These fields were refused, in this order.
    #[track_caller]
    pub fn refused(&self, fields: &[&str]) -> Value {
        let problem = self.problem(422, "invalid");
        let listed: Vec<&str> = problem["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| error["field"].as_str().unwrap())
            .collect();
        assert_eq!(listed, fields, "{}: {problem}", self.described);
        problem
    }
}
