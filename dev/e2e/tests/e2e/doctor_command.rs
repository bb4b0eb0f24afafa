//! `boxoffice doctor` on a data folder and on given URLs, with its exit codes.

use std::{net::SocketAddr, path::Path, process::ExitCode};

use base::Secret;
use boxoffice::{
    Config, Databases, Facts, GrpcAddrs, Mesh,
    doctor::{Arguments, doctor},
};
use embedded::{DataDir, DatabaseSpec, Stack, StackConfig};
use sqlx::{Connection as _, Executor as _, PgConnection};

const NAMES: [&str; 4] = ["users", "tickets", "payments", "notifications"];

fn healthy() -> ExitCode {
    ExitCode::SUCCESS
}

fn broken() -> ExitCode {
    ExitCode::from(1)
}

fn could_not_check() -> ExitCode {
    ExitCode::from(2)
}

#[tokio::test]
async fn a_data_folder_is_checked_running_and_stopped() {
    let folder = std::env::temp_dir().join(format!("boxoffice-doctor-{}", std::process::id()));
    let config = config(&folder);
    assert_eq!(
        doctor(&config, &arguments(None)).await,
        could_not_check(),
        "no folder"
    );

    let stack = start(&folder).await;
    assert_eq!(
        doctor(&config, &arguments(None)).await,
        could_not_check(),
        "still starting"
    );
    write_run_json(&stack, &folder);
    assert_eq!(
        doctor(&config, &arguments(None)).await,
        could_not_check(),
        "no migrations"
    );
    Mesh::migrate(&databases(&stack)).await.unwrap();
    assert_eq!(
        doctor(&config, &arguments(None)).await,
        healthy(),
        "running"
    );
    stack.stop().await;

    assert_eq!(
        doctor(&config, &arguments(None)).await,
        healthy(),
        "stopped"
    );
    // Its PostgreSQL is gone, and the folder is free.
    drop(DataDir::open(&folder).unwrap());
    assert!(!folder.join("postgres/data/postmaster.pid").exists());

    let stack = start(&folder).await;
    let payments = stack.database_url("payments").unwrap();
    let mut payments = PgConnection::connect(payments).await.unwrap();
    let stray = "INSERT INTO outbox (id, kind, envelope, created_at)
                 VALUES (gen_random_uuid(), 'order_paid', '', now() - interval '1 hour')";
    payments.execute(stray).await.unwrap();
    assert_eq!(
        doctor(&config, &arguments(Some(databases(&stack)))).await,
        broken(),
        "by URLs"
    );
    payments.close().await.unwrap();
    stack.stop().await;
    assert_eq!(
        doctor(&config, &arguments(None)).await,
        broken(),
        "stopped again"
    );
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn a_database_that_is_away_is_no_result() {
    let nobody = || Secret::new("postgres://nobody:nothing@127.0.0.1:1/nowhere");
    let mut arguments = arguments(Some(Databases {
        users: nobody(),
        tickets: nobody(),
        payments: nobody(),
        notifications: nobody(),
    }));
    let config = config(Path::new("/nonexistent"));
    assert_eq!(doctor(&config, &arguments).await, could_not_check());
    arguments.users_database_url = None;
    assert_eq!(doctor(&config, &arguments).await, could_not_check());
}

fn config(folder: &Path) -> Config {
    Config {
        http_addr: SocketAddr::from(([127, 0, 0, 1], 0)),
        public_url: None,
        data_dir: folder.to_owned(),
        database_url: None,
        nats_url: None,
        smtp_url: None,
        images_store: None,
        mesh_certs_dir: None,
        demo_programme: false,
        telemetry: kit::telemetry::Settings::default(),
        command: None,
    }
}

fn arguments(urls: Option<Databases>) -> Arguments {
    let url = |pick: fn(&Databases) -> &Secret| urls.as_ref().map(|urls| pick(urls).clone());
    Arguments {
        users_database_url: url(|urls| &urls.users),
        tickets_database_url: url(|urls| &urls.tickets),
        payments_database_url: url(|urls| &urls.payments),
        notifications_database_url: url(|urls| &urls.notifications),
        settle_secs: 60,
        statement_timeout_secs: 20,
        json: true,
    }
}

async fn start(folder: &Path) -> Stack {
    let specs = NAMES.map(|name| DatabaseSpec::new(name, name));
    let mut config = StackConfig::new(folder, specs.to_vec());
    config.nats = Some(testkit::nats().await.url().to_owned());
    Stack::start(config).await.unwrap()
}

fn databases(stack: &Stack) -> Databases {
    let url = |name| Secret::new(stack.database_url(name).unwrap());
    Databases {
        users: url("users"),
        tickets: url("tickets"),
        payments: url("payments"),
        notifications: url("notifications"),
    }
}

fn write_run_json(stack: &Stack, folder: &Path) {
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
    let facts = Facts {
        http: "http://127.0.0.1:1".to_owned(),
        grpc: GrpcAddrs {
            user: nowhere,
            ticket: nowhere,
            payment: nowhere,
            notify: nowhere,
        },
        metrics: None,
        setup_token: None,
        mail_dir: None,
        database_url: stack.admin_url().to_owned(),
        nats_url: stack.nats_url().to_owned(),
        pid: std::process::id(),
    };
    facts.write(folder).unwrap();
}
