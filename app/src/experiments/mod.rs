//! Experiments: who won, by how much, and can it be trusted? The list, planning one with the
//! sample-size calculator in place, and the page from which it is started, watched and shipped.

mod acts;
mod arms;
mod calls;
mod experiment;
mod fields;
#[cfg(feature = "ssr")]
mod gather;
pub mod links;
mod list;
mod new;
mod parts;
#[cfg(feature = "ssr")]
mod pictures;
mod plan;
mod shapes;
mod share;
mod sizing;
mod tab;
mod timeline;
mod words;

pub use experiment::ExperimentPage;
pub use links::experiment as experiment_address;
pub use list::ExperimentsPage;
pub use new::NewExperimentPage;
pub use parts::verdict_badge;
pub use tab::{Experiments, ExperimentsTab};
