//! What an error of Redis means for a caller.

use ::redis::{ErrorKind, RedisError};

use crate::persist::StoreError;

/// An error, and whether the connection it came over can go on.
pub(super) struct Failure {
    pub error: StoreError,
    pub connection_is_good: bool,
}

/// Of a command that was sent.
pub(super) fn of_command(error: &RedisError) -> Failure {
    let what = describe(error);
    let answer = error.clone().into_server_errors();
    let first = answer.as_ref().and_then(|errors| errors.first()).map(|(_, error)| error);
    let (code, detail) = match first {
        Some(error) => (Some(error.code()), error.details()),
        None => (error.code(), error.detail()),
    };
    // An error inside a script is passed on as the script's, with the code somewhere in the text, by older servers.
    let says = |word: &str| code == Some(word) || detail.is_some_and(|detail| detail.contains(word));
    let answered = |error| Failure { error, connection_is_good: true };
    let elsewhere = |error| Failure { error, connection_is_good: false };
    if error.is_io_error() {
        return elsewhere(StoreError::Ambiguous { what });
    }
    if error.kind() == ErrorKind::AuthenticationFailed || says("NOAUTH") || says("WRONGPASS") || says("NOPERM") {
        return elsewhere(StoreError::Denied { what });
    }
    if says("OOM") {
        return answered(StoreError::Full { what });
    }
    if says("MISCONF") || says("NOREPLICAS") {
        return answered(StoreError::Refused { what });
    }
    // A replica now: another connection may reach the new primary.
    if says("READONLY") || says("MASTERDOWN") {
        return elsewhere(StoreError::Unavailable { what });
    }
    if ["LOADING", "BUSY", "TRYAGAIN", "CLUSTERDOWN", "max number of clients"].into_iter().any(says) {
        return answered(StoreError::Unavailable { what });
    }
    if says("MOVED") || says("ASK") {
        let what =
            "the keys of this run are on another node of a Redis cluster; use a Redis without cluster mode".to_owned();
        return answered(StoreError::Config { what });
    }
    if matches!(error.kind(), ErrorKind::UnexpectedReturnType | ErrorKind::Parse) || says("WRONGTYPE") {
        return elsewhere(StoreError::Damaged { what });
    }
    elsewhere(StoreError::Denied { what })
}

/// Of a connection that could not be made: nothing was asked for yet.
pub(super) fn of_connecting(error: &RedisError) -> StoreError {
    match of_command(error).error {
        StoreError::Ambiguous { what } if what.contains("certificate") => StoreError::Denied { what },
        StoreError::Ambiguous { what } => StoreError::Unavailable { what },
        other => other,
    }
}

/// Of a pipeline only the first error, for the others are the same; and without what Redis repeats of the command, for that may
/// hold a password.
fn describe(error: &RedisError) -> String {
    let first = error.clone().into_server_errors().and_then(|errors| Some(errors.first()?.1.to_string()));
    let text = first.unwrap_or_else(|| error.to_string());
    match text.split_once(", with args beginning with") {
        Some((before, _)) => before.to_owned(),
        None => text,
    }
}
