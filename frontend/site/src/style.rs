//! The style sheet, bundled from its manifest, and the assets beside it.

use std::fs;

use anyhow::{Context, anyhow};
use lightningcss::bundler::{Bundler, FileProvider};
use lightningcss::printer::PrinterOptions;
use lightningcss::stylesheet::{MinifyOptions, ParserOptions};
use lightningcss::targets::{Browsers, Features, Targets};

use crate::site::{File, Site, files_below};

/// Follows `style/main.css` through its `@import … layer(…)` lines into one small file.
pub fn bundle(site: &mut Site) -> anyhow::Result<()> {
    let style = site.workspace.join("style");
    let manifest = style.join("main.css");
    if !manifest.exists() {
        return Ok(());
    }
    let mut inputs = files_below(&style)?;
    inputs.retain(|path| path.extension().is_some_and(|ending| ending == "css"));

    site.step("style", &inputs, || {
        let files = FileProvider::new();
        let mut bundler = Bundler::new(&files, None, ParserOptions::default());
        // The error's own words name the file and the line; it borrows from `files`.
        let mut sheet = bundler
            .bundle(&manifest)
            .map_err(|error| anyhow!("{error}"))?;
        sheet
            .minify(MinifyOptions {
                targets: browsers(),
                ..MinifyOptions::default()
            })
            .map_err(|error| anyhow!("{error}"))?;
        let css = sheet
            .to_css(PrinterOptions {
                minify: true,
                targets: browsers(),
                ..PrinterOptions::default()
            })
            .context("printing the style sheet")?;
        Ok(vec![File {
            path: "pkg/cueline.css".into(),
            bytes: css.code.into_bytes(),
        }])
    })
}

/// `style/assets/favicon.svg` is served as `/favicon.svg`, and so on.
pub fn copy_assets(site: &mut Site) -> anyhow::Result<()> {
    let assets = site.workspace.join("style/assets");
    let inputs = files_below(&assets)?;
    site.step("assets", &inputs, || {
        inputs
            .iter()
            .map(|path| {
                let name = path.strip_prefix(&assets)?.to_string_lossy().into_owned();
                Ok(File {
                    path: name,
                    bytes: fs::read(path)?,
                })
            })
            .collect()
    })
}

/// The first releases that know `light-dark()`, nesting and `@layer`: nothing is rewritten for
/// them, only the prefixes Safari still wants are added.
fn browsers() -> Targets {
    let release = |major: u32, minor: u32| Some((major << 16) | (minor << 8));
    Targets {
        browsers: Some(Browsers {
            chrome: release(123, 0),
            edge: release(123, 0),
            firefox: release(128, 0),
            safari: release(17, 5),
            ios_saf: release(17, 5),
            ..Browsers::default()
        }),
        include: Features::empty(),
        exclude: Features::LightDark
            | Features::Nesting
            | Features::Colors
            | Features::LogicalProperties,
    }
}
