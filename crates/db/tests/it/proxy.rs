//! A wire between the pool and Postgres that can be cut at COMMIT or go silent.

use sqlx::postgres::PgConnectOptions;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

#[derive(Debug, Default)]
struct Faults {
    /// So many COMMITs reach the server, but their answers do not come back.
    commits_to_cut: AtomicU32,
    /// Connections up to this number are silent in both directions, and stay open.
    silent_up_to: AtomicU32,
    connections: AtomicU32,
}

#[derive(Debug)]
pub struct Proxy {
    pub url: String,
    faults: Arc<Faults>,
}

impl Proxy {
    /// Stands in front of the server of `url`.
    pub async fn before(url: &str) -> Self {
        let options: PgConnectOptions = url.parse().unwrap();
        let server = format!("{}:{}", options.get_host(), options.get_port());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().to_string();
        assert!(url.contains(&server), "{url} does not name {server}");
        let proxy = Self {
            url: url.replace(&server, &own),
            faults: Arc::default(),
        };
        let faults = proxy.faults.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let number = faults.connections.fetch_add(1, Ordering::SeqCst) + 1;
                let server = TcpStream::connect(&server).await.unwrap();
                tokio::spawn(relay(client, server, number, faults.clone()));
            }
        });
        proxy
    }

    pub fn cut_commits(&self, count: u32) {
        self.faults.commits_to_cut.store(count, Ordering::SeqCst);
    }

    /// Everybody connected by now hears nothing any more.
    pub fn silence_the_connected(&self) {
        let connected = self.faults.connections.load(Ordering::SeqCst);
        self.faults.silent_up_to.store(connected, Ordering::SeqCst);
    }
}

async fn relay(mut client: TcpStream, mut server: TcpStream, number: u32, faults: Arc<Faults>) {
    let (mut up, mut down) = (vec![0; 65536], vec![0; 65536]);
    loop {
        let silent = || faults.silent_up_to.load(Ordering::SeqCst) >= number;
        tokio::select! {
            read = client.read(&mut up) => match read {
                Ok(count @ 1..) if !silent() => {
                    let cut = up[..count].windows(6).any(|w| w == b"COMMIT") && take_one(&faults.commits_to_cut);
                    server.write_all(&up[..count]).await.unwrap();
                    if cut {
                        let _ = server.read(&mut down).await;
                        return;
                    }
                }
                Ok(1..) => {}
                _ => return,
            },
            read = server.read(&mut down) => match read {
                Ok(count @ 1..) if !silent() => if client.write_all(&down[..count]).await.is_err() { return },
                Ok(1..) => {}
                _ => return,
            },
        }
    }
}

fn take_one(count: &AtomicU32) -> bool {
    count
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1))
        .is_ok()
}
