//! What a prompt does while it serves: a tab of its page. Traffic, failures, latencies, tokens,
//! cost and opinions over a window, with what was released meanwhile; and two versions side by side.

mod calls;
pub mod day;
#[cfg(feature = "ssr")]
mod gather;
#[cfg(feature = "ssr")]
mod kept;
mod links;
mod panels;
#[cfg(feature = "ssr")]
mod pictures;
mod samples;
mod shapes;
mod tab;
#[cfg(feature = "ssr")]
pub mod words;

pub use day::Day;
pub use tab::{MonitorTab, Monitoring};
