//! Prompts: what do we have, what is live?

mod budget;
mod calls;
mod compare;
mod comparison;
mod edit;
mod evidence;
#[cfg(feature = "ssr")]
mod gather;
pub mod links;
mod list;
mod new;
pub mod parts;
mod promote;
pub mod prompt;
mod settings;
mod shapes;
mod tree;
mod version;
mod versions;
pub mod words;

pub use compare::{Broken, Differences};
pub use comparison::Comparison;
#[cfg(feature = "ssr")]
pub use comparison::compare;
pub use list::PromptsPage;
pub use new::NewPromptPage;
pub use parts::remember_refusal;
pub use shapes::Here;
