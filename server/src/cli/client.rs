//! What client commands share: where the server is, with which key, and what its answers mean.

use std::{process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use clap::Args;
use domain::prompt::PromptName;
use reqwest::{
    Method, StatusCode,
    header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

/// The longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Which server. The key is read from `CUELINE_API_KEY` and nowhere else: what stands in a command
/// line, every process on the machine can read.
#[derive(Debug, Args)]
pub struct Remote {
    /// The server's address, such as <https://cueline.example>
    #[arg(long, env = "CUELINE_URL")]
    url: Option<String>,
}

/// What a request that failed was answered with.
#[derive(Debug, Deserialize)]
struct Problem {
    code: String,
    detail: String,
    #[serde(default)]
    errors: Vec<Value>,
}

/// The server understood and said no; nothing was changed.
#[derive(Debug, thiserror::Error)]
#[error("{words}")]
pub struct Refused {
    /// Stable, for programs.
    pub code: String,
    words: String,
}

impl Refused {
    /// A refusal of our own.
    pub fn new(code: &str, words: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            words: words.into(),
        }
    }
}

/// The server did not answer, or could not just now: asking again may help.
#[derive(Debug, thiserror::Error)]
#[error("{words}")]
pub struct Away {
    words: String,
    /// How long the server asks to wait.
    pub retry_after: Option<Duration>,
    #[source]
    cause: Option<reqwest::Error>,
}

/// Says what became of a client command: 1 where it was refused, 2 where it could not be done.
pub fn run(work: impl Future<Output = anyhow::Result<()>>) -> ExitCode {
    match block_on(work) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cueline: {error:#}");
            if error.downcast_ref::<Refused>().is_some() {
                ExitCode::from(1)
            } else {
                ExitCode::from(2)
            }
        }
    }
}

/// The same for a command that comes to a conclusion of its own: 2 for whatever stands in its way,
/// so that nobody takes a refusal for a verdict.
pub fn conclude(work: impl Future<Output = anyhow::Result<ExitCode>>) -> ExitCode {
    concluded(block_on(work))
}

/// The end of a command that came to a conclusion, or could not.
pub fn concluded(conclusion: anyhow::Result<ExitCode>) -> ExitCode {
    conclusion.unwrap_or_else(|error| {
        eprintln!("cueline: {error:#}");
        ExitCode::from(2)
    })
}

fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

/// A client that sends the key with every request.
pub fn http(key: &str) -> anyhow::Result<reqwest::Client> {
    // Refused only where one is installed already.
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut bearer = HeaderValue::try_from(format!("Bearer {key}"))
        .context("the key must be visible ASCII characters")?;
    bearer.set_sensitive(true);
    Ok(reqwest::Client::builder()
        .default_headers(HeaderMap::from_iter([(AUTHORIZATION, bearer)]))
        .user_agent(concat!("cueline/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(10))
        .build()?)
}

/// The server's API, with a key.
pub struct Api {
    http: reqwest::Client,
    url: String,
}

impl Remote {
    /// The API, if both variables say something.
    pub fn api(self) -> anyhow::Result<Api> {
        let key = std::env::var("CUELINE_API_KEY").ok();
        Api::new(self.url, key)
    }
}

impl Api {
    pub(super) fn new(url: Option<String>, key: Option<String>) -> anyhow::Result<Self> {
        let said = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let url = said(url).context(
            "which server? Set CUELINE_URL to its address, such as https://cueline.example",
        )?;
        let key =
            said(key).context("with which key? Set CUELINE_API_KEY to one from Settings → Keys")?;
        let url = url.trim().trim_end_matches('/').to_owned();
        if !url.starts_with("http://") && !url.starts_with("https://") {
            bail!("CUELINE_URL must start with http:// or https://: {url}");
        }
        Ok(Self {
            http: http(key.trim())?,
            url,
        })
    }

    /// Reads something.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.ask(Method::GET, path, None).await
    }

    /// Reads something that need not be there.
    pub async fn find<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<Option<T>> {
        match self.get(path).await {
            Ok(found) => Ok(Some(found)),
            Err(error) => match error.downcast_ref::<Refused>() {
                Some(refused) if refused.code.ends_with("_not_found") => Ok(None),
                _ => Err(error),
            },
        }
    }

    /// Does something.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> anyhow::Result<T> {
        self.ask(Method::POST, path, Some(body)).await
    }

    /// Changes something.
    pub async fn patch<T: DeserializeOwned>(&self, path: &str, body: &Value) -> anyhow::Result<T> {
        self.ask(Method::PATCH, path, Some(body)).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<T> {
        let address = format!("{}/api/v1{path}", self.url);
        let mut request = self.http.request(method, &address).timeout(PATIENCE);
        if let Some(body) = body {
            request = request.json(body);
        }
        let away = |cause: reqwest::Error| Away {
            words: format!("{} does not answer", self.url),
            retry_after: None,
            cause: Some(cause),
        };
        let answer = request.send().await.map_err(away)?;
        let status = answer.status();
        let retry_after = answer
            .headers()
            .get(RETRY_AFTER)
            .and_then(|seconds| seconds.to_str().ok()?.parse().ok())
            .map(Duration::from_secs);
        let text = answer.bytes().await.map_err(away)?;
        if status.is_success() {
            return serde_json::from_slice(&text)
                .with_context(|| format!("{address} answered something unexpected"));
        }
        let failure = failure(status, &text);
        if matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT
        ) {
            return Err(Away {
                words: failure.to_string(),
                retry_after,
                cause: None,
            }
            .into());
        }
        Err(failure)
    }
}

