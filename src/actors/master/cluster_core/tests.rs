//! A master among workers that come, go, fail and come back, in any order.

mod world;

use std::collections::BTreeSet;

use proptest::prelude::*;

use self::world::{EPOCH, GRACE, Process, World, plan, reference};
use super::*;
use crate::persist::PartName;

#[test]
fn a_partition_goes_to_the_worker_that_is_named_for_it_and_to_another_one_when_that_is_lost() {
    let preferred = vec![Some("worker-1".into()), Some("worker-9".into()), None, Some("worker-0".into())];
    let mut world = World::new(Plan { preferred, ..plan(4, 2, true) }, 2);
    (0..2).for_each(|worker| drop(world.join(worker)));
    let host = |world: &World, part: usize| world.core.parts[part].host;
    assert_eq!([0, 3].map(|part| host(&world, part)), [Some(Incarnation(2)), Some(Incarnation(1))]);
    assert!([1, 2].iter().all(|part| host(&world, *part).is_some()), "nobody waits for a worker that is not there");
    (0..2).for_each(|worker| world.ready(worker));
    world.disconnect(1);
    world.tick(4 * GRACE);
    world.store_answers(true);
    assert_eq!(host(&world, 0), Some(Incarnation(1)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_happens_placement_and_commits_are_sound_and_the_run_gets_on_afterwards(
        partitions in 1..6u16,
        workers in 1..5usize,
        events in prop::collection::vec((0..13u8, 0..5usize, 0..6u16), 0..120),
    ) {
        let mut world = World::new(plan(partitions, workers, true), workers);
        for (event, worker, part) in events {
            let worker = worker % workers;
            match event {
                0 | 1 => {
                    if world.workers[worker].incarnation == 0 {
                        world.begin(worker);
                    }
                    if world.workers[worker].session.is_none() {
                        world.join(worker);
                    }
                }
                2 => world.disconnect(worker),
                3 => world.kill(worker),
                4 | 5 => world.ready(worker),
                6 | 7 => world.advance(worker),
                8 => world.fail(worker),
                9 => world.store_answers(part != 0),
                10 => world.tick(Duration::from_millis(200 * u64::from(part))),
                11 => world.leave(worker),
                _ => world.stale(worker, part),
            }
        }
        match &world.ended {
            None => world.heal(),
            Some(Outcome::Failed(reason)) => {
                prop_assert!(reason.contains("is broken") && reason.contains("then resume the run 'rush-hour'"), "{reason}");
            }
            Some(other) => prop_assert!(false, "{other:?}"),
        }
    }
}

#[test]
fn a_sign_of_life_is_answered_with_how_far_the_run_may_go() {
    let mut world = World::running(2, 1);
    let session = world.workers[0].session.expect("it has joined");
    let effects = world.message(0, ToMaster::Progress { steps: vec![(0, 3), (1, 4)] });
    let answer = |effect: &&Effect| matches!(effect, Effect::SendToWorker { session: to, message: ToWorker::Grant { .. } } if *to == session);
    assert_eq!(effects.iter().filter(answer).count(), 1);
}

#[test]
fn a_worker_that_joins_late_becomes_a_standby_and_changes_nothing() {
    let mut world = World::running(4, 2);
    world.workers.push(Process::default());
    world.begin(2);
    let told = world.join(2);
    let is_news = |effect: &Effect| {
        let Effect::SendToWorker { message, .. } = effect else { return false };
        matches!(message, ToWorker::Welcome(_) | ToWorker::Grant { .. } | ToWorker::Places(_))
    };
    assert!(told.len() == 3 && told.iter().all(is_news), "{told:?}");
    // It takes over, as it has nothing else to do.
    world.kill(0);
    world.tick(2 * GRACE);
    world.store_answers(true);
    assert_eq!(world.workers[2].slots.len(), 2 - usize::from(world.workers[1].slots.len() > 2));
}

#[test]
fn a_partition_that_fails_again_and_again_ends_the_run_with_a_word_to_the_operator() {
    let mut world = World::running(1, 1);
    for failures in 1..=MAX_FAILURES + 1 {
        assert_eq!(world.ended, None, "after {failures} failures");
        world.fail(0);
        world.tick(Duration::from_secs(4));
        world.store_answers(true);
    }
    let Some(Outcome::Failed(reason)) = &world.ended else { panic!("{:?}", world.ended) };
    assert!(reason.contains("partition 0 is broken: since the snapshot of step 0 it failed 6 times"), "{reason}");
    assert!(reason.contains("panicked in step 0: planted"), "{reason}");
    assert!(reason.ends_with("look into the logs of its workers, then resume the run 'rush-hour'"), "{reason}");
}

#[test]
fn a_commit_gives_a_partition_that_failed_a_new_chance() {
    let mut world = World::running(1, 1);
    for _ in 0..3 * MAX_FAILURES {
        world.fail(0);
        world.tick(Duration::from_secs(4));
        world.store_answers(true);
        world.advance(0);
        world.store_answers(true);
    }
    assert_eq!(world.ended, None);
}

#[test]
fn a_worker_that_comes_back_without_its_partition_gets_it_in_a_new_epoch() {
    // It was given again in the same epoch: then what it had stored before still counted, and a commit could cut the logs
    // that it needed for its replay.
    let mut world = World::running(2, 2);
    let host = world.workers.iter().position(|worker| worker.slots.contains_key(&1)).expect("a host");
    world.advance(host);
    world.disconnect(host);
    world.workers[host].slots.clear();
    world.workers[host].stored.clear();
    world.join(host);
    world.tick(GRACE);
    assert!(world.raising.is_some());
    world.advance(1 - host);
    assert_eq!(world.committing, None, "partition 1 has to store that snapshot again");
    world.store_answers(true);
    world.heal();
}

/// What was replaced has missed routes. It was granted steps before it was told to go, did them on the old routes, and the kernel
/// panicked (simulated seed 1684).
#[test]
fn a_partition_that_was_replaced_is_dropped_before_its_worker_is_granted_anything() {
    let mut world = World::running(2, 2);
    world.disconnect(0);
    world.tick(2 * GRACE);
    world.store_answers(true);
    let effects = world.join(0);
    let told = |wanted: fn(&ToWorker) -> bool| {
        effects.iter().position(|effect| matches!(effect, Effect::SendToWorker { message, .. } if wanted(message)))
    };
    let dropped = told(|message| matches!(message, ToWorker::Drop { part: 0, epoch: EPOCH }));
    let welcome = told(|message| matches!(message, ToWorker::Welcome(_)));
    assert!(dropped.is_some() && dropped < welcome, "{effects:?}");
}

#[test]
fn a_worker_that_leaves_hands_over_at_a_commit() {
    let mut world = World::running(2, 2);
    world.leave(0);
    let hosted: BTreeSet<u16> = world.workers[0].slots.keys().copied().collect();
    assert_eq!(hosted.len(), 1, "until the next commit it stays");
    (0..2).for_each(|worker| world.advance(worker));
    world.store_answers(true);
    assert_eq!(world.workers[0].incarnation, 0, "it may end");
    world.store_answers(true);
    assert_eq!(world.workers[1].slots.len(), 2);
    assert_eq!(world.core.tallies().replayed_steps, 0, "nothing is computed again");
}

fn placed(world: &World, part: u16) -> PlacedPart {
    let part = &world.core.parts[usize::from(part)];
    let host = part.host.expect("a host");
    let worker = world.core.workers.get(host).expect("a worker");
    let (name, address) = (worker.name.clone(), worker.address.clone());
    PlacedPart { epoch: part.epoch, incarnation: host.0, worker: name, address }
}

/// Another master, that knows of these placements.
fn restart(world: &mut World, fault_tolerance: bool, knows: &[bool]) {
    let places = knows.iter().enumerate().map(|(part, knows)| knows.then(|| placed(world, part as u16))).collect();
    let resumed = Resumed { placed: places, ..Resumed::default() };
    world.epoch = Epoch(world.epoch.0 + 1);
    let plan = plan(knows.len() as u16, world.workers.len(), fault_tolerance);
    world.core = ClusterCore::new(plan, world.epoch, resumed, world.now);
    (world.raising, world.committing) = (None, None);
    world.workers.iter_mut().for_each(|worker| worker.session = None);
}

/// A master had raised the epoch and told where partition 0 would be, and was gone before that was stored or anybody hosted
/// it. The new master knew the placement before, which was still there, and adopted it; its neighbour waited for the other
/// one for ever (seed 7181 of the simulated cluster).
#[test]
fn a_placement_that_was_announced_and_never_came_about_is_followed_by_a_newer_one() {
    let mut world = World::running(2, 2);
    restart(&mut world, true, &[true, true]);
    let stale = world.core.parts[0].epoch;
    // The former master's epoch was higher than any that was stored with a place.
    world.core.epoch = Epoch(stale.0 + 5);
    world.epoch = world.core.epoch;
    world.join(0);
    assert_eq!(world.core.parts[0].stage, Stage::Running);
    let session = SessionId(world.sessions + 1);
    let mut effects = Vec::new();
    let told = [(0, Epoch(stale.0 + 1))];
    world.core.outdate(&told, world.now, &mut effects);
    assert_eq!((world.core.parts[0].stage, world.core.parts[0].host), (Stage::Lost, None));
    let dropped = effects.iter().any(|effect| {
        matches!(effect, Effect::SendToWorker { message: ToWorker::Drop { part: 0, epoch }, session: to } if *epoch == stale && *to < session)
    });
    assert!(dropped, "{effects:?}");
    effects.clear();
    world.core.outdate(&told, world.now, &mut effects);
    assert_eq!(effects, [], "once is enough");
}

#[test]
fn a_new_master_adopts_partitions_where_they_are_also_those_of_which_it_was_not_told() {
    for knows in [[true, true], [true, false], [false, false]] {
        let mut world = World::running(2, 2);
        (0..2).for_each(|worker| world.advance(worker));
        let before = world.placements.clone();
        restart(&mut world, true, &knows);
        (0..2).for_each(|worker| drop(world.join(worker)));
        assert_eq!(world.placements, before, "{knows:?}");
        assert!(world.core.parts.iter().all(|part| part.stage == Stage::Running), "{knows:?}");
        world.heal();
        assert_eq!(world.core.tallies(), Tallies::default(), "{knows:?}");
    }
}

#[test]
fn a_new_master_gives_the_workers_of_the_old_one_time_and_then_replaces_them() {
    let mut world = World::running(2, 2);
    restart(&mut world, true, &[true, true]);
    world.join(0);
    world.tick(2 * GRACE);
    assert_eq!(world.raising, None);
    world.tick(4 * GRACE);
    assert!(world.raising.is_some());
    world.store_answers(true);
    assert_eq!(world.workers[0].slots.len(), 2);
}

#[test]
fn without_fault_tolerance_a_new_master_begins_again() {
    // It adopted partitions whose reports nobody had any more, and waited for them for ever.
    let mut world = World::running(2, 2);
    restart(&mut world, false, &[true, true]);
    (0..2).for_each(|worker| drop(world.join(worker)));
    let epoch = world.epoch;
    assert!(world.workers.iter().all(|worker| worker.slots.values().all(|slot| slot.epoch == epoch)));
    assert_eq!(world.workers.iter().map(|worker| worker.slots.len()).sum::<usize>(), 2);
}

#[test]
fn a_master_that_is_fenced_off_tells_nobody_anything() {
    // It told its workers that the run had failed, and they ended, although they were another master's by then.
    let mut world = World::running(2, 2);
    let effects = world.feed(Event::Fenced("another master drives it".to_owned()));
    assert!(matches!(&effects[..], [Effect::End(Outcome::Failed(_))]), "{effects:?}");
    // A worker that the other one has placed is nothing to it either.
    let mut world = World::running(2, 2);
    world.disconnect(0);
    for slot in world.workers[0].slots.values_mut() {
        slot.epoch = Epoch(9);
    }
    assert!(matches!(&world.join(0)[..], [Effect::Hangup { .. }]));
}

#[test]
fn a_master_that_is_fenced_off_at_the_very_end_ends() {
    // It waited for ever for the store to conclude a run that was another master's.
    let mut world = World::running(1, 1);
    world.core.outcome = Some(Outcome::Failed("not yet concluded".to_owned()));
    let effects = world.feed(Event::Fenced("another master drives it".to_owned()));
    assert!(matches!(&effects[..], [Effect::End(Outcome::Failed(_))]), "{effects:?}");
}

fn edit(world: &mut World) -> Vec<Effect> {
    let act = LoggedAction::Edit(Vec::new());
    let instruction = Instruction::Logged { act, parts: vec![0, 1], text: String::new(), timed: None };
    world.feed(Event::Instructed { ticket: Ticket(3), instruction })
}

#[test]
fn an_edit_ends_the_driving_when_its_step_is_committed_and_nothing_else_is_taken_meanwhile() {
    let mut world = World::running(2, 2);
    let logged = edit(&mut world);
    let [Effect::Log { number, entry }] = &logged[..] else { panic!("{logged:?}") };
    let (number, step) = (*number, entry.at_step);
    assert_eq!(step, world.core.first_free_step());
    let again = edit(&mut world);
    let is_busy = |effect: &Effect| matches!(effect, Effect::Answer { outcome: Err(CommandError::Busy(_)), .. });
    assert!(matches!(&again[..], [refused] if is_busy(refused)), "{again:?}");
    world.feed(Event::Logged(number));
    let told = world.feed(Event::RecorderKnows(number));
    let asks = |effect: &Effect| matches!(effect, Effect::SendToWorker { message: ToWorker::Orders { notice, .. }, .. } if notice.snapshot && notice.at_step == step);
    assert_eq!(told.iter().filter(|effect| asks(effect)).count(), 2, "{told:?}");
    assert!(told.iter().any(|effect| matches!(effect, Effect::Answer { ticket: Ticket(3), outcome: Ok(_) })));
    for worker in 0..2 {
        for (part, slot) in world.workers[worker].slots.clone() {
            let reference = reference(PartName::Partition(part), step, slot.epoch);
            world.message(worker, ToMaster::Stored(Stored { part, epoch: slot.epoch, reference }));
        }
    }
    world.feed(Event::RecorderStored(reference(PartName::Recorder, step, EPOCH)));
    assert_eq!((world.committing, &world.ended), (Some(step), &None));
    world.store_answers(true);
    assert_eq!(world.ended, Some(Outcome::Edited));
    assert!(
        world.workers.iter().all(|worker| worker.slots.len() == 1),
        "a worker dropped its partition although the edited run goes on"
    );
}

#[test]
fn without_snapshots_a_running_network_is_not_edited() {
    let mut world = World::new(plan(2, 1, false), 1);
    world.join(0);
    let refused = edit(&mut world);
    assert!(matches!(&refused[..], [Effect::Answer { outcome: Err(CommandError::Conflict(_)), .. }]), "{refused:?}");
}

#[test]
fn partitions_of_the_network_before_an_edit_are_not_adopted() {
    let mut world = World::running(2, 2);
    world.epoch = Epoch(world.epoch.0 + 1);
    let resumed = Resumed { since: world.epoch.0, ..Resumed::default() };
    world.core = ClusterCore::new(plan(2, 2, true), world.epoch, resumed, world.now);
    world.workers.iter_mut().for_each(|worker| worker.session = None);
    (0..2).for_each(|worker| drop(world.join(worker)));
    let epoch = world.epoch;
    assert!(world.workers.iter().all(|worker| worker.slots.values().all(|slot| slot.epoch == epoch)));
    assert_eq!(world.workers.iter().map(|worker| worker.slots.len()).sum::<usize>(), 2);
}
