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
    for promotions::Due { project, ids } in promotions::due(&tools.store, now).await? {
        let scheduler = Actor {
            who: Who::System {
                name: "schedule".to_owned(),
            },
            project,
            grant: Grant::Operator,
        };
        // What is due for the same prompt in the same place goes together.
        let done = match promotions::execute_together(&tools.store, &scheduler, &ids, now).await {
            Ok(done) => done,
            Err(error @ store::Error::Unavailable(_)) => return Err(error),
            Err(error) => {
                let words = error.to_string();
                let refused = |id: &_| (*id, Err(store::Error::conflict("not_executed", &words)));
                ids.iter().map(refused).collect()
            }
        };
        for (id, done) in done {
            if let Err(error) = done {
                tracing::warn!(promotion = %id, %error, "a scheduled promotion was not executed");
                let words = format!("It was due and could not be executed: {error}.");
                promotions::comment(&tools.store, &scheduler, id, &words, now).await?;
                promotions::unschedule(&tools.store, id).await?;
            }
        }
    }
    Ok(())
}
