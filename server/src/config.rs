//! Every flag and environment variable, documented, with its default. Flags win over the
//! environment, the environment over `cueline.toml`.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::Context;
use clap::Args;
use serde::Deserialize;

use crate::{
    llm::{
        BaseUrl,
        keys::{EnvironmentKey, EnvironmentKeys, ExposeSecret, MasterKey, Secret},
    },
    outgoing::Allowed,
};

/// What `--help` says about secrets: what stands in a command line, every process on the machine
/// can read, so there are no flags for them.
const SECRETS: &str = "\
Secrets, from the environment only (CUELINE_SECRET_KEY also from cueline.toml, as secret_key):
  CUELINE_SECRET_KEY  32 random bytes, hexadecimal or base64 (`openssl rand -hex 32`), which
                      seal the model providers' API keys and the webhooks' secrets that are
                      saved here. Without it none can be saved. Keep it apart from the database's backups: who has both has
                      the keys
  OPENAI_API_KEY      for providers of kind openai without a saved key. Sent to
                      https://api.openai.com or, where OPENAI_BASE_URL is set, to that host too
  ANTHROPIC_API_KEY   the same for kind anthropic, https://api.anthropic.com and
                      ANTHROPIC_BASE_URL";

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For log collectors: one JSON object a line.
    Json,
}

/// What `cueline serve` can be told. Everything has a default.
#[derive(Clone, Debug, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[command(after_help = SECRETS)]
pub struct Options {
    /// Address and port to listen on [default: 127.0.0.1:3000]
    #[arg(long, env = "CUELINE_LISTEN")]
    pub listen: Option<SocketAddr>,

    /// The address people and applications reach this server at, for links and secure cookies
    /// [default: http:// and the listen address]
    #[arg(long, env = "CUELINE_PUBLIC_URL")]
    pub public_url: Option<String>,

    /// Postgres 15 or newer; without it an embedded Postgres is started below the data directory
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,

    /// Where the embedded Postgres keeps its data [default: the platform's data directory]
    #[arg(long, env = "CUELINE_DATA_DIR")]
    pub data_dir: Option<PathBuf>,

    /// Most connections this process holds to Postgres [default: 10]
    #[arg(long, env = "CUELINE_DATABASE_CONNECTIONS")]
    pub database_connections: Option<u32>,

    /// How log lines are written [default: text]
    #[arg(long, env = "CUELINE_LOG_FORMAT", value_enum)]
    pub log_format: Option<LogFormat>,

    /// What is logged, as in `RUST_LOG` [default: info]
    #[arg(long, env = "CUELINE_LOG")]
    pub log: Option<String>,

    /// The header in which a trusted reverse proxy names the client's address, such as
    /// X-Forwarded-For (its last entry counts) [default: none; the peer's address counts]
    #[arg(long, env = "CUELINE_CLIENT_ADDRESS_HEADER")]
    pub client_address_header: Option<String>,

    /// Days for which the change feed is kept, for streams that resume [default: 7]
    #[arg(long, env = "CUELINE_CHANGE_DAYS")]
    pub change_days: Option<u32>,

    /// Days for which events are kept as they came; results stay. At least 8, because events may
    /// arrive a week late [default: 90]
    #[arg(long, env = "CUELINE_EVENT_RETENTION_DAYS")]
    pub event_retention_days: Option<u32>,

    /// Days for which traffic is kept by the minute; by the hour and the day it stays. At least 8
    /// [default: 90]
    #[arg(long, env = "CUELINE_MINUTE_RETENTION_DAYS")]
    pub minute_retention_days: Option<u32>,

    /// Seconds that open requests get to finish when the server is told to stop [default: 10]
    #[arg(long, env = "CUELINE_SHUTDOWN_SECONDS")]
    pub shutdown_seconds: Option<u64>,

    /// Seconds until the eval calls of a server that died are taken over by another [default: 15]
    #[arg(long, env = "CUELINE_LEASE_SECONDS")]
    pub lease_seconds: Option<u64>,

    /// Private networks that webhooks and webhook scorers may reach, such as
    /// 10.0.0.0/8,192.168.1.7, or true for all of them [default: none]
    #[arg(long, env = "CUELINE_ALLOW_PRIVATE_WEBHOOKS")]
    pub allow_private_webhooks: Option<String>,

