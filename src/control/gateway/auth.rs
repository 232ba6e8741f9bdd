//! Who may speak: bearer tokens, tickets for browsers, and origins.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use tokio::time::Instant;

/// How long a ticket is good, once.
pub const TICKET_LIFE: Duration = Duration::from_secs(30);
/// Tickets that are out at once; the oldest go.
const MAX_TICKETS: usize = 256;
const MIN_TOKEN: usize = 16;

/// Why nobody can be let in.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    #[error("token file {path}: {error}")]
    Unreadable { path: String, error: std::io::Error },
    #[error(
        "token file {path}: line {line} has a token of fewer than {MIN_TOKEN} characters; generate one with 'openssl rand -hex 32'"
    )]
    TooShort { path: String, line: usize },
    #[error("token file {path} contains no token; write one token per line")]
    Empty { path: String },
}

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    NoToken,
    BadToken,
    BadOrigin,
}

impl Refused {
    pub fn text(self) -> &'static str {
        match self {
            Self::NoToken => {
                "an access token is required: send 'Authorization: Bearer TOKEN', or open /ws with ?ticket= from POST /ticket"
            }
            Self::BadToken => "the token or ticket is invalid, or the ticket was already used",
            Self::BadOrigin => "this origin is not allowed; see control.origins",
        }
    }
}

/// The tokens of a file, one on each line, with the numbers of their lines; `#` begins a comment.
pub fn tokens_of(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    (1..).zip(lines).filter(|(_, token)| !token.is_empty())
}

/// What opens the gateway.
#[derive(Debug, Default)]
pub struct Access {
    /// Empty: everybody on this machine.
    tokens: Vec<String>,
    /// Origins of web pages besides the gateway's own, as `https://host:port`.
    origins: Vec<String>,
    tickets: VecDeque<(String, Instant)>,
}

impl Access {
    pub fn new(tokens: Vec<String>, origins: Vec<String>) -> Self {
        Self { tokens, origins, tickets: VecDeque::new() }
    }

    /// With the tokens of a file, see [`tokens_of`].
    ///
    /// # Errors
    /// The file cannot be read, is empty, or holds a token that is too easy to guess.
    pub fn from_file(path: &Path, origins: Vec<String>) -> Result<Self, AccessError> {
        let name = path.display().to_string();
        let text =
            std::fs::read_to_string(path).map_err(|error| AccessError::Unreadable { path: name.clone(), error })?;
        let mut tokens = Vec::new();
        for (line, token) in tokens_of(&text) {
            if token.len() < MIN_TOKEN {
                return Err(AccessError::TooShort { path: name, line });
            }
            tokens.push(token.to_owned());
        }
        if tokens.is_empty() {
            return Err(AccessError::Empty { path: name });
        }
        Ok(Self::new(tokens, origins))
    }

    pub fn needs_token(&self) -> bool {
        !self.tokens.is_empty()
    }

    /// Checks the head of a request; `ticket` as it stands in the address of a WebSocket.
    pub fn check(&mut self, head: &HeaderMap, ticket: Option<&str>, now: Instant) -> Result<(), Refused> {
        if !self.is_own_origin(head) {
            return Err(Refused::BadOrigin);
        }
        if !self.needs_token() {
            return Ok(());
        }
        let bearer = head.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        match (bearer.and_then(|value| value.strip_prefix("Bearer ")), ticket) {
            (Some(token), _) if self.knows(token.trim()) => Ok(()),
            (None, Some(ticket)) if self.take(ticket, now) => Ok(()),
            (None, None) => Err(Refused::NoToken),
            _ => Err(Refused::BadToken),
        }
    }

    /// A browser says which page asks; others say nothing. A page of another site must not drive a run on this machine.
    fn is_own_origin(&self, head: &HeaderMap) -> bool {
        let Some(origin) = head.get(ORIGIN) else { return true };
        let Ok(origin) = origin.to_str() else { return false };
        let host = head.get(HOST).and_then(|host| host.to_str().ok());
        let is_own = origin.split_once("://").is_some_and(|(_, place)| Some(place) == host);
        is_own || self.origins.iter().any(|allowed| allowed == origin)
    }

