//! The replicas of one member: where they are, and whose turn it is. A name is looked up again and
//! again, so that a replica that was added gets its share, and one that went away no more calls.

use std::{
    collections::BTreeSet,
    hash::{BuildHasher as _, RandomState},
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, ensure};
use http::Uri;
use tokio::time::Instant;
use tonic::transport::Channel;

/// To each replica: a connection that breaks takes only its share of the calls with it.
pub const CONNECTIONS: usize = 2;
/// Between two looks at a name, while there are calls.
const LOOK_UP_INTERVAL: Duration = Duration::from_secs(5);
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(2);
/// A replica that could not be reached is left alone for so long, if there is another.
const REST: Duration = Duration::from_secs(1);

type Connect = Box<dyn Fn(Uri) -> Channel + Send + Sync>;

/// All of one member.
pub struct Replicas {
    places: Vec<Place>,
    connect: Connect,
    known: RwLock<Arc<[Arc<Replica>]>>,
    turn: AtomicUsize,
    /// None before the first look.
    looked_up: Mutex<Option<Instant>>,
}

/// An address of the settings: of one replica, or a name that stands for all of them.
#[derive(Clone, Debug)]
struct Place {
    uri: Uri,
    host: String,
    port: u16,
    is_name: bool,
}

/// One of them.
pub struct Replica {
    uri: Uri,
    channels: Vec<Channel>,
    rests_until: Mutex<Option<Instant>>,
}

/// A replica and the connection whose turn it is.
pub struct Picked {
    pub replica: Arc<Replica>,
    pub channel: Channel,
}

impl Replicas {
    /// Of addresses with commas between them. `connect` makes a connection on first use.
    ///
    /// # Errors
    /// If one of them is no `http://host:port` or `https://host:port`.
    pub fn new(
        urls: &str,
        connect: impl Fn(Uri) -> Channel + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let places: Vec<Place> = urls
            .split(',')
            .map(|url| Place::read(url.trim()).with_context(|| format!("{url} is no address")))
            .collect::<anyhow::Result<_>>()?;
        let replica = |place: &Place| Replica::new(place.uri.clone(), &connect);
        let known = places.iter().map(replica).collect();
        Ok(Self {
            places,
            connect: Box::new(connect),
            known: RwLock::new(known),
            turn: AtomicUsize::new(anywhere()),
            looked_up: Mutex::default(),
        })
    }

    /// Whose turn it is.
    pub fn next(&self) -> Picked {
        let known = self.known();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        let awake = || known.iter().filter(|replica| !replica.rests(now));
        let replica = match awake().count() {
            // Perhaps one is back.
            0 => &known[turn % known.len()],
            count => awake().nth(turn % count).unwrap_or(&known[0]),
        };
        Picked {
            replica: replica.clone(),
            channel: replica.channels[turn / known.len() % CONNECTIONS].clone(),
        }
    }

    /// How many are known.
    pub fn count(&self) -> usize {
        self.known().len()
    }

    /// Whether somebody is left to ask when this one could not be reached, and is not asked for a while.
    pub fn rest(&self, replica: &Replica) -> bool {
        let now = Instant::now();
        *replica.until() = Some(now + REST);
        self.known().iter().any(|other| !other.rests(now))
    }

    /// Looks the names up if that is due, beside the calls.
    pub fn refresh(self: &Arc<Self>) {
        if !self.is_due() {
            return;
        }
        let replicas = self.clone();
        #[expect(
            clippy::disallowed_methods,
            reason = "it ends within its time, and nothing depends on it"
        )]
        tokio::spawn(async move { replicas.look_up().await });
    }

    fn is_due(&self) -> bool {
        if !self.places.iter().any(|place| place.is_name) {
            return false;
        }
        let mut looked_up = self
            .looked_up
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let due = looked_up.is_none_or(|at| at.elapsed() >= LOOK_UP_INTERVAL);
        if due {
            *looked_up = Some(Instant::now());
        }
        due
    }

    /// A name that cannot be looked up stands for whom it stood for.
    async fn look_up(&self) {
        let mut uris = BTreeSet::new();
        for place in &self.places {
            match place.look_up().await {
                Ok(found) => uris.extend(found),
                Err(error) => {
                    let host = &place.host;
                    tracing::warn!(host, %error, "a name could not be looked up");
                    return;
                }
            }
        }
        self.become_known(uris);
    }

    fn become_known(&self, uris: BTreeSet<String>) {
        let before = self.known();
        let there = |uri: &Uri| before.iter().find(|one| one.uri == *uri).cloned();
        let now: Arc<[Arc<Replica>]> = uris
            .into_iter()
            .filter_map(|uri| uri.parse::<Uri>().ok())
            .map(|uri| there(&uri).unwrap_or_else(|| Replica::new(uri, &self.connect)))
            .collect();
        let same = before.len() == now.len() && now.iter().all(|one| there(&one.uri).is_some());
        if now.is_empty() || same {
            return;
        }
        let host = &self.places[0].host;
        tracing::info!(host, replicas = now.len(), "other replicas than before");
        // Calls that are under way keep the connections that they have.
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = now;
    }

    fn known(&self) -> Arc<[Arc<Replica>]> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.clone()
    }
}