    /// Seals the providers' saved API keys
    #[arg(skip)]
    pub secret_key: Option<Secret>,

    /// The providers' API keys of the environment
    #[arg(skip)]
    #[serde(skip)]
    pub provider_keys: EnvironmentKeys,
}

/// What the server runs with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The address in links, without a last `/`.
    pub public_url: String,
    /// Postgres; none: embedded.
    pub database_url: Option<String>,
    /// Where the embedded Postgres lives.
    pub data_dir: PathBuf,
    /// Size of the connection pool.
    pub database_connections: u32,
    /// How log lines are written.
    pub log_format: LogFormat,
    /// What is logged.
    pub log: String,
    /// Whom to believe about the client's address.
    pub client_address_header: Option<String>,
    /// How long the change feed is kept.
    pub change_days: u32,
    /// How long raw events are kept.
    pub event_retention_days: u32,
    /// Days for which traffic is kept by the minute.
    pub minute_retention_days: u32,
    /// How long a stop may take.
    pub shutdown_seconds: u64,
    /// How long a server holds the eval calls it has out without a sign of life.
    pub lease_seconds: u64,
    /// The private networks that webhooks may reach.
    pub private_webhooks: Allowed,
    /// What providers' saved API keys are sealed with; none: none can be saved.
    pub secret_key: Option<MasterKey>,
    /// The keys for providers that have none saved.
    pub provider_keys: EnvironmentKeys,
}

impl Options {
    /// Reads what has no flag.
    fn read_secrets(&mut self, variable: impl Fn(&str) -> Option<String>) -> anyhow::Result<()> {
        let secret = |name: &str| said(variable(name).map(Secret::from));
        let key_of = |maker: &str| -> anyhow::Result<EnvironmentKey> {
            let name = format!("{maker}_BASE_URL");
            let base_url = variable(&name).filter(|url| !url.trim().is_empty());
            let base_url = base_url.map(|url| BaseUrl::parse(&url)).transpose();
            Ok(EnvironmentKey {
                key: secret(&format!("{maker}_API_KEY")),
                base_url: base_url.with_context(|| format!("{name} cannot be used"))?,
            })
        };
        self.secret_key = secret("CUELINE_SECRET_KEY");
        self.provider_keys = EnvironmentKeys {
            openai: key_of("OPENAI")?,
            anthropic: key_of("ANTHROPIC")?,
        };
        Ok(())
    }
}

/// A variable that is set to nothing is not set.
fn said(secret: Option<Secret>) -> Option<Secret> {
    secret.filter(|secret| !secret.expose_secret().trim().is_empty())
}

impl Config {
    /// Flags and environment over `cueline.toml` in the working directory over defaults.
    pub fn load(mut options: Options) -> anyhow::Result<Self> {
        options.read_secrets(|name| std::env::var(name).ok())?;
        let file = match std::fs::read_to_string("cueline.toml") {
            Ok(text) => toml::from_str(&text)
                .context("cueline.toml is not what `cueline serve --help` lists")?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Options::default(),
            Err(error) => return Err(error).context("cueline.toml cannot be read"),
        };
        Self::merge(options, file)
    }

