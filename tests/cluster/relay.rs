//! A TCP relay in front of one listener, which cuts connections.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// What becomes of a connection when it has carried its share of bytes, both ways together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    CutAfter(i64),
    /// Nothing more goes over it, until the relay is released; then it is cut, or goes on.
    HoldAfter {
        bytes: i64,
        then_cut: bool,
    },
}

struct State {
    /// Says what becomes of the connection with this number, from 0.
    fate: Box<dyn Fn(u64) -> Fate + Send + Sync>,
    cuts: AtomicU64,
    /// Connections that have been held, and how many may go on.
    gate: Mutex<(u64, u64)>,
    moved: Condvar,
}

/// Carries connections to `target`; ends with the process.
#[derive(Clone)]
pub struct Relay {
    pub address: String,
    state: Arc<State>,
}

impl Relay {
    pub fn start(target: String, fate: impl Fn(u64) -> Fate + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let (cuts, gate, moved) = (AtomicU64::new(0), Mutex::new((0, 0)), Condvar::new());
        let state = Arc::new(State { fate: Box::new(fate), cuts, gate, moved });
        let relay = Self { address, state: Arc::clone(&state) };
        thread::spawn(move || {
            let callers = listener.incoming().map_while(Result::ok);
            for (number, caller) in callers.enumerate() {
                // Who is not there yet will be called again.
                if let Ok(callee) = TcpStream::connect(&target) {
                    carry(&state, number as u64, caller, callee);
                }
            }
        });
        relay
    }

    /// Connections that were cut.
    pub fn cuts(&self) -> u64 {
        self.state.cuts.load(Ordering::SeqCst)
    }

    /// How often a connection has been held.
    pub fn held(&self) -> u64 {
        self.state.gate.lock().expect("a lock").0
    }

    /// The connections that are held go on, or are cut.
    pub fn release(&self) {
        let mut gate = self.state.gate.lock().expect("a lock");
        gate.1 = gate.0;
        self.state.moved.notify_all();
    }
}

fn carry(state: &Arc<State>, number: u64, caller: TcpStream, callee: TcpStream) {
    let fate = (state.fate)(number);
    let (Fate::CutAfter(bytes) | Fate::HoldAfter { bytes, .. }) = fate;
    let left = Arc::new(AtomicI64::new(bytes));
    let ends = [(&caller, &callee), (&callee, &caller)].map(|(from, to)| {
        let (mut from, mut to) = (from.try_clone().expect("a socket"), to.try_clone().expect("a socket"));
        let (state, left) = (Arc::clone(state), Arc::clone(&left));
        to.set_nodelay(true).expect("a socket");
        move || {
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(read @ 1..) = from.read(&mut buffer) {
                let before = left.fetch_sub(read as i64, Ordering::SeqCst);
                let fits = before.clamp(0, read as i64) as usize;
                if to.write_all(&buffer[..fits]).is_err() {
                    break;
                }
                if fits < read {
                    // The first that runs out decides for both directions.
                    let is_first = before >= 0;
                    if !state.goes_on(fate, is_first) {
                        break;
                    }
                    left.store(i64::MAX, Ordering::SeqCst);
                    if to.write_all(&buffer[fits..read]).is_err() {
                        break;
                    }
                }
            }
            // Whichever direction is first; the other one finds its sockets closed.
            let _ = from.shutdown(Shutdown::Both);
            let _ = to.shutdown(Shutdown::Both);
        }
    });
    for carrying in ends {
        thread::spawn(carrying);
    }
}

impl State {
    /// A connection has carried its share.
    fn goes_on(&self, fate: Fate, is_first: bool) -> bool {
        let goes_on = match fate {
            Fate::CutAfter(_) => false,
            Fate::HoldAfter { then_cut, .. } => {
                let mut gate = self.gate.lock().expect("a lock");
                gate.0 += u64::from(is_first);
                let ticket = gate.0;
                while gate.1 < ticket {
                    gate = self.moved.wait(gate).expect("a lock");
                }
                !then_cut
            }
        };
        if !goes_on && is_first {
            self.cuts.fetch_add(1, Ordering::SeqCst);
        }
        goes_on
    }
}
