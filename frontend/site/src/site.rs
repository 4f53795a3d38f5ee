//! The folder `target/site`: what is in it, which step made it, and whether it is still fresh.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, thread};

use anyhow::Context;

/// How carefully to build: `Dev` compiles fast and leaves out compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    Dev,
    Release,
}

/// One file of the site: its path below the root, and its bytes.
pub struct File {
    pub path: String,
    pub bytes: Vec<u8>,
}

pub struct Site {
    pub workspace: PathBuf,
    pub flavour: Flavour,
    root: PathBuf,
    stamps: PathBuf,
    kept: BTreeSet<PathBuf>,
    report: Vec<String>,
}

impl Site {
    pub fn open(workspace: PathBuf, flavour: Flavour) -> anyhow::Result<Self> {
        let root = workspace.join("target/site");
        let stamps = workspace.join("target/site-stamps");
        fs::create_dir_all(&root)?;
        fs::create_dir_all(&stamps)?;
        Ok(Self {
            workspace,
            flavour,
            root,
            stamps,
            kept: BTreeSet::new(),
            report: Vec::new(),
        })
    }

    /// Runs `make` and publishes its files, unless `inputs` are what they were the last time and
    /// every file that came of them is still there.
    pub fn step(
        &mut self,
        name: &str,
        inputs: &[PathBuf],
        make: impl FnOnce() -> anyhow::Result<Vec<File>>,
    ) -> anyhow::Result<()> {
        let stamp = self.stamps.join(name);
        let now = fingerprint(self.flavour, inputs)?;
        if let Some(outputs) = fresh(&stamp, &now, &self.root) {
            self.kept.extend(outputs);
            return Ok(());
        }

        // Without its stamp an interrupted step starts again from nothing.
        fs::remove_file(&stamp).or_else(absent_is_fine)?;
        let files = make().with_context(|| format!("building the site's {name}"))?;
        let compress = self.flavour == Flavour::Release;
        let published = thread::scope(|scope| {
            let running: Vec<_> = files
                .iter()
                .map(|file| scope.spawn(|| publish(&self.root, file, compress)))
                .collect();
            running
                .into_iter()
                .map(|one| {
                    one.join()
                        .unwrap_or_else(|_| anyhow::bail!("compression panicked"))
                })
                .collect::<anyhow::Result<Vec<_>>>()
        })?;

        let mut record = now;
        for Published { outputs, line } in published {
            for output in outputs {
                writeln!(record, "output {}", output.display())?;
                self.kept.insert(output);
            }
            self.report.push(line);
        }
        fs::write(&stamp, record)?;
        Ok(())
    }

    /// Removes what no step claims any more and says what was built.
    pub fn finish(self) -> anyhow::Result<()> {
        for path in files_below(&self.root)? {
            if !self.kept.contains(path.strip_prefix(&self.root)?) {
                fs::remove_file(&path)?;
            }
        }
        for line in &self.report {
            println!("{line}");
        }
        if self.report.is_empty() {
            println!("site is up to date");
        }
        Ok(())
    }
}

struct Published {
    outputs: Vec<PathBuf>,
    line: String,
}

fn publish(root: &Path, file: &File, compress: bool) -> anyhow::Result<Published> {
    let path = PathBuf::from(&file.path);
    write_whole(&root.join(&path), &file.bytes)?;
    let mut outputs = vec![path];
    let mut line = format!("site  {:<28} {:>9}", file.path, kilobytes(file.bytes.len()));

    if compress && is_compressible(&file.path) {
        for (ending, bytes) in [("br", brotli(&file.bytes)?), ("gz", gzip(&file.bytes)?)] {
            let path = PathBuf::from(format!("{}.{ending}", file.path));
            write_whole(&root.join(&path), &bytes)?;
            write!(line, "  {ending} {:>9}", kilobytes(bytes.len()))?;
            outputs.push(path);
        }
    }
    Ok(Published { outputs, line })
}

/// A running development server reads these files: it must never see half of one.
fn write_whole(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let folder = path
        .parent()
        .context("a file of the site lies in a folder")?;
    fs::create_dir_all(folder)?;
    let name = path.file_name().context("a file of the site has a name")?;
    let partial = folder.join(format!(".{}.partial", name.to_string_lossy()));
    fs::write(&partial, bytes)?;
    fs::rename(&partial, path)?;
    Ok(())
}

fn is_compressible(path: &str) -> bool {
    let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending);
    matches!(
        ending,
        "css" | "html" | "js" | "json" | "map" | "svg" | "txt" | "wasm" | "webmanifest"
    )
}

fn brotli(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let parameters = brotli::enc::BrotliEncoderParams {
        quality: 11,
        size_hint: bytes.len(),
        ..Default::default()
    };
    let mut compressed = Vec::new();
    brotli::BrotliCompress(&mut &*bytes, &mut compressed, &parameters)?;
    Ok(compressed)
}

fn gzip(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

/// Names, sizes and change times of the inputs; the builder itself is one of them.
fn fingerprint(flavour: Flavour, inputs: &[PathBuf]) -> anyhow::Result<String> {
    let mut lines = format!("{flavour:?}\n");
    for path in inputs.iter().chain([&env::current_exe()?]) {
        let metadata = fs::metadata(path).with_context(|| format!("{}", path.display()))?;
        let changed = metadata.modified()?;
        writeln!(
            lines,
            "input {} {} {changed:?}",
            path.display(),
            metadata.len()
        )?;
    }
    Ok(lines)
}

/// The outputs of the step, if it ran on exactly these inputs and all of them still exist.
fn fresh(stamp: &Path, inputs: &str, root: &Path) -> Option<Vec<PathBuf>> {
    let record = fs::read_to_string(stamp).ok()?;
    let outputs = record.strip_prefix(inputs)?;
    outputs
        .lines()
        .map(|line| {
            let path = PathBuf::from(line.strip_prefix("output ")?);
            root.join(&path).exists().then_some(path)
        })
        .collect()
}

/// Every file below `folder`, sorted; nothing when the folder does not exist.
pub fn files_below(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        if !folder.exists() {
            continue;
        }
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

fn absent_is_fine(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound {
        Ok(())
    } else {
        Err(error)
    }
}

fn kilobytes(bytes: usize) -> String {
    format!("{}.{} kB", bytes / 1000, bytes % 1000 / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_in_thousands() {
        assert_eq!(kilobytes(189_456), "189.4 kB");
        assert_eq!(kilobytes(12), "0.0 kB");
    }

    #[test]
    fn pictures_that_are_compressed_already_are_left_alone() {
        assert!(is_compressible("favicon.svg"));
        assert!(is_compressible("pkg/cueline.wasm"));
        assert!(!is_compressible("apple-touch-icon.png"));
        assert!(!is_compressible("fonts/inter.woff2"));
    }
}
