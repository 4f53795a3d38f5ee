//! Eval runs: launching them, watching them, and what came of them against a baseline.

mod calls;
mod cases;
mod gate;
#[cfg(feature = "ssr")]
pub mod gather;
mod launch;
pub mod links;
mod list;
pub mod parts;
mod progress;
mod report;
mod run;
pub mod shapes;
mod tab;
mod verdict;
pub mod words;

pub use list::RunsPage;
pub use run::RunPage;
pub use tab::{Evals, EvalsTab};
