//! Which Postgres to run: where one may lie, and which version a cluster wants.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, bail};

const OLDEST_MAJOR: u32 = 15;

/// The first Postgres that is new enough for a new cluster.
pub fn for_new_cluster() -> anyhow::Result<PathBuf> {
    let installed = installed();
    match installed.iter().find(|one| one.major >= OLDEST_MAJOR) {
        Some(one) => Ok(one.program.clone()),
        None => bail!(
            "Postgres {OLDEST_MAJOR} or newer is needed, but here is {}. Install it (`apt-get install \
             postgresql`), point PG_BIN at its folder, or set DATABASE_URL to a server that runs already",
            in_words(&installed)
        ),
    }
}

/// The Postgres that made `cluster`: another major version does not read its files.
pub fn for_existing_cluster(cluster: &Path) -> anyhow::Result<PathBuf> {
    let version = cluster.join("PG_VERSION");
    let made_by = fs::read_to_string(&version).with_context(|| format!("{}", version.display()))?;
    let made_by: u32 = made_by
        .trim()
        .parse()
        .context("PG_VERSION is not a number")?;
    let installed = installed();
    match installed.iter().find(|one| one.major == made_by) {
        Some(one) => Ok(one.program.clone()),
        None => bail!(
            "{} was made by Postgres {made_by}, but here is {}",
            cluster.display(),
            in_words(&installed)
        ),
    }
}

struct Installed {
    major: u32,
    program: PathBuf,
}

/// Every Postgres on this machine, the wanted ones first.
fn installed() -> Vec<Installed> {
    let mut debian: Vec<u32> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    debian.sort_unstable_by(|a, b| b.cmp(a));

    let mut folders: Vec<PathBuf> = Vec::new();
    folders.extend(env::var_os("PG_BIN").map(PathBuf::from));
    folders.extend(
        debian
            .into_iter()
            .map(|major| PathBuf::from(format!("/usr/lib/postgresql/{major}/bin"))),
    );
    folders.extend(env::var_os("PATH").iter().flat_map(env::split_paths));
    // `.ci/setup` unpacks one into target/postgres; one can also be shipped beside the program.
    let program = env::current_exe().unwrap_or_default();
    folders.extend(
        program
            .ancestors()
            .skip(1)
            .take(2)
            .map(|folder| folder.join("postgres/bin")),
    );

    folders
        .into_iter()
        .filter(|folder| folder.join("initdb").exists())
        .filter_map(|folder| {
            let program = folder.join("postgres");
            let version = Command::new(&program).arg("--version").output().ok()?;
            let major = parse_major(&String::from_utf8_lossy(&version.stdout))?;
            Some(Installed { major, program })
        })
        .collect()
}

/// `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)` is 15.
fn parse_major(version: &str) -> Option<u32> {
    let number = version.split_whitespace().nth(2)?;
    let end = number
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(number.len());
    number[..end].parse().ok()
}

fn in_words(installed: &[Installed]) -> String {
    if installed.is_empty() {
        return "none at all".to_owned();
    }
    let each: Vec<_> = installed
        .iter()
        .map(|one| format!("{} ({})", one.major, one.program.display()))
        .collect();
    each.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_every_packager() {
        #[track_caller]
        fn check(text: &str, expected: Option<u32>) {
            assert_eq!(parse_major(text), expected, "{text}");
        }
        check(
            "postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n",
            Some(15),
        );
        check("postgres (PostgreSQL) 18.6\n", Some(18));
        check("postgres (PostgreSQL) 19beta1\n", Some(19));
        check("", None);
    }
}
