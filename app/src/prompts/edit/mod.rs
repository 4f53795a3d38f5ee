//! The editor.
mod check;
mod draft;
mod variable;
