use crate::database::{Factory, TestDb};
use crate::process::{Frozen, kill};
use crate::{Authority, Infra};
use embedded::{DataDir, Postgres, Tools};
use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};
use std::io::ErrorKind;
use tokio::sync::Mutex;

/// A PostgreSQL cluster of one test's own, to hurt. What is committed in it is on disk (fsync on), so that a test may
/// hold it to its word; the cluster that all tests share forgets up to a second when it is killed.
#[derive(Debug)]
pub struct PostgresServer {
    // Fields are dropped in this order: a stopped process could not end.
    frozen: Mutex<Option<Frozen>>,
    running: Mutex<Option<Postgres>>,
    databases: Mutex<Factory>,
    admin_url: String,
    data: DataDir,
}

impl PostgresServer {
    /// Makes and starts one: about two seconds. Ends when dropped.
    pub async fn start_private() -> Self {
        let data = DataDir::open(&Infra::get().private_dir()).expect("a folder for a PostgreSQL");
        let postgres = run(&data).await;
        Self {
            frozen: Mutex::default(),
            admin_url: postgres.admin_url().to_owned(),
            running: Mutex::new(Some(postgres)),
            databases: Mutex::default(),
            data,
        }
    }

    /// A fresh, migrated database in this cluster; see [`crate::database`].
    pub async fn database(&self, template: &str, migrator: &Migrator) -> TestDb {
        let mut databases = self.databases.lock().await;
        databases.make(&self.admin_url, template, migrator).await
    }

    /// URL of the superuser, database `postgres`; stays the same over every fault.
    pub fn admin_url(&self) -> &str {
        &self.admin_url
    }

    /// kill -9, as a crash or a machine out of memory does. It stays down until `start`.
    pub async fn kill(&self) {
        let postgres = self.take().await;
        kill(postgres.pid().expect("this PostgreSQL does not run"));
        // Not started again: to its keeper this is a stop.
        postgres.stop().await;
    }

    /// Ends open sessions and stops in order.
    pub async fn stop(&self) {
        self.take().await.stop().await;
    }

    /// Starts it again where it was, and waits until it takes connections.
    pub async fn start(&self) {
        let mut running = self.running.lock().await;
        assert!(running.is_none(), "this PostgreSQL runs already");
        let postgres = run(&self.data).await;
        let url = postgres.admin_url();
        assert_eq!(url, self.admin_url, "somebody took its port meanwhile");
        *running = Some(postgres);
    }

    /// Stops every process where it stands: sockets stay open, nobody answers, until `thaw`.
    pub async fn freeze(&self) {
        let running = self.running.lock().await;
        let pid = running.as_ref().and_then(Postgres::pid);
        let pid = pid.expect("this PostgreSQL does not run");
        self.frozen
            .lock()
            .await
            .get_or_insert_with(|| Frozen::new(pid));
    }

    /// Lets a frozen server go on.
    pub async fn thaw(&self) {
        drop(self.frozen.lock().await.take());
    }

    /// Forgets every database of a stopped server, those of this test included.
    pub async fn wipe(&self) {
        let running = self.running.lock().await;
        assert!(running.is_none(), "stop the PostgreSQL before you wipe it");
        *self.databases.lock().await = Factory::default();
        let cluster = self.data.path().join("postgres/data");
        match std::fs::remove_dir_all(&cluster) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                panic!("wiping {}: {error}", cluster.display())
            }
            _ => {}
        }
    }

    /// Offers TLS from the next session on, with this certificate and key (PEM). With an authority, who connects needs a
    /// certificate of it. Takes effect some moments after this returns.
    pub async fn speak_tls(&self, own: &(String, String), callers: Option<&Authority>) {
        let mut session = PgConnection::connect(&self.admin_url)
            .await
            .expect("a session of the superuser");
        let (certificate, key) = own;
        put(&mut session, "server.crt", certificate).await;
        put(&mut session, "server.key", key).await;
        let mut rules = "host all all 127.0.0.1/32 scram-sha-256\n".to_owned();
        if let Some(authority) = callers {
            put(&mut session, "root.crt", &authority.pem).await;
            rules = "hostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-ca\n".to_owned();
        }
        put(&mut session, "pg_hba.conf", &rules).await;
        let ca = if callers.is_some() { "root.crt" } else { "" };
        for statement in [
            "ALTER SYSTEM SET ssl = on".to_owned(),
            format!("ALTER SYSTEM SET ssl_ca_file = '{ca}'"),
            "SELECT pg_reload_conf()".to_owned(),
        ] {
            execute(&mut session, statement).await;
        }
        session.close().await.expect("the session ends");
    }

    async fn take(&self) -> Postgres {
        self.thaw().await;
        let postgres = self.running.lock().await.take();
        postgres.expect("this PostgreSQL does not run")
    }
}

/// Written by the server: it may run as somebody else, and takes only a key of its own.
async fn put(session: &mut PgConnection, file: &str, text: &str) {
    let lines = format!("string_to_array($text${}$text$, E'\\n')", text.trim_end());
    let program = format!("umask 077; cat > {file}.new && mv {file}.new {file}");
    execute(
        session,
        format!("COPY (SELECT unnest({lines})) TO PROGRAM '{program}'"),
    )
    .await;
}

async fn execute(session: &mut PgConnection, statement: String) {
    sqlx::raw_sql(AssertSqlSafe(statement.clone()))
        .execute(session)
        .await
        .unwrap_or_else(|error| panic!("{statement}: {error}"));
}

async fn run(data: &DataDir) -> Postgres {
    let durable = true;
    Postgres::start(data, &Tools::from_env(), durable)
        .await
        .unwrap_or_else(|error| panic!("starting a PostgreSQL: {error:#}"))
}