/// What the answer means for whoever runs the command.
fn failure(status: StatusCode, text: &[u8]) -> anyhow::Error {
    let Ok(problem) = serde_json::from_slice::<Problem>(text) else {
        return anyhow::anyhow!(
            "the server answered {status}; is CUELINE_URL a Cueline's address?"
        );
    };
    let mut words = problem.detail;
    // One error is the detail already.
    if problem.errors.len() > 1 {
        for error in &problem.errors {
            let field = error["field"].as_str().unwrap_or_default();
            let message = error["message"].as_str().unwrap_or_default();
            words = format!("{words}\n  {field}: {message}");
        }
    }
    let is_refusal = status.is_client_error()
        && !matches!(
            status,
            StatusCode::UNAUTHORIZED
                | StatusCode::TOO_MANY_REQUESTS
                | StatusCode::BAD_REQUEST
                | StatusCode::METHOD_NOT_ALLOWED
        );
    if is_refusal {
        Refused::new(&problem.code, words).into()
    } else {
        anyhow::anyhow!(words)
    }
}

/// A prompt's address below `/api/v1`.
pub fn prompt(name: &PromptName) -> String {
    // Everything else a name may hold can stand in an address as it is.
    format!("/prompts/{}", name.as_str().replace('/', "%2F"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(url: Option<&str>, key: Option<&str>) -> String {
        let api = Api::new(url.map(str::to_owned), key.map(str::to_owned));
        api.err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn what_is_missing_is_named() {
        assert!(complaint(None, Some("k")).contains("CUELINE_URL"));
        assert!(complaint(Some(" "), Some("k")).contains("CUELINE_URL"));
        assert!(complaint(Some("http://a"), None).contains("CUELINE_API_KEY"));
        assert!(complaint(Some("cueline.example"), Some("k")).contains("http"));
        assert!(complaint(Some("http://a"), Some("k\n\u{1}")).contains("ASCII"));
        assert_eq!(complaint(Some("http://a/"), Some("k")), "");
    }

    #[test]
    fn a_refusal_is_not_a_failure() {
        let problem = |status: u16, code: &str| {
            let text = format!(r#"{{"code":"{code}","detail":"no","status":{status}}}"#);
            failure(StatusCode::from_u16(status).unwrap(), text.as_bytes())
        };
        let is_refused = |error: anyhow::Error| error.downcast_ref::<Refused>().is_some();
        assert!(is_refused(problem(409, "nothing_before")));
        assert!(is_refused(problem(403, "forbidden")));
        assert!(!is_refused(problem(401, "unauthorized")));
        assert!(!is_refused(problem(503, "database_unavailable")));
        assert!(!is_refused(failure(StatusCode::BAD_GATEWAY, b"<html>")));
    }

    #[test]
    fn every_offending_field_is_listed() {
        let text = br#"{"code":"invalid","detail":"2 fields are not acceptable","errors":[
            {"field":"a","message":"is required"},{"field":"b","message":"is odd"}]}"#;
        let error = failure(StatusCode::UNPROCESSABLE_ENTITY, text).to_string();
        assert!(error.contains("a: is required") && error.contains("b: is odd"));
    }
}
