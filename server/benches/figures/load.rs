//! The lightest client there is: it costs the measured server's machine as little as possible.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::Context;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A kept-alive HTTP/1.1 connection.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// One answer.
pub struct Answer {
    pub head: Vec<u8>,
    pub body: Vec<u8>,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(64 * 1024),
        })
    }

    /// Sends a request and reads its answer, which must say its length or be chunked.
    pub async fn ask(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let head_end = loop {
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                break at + 4;
            }
            self.more().await?;
        };
        let head = self.buffer[..head_end].to_vec();
        let text = String::from_utf8_lossy(&head).to_lowercase();
        if let Some(length) = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
        {
            let length: usize = length.trim().parse()?;
            while self.buffer.len() < head_end + length {
                self.more().await?;
            }
        } else if text.contains("transfer-encoding: chunked") {
            while !self.buffer.ends_with(b"0\r\n\r\n") {
                self.more().await?;
            }
        }
        Ok(Answer {
            body: self.buffer[head_end..].to_vec(),
            head,
        })
    }

    async fn more(&mut self) -> anyhow::Result<()> {
        let n = self.stream.read_buf(&mut self.buffer).await?;
        anyhow::ensure!(
            n > 0,
            "the server closed the connection: {}",
            String::from_utf8_lossy(&self.buffer)
        );
        Ok(())
    }

    /// The raw stream, for answers that never end.
    pub fn into_stream(self) -> TcpStream {
        self.stream
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len())
        .position(|window| window == wanted)
}

/// Requests a second over so many connections for so long; every answer must be a 200.
pub async fn throughput(
    address: SocketAddr,
    request: &str,
    n_connections: usize,
    time: Duration,
) -> anyhow::Result<f64> {
    let until = Instant::now() + time;
    let mut tasks = Vec::new();
    for _ in 0..n_connections {
        let request = request.to_owned();
        let mut connection = Connection::open(address).await?;
        tasks.push(tokio::spawn(async move {
            let mut n = 0_u32;
            while Instant::now() < until {
                let answer = connection.ask(request.as_bytes()).await?;
                anyhow::ensure!(
                    answer.head.starts_with(b"HTTP/1.1 200"),
                    "{}",
                    String::from_utf8_lossy(&answer.head)
                );
                n += 1;
            }
            anyhow::Ok(n)
        }));
    }
    let mut total = 0.0;
    for task in tasks {
        total += f64::from(task.await.context("a client died")??);
    }
    Ok(total / time.as_secs_f64())
}
