use crate::database::{Factory, TestDb};
use crate::process::{Frozen, kill};
use crate::{Authority, Infra};
use embedded::{DataDir, Postgres, Tools, place_copy, run_postgres_program};
use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::time::Duration;
use tokio::sync::Mutex;

/// The secret of a data folder that is the superuser's password.
const SUPERUSER: &str = "postgres.superuser";

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

    /// Another server that has what this one has and follows it; `url` is the way to this one that it takes. It answers
    /// who only looks, until `promote`.
    pub async fn standby(&self, url: &str) -> Self {
        let data = DataDir::open(&Infra::get().private_dir()).expect("a folder for a PostgreSQL");
        // Its superuser is the same.
        let (from, to) = (self.data.secrets(), data.secrets());
        let (from, to) = (
            from.expect("its secrets"),
            to.expect("a folder for secrets"),
        );
        let password = from.get(SUPERUSER).expect("readable").expect("it has one");
        to.get_or_create(SUPERUSER, || password)
            .expect("a file for the password");
        let copy = data.path().join("copy");
        let arguments = [
            "--wal-method=stream",
            "--checkpoint=fast",
            "--no-password",
            "--write-recovery-conf",
            "--dbname",
            url,
            "--pgdata",
        ];
        let mut arguments: Vec<&OsStr> = arguments.map(OsStr::new).to_vec();
        arguments.push(copy.as_os_str());
        let cluster = self.data.path().join("postgres/data");
        let copied =
            run_postgres_program(&cluster, &Tools::from_env(), "pg_basebackup", &arguments).await;
        copied.unwrap_or_else(|error| panic!("copying a cluster: {error:#}"));
        let placed = place_copy(&copy, &data).await;
        placed.unwrap_or_else(|error| panic!("placing a cluster: {error:#}"));
        let postgres = run(&data).await;
        Self {
            frozen: Mutex::default(),
            admin_url: postgres.admin_url().to_owned(),
            running: Mutex::new(Some(postgres)),
            databases: Mutex::default(),
            data,
        }
    }

    /// From now on a commit is answered when the standby has it on disk, too. Returns when one has.
    pub async fn commit_in_two_places(&self) {
        let mut session = self.session().await;
        for statement in [
            "ALTER SYSTEM SET synchronous_standby_names = '*'",
            "SELECT pg_reload_conf()",
        ] {
            execute(&mut session, statement.to_owned()).await;
        }
        let is_there = "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync')";
        self.until(is_there, "a standby that is waited for").await;
    }

    /// A standby follows nobody any more and takes writes. Returns when it does.
    pub async fn promote(&self) {
        execute(&mut self.session().await, "SELECT pg_promote()".to_owned()).await;
        let leads = "SELECT NOT pg_is_in_recovery()";
        self.until(leads, "the standby to lead").await;
    }

    /// How many sessions wait for a standby to have their commit.
    pub async fn waiting_for_standby(&self) -> i64 {
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        let mut session = self.session().await;
        let counted = sqlx::query_scalar(waiting).fetch_one(&mut session);
        counted.await.expect("a count of sessions")
    }

    async fn until(&self, sql: &'static str, what: &str) {
        crate::eventually(what, Duration::from_secs(30), async || {
            let mut session = self.session().await;
            let now = sqlx::query_scalar(sql).fetch_one(&mut session);
            now.await.ok().filter(|is_so: &bool| *is_so)
        })
        .await;
    }

    async fn session(&self) -> PgConnection {
        let session = PgConnection::connect(&self.admin_url).await;
        session.expect("a session of the superuser")
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
        let mut session = self.session().await;
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