/// Where to begin: if all began with the first replica, the streams that each process opens would all be there.
fn anywhere() -> usize {
    let dice = RandomState::new().hash_one(0);
    usize::try_from(dice % 1_000).unwrap_or_default()
}

impl Place {
    fn read(url: &str) -> anyhow::Result<Self> {
        let uri: Uri = url.parse()?;
        let scheme = uri.scheme_str();
        ensure!(matches!(scheme, Some("http" | "https")), "its scheme");
        let host = uri.host().context("its host")?;
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let port = match (uri.port_u16(), scheme) {
            (Some(port), _) => port,
            (None, Some("https")) => 443,
            (None, _) => 80,
        };
        // It has two addresses everywhere, and one of them is mostly nobody's.
        let is_name = host.parse::<IpAddr>().is_err() && !host.eq_ignore_ascii_case("localhost");
        Ok(Self {
            uri,
            host,
            port,
            is_name,
        })
    }

    async fn look_up(&self) -> std::io::Result<Vec<String>> {
        if !self.is_name {
            return Ok(vec![self.uri.to_string()]);
        }
        let found = tokio::net::lookup_host((self.host.as_str(), self.port));
        let found = tokio::time::timeout(LOOK_UP_TIMEOUT, found).await??;
        let scheme = self.uri.scheme_str().unwrap_or("http");
        Ok(found.map(|at| format!("{scheme}://{at}/")).collect())
    }
}

impl Replica {
    fn new(uri: Uri, connect: &impl Fn(Uri) -> Channel) -> Arc<Self> {
        let channels = (0..CONNECTIONS).map(|_| connect(uri.clone())).collect();
        Arc::new(Self {
            uri,
            channels,
            rests_until: Mutex::default(),
        })
    }

    fn rests(&self, now: Instant) -> bool {
        self.until().is_some_and(|until| now < until)
    }

    fn until(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        let until = self.rests_until.lock();
        until.unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tonic::transport::Endpoint;

    use super::*;

    fn replicas(urls: &str) -> Replicas {
        Replicas::new(urls, |uri| Endpoint::from(uri).connect_lazy()).unwrap()
    }

    fn known(replicas: &Replicas) -> Vec<Arc<Replica>> {
        replicas.known().to_vec()
    }

    fn found(uris: &[&str]) -> BTreeSet<String> {
        uris.iter().map(|uri| (*uri).to_owned()).collect()
    }

    #[tokio::test]
    async fn what_stays_keeps_its_connections() {
        let replicas = replicas("http://ticket-svc:50052");
        replicas.become_known(found(&["http://10.0.0.1:50052/", "http://10.0.0.2:50052/"]));
        let before = known(&replicas);
        assert_eq!(before.len(), 2);
        replicas.become_known(found(&["http://10.0.0.2:50052/", "http://10.0.0.3:50052/"]));
        let after = known(&replicas);
        assert_eq!(after.len(), 2);
        assert!(Arc::ptr_eq(&before[1], &after[0]));
        replicas.become_known(BTreeSet::new());
        assert_eq!(known(&replicas).len(), 2, "a name without addresses");
    }

    #[tokio::test(start_paused = true)]
    async fn who_rests_is_passed_over_for_a_while() {
        let replicas = replicas("http://10.0.0.1:1,http://10.0.0.2:1,http://10.0.0.3:1");
        let shares = || {
            let all = known(&replicas);
            let mut shares = [0; 3];
            for _ in 0..30 {
                let picked = replicas.next().replica;
                let place = all.iter().position(|one| Arc::ptr_eq(one, &picked));
                shares[place.unwrap()] += 1;
            }
            shares
        };
        assert_eq!(shares(), [10, 10, 10]);
        let all = known(&replicas);
        assert!(replicas.rest(&all[1]), "two are left");
        assert_eq!(shares(), [15, 0, 15]);
        assert!(replicas.rest(&all[0]));
        assert!(!replicas.rest(&all[2]), "nobody is left");
        assert_eq!(shares().iter().sum::<i32>(), 30, "and all are tried");
        tokio::time::advance(REST).await;
        assert_eq!(shares(), [10, 10, 10]);
    }

    #[tokio::test]
    async fn an_address_is_looked_up_only_where_it_is_a_name() {
        for (url, is_name) in [
            ("http://127.0.0.1:50051", false),
            ("http://[::1]:50051", false),
            ("http://localhost:50051", false),
            ("https://user-svc.boxoffice.svc:50051", true),
        ] {
            assert_eq!(Place::read(url).unwrap().is_name, is_name, "{url}");
        }
        for url in ["", "ticket-svc:50052", "ftp://ticket-svc:50052", "http://"] {
            assert!(Place::read(url).is_err(), "{url}");
        }
    }
}
