//! Pictures of numbers. A chart is drawn on the server, in the colours of the theme, and comes with
//! a sentence that says what it shows and a table of what it was drawn from.

mod figure;
#[cfg(feature = "ssr")]
mod hints;
#[cfg(feature = "ssr")]
mod ink;
#[cfg(feature = "ssr")]
pub mod intervals;
#[cfg(feature = "ssr")]
pub mod marks;
#[cfg(feature = "ssr")]
mod moments;
#[cfg(feature = "ssr")]
mod paper;
#[cfg(feature = "ssr")]
pub mod series;
#[cfg(feature = "ssr")]
pub mod spark;

use serde::{Deserialize, Serialize};

pub use figure::Figure;

/// A picture, what it shows, and what it was drawn from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chart {
    /// Two drawings, a wide and a narrow one: lettering keeps its size on a telephone.
    pub svg: String,
    /// The finding, in one sentence.
    pub caption: String,
    /// The numbers.
    pub table: Table,
}

/// The numbers behind a picture, as text. The first column names its row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// What the columns are, with their units.
    pub columns: Vec<String>,
    /// As many cells as there are columns.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table with these columns.
    #[must_use]
    pub fn new(columns: &[&str]) -> Self {
        Self {
            columns: columns.iter().map(|column| (*column).to_owned()).collect(),
            rows: Vec::new(),
        }
    }
}
