//! The rules of experiments, end to end.
