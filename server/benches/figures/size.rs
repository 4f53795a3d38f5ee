//! What a browser downloads the first time, and what there is in all.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::Context;

use crate::print;

/// What every page needs, whichever it is.
const FIRST: [&str; 4] = [
    "cueline.wasm",
    "cueline.js",
    app::late::LOADER,
    "cueline.css",
];

pub fn measure(site: &Path) -> anyhow::Result<()> {
    let pkg = site.join("pkg");
    let size = |file: &str| -> anyhow::Result<u64> {
        let path = pkg.join(format!("{file}.br"));
        Ok(fs::metadata(&path)
            .with_context(|| format!("{} is missing: make build first", path.display()))?
            .len())
    };
    let sum = |files: &[String]| files.iter().map(|file| size(file)).sum::<Result<u64, _>>();

    let first = sum(&FIRST.map(str::to_owned))?;
    let wasm = size(FIRST[0])?;
    kilobytes(
        &format!("first load after brotli (WebAssembly {})", wasm / 1_000),
        first,
        "≤ 400 KB",
    );

    let manifest = fs::read(pkg.join("__wasm_split_manifest.json"))?;
    let late: BTreeMap<String, Vec<String>> = serde_json::from_slice(&manifest)?;
    for (name, files) in late {
        let files: Vec<_> = files.iter().map(|file| format!("{file}.wasm")).collect();
        kilobytes(
            &format!("  and what comes late with {name}"),
            sum(&files)?,
            "",
        );
    }

    let mut all = 0;
    for file in fs::read_dir(&pkg)? {
        let file = file?;
        if file.path().extension().is_some_and(|ending| ending == "br") {
            all += file.metadata()?.len();
        }
    }
    kilobytes("everything there is", all, "");
    Ok(())
}

fn kilobytes(figure: &str, bytes: u64, aim: &str) {
    print(figure, &format!("{} KB", bytes / 1_000), aim);
}
