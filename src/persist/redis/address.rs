//! The address of a Redis, with its options.

use std::time::Duration;

use ::redis::io::tcp::TcpSettings;
use ::redis::{Client, IntoConnectionInfo, TlsCertificates, parse_redis_url};

use crate::persist::StoreError;

/// Without an answer for so long, the kernel gives a connection up.
const TCP_USER_TIMEOUT: Duration = Duration::from_millis(1500);

const DEFAULT_DEADLINE: Duration = Duration::from_secs(2);
const DEFAULT_KEEP_DAYS: u64 = 14;
const DAY_MS: u64 = 24 * 3600 * 1000;

/// Where and how to connect. Holds the password, so it has no `Debug`.
pub(super) struct Address {
    pub client: Client,
    /// Longest wait for an answer.
    pub deadline: Duration,
    /// How long the keys of a run outlive its last holder; 0: for ever.
    pub keep_ms: u64,
}

impl Address {
    /// Reads `redis://` or `rediss://` `[USER[:PASSWORD]@]HOST[:PORT][/DB][?OPTIONS]`. No error repeats the address.
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        let mut url =
            parse_redis_url(text).filter(|url| matches!(url.scheme(), "redis" | "rediss")).ok_or_else(|| {
                bad("it must look like redis://USER:PASSWORD@HOST:PORT/DB, with % for special characters")
            })?;
        if url.fragment().is_some() {
            return Err(bad("'#' is not allowed; write it as %23 if it belongs to the password"));
        }
        let (mut deadline, mut keep_ms, mut ca, mut password) =
            (DEFAULT_DEADLINE, DEFAULT_KEEP_DAYS * DAY_MS, None, None);
        for (option, value) in url.query_pairs() {
            let number = || value.parse::<u64>().map_err(|_| bad(&format!("{option} must be a whole number")));
            match option.as_ref() {
                "deadline_ms" => deadline = Duration::from_millis(number()?.clamp(50, 60_000)),
                "keep_days" => keep_ms = number()?.min(36_500) * DAY_MS,
                "ca" => ca = Some(read(&option, &value)?),
                "password_file" => password = Some(read(&option, &value)?),
                _ => {
                    return Err(bad(&format!(
                        "unknown option '{}'; known options are ca, password_file, deadline_ms, keep_days",
                        option.escape_debug()
                    )));
                }
            }
        }
        url.set_query(None);
        let tls = url.scheme() == "rediss";
        let unusable = |error: ::redis::RedisError| bad(&error.to_string());
        let info = url.into_connection_info().map_err(unusable)?;
        let mut login = info.redis_settings().clone().set_skip_set_lib_name();
        if let Some(password) = password {
            let password = String::from_utf8(password).map_err(|_| bad("password_file is not a UTF-8 text file"))?;
            login = login.set_password(password.trim_end_matches(['\r', '\n']));
        }
        // Zero linger: what is given up is not sent later.
        let tcp =
            TcpSettings::default().set_nodelay(true).set_user_timeout(TCP_USER_TIMEOUT).set_linger_time(Duration::ZERO);
        let info = info.set_redis_settings(login).set_tcp_settings(tcp);
        let client = if tls {
            use_ring();
            Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert: ca }).map_err(unusable)?
        } else if ca.is_some() {
            return Err(bad("ca needs rediss://"));
        } else {
            Client::open(info).map_err(unusable)?
        };
        Ok(Self { client, deadline, keep_ms })
    }
}

/// The TLS library asks for one choice per process; whoever was first has made it.
fn use_ring() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn read(option: &str, path: &str) -> Result<Vec<u8>, StoreError> {
    std::fs::read(path).map_err(|error| bad(&format!("{option}: cannot read '{path}': {error}")))
}

fn bad(what: &str) -> StoreError {
    StoreError::config(format!("invalid address of a Redis store: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        match Address::parse(text) {
            Ok(_) => panic!("{text} was taken"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn options_are_read_and_unknown_ones_refused() {
        let address = Address::parse("redis://u:p%40ss@h:7/3?deadline_ms=700&keep_days=2").unwrap();
        assert_eq!((address.deadline, address.keep_ms), (Duration::from_millis(700), 2 * DAY_MS));
        assert_eq!(address.client.get_connection_info().redis_settings().password(), Some("p@ss"));
        assert!(error("redis://h?keep=2").contains("keep_days"));
        assert!(error("redis://h?ca=/etc/hosts").contains("rediss"));
        assert!(error("rediss://h#insecure").contains('#'));
    }

    #[test]
    fn no_error_repeats_the_password() {
        for text in [
            "redis://u:hunter2@h:port",
            "redis://u:hunter2@h/notanumber",
            "redis://u:hunter2@h?x=1",
            "http://u:hunter2@h",
            "redis://u:hunter2@",
            "rediss://u:hunter2@h?ca=/no/such/file",
        ] {
            assert!(!error(text).contains("hunter2"), "{}", error(text));
        }
    }
}
