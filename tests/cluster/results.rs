//! Runs that nothing is done to.

use super::redis_server::RedisServer;
use super::run::Plan;

#[test]
fn four_workers_give_the_result_of_one_process() {
    let mut cluster = Plan::new(600, 4).start();
    cluster.ends_as_undisturbed();
    assert_eq!((&cluster.report()["partitions"], &cluster.report()["recoveries"]), (&4.into(), &0.into()));
}

#[test]
fn four_workers_give_the_result_of_one_process_with_redis() {
    let redis = RedisServer::start(&[]);
    let mut cluster = Plan { store: Some(redis.url()), ..Plan::new(600, 4) }.start();
    cluster.ends_as_undisturbed();
    assert!(cluster.master.count("snapshot committed") > 0);
}

#[test]
fn workers_that_host_several_partitions_give_the_same_result() {
    let mut cluster = Plan { partitions: 7, ..Plan::new(300, 3) }.start();
    cluster.ends_as_undisturbed();
    assert_eq!(cluster.report()["partitions"], 7);
}