    fn merge(first: Options, file: Options) -> anyhow::Result<Self> {
        let listen = first
            .listen
            .or(file.listen)
            .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 3000)));
        let public_url = first
            .public_url
            .or(file.public_url)
            .unwrap_or_else(|| format!("http://{listen}"));
        anyhow::ensure!(
            public_url.starts_with("http://") || public_url.starts_with("https://"),
            "the public URL must start with http:// or https://: {public_url}"
        );
        let data_dir = match first.data_dir.or(file.data_dir) {
            Some(folder) => folder,
            None => default_data_dir()?,
        };
        let secret_key = said(first.secret_key).or(said(file.secret_key));
        Ok(Self {
            listen,
            public_url: public_url.trim_end_matches('/').to_owned(),
            database_url: first
                .database_url
                .or(file.database_url)
                .filter(|url| !url.is_empty()),
            data_dir,
            database_connections: first
                .database_connections
                .or(file.database_connections)
                .unwrap_or(10)
                .max(2),
            log_format: first.log_format.or(file.log_format).unwrap_or_default(),
            log: first.log.or(file.log).unwrap_or_else(|| "info".to_owned()),
            client_address_header: first.client_address_header.or(file.client_address_header),
            change_days: first.change_days.or(file.change_days).unwrap_or(7),
            event_retention_days: first
                .event_retention_days
                .or(file.event_retention_days)
                .unwrap_or(90),
            minute_retention_days: first
                .minute_retention_days
                .or(file.minute_retention_days)
                .unwrap_or(90),
            shutdown_seconds: first
                .shutdown_seconds
                .or(file.shutdown_seconds)
                .unwrap_or(10),
            lease_seconds: first
                .lease_seconds
                .or(file.lease_seconds)
                .unwrap_or(15)
                .max(1),
            private_webhooks: first
                .allow_private_webhooks
                .or(file.allow_private_webhooks)
                .unwrap_or_default()
                .parse()?,
            secret_key: secret_key.as_ref().map(MasterKey::parse).transpose()?,
            provider_keys: first.provider_keys,
        })
    }

    /// Whether cookies must only travel over TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.public_url.starts_with("https://")
    }
}

/// Root's own home is closed to the unprivileged user that Postgres runs as, so root's data
/// goes where services keep theirs.
fn default_data_dir() -> anyhow::Result<PathBuf> {
    if nix::unistd::Uid::effective().is_root() {
        return Ok(PathBuf::from("/var/lib/cueline"));
    }
    if let Some(folder) = std::env::var_os("XDG_DATA_HOME").filter(|folder| !folder.is_empty()) {
        return Ok(PathBuf::from(folder).join("cueline"));
    }
    let home = std::env::var_os("HOME").context("neither CUELINE_DATA_DIR nor HOME is set")?;
    let place = if cfg!(target_os = "macos") {
        "Library/Application Support/cueline"
    } else {
        ".local/share/cueline"
    };
    Ok(PathBuf::from(home).join(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let flags = Options {
            database_connections: Some(3),
            ..Options::default()
        };
        let file: Options =
            toml::from_str("database_connections = 7\nlisten = \"0.0.0.0:80\"").unwrap();
        let config = Config::merge(flags, file).unwrap();
        assert_eq!(config.database_connections, 3);
        assert_eq!(config.public_url, "http://0.0.0.0:80");
        assert_eq!(config.change_days, 7);
        assert!(!config.is_secure());
    }

    #[test]
    fn secrets_come_from_the_environment_and_are_not_shown() {
        let read = |set: &[(&str, &str)]| {
            let mut options = Options::default();
            let find = |name: &str| set.iter().find(|(set, _)| *set == name);
            options.read_secrets(|name| find(name).map(|(_, value)| (*value).to_owned()))?;
            let file = toml::from_str(&format!("secret_key = \"{}\"", "a".repeat(64)))?;
            Config::merge(options, file)
        };
        let config = read(&[
            ("CUELINE_SECRET_KEY", &"7".repeat(64)),
            ("OPENAI_API_KEY", "sk-of-the-environment"),
            ("ANTHROPIC_API_KEY", " "),
            ("ANTHROPIC_BASE_URL", "http://gateway.internal"),
        ])
        .unwrap();
        let keys = &config.provider_keys;
        assert!(keys.openai.key.is_some() && keys.openai.base_url.is_none());
        assert!(keys.anthropic.key.is_none() && keys.anthropic.base_url.is_some());
        let shown = format!("{config:?}");
        assert!(!shown.contains("sk-of") && !shown.contains("777") && !shown.contains("119"));

        assert!(read(&[]).unwrap().secret_key.is_some());
        let error = read(&[("CUELINE_SECRET_KEY", "hunter2")]).unwrap_err();
        assert!(error.to_string().contains("32 bytes") && !error.to_string().contains("hunter"));
        assert!(read(&[("OPENAI_BASE_URL", "gateway")]).is_err());
    }

    #[test]
    fn an_unknown_line_in_the_file_is_refused() {
        assert!(toml::from_str::<Options>("lisen = \"0.0.0.0:80\"").is_err());
    }
}
