//! What a start tells: lines for people, and the same as JSON for programs.

use std::{fs, net::SocketAddr, path::Path};

use anyhow::Context as _;
use proto::Peer;
use serde::{Deserialize, Serialize};

use crate::OPERATOR_CREDENTIAL;

/// The contents of `run.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Facts {
    pub http: String,
    pub grpc: GrpcAddrs,
    /// Where the metrics are, as Prometheus text.
    pub metrics: Option<String>,
    /// Makes the first superadmin; none once there is one.
    pub setup_token: Option<String>,
    /// Where mails are written; none with a mail server.
    pub mail_dir: Option<String>,
    pub database_url: String,
    pub nats_url: String,
    pub pid: u32,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub struct GrpcAddrs {
    pub user: SocketAddr,
    pub ticket: SocketAddr,
    pub payment: SocketAddr,
    pub notify: SocketAddr,
}

impl Facts {
    /// Writes `run.json`, whole or not at all, readable by the owner only: it holds credentials.
    pub fn write(&self, data_dir: &Path) -> anyhow::Result<()> {
        use std::os::unix::fs::OpenOptionsExt as _;
        let unfinished = data_dir.join("run.json.tmp");
        let mut options = fs::File::options();
        options.create(true).write(true).truncate(true).mode(0o600);
        serde_json::to_writer_pretty(options.open(&unfinished)?, self)?;
        fs::rename(unfinished, data_dir.join("run.json"))?;
        Ok(())
    }

    /// Prints what a person needs first.
    pub fn print(&self, data_dir: &Path, certs_dir: Option<&Path>) {
        let ticket = self.grpc.ticket;
        println!("\nThe box office is open.\n");
        println!("  Shop          {}", self.http);
        println!("  API           {}/openapi.json", self.http);
        match &self.setup_token {
            Some(token) => {
                println!("  Dashboard     {}/admin/setup#{token}", self.http);
                println!("  Setup token   {token}   (makes the first superadmin, once)");
            }
            None => println!("  Dashboard     {}/admin", self.http),
        }
        match &self.mail_dir {
            Some(folder) => println!("  Mails         {folder}/*.eml"),
            None => println!("  Mails         go to the mail server"),
        }
        println!("  Data          {}   (see run.json)", data_dir.display());
        let credential = data_dir.join("secrets").join(OPERATOR_CREDENTIAL);
        let (open, operator) = match certs_dir {
            None => {
                let peer = "-H 'x-boxoffice-peer: operator'";
                let proof = format!(
                    "-H \"x-boxoffice-credential: $(cat '{}')\"",
                    credential.display()
                );
                let open = "-plaintext".to_owned();
                (open.clone(), format!("{open} {peer} {proof}"))
            }
            // Who connects at all is known, so there is one way for both.
            Some(folder) => {
                let folder = folder.join(Peer::Operator.name());
                let folder = folder.display();
                let open = format!(
                    "-cacert '{folder}/ca.crt' -cert '{folder}/tls.crt' -key '{folder}/tls.key'"
                );
                (open.clone(), open)
            }
        };
        println!("\nAsk the services themselves:\n");
        println!("  grpcurl {open} {ticket} list");
        println!(
            "  grpcurl {open} -d '{{\"service\": \"boxoffice.ticket.v1.HoldService\"}}' {ticket} grpc.health.v1.Health/Check"
        );
        println!("  grpcurl {operator} {ticket} boxoffice.ticket.v1.CatalogService/ListEvents");
        println!("\nCtrl-C stops it. Nothing is lost; the next start goes on from here.\n");
    }
}

/// What `run.json` says; there is more in it.
#[derive(Deserialize)]
struct Written {
    database_url: String,
}

/// The PostgreSQL server of the box office that runs on a data folder, with its administrator.
pub(crate) fn running_server(folder: &Path) -> anyhow::Result<String> {
    let path = folder.join("run.json");
    let text = fs::read(&path)
        .with_context(|| format!("reading {}; is it still starting?", path.display()))?;
    let facts: Written = serde_json::from_slice(&text)
        .with_context(|| format!("{} cannot be read", path.display()))?;
    Ok(facts.database_url)
}
