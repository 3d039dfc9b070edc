//! Who may connect: what a client says of itself, compared with what the configuration says.
//!
//! Comparing takes the same time whether the first letter is wrong or the last, and whether there is such a user or not. Hashes are expensive on
//! purpose: they are worked out on threads of their own, as many at a time as there are cores, so that a crowd of strangers does
//! not slow the messages of the others down.

use std::num::NonZero;
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use broker_core::Credentials;
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tracing::warn;

use crate::config::{self, Secret};

/// Decides who may connect. What it goes by can be exchanged while the server runs.
#[derive(Debug)]
pub(crate) struct Gate {
    rules: RwLock<Arc<config::Auth>>,
    /// How many hashes are worked out at a time.
    places: Semaphore,
    patience: Duration,
}

impl Gate {
    /// `patience` is how long a client's credentials may wait for their turn.
    pub(crate) fn new(rules: config::Auth, patience: Duration) -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        Gate { rules: RwLock::new(Arc::new(rules)), places: Semaphore::new(cores), patience }
    }

    fn rules(&self) -> Arc<config::Auth> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether a client has to say who it is.
    pub(crate) fn is_closed(&self) -> bool {
        let rules = self.rules();
        rules.token.is_some() || !rules.users.is_empty()
    }

    /// Goes by other rules from now on. Who is in stays in.
    pub(crate) fn exchange(&self, rules: config::Auth) {
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
    }

    /// Whether these credentials will do; none if there was no time to find out.
    pub(crate) async fn admits(&self, credentials: Credentials) -> Option<bool> {
        let rules = self.rules();
        if !rules.token.iter().chain(rules.users.iter().map(|user| &user.password)).any(Secret::is_hash) {
            return Some(admits(&rules, &credentials));
        }
        let place = timeout(self.patience, self.places.acquire()).await.ok()?;
        let admitted = spawn_blocking(move || admits(&rules, &credentials)).await;
        drop(place);
        // It fails where the runtime ends: then so does the connection.
        Some(admitted.unwrap_or(false))
    }
}

fn admits(rules: &config::Auth, credentials: &Credentials) -> bool {
    let Credentials { user, password, token } = credentials;
    if let (Some(expected), Some(token)) = (&rules.token, token) {
        return matches(expected, token);
    }
    let Some(name) = user else { return false };
    let password = password.as_deref().unwrap_or_default();
    let found = rules.users.iter().find(|user| user.name == *name);
    // As much work for a user that there is not, so that the time does not tell.
    let user = found.or_else(|| rules.users.iter().next());
    let right = user.is_some_and(|user| matches(&user.password, password));
    found.is_some() && right
}

/// Whether `given` is what is expected, or what its hash is of.
fn matches(expected: &Secret, given: &str) -> bool {
    match expected {
        Secret::Plain(expected) => expected.as_bytes().ct_eq(given.as_bytes()).into(),
        Secret::Argon2(hash) => PasswordHash::new(hash)
            .is_ok_and(|hash| Argon2::default().verify_password(given.as_bytes(), &hash).is_ok()),
        Secret::Bcrypt(hash) => bcrypt::verify(given, hash).unwrap_or(false),
    }
}

/// The hash of a password, for the configuration: argon2id with the parameters that OWASP recommends (19 MiB, two passes).
///
/// # Errors
///
/// Where the system has no random numbers for the salt, or no memory.
pub fn hash_password(password: &str) -> Result<String, argon2::password_hash::Error> {
    let hash: PasswordHash = Argon2::default().hash_password(password.as_bytes())?;
    Ok(hash.to_string())
}

/// Says so where a password stands in the configuration as it is.
pub(crate) fn warn_of_plain_secrets(rules: &config::Auth) {
    let plain = rules.users.iter().filter(|user| !user.password.is_hash()).count()
        + usize::from(rules.token.as_ref().is_some_and(|token| !token.is_hash()));
    if plain > 0 {
        warn!("{plain} passwords or tokens are not hashed; 'broker-server --hash-password' hashes one");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(token: &str, users: &str) -> config::Auth {
        config::Auth {
            token: (!token.is_empty()).then(|| token.parse().unwrap()),
            users: users.parse().unwrap(),
        }
    }

    fn user(name: &str, password: &str) -> Credentials {
        Credentials { user: Some(name.to_owned()), password: Some(password.to_owned()), token: None }
    }

    fn token(token: &str) -> Credentials {
        Credentials { user: None, password: None, token: Some(token.to_owned()) }
    }

    fn nobody() -> Credentials {
        Credentials { user: None, password: None, token: None }
    }

    #[track_caller]
    fn check(rules: &config::Auth, credentials: &Credentials, expected: bool) {
        assert_eq!(admits(rules, credentials), expected, "{credentials:?}");
    }

    #[test]
    fn tokens_and_users() {
        let both = rules("t0ken", "alice:a bob:b");
        check(&both, &token("t0ken"), true);
        check(&both, &token("t0keN"), false);
        check(&both, &token("t0ke"), false);
        check(&both, &token(""), false);
        check(&both, &user("alice", "a"), true);
        check(&both, &user("alice", "b"), false);
        check(&both, &user("bob", "b"), true);
        check(&both, &user("carol", "a"), false);
        check(&both, &user("", ""), false);
        check(&both, &nobody(), false);
        check(&rules("t0ken", ""), &user("t0ken", ""), false);
        check(&rules("", "alice:a"), &token("a"), false);
    }

    #[test]
    fn hashes() {
        let argon2 = hash_password("pass").unwrap();
        assert!(argon2.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{argon2}");
        assert_ne!(argon2, hash_password("pass").unwrap(), "each has its own salt");
        let bcrypt = bcrypt::hash("pass", 4).unwrap();
        let hashed = rules(&argon2, &format!("alice:{bcrypt} bob:{argon2}"));
        check(&hashed, &token("pass"), true);
        check(&hashed, &token(&argon2), false);
        check(&hashed, &user("alice", "pass"), true);
        check(&hashed, &user("alice", "Pass"), false);
        check(&hashed, &user("alice", &bcrypt), false);
        check(&hashed, &user("bob", "pass"), true);
        check(&hashed, &user("carol", "pass"), false);
    }

    #[tokio::test]
    async fn rules_can_be_exchanged() {
        let gate = Gate::new(config::Auth::default(), Duration::from_secs(10));
        assert!(!gate.is_closed());
        gate.exchange(rules("", &format!("alice:{}", bcrypt::hash("pass", 4).unwrap())));
        assert!(gate.is_closed());
        assert_eq!(gate.admits(user("alice", "pass")).await, Some(true));
        assert_eq!(gate.admits(user("alice", "word")).await, Some(false));
    }

    /// Cause: more credentials to check than there are cores to check them. Effect: without a limit, all processors work for strangers.
    #[tokio::test]
    async fn a_crowd_waits_and_is_sent_away() {
        let gate = Gate::new(rules(&bcrypt::hash("pass", 4).unwrap(), ""), Duration::from_millis(1));
        let all = u32::try_from(gate.places.available_permits()).unwrap();
        let taken = gate.places.acquire_many(all).await.unwrap();
        assert_eq!(gate.admits(token("pass")).await, None);
        drop(taken);
        assert_eq!(gate.admits(token("pass")).await, Some(true));
    }
}
