//! Drift: is what serves still as good as when it was promoted, and are its inputs still those?

mod calls;
mod detail;
#[cfg(feature = "ssr")]
mod gather;
mod inputs;
pub mod links;
mod list;
pub mod parts;
#[cfg(feature = "ssr")]
mod pictures;
mod schedule;
mod shapes;

pub use detail::DriftOfPromptPage;
pub use list::DriftPage;
