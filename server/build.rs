//! The site is embedded from `target/site`: it must exist for a plain `cargo check` of a fresh
//! clone, and a release binary must be made again when it changes.

use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let site = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/site");
    if let Err(error) = fs::create_dir_all(site) {
        println!("cargo:warning=cannot create {site}: {error}");
    }
    // A debug build reads the files while it runs, and would only be compiled again in vain.
    if env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        println!("cargo:rerun-if-changed={site}");
        if !fs::exists(format!("{site}/pkg")).unwrap_or(false) {
            println!("cargo:warning=this binary has no site inside: build with `make build`");
        }
    }
}
