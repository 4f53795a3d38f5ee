//! Suites: what do we test? The list, and each suite with its cases, scorers and revisions.

mod calls;
mod case;
mod cases;
mod fields;
#[cfg(feature = "ssr")]
mod forms;
#[cfg(feature = "ssr")]
mod gather;
mod import;
pub mod links;
mod list;
mod new;
mod revisions;
mod scorers;
mod shapes;
mod suite;
mod words;

pub use list::SuitesPage;
pub use suite::SuitePage;
