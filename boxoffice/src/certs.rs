//! `boxoffice certs`: certificates for development.

use std::{
    fs::{self, DirBuilder, File, Permissions},
    io::{self, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};
use base::Sources;
use proto::Peer;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use time::{Duration, OffsetDateTime};

/// Of the authority, which is no file that a service needs.
const AUTHORITY_KEY: &str = "ca.key";
const AUTHORITY: &str = "ca.crt";
const AUTHORITY_DAYS: i64 = 3650;
/// Clocks of two machines may differ by this much.
const BACKDATED: Duration = Duration::hours(1);

/// Where to, and how long they hold.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// The folder; made where it is missing. In it is the authority, and a folder for each member of the mesh.
    #[arg(long, default_value = "./certs")]
    pub out: PathBuf,

    /// How many days a member's certificate holds. The authority holds ten years.
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub days: u16,

    /// More names or addresses for tools that look at where they connect, as grpcurl does. Members do not: they look at
    /// who it is. `localhost` is always there.
    #[arg(long)]
    pub host: Vec<String>,
}

/// Makes the authority where there is none, and a certificate of each member.
///
/// # Errors
/// If the folder cannot be written, or holds an authority without its key.
pub fn certs(arguments: &Arguments, sources: &Sources) -> anyhow::Result<()> {
    let (out, now) = (&arguments.out, sources.now());
    private_dir(out)?;
    let authority = authority(out, now)?;
    let authority_pem = fs::read(out.join(AUTHORITY))?;
    for peer in Peer::ALL {
        let folder = out.join(peer.name());
        private_dir(&folder)?;
        let key = KeyPair::generate()?;
        let params = member(peer, arguments, now)?;
        let certificate = params.signed_by(&key, &authority)?;
        write(&folder.join(AUTHORITY), &authority_pem, 0o644)?;
        // Whoever reads in between finds a pair that does not fit, and looks again.
        write(
            &folder.join("tls.key"),
            key.serialize_pem().as_bytes(),
            0o600,
        )?;
        write(&folder.join("tls.crt"), certificate.pem().as_bytes(), 0o644)?;
    }
    println!(
        "Certificates for {} days are in {}.",
        arguments.days,
        out.display()
    );
    println!("Give each service its own folder (MESH_CERTS_DIR) and nothing else from there;");
    println!(
        "{AUTHORITY_KEY} signs whatever anybody wants to be, so keep it away from all of them."
    );
    Ok(())
}

fn authority(out: &Path, now: OffsetDateTime) -> anyhow::Result<Issuer<'static, KeyPair>> {
    let (key_path, path) = (out.join(AUTHORITY_KEY), out.join(AUTHORITY));
    let params = authority_params(now);
    if path.exists() {
        let missing = || {
            format!(
                "{} is there, but {} cannot be read",
                path.display(),
                key_path.display()
            )
        };
        let key = fs::read_to_string(&key_path).with_context(missing)?;
        // What is signed names the authority by its name and its key, and both are the same as before.
        return Ok(Issuer::new(params, KeyPair::from_pem(&key)?));
    }
    ensure!(
        !key_path.exists(),
        "{} is there without {AUTHORITY}",
        key_path.display()
    );
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    write(&key_path, key.serialize_pem().as_bytes(), 0o600)?;
    write(&path, certificate.pem().as_bytes(), 0o644)?;
    Ok(Issuer::new(params, key))
}

fn authority_params(now: OffsetDateTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name("Boxoffice mesh authority (development)");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = now - BACKDATED;
    params.not_after = now + Duration::days(AUTHORITY_DAYS);
    params
}

fn member(
    peer: Peer,
    arguments: &Arguments,
    now: OffsetDateTime,
) -> anyhow::Result<CertificateParams> {
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(peer.name());
    let mut names = vec![
        SanType::DnsName(kit::certified_name(peer).try_into()?),
        SanType::DnsName("localhost".try_into()?),
        SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        SanType::IpAddress(IpAddr::V6(Ipv6Addr::LOCALHOST)),
    ];
    for host in &arguments.host {
        names.push(match host.parse() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(host.as_str().try_into()?),
        });
    }
    params.subject_alt_names = names;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    // Each member is called and calls; a person only calls.
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    if peer != Peer::Operator {
        let serves = ExtendedKeyUsagePurpose::ServerAuth;
        params.extended_key_usages.push(serves);
    }
    params.use_authority_key_identifier_extension = true;
    params.not_before = now - BACKDATED;
    params.not_after = now + Duration::days(arguments.days.into());
    Ok(params)
}

fn common_name(text: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, text);
    name
}

fn private_dir(path: &Path) -> anyhow::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("creating the folder {}", path.display()))
}

/// Whole or not at all. The draft is for nobody else's eyes, made anew: what an interrupted run or a stranger
/// has left under its name, such as a link to elsewhere, goes.
fn write(path: &Path, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".draft");
    let draft = PathBuf::from(name);
    let written = remove_if_there(&draft)
        .and_then(|()| {
            let mut options = File::options();
            options
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&draft)
        })
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.set_permissions(Permissions::from_mode(mode))?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&draft, path));
    written.with_context(|| format!("writing {}", path.display()))
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
