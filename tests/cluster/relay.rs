//! A TCP relay in front of one listener, which cuts connections.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
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
    /// Says what becomes of the connection with this number: 0 until one has been held, then counted.
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
            let mut number = 0;
            for caller in listener.incoming().map_while(Result::ok) {
                // Who is not there yet will be called again; and a caller may give up before anything is decided.
                number += u64::from(state.gate.lock().expect("a lock").0 > 0);
                if let Ok(callee) = TcpStream::connect(&target) {
                    carry(&state, number, caller, callee);
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

/// What a connection may still carry, and what was decided when it ran out.
struct Share {
    left: i64,
    end: Option<End>,
}

#[derive(Clone, Copy)]
enum End {
    Cut,
    /// Until the gate lets this ticket pass.
    Held {
        ticket: u64,
        then_cut: bool,
    },
}

fn carry(state: &Arc<State>, number: u64, caller: TcpStream, callee: TcpStream) {
    let fate = (state.fate)(number);
    let (Fate::CutAfter(left) | Fate::HoldAfter { bytes: left, .. }) = fate;
    let share = Arc::new(Mutex::new(Share { left, end: None }));
    let ends = [(&caller, &callee), (&callee, &caller)].map(|(from, to)| {
        let (mut from, mut to) = (from.try_clone().expect("a socket"), to.try_clone().expect("a socket"));
        let (state, share) = (Arc::clone(state), Arc::clone(&share));
        to.set_nodelay(true).expect("a socket");
        move || {
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(read @ 1..) = from.read(&mut buffer) {
                let (fits, end) = state.take(&share, read, fate);
                if to.write_all(&buffer[..fits]).is_err() {
                    break;
                }
                if fits < read && (!state.goes_on(&share, end) || to.write_all(&buffer[fits..read]).is_err()) {
                    break;
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
    /// How much of what was read fits into the share. Who finds it used up decides for both directions, and counts, at once:
    /// the other direction may close the sockets a moment later.
    fn take(&self, share: &Mutex<Share>, read: usize, fate: Fate) -> (usize, Option<End>) {
        let mut share = share.lock().expect("a lock");
        let fits = share.left.clamp(0, read as i64);
        share.left -= fits;
        if fits < read as i64 && share.end.is_none() {
            share.end = Some(match fate {
                Fate::CutAfter(_) => {
                    self.cuts.fetch_add(1, Ordering::SeqCst);
                    End::Cut
                }
                Fate::HoldAfter { then_cut, .. } => {
                    let mut gate = self.gate.lock().expect("a lock");
                    gate.0 += 1;
                    End::Held { ticket: gate.0, then_cut }
                }
            });
        }
        (fits as usize, share.end)
    }

    /// Waits while the connection is held.
    fn goes_on(&self, share: &Mutex<Share>, end: Option<End>) -> bool {
        let Some(End::Held { ticket, then_cut }) = end else { return false };
        let mut gate = self.gate.lock().expect("a lock");
        while gate.1 < ticket {
            gate = self.moved.wait(gate).expect("a lock");
        }
        drop(gate);
        let mut share = share.lock().expect("a lock");
        if share.left == 0 && then_cut {
            // Once for both directions.
            share.left = -1;
            self.cuts.fetch_add(1, Ordering::SeqCst);
        } else if !then_cut {
            share.left = i64::MAX;
        }
        !then_cut
    }
}
