//! The program: `frontend` as WebAssembly, and the JavaScript that loads it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::ensure;
use wasm_bindgen_cli_support::Bindgen;

use crate::site::{File, Flavour, Site, files_below};

/// What Leptos' hydration script asks for: `/pkg/cueline.js` and `/pkg/cueline.wasm`.
const NAME: &str = "cueline";

pub fn build(site: &mut Site) -> anyhow::Result<()> {
    let wasm = compile(&site.workspace, site.flavour)?;
    let flavour = site.flavour;
    let scratch = site.workspace.join("target/site-bindings");
    site.step("script", std::slice::from_ref(&wasm), || {
        bind(&wasm, flavour, &scratch)
    })
}

fn compile(workspace: &Path, flavour: Flavour) -> anyhow::Result<PathBuf> {
    let (profile, folder) = match flavour {
        Flavour::Dev => ("dev", "debug"),
        Flavour::Release => ("wasm-release", "wasm-release"),
    };
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args([
            "build",
            "--package",
            "frontend",
            "--target",
            "wasm32-unknown-unknown",
        ])
        .args(["--profile", profile])
        .current_dir(workspace)
        .status()?;
    ensure!(status.success(), "the frontend does not compile");

    let target = env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| workspace.join("target"), |folder| workspace.join(folder));
    Ok(target
        .join("wasm32-unknown-unknown")
        .join(folder)
        .join("frontend.wasm"))
}

fn bind(wasm: &Path, flavour: Flavour, scratch: &Path) -> anyhow::Result<Vec<File>> {
    // Names of an earlier build must not end up in this one.
    if scratch.exists() {
        fs::remove_dir_all(scratch)?;
    }
    let dev = flavour == Flavour::Dev;
    Bindgen::new()
        .input_path(wasm)
        .out_name(NAME)
        .web(true)?
        .typescript(false)
        .debug(dev)
        .keep_debug(dev)
        .remove_name_section(!dev)
        .remove_producers_section(!dev)
        .generate(scratch)?;

    let bound = format!("{NAME}_bg.wasm");
    files_below(scratch)?
        .into_iter()
        .map(|path| {
            let mut bytes = fs::read(&path)?;
            let name = path
                .strip_prefix(scratch)?
                .to_string_lossy()
                .replace(&bound, &format!("{NAME}.wasm"));
            // The script names the file as a default, in case nobody says where it is.
            if name == format!("{NAME}.js") {
                bytes = String::from_utf8(bytes)?
                    .replace(&bound, &format!("{NAME}.wasm"))
                    .into();
            }
            Ok(File {
                path: format!("pkg/{name}"),
                bytes,
            })
        })
        .collect()
}
