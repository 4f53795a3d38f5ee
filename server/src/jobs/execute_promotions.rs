//! Promotions that were approved for a later moment are executed when it comes. One that is no
//! longer complete then is not: it waits for people again, and the log says why.

use std::time::Duration;

use domain::actor::{Actor, Grant, Who};
use store::promotions;

use super::Tools;

/// How often it is looked.
const LOOK: Duration = Duration::from_secs(1);

/// Executes what is due until the server is told to stop.
pub async fn keep_on(tools: Tools) {
    loop {
        if let Err(error) = execute_all(&tools).await {
            tracing::warn!(%error, "scheduled promotions wait for the database");
        }
        if tools.rest(None, LOOK).await {
            return;
        }
    }
}

async fn execute_all(tools: &Tools) -> store::Result<()> {
    let now = tools.clock.now();
    for (project, id) in promotions::due(&tools.store, now).await? {
        let scheduler = Actor {
            who: Who::System {
                name: "schedule".to_owned(),
            },
            project,
            grant: Grant::Operator,
        };
        match promotions::execute(&tools.store, &scheduler, id, None, now).await {
            Ok(_) => {}
            Err(error @ store::Error::Unavailable(_)) => return Err(error),
            Err(error) => {
                tracing::warn!(promotion = %id, %error, "a scheduled promotion was not executed");
                let words = format!("It was due and could not be executed: {error}.");
                promotions::comment(&tools.store, &scheduler, id, &words, now).await?;
                promotions::unschedule(&tools.store, id).await?;
            }
        }
    }
    Ok(())
}
