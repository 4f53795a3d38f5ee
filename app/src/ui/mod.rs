//! Presentational parts: how things look, in one place each. They know no domain types, have no
//! margin of their own, and keep state in attributes, never in classes.

pub mod badge;
pub mod banner;
pub mod copy;
pub mod dialog;
pub mod empty;
pub mod error;
pub mod field;
pub mod icon;
pub mod loaded;
pub mod page_header;
pub mod pager;
pub mod skeleton;
pub mod tabs;
pub mod time;
pub mod toast;
pub mod who;

pub use badge::{Badge, Status, Tag};
pub use banner::{Banner, Tone};
pub use copy::{CopyLink, Copyable, Hash};
pub use dialog::{Dialog, DialogHead, Sheet, close_dialog, open_dialog};
pub use empty::Empty;
pub use error::{ErrorPage, ErrorView, Refusal};
pub use field::{Field, TextField, clear_after, described_by};
pub use icon::{Glyph, Icon, IconSize, Mark};
pub use loaded::{Loaded, LoadedPage, TableWrap};
pub use page_header::{Heading, PageHeader};
pub use pager::Pager;
pub use skeleton::TableSkeleton;
pub use tabs::{Tab, Tabs};
pub use time::{Moment, RelativeTime};
pub use toast::{ToastShelf, Toasts, use_toasts};
pub use who::{Nobody, Who};
