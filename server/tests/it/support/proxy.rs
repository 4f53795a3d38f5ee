//! A way to the database that can be cut and mended.

use std::net::SocketAddr;

use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgSslMode},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, copy_bidirectional},
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
};

/// A port that leads to the database while it is open.
pub struct Proxy {
    address: SocketAddr,
    open: watch::Sender<bool>,
    database: String,
    user: String,
}

trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

impl Proxy {
    /// Starts a way to the database behind the pool.
    pub async fn to(pool: &PgPool) -> Self {
        let target = PgConnectOptions::clone(&pool.connect_options());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (open, watched) = watch::channel(true);
        let proxy = Self {
            address,
            open,
            database: target.get_database().unwrap().to_owned(),
            user: target.get_username().to_owned(),
        };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (target, watched) = (target.clone(), watched.clone());
                tokio::spawn(carry(client, target, watched));
            }
        });
        proxy
    }

    /// How to connect through it.
    pub fn way(&self) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(self.address.port())
            .username(&self.user)
            .database(&self.database)
            .ssl_mode(PgSslMode::Disable)
    }

    /// Ends every connection and takes no new one.
    pub fn cut(&self) {
        self.open.send_replace(false);
    }

    /// Takes connections again.
    pub fn mend(&self) {
        self.open.send_replace(true);
    }
}

async fn carry(
    mut client: TcpStream,
    target: PgConnectOptions,
    mut open: watch::Receiver<bool>,
) -> std::io::Result<()> {
    if !*open.borrow_and_update() {
        return Ok(());
    }
    let port = target.get_port();
    let mut server: Box<dyn Connection> = match target.get_socket() {
        Some(folder) => {
            Box::new(UnixStream::connect(folder.join(format!(".s.PGSQL.{port}"))).await?)
        }
        None => Box::new(TcpStream::connect((target.get_host(), port)).await?),
    };
    tokio::select! {
        carried = copy_bidirectional(&mut client, &mut server) => carried.map(drop),
        _ = open.changed() => Ok(()),
    }
}
