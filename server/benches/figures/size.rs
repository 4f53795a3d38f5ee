//! What a browser downloads the first time.

use std::path::Path;

use anyhow::Context;

use crate::print;

pub fn measure(site: &Path) -> anyhow::Result<()> {
    let size = |file: &str| -> anyhow::Result<u64> {
        let path = site.join("pkg").join(file);
        Ok(std::fs::metadata(&path)
            .with_context(|| format!("{} is missing: make build first", path.display()))?
            .len())
    };
    let wasm = size("cueline.wasm.br")?;
    let rest = size("cueline.js.br")? + size("cueline.css.br")?;
    print(
        &format!(
            "WebAssembly after brotli (script and style: {} KB more)",
            rest / 1_000
        ),
        &format!("{} KB", wasm / 1_000),
        "≤ 400 KB",
    );
    Ok(())
}
