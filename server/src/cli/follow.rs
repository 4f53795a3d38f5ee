//! Following what was launched until it is over: a server that restarts in between, or a proxy that
//! hiccups, is asked again for a while, and nobody waits longer than they said.

use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Args;
use serde::de::DeserializeOwned;

use super::client::{Api, Away};

/// How often the server is asked how far it is.
const PAUSE: Duration = Duration::from_millis(300);
/// For so long a server that does not answer is asked again.
const PATIENCE: Duration = Duration::from_mins(1);
/// The first wait after a question that was not answered; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest wait of our own.
const LONGEST_WAIT: Duration = Duration::from_secs(8);

/// How long to wait for the end.
#[derive(Clone, Debug, Args)]
pub struct Wait {
    /// Give up after so many seconds and end with 2; what was launched goes on [default: never]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    timeout: Option<u64>,
}

/// Somebody who waits.
pub struct Follower<'a> {
    api: &'a Api,
    path: String,
    begun: Instant,
    timeout: Option<Duration>,
}

impl<'a> Follower<'a> {
    /// Follows what has this address below `/api/v1`, from now on.
    pub fn new(api: &'a Api, path: String, wait: &Wait) -> Self {
        Self {
            api,
            path,
            begun: Instant::now(),
            timeout: wait.timeout.map(Duration::from_secs),
        }
    }

    /// Asks until it is over.
    pub async fn until<T: DeserializeOwned>(
        &self,
        mut is_over: impl FnMut(&T) -> bool,
    ) -> anyhow::Result<T> {
        loop {
            let found = self.ask().await?;
            if is_over(&found) {
                return Ok(found);
            }
            self.sleep(PAUSE).await?;
        }
    }

    /// One answer, however often it must be asked for.
    async fn ask<T: DeserializeOwned>(&self) -> anyhow::Result<T> {
        let begun = Instant::now();
        let mut wait = FIRST_WAIT;
        loop {
            let error = match self.api.get(&self.path).await {
                Ok(found) => return Ok(found),
                Err(error) => error,
            };
            let Some(away) = error.downcast_ref::<Away>() else {
                return Err(error);
            };
            let pause = away.retry_after.unwrap_or(wait);
            if begun.elapsed() + pause > PATIENCE {
                return Err(error);
            }
            self.sleep(pause).await?;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// Sleeps, but not past the moment at which nobody waits any more.
    async fn sleep(&self, pause: Duration) -> anyhow::Result<()> {
        if let Some(timeout) = self.timeout
            && self.begun.elapsed() + pause > timeout
        {
            bail!(
                "not over after {} seconds; it goes on without this command: GET /api/v1{}",
                timeout.as_secs(),
                self.path
            );
        }
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use axum::{Json, Router, http::StatusCode, response::IntoResponse, routing::get};
    use serde_json::{Value, json};

    use super::*;

    /// A server that answers like this, by how often it was asked before.
    async fn server(
        answer: impl Fn(usize) -> axum::response::Response + Clone + Send + Sync + 'static,
    ) -> Api {
        let asked = Arc::new(AtomicUsize::new(0));
        let router = Router::new().route(
            "/api/v1/runs/1",
            get(move || {
                let number = asked.fetch_add(1, Ordering::Relaxed);
                let answer = answer(number);
                async move { answer }
            }),
        );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Api::new(Some(url), Some("key".to_owned())).unwrap()
    }

    fn away() -> axum::response::Response {
        let problem = json!({ "code": "database_unavailable", "detail": "away", "status": 503 });
        (
            StatusCode::SERVICE_UNAVAILABLE,
            [("retry-after", "0")],
            Json(problem),
        )
            .into_response()
    }

    fn follower(api: &Api, timeout: Option<u64>) -> Follower<'_> {
        Follower::new(api, "/runs/1".to_owned(), &Wait { timeout })
    }

    #[tokio::test]
    async fn a_server_that_comes_back_is_asked_again() {
        let api = server(|number| match number {
            0 | 1 => away(),
            2 => StatusCode::BAD_GATEWAY.into_response(),
            3 => Json(json!({ "status": "running" })).into_response(),
            _ => Json(json!({ "status": "completed" })).into_response(),
        })
        .await;
        let found: Value = follower(&api, None)
            .until(|run: &Value| run["status"] == "completed")
            .await
            .unwrap();
        assert_eq!(found["status"], "completed");
    }

    #[tokio::test]
    async fn a_refusal_is_final() {
        let api = server(|_| {
            let problem =
                json!({ "code": "run_not_found", "detail": "no such run", "status": 404 });
            (StatusCode::NOT_FOUND, Json(problem)).into_response()
        })
        .await;
        let refused = follower(&api, None).until(|_: &Value| true).await;
        assert_eq!(refused.unwrap_err().to_string(), "no such run");
    }

    #[tokio::test]
    async fn nobody_waits_longer_than_they_said() {
        let api = server(|_| Json(json!({ "status": "running" })).into_response()).await;
        let given_up = follower(&api, Some(1)).until(|_: &Value| false).await;
        let words = given_up.unwrap_err().to_string();
        assert!(words.starts_with("not over after 1 seconds"), "{words}");
    }
}
