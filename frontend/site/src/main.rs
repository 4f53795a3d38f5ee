//! Builds what the browser gets: compiles `frontend` to WebAssembly, binds it, bundles the style
//! sheet, copies the assets and compresses everything into `target/site`, from where the server
//! embeds it. A step whose inputs did not change since the last run is skipped.

mod script;
mod site;
mod style;

use std::env;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::site::{Flavour, Site};

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        // The compiler has had its say by now: one line is enough, and never a backtrace.
        Err(error) => {
            eprintln!("site: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> anyhow::Result<()> {
    let flavour = match env::args().nth(1).as_deref() {
        None => Flavour::Release,
        Some("--dev") => Flavour::Dev,
        Some(other) => bail!("unknown argument {other}: this takes --dev or nothing"),
    };
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .context("the workspace this was compiled in is gone")?;

    let mut site = Site::open(workspace, flavour)?;
    script::build(&mut site)?;
    style::bundle(&mut site)?;
    style::copy_assets(&mut site)?;
    site.finish()
}
