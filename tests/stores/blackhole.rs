//! A TCP relay that can stop to forward without closing anything, as a broken network does.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tessds::persist::{StoreError, open};

use super::redis_server::RedisServer;
use super::support::{block_on, check_readable, run_name, snapshot};
use crate::expect;

/// Connections made before or during a black hole stay dead; those made after it work.
struct Relay {
    port: u16,
    swallowing: Arc<AtomicBool>,
    hole: Arc<AtomicU64>,
}

impl Relay {
    fn to(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (swallowing, hole) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (black, holes) = (swallowing.clone(), hole.clone());
        thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(("127.0.0.1", target))) else { return };
                let born = holes.load(Ordering::SeqCst);
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (mut from, mut to) = (from.try_clone().expect("a socket"), to.try_clone().expect("a socket"));
                    let (black, holes) = (black.clone(), holes.clone());
                    thread::spawn(move || {
                        let mut buffer = [0; 65536];
                        while let Ok(length @ 1..) = from.read(&mut buffer) {
                            let dead = black.load(Ordering::SeqCst) || holes.load(Ordering::SeqCst) != born;
                            if !dead && to.write_all(&buffer[..length]).is_err() {
                                return;
                            }
                        }
                    });
                }
            }
        });
        Self { port, swallowing, hole }
    }

    fn swallow(&self) {
        self.hole.fetch_add(1, Ordering::SeqCst);
        self.swallowing.store(true, Ordering::SeqCst);
    }
    fn forward(&self) {
        self.hole.fetch_add(1, Ordering::SeqCst);
        self.swallowing.store(false, Ordering::SeqCst);
    }
}

/// A connection manager of the client library once stayed on a dead flow for more than a minute, while a new connection would
/// have been answered at once.
#[test]
fn a_black_hole_is_left_as_soon_as_there_is_a_way_out() {
    let server = RedisServer::start(&[]);
    let relay = Relay::to(server.port());
    let mut store = open(&format!("redis://127.0.0.1:{}?deadline_ms=1000", relay.port)).expect("an address");
    let run = run_name("hole");
    block_on(async {
        let epoch = store.acquire(&run, "a", Duration::from_secs(60)).await.unwrap().epoch;
        let manifest = snapshot(&mut *store, &run, epoch, 10, 100_000).await.unwrap();
        store.put_record(&run, epoch, "x", b"first").await.unwrap();

        relay.swallow();
        let since = Instant::now();
        expect!(store.put_record(&run, epoch, "x", b"lost").await, Err(StoreError::Ambiguous { .. }));
        expect!(store.commits(&run).await, Err(StoreError::Unavailable { .. }));
        assert!(since.elapsed() < Duration::from_secs(10), "a call ends after three attempts: {:?}", since.elapsed());

        relay.forward();
        let since = Instant::now();
        store.put_record(&run, epoch, "x", b"kept").await.unwrap();
        assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
        assert_eq!(store.get_record(&run, "x").await, Ok(Some(b"kept".to_vec())));
        check_readable(&mut *store, &run, &manifest).await;
    });
}

/// The hole opens and closes while a call is under way: the call itself gets through.
#[test]
fn a_call_survives_a_short_black_hole() {
    let server = RedisServer::start(&[]);
    let relay = Relay::to(server.port());
    let mut store = open(&format!("redis://127.0.0.1:{}", relay.port)).expect("an address");
    let run = run_name("short-hole");
    block_on(async {
        let epoch = store.acquire(&run, "a", Duration::from_secs(60)).await.unwrap().epoch;
        relay.swallow();
        let healing = thread::spawn(move || {
            thread::sleep(Duration::from_millis(500));
            relay.forward();
            (relay, Instant::now())
        });
        store.put_record(&run, epoch, "x", b"kept").await.unwrap();
        let done = Instant::now();
        let (_relay, healed) = healing.join().expect("no panic");
        let took = done.duration_since(healed);
        assert!(took < Duration::from_millis(2200), "{took:?} after the hole had closed");
    });
}
