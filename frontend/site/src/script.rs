//! The program: `frontend` as WebAssembly, and the JavaScript that loads it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{anyhow, ensure};
use wasm_bindgen_cli_support::Bindgen;
use wasm_encoder::{Module, RawSection};
use wasmparser::{Parser, Payload};

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

/// What of `frontend` comes late is taken out first: the binder knows nothing about more than one
/// file.
fn bind(wasm: &Path, flavour: Flavour, scratch: &Path) -> anyhow::Result<Vec<File>> {
    // Names of an earlier build must not end up in this one.
    if scratch.exists() {
        fs::remove_dir_all(scratch)?;
    }
    let bindings = scratch.join("pkg");
    let main = scratch.join("main.wasm");
    fs::create_dir_all(&bindings)?;
    split(wasm, &main, &bindings)?;

    let dev = flavour == Flavour::Dev;
    Bindgen::new()
        .input_path(&main)
        .out_name(NAME)
        .web(true)?
        .typescript(false)
        .debug(dev)
        .keep_debug(dev)
        .remove_name_section(!dev)
        .remove_producers_section(!dev)
        // The late files ask for functions of the first one by these.
        .keep_lld_exports(true)
        .demangle(false)
        .generate(&bindings)?;

    let bound = format!("{NAME}_bg.wasm");
    files_below(&bindings)?
        .into_iter()
        .map(|path| {
            let mut bytes = fs::read(&path)?;
            let name = path
                .strip_prefix(&bindings)?
                .to_string_lossy()
                .replace(&bound, &format!("{NAME}.wasm"));
            // The script names the file as a default, in case nobody says where it is.
            if name == format!("{NAME}.js") {
                bytes = String::from_utf8(bytes)?
                    .replace(&bound, &format!("{NAME}.wasm"))
                    .into();
            } else if !dev && path.extension().is_some_and(|ending| ending == "wasm") {
                bytes = without_names(&bytes)?;
            }
            Ok(File {
                path: format!("pkg/{name}"),
                bytes,
            })
        })
        .collect()
}

/// Leaves the first file in `main` and the late ones beside what loads them in `bindings`. The
/// names are those that Leptos looks for, and that `cargo leptos --split` gives.
fn split(wasm: &Path, main: &Path, bindings: &Path) -> anyhow::Result<()> {
    let wasm = fs::read(wasm)?;
    let script = format!("./{NAME}.js");
    let mut options = wasm_split_cli_support::Options::new(&wasm);
    options.output_dir = bindings;
    options.main_out_path = main;
    options.main_module = &script;
    options.link_name = "./__wasm_split.______________________.js";
    let split = wasm_split_cli_support::transform(options).map_err(|error| anyhow!("{error:#}"))?;
    // For the server: which files belong to which function, so that a page names its own.
    let manifest: BTreeMap<_, _> = split.prefetch_map.into_iter().collect();
    fs::write(
        bindings.join("__wasm_split_manifest.json"),
        serde_json::to_vec(&manifest)?,
    )?;
    Ok(())
}

/// The names of functions are a third of a late file, and nobody reads them.
fn without_names(wasm: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut module = Module::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload?;
        if matches!(&payload, Payload::CustomSection(section) if section.name() == "name") {
            continue;
        }
        if let Some((id, range)) = payload.as_section() {
            let range = usize::try_from(range.start)?..usize::try_from(range.end)?;
            let data = &wasm[range];
            module.section(&RawSection { id, data });
        }
    }
    Ok(module.finish())
}
