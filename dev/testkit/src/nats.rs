/// A nats-server with JetStream.
#[derive(Debug)]
pub struct NatsServer {
    url: String,
}

/// The nats-server that all tests of this binary share. Use subjects and streams of your own in it.
pub async fn nats() -> &'static NatsServer {
    unimplemented!()
}

impl NatsServer {
    /// A server of this test's own, running.
    pub async fn start_private() -> Self {
        unimplemented!()
    }

    /// A server of this test's own that is not running yet: its URL is known, connecting is refused until `start`.
    pub async fn reserve_private() -> Self {
        unimplemented!()
    }

    /// `nats://user:password@127.0.0.1:port`; stays the same over stop and start.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A connected client. async-nats takes no credentials from a URL by itself; this passes them.
    pub async fn client(&self) -> async_nats::Client {
        unimplemented!()
    }

    /// Starts a private server (again), with its store and on its port, and waits until JetStream answers.
    pub async fn start(&self) {
        unimplemented!()
    }

    /// Stops a private server in order; its store stays.
    pub async fn stop(&self) {
        unimplemented!()
    }

    /// Forgets everything a stopped private server had stored.
    pub async fn wipe(&self) {
        unimplemented!()
    }
}
