//! Handlers of one process, as actors.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::core::{Core, End, Retention};
use super::{LinkMessage, NeighborHandler, PeerAddress};
use crate::actors::partition;
use crate::protocol::{Epoch, FencingToken, Frame, RunId};

const RUN: RunId = RunId(7);
const PLACED: Epoch = Epoch(5);

/// Stands for a partition.
struct Reader(mpsc::Sender<u64>);

impl Actor for Reader {
    type Context = Context<Self>;
}

impl Handler<partition::Event> for Reader {
    type Result = ();
    fn handle(&mut self, event: partition::Event, _: &mut Self::Context) {
        let partition::Event::FrameArrived { frame, .. } = event else { panic!("{event:?}") };
        self.0.try_send(frame.step).expect("room");
    }
}

fn side(part: u16) -> (Addr<NeighborHandler>, mpsc::Receiver<u64>) {
    let (sender, frames) = mpsc::channel(8);
    let reader = Reader(sender).start();
    let (own, peer) = (End { part, epoch: PLACED }, End { part: 1 - part, epoch: Epoch(0) });
    let core = Core::new(RUN, own, peer, Retention::UntilRead, 50);
    (NeighborHandler::new(core, 0, None, reader.recipient()).start(), frames)
}

/// A side that heard of the other's place only after it had been called let go of the link, and nobody told the caller: a run
/// without heartbeats stood still for ever.
#[test]
fn a_link_that_one_side_lets_go_of_is_made_anew() {
    System::new().block_on(async {
        let ((first, mut to_first), (second, mut to_second)) = (side(0), side(1));
        let place = |address| LinkMessage::PeerAt { epoch: PLACED, address: PeerAddress::Local(address) };
        first.send(place(second.clone())).await.expect("it lives");
        tokio::time::sleep(Duration::from_millis(20)).await;
        second.send(place(first.clone())).await.expect("it lives");
        for (part, handler) in [(0, &first), (1, &second)] {
            let frame =
                Frame { token: FencingToken { run: RUN, epoch: PLACED }, from: part, step: 50, bytes: Vec::new() };
            handler.send(LinkMessage::Outgoing(Arc::new(frame))).await.expect("it lives");
        }
        for frames in [&mut to_first, &mut to_second] {
            assert_eq!(timeout(Duration::from_secs(5), frames.recv()).await, Ok(Some(50)));
        }
    });
}
