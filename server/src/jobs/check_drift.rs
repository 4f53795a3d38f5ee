//! Prompts that serve are looked after: checks are begun when they are due, and judged when their
//! runs are over. What is due lies in Postgres, so a server that was away catches up once, and
//! several servers never begin one twice.

use std::time::Duration;

use store::drift;

use super::Tools;

/// How often it is looked.
const LOOK: Duration = Duration::from_secs(2);
/// How often prompts without a schedule get theirs, in looks.
const ENSURE_EVERY: u32 = 15;

/// Looks after prompts until the server is told to stop.
pub async fn keep_on(tools: Tools) {
    let mut n_looks = 0_u32;
    loop {
        if let Err(error) = look(&tools, n_looks.is_multiple_of(ENSURE_EVERY)).await {
            tracing::warn!(%error, "drift checks wait for the database");
        }
        n_looks = n_looks.wrapping_add(1);
        if tools.rest(None, LOOK).await {
            return;
        }
    }
}

async fn look(tools: &Tools, ensures: bool) -> store::Result<()> {
    let now = tools.clock.now();
    if ensures {
        drift::ensure_schedules(&tools.store, now).await?;
    }
    drift::launch_due(&tools.store, now).await?;
    drift::judge_ended(&tools.store, tools.clock.now()).await?;
    Ok(())
}