    fn knows(&self, token: &str) -> bool {
        // All are compared, so that time says nothing.
        self.tokens.iter().fold(false, |known, own| known | same(own.as_bytes(), token.as_bytes()))
    }

    /// A new ticket: opens one WebSocket, soon. Browsers cannot send a token with that.
    pub fn ticket(&mut self, now: Instant) -> Option<String> {
        let mut bytes = [0u8; 24];
        rustls::crypto::ring::default_provider().secure_random.fill(&mut bytes).ok()?;
        let ticket: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        if self.tickets.len() == MAX_TICKETS {
            self.tickets.pop_front();
        }
        self.tickets.push_back((ticket.clone(), now + TICKET_LIFE));
        Some(ticket)
    }

    fn take(&mut self, ticket: &str, now: Instant) -> bool {
        self.tickets.retain(|(_, until)| *until > now);
        let at = self.tickets.iter().position(|(own, _)| same(own.as_bytes(), ticket.as_bytes()));
        at.and_then(|at| self.tickets.remove(at)).is_some()
    }
}

/// Takes as long for any two texts of one length.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    fn head(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(key, value)| (key.parse().expect("a name"), value.parse().expect("a value"))).collect()
    }

    #[test]
    fn a_token_is_asked_for_and_compared() {
        let now = Instant::now();
        let mut access = Access::new(vec![TOKEN.to_owned()], Vec::new());
        assert_eq!(access.check(&head(&[]), None, now), Err(Refused::NoToken));
        assert_eq!(access.check(&head(&[("authorization", "Bearer wrong")]), None, now), Err(Refused::BadToken));
        assert_eq!(
            access.check(&head(&[("authorization", "Basic 0123456789abcdef")]), None, now),
            Err(Refused::NoToken)
        );
        assert_eq!(access.check(&head(&[("authorization", &format!("Bearer {TOKEN}"))]), None, now), Ok(()));
    }

    #[test]
    fn a_ticket_is_good_once_and_not_for_long() {
        let now = Instant::now();
        let mut access = Access::new(vec![TOKEN.to_owned()], Vec::new());
        let ticket = access.ticket(now).expect("randomness");
        assert_eq!(access.check(&head(&[]), Some(&ticket), now), Ok(()));
        assert_eq!(access.check(&head(&[]), Some(&ticket), now), Err(Refused::BadToken), "already used");
        let ticket = access.ticket(now).expect("randomness");
        assert_eq!(access.check(&head(&[]), Some(&ticket), now + TICKET_LIFE), Err(Refused::BadToken), "too late");
    }

    #[test]
    fn pages_of_other_sites_are_refused() {
        let now = Instant::now();
        let mut access = Access::new(Vec::new(), vec!["https://map.example".to_owned()]);
        let mut check =
            |origin: &str| access.check(&head(&[("origin", origin), ("host", "127.0.0.1:7780")]), None, now);
        assert_eq!(check("http://127.0.0.1:7780"), Ok(()));
        assert_eq!(check("https://map.example"), Ok(()));
        for bad in ["https://evil.example", "null", "http://127.0.0.1:80", "https://map.example.evil"] {
            assert_eq!(check(bad), Err(Refused::BadOrigin), "{bad}");
        }
    }

    #[test]
    fn weak_and_missing_tokens_are_errors_that_name_the_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("tokens");
        let read = |text: &str| {
            std::fs::write(&path, text).expect("room");
            Access::from_file(&path, Vec::new()).map(|access| access.tokens).map_err(|error| error.to_string())
        };
        assert_eq!(read("# operators\n0123456789abcdef # Ann\n\n"), Ok(vec![TOKEN.to_owned()]));
        assert!(read("0123456789abcdef\nshort").expect_err("short").contains("line 2"));
        assert!(read("# no operator yet\n").expect_err("empty").contains("contains no token"));
    }
}
