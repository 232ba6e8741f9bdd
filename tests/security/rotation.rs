//! Certificates that are replaced while connections come and go.

use tessds::protocol::{Listener, Networking, TlsNetwork};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::certificates::{Authority, Files, HERE};
use super::peers::{connected, meet, tls};

async fn call(network: &TlsNetwork, listener: &mut dyn Listener) -> Result<(), String> {
    let (caller, called) = meet(listener, network).await;
    caller.and(called)
}

#[tokio::test]
async fn new_connections_use_new_certificates_and_old_connections_go_on() {
    let (first, second) = (Authority::new("first"), Authority::new("second"));
    let files = Files::new(&first.issue(HERE), &first.pem());
    let of_before = Files::new(&first.issue(HERE), &first.pem());
    let (network, before) = (tls(&files), tls(&of_before));
    let mut listener = network.listen("127.0.0.1:0").await.expect("a free port");
    let (mut caller, mut callee) = connected(&mut *listener, &network).await;
    // Another authority, another certificate.
    files.replace(&second.issue(HERE), &second.pem());
    call(&network, &mut *listener).await.expect("both have the new ones");
    let refused = call(&before, &mut *listener).await.expect_err("who has the old ones only is refused");
    assert!(refused.contains("not accepted") || refused.contains("does not accept"), "{refused}");
    caller.write_all(b"still here").await.expect("room");
    caller.flush().await.expect("room");
    let mut heard = [0; 10];
    callee.read_exact(&mut heard).await.expect("all of it");
    assert_eq!(&heard, b"still here");
}

#[tokio::test]
async fn an_authority_is_replaced_while_some_have_certificates_of_the_old_one() {
    let (first, second) = (Authority::new("first"), Authority::new("second"));
    let both = first.pem() + &second.pem();
    let one = Files::new(&first.issue(HERE), &both);
    let other = Files::new(&second.issue(HERE), &both);
    let (network, after) = (tls(&one), tls(&other));
    let mut listener = network.listen("127.0.0.1:0").await.expect("a free port");
    call(&after, &mut *listener).await.expect("both trust both");
    let mut listener = after.listen("127.0.0.1:0").await.expect("a free port");
    call(&network, &mut *listener).await.expect("both trust both");
}

#[tokio::test]
async fn files_that_cannot_be_used_leave_those_before_in_place() {
    let authority = Authority::new("ours");
    let files = Files::new(&authority.issue(HERE), &authority.pem());
    let network = tls(&files);
    let mut listener = network.listen("127.0.0.1:0").await.expect("a free port");
    let good = authority.issue(HERE);
    for (name, text) in [
        ("tls.crt", "not a certificate".to_owned()),
        ("tls.key", authority.issue(HERE).key),
        ("tls.crt", authority.issue_expired(HERE).certificate),
        ("ca.crt", Authority::new("another").pem()),
    ] {
        std::fs::write(files.path(name), text).expect("room");
        call(&network, &mut *listener).await.unwrap_or_else(|error| panic!("after another {name}: {error}"));
        std::fs::remove_file(files.path(name)).expect("a file");
        call(&network, &mut *listener).await.unwrap_or_else(|error| panic!("without {name}: {error}"));
    }
    files.replace(&good, &authority.pem());
    call(&network, &mut *listener).await.expect("good files again");
}
