//! What clients must know: a token, or users with their passwords. As they are written, or as hashes of what was written.
//!
//! Invariant: what is not a hash is never shown, by `Debug` neither; [`Secret::text`] is for the table of settings alone.

use std::fmt;
use std::str::FromStr;

use argon2::password_hash::phc::PasswordHash;

use super::error::Problem;

/// Begins every hash of argon2, whichever variant.
const ARGON2: &str = "$argon2";

/// Begin the hashes of bcrypt.
const BCRYPT: [&str; 4] = ["$2a$", "$2b$", "$2x$", "$2y$"];

/// Bytes of a user's name, a password or a token: as many as fit beside the rest into a control line of the NATS protocol.
const BYTES_MAX: usize = 1024;

/// A password or a token, or the hash of one.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Secret {
    /// As it is. Fit for a test, or for a configuration that nobody else reads.
    Plain(String),
    /// Its hash by argon2, as a PHC string: what `broker-server --hash-password` prints.
    Argon2(String),
    /// Its hash by bcrypt, which configurations of nats-server hold.
    Bcrypt(String),
}

impl Secret {
    /// As it is written in the configuration.
    pub(super) fn text(&self) -> &str {
        match self {
            Secret::Plain(text) | Secret::Argon2(text) | Secret::Bcrypt(text) => text,
        }
    }

    /// Whether it can be shown to those who are not to know it.
    pub fn is_hash(&self) -> bool {
        !matches!(self, Secret::Plain(_))
    }
}

impl FromStr for Secret {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        if text.is_empty() {
            return Err(Problem::Empty);
        }
        if text.starts_with(ARGON2) {
            // It may also be parameters and a salt alone, of which nothing could be the password.
            let is_hash = PasswordHash::new(text).is_ok_and(|hash| {
                hash.hash.is_some() && argon2::Algorithm::new(hash.algorithm.as_str()).is_ok()
            });
            let hash = || Secret::Argon2(text.to_owned());
            return is_hash.then(hash).ok_or_else(|| not_a_hash("argon2"));
        }
        if BCRYPT.iter().any(|prefix| text.starts_with(prefix)) {
            text.parse::<bcrypt::HashParts>().map_err(|_| not_a_hash("bcrypt"))?;
            return Ok(Secret::Bcrypt(text.to_owned()));
        }
        if text.len() > BYTES_MAX {
            let (value, max) = (format!("{} B", text.len()), format!("{BYTES_MAX} B"));
            return Err(Problem::TooLarge { value, max });
        }
        if text.chars().any(|letter| letter.is_control() || letter.is_whitespace()) {
            return Err(unfit("a token or password without white space"));
        }
        Ok(Secret::Plain(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_hash() { self.text() } else { "(hidden)" })
    }
}

/// Somebody who may connect.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct User {
    /// How the client calls itself.
    pub name: String,
    /// What it must know.
    pub password: Secret,
}

/// Those who may connect, in the order in which they were given. Written `alice:PASSWORD bob:PASSWORD`, with white space between them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Users(Vec<User>);

impl Users {
    /// The users.
    pub fn iter(&self) -> impl Iterator<Item = &User> {
        self.0.iter()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a user.
    ///
    /// # Errors
    ///
    /// A name that is empty, too long, there already, or cannot be written as a setting; a password likewise, or a hash that is none.
    pub fn add(&mut self, name: &str, password: &str) -> Result<(), Problem> {
        let fits = |letter: char| !letter.is_control() && !letter.is_whitespace() && letter != ':';
        if name.is_empty() || name.len() > BYTES_MAX || !name.chars().all(fits) {
            return Err(unfit("a user's name, without white space and ':'"));
        }
        if self.0.iter().any(|user| user.name == name) {
            return Err(Problem::Invalid {
                text: name.to_owned(),
                expected: "one user, but two of that name".to_owned(),
                suggestion: None,
            });
        }
        self.0.push(User { name: name.to_owned(), password: password.parse()? });
        Ok(())
    }

    /// As they are written in the configuration.
    pub(super) fn text(&self) -> String {
        let one = |user: &User| format!("{}:{}", user.name, user.password.text());
        self.0.iter().map(one).collect::<Vec<_>>().join(" ")
    }
}

impl FromStr for Users {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let mut users = Users::default();
        for word in text.split_whitespace() {
            let Some((name, password)) = word.split_once(':') else {
                return Err(unfit("a list of users such as 'alice:PASSWORD bob:PASSWORD'"));
            };
            users.add(name, password)?;
        }
        Ok(users)
    }
}

/// Says what belongs there, and not what stands there: it may be a password.
fn unfit(expected: &'static str) -> Problem {
    Problem::WrongType { expected, found: "something else" }
}

fn not_a_hash(algorithm: &str) -> Problem {
    let expected = match algorithm {
        "argon2" => "a hash of argon2, as 'broker-server --hash-password' prints it",
        _ => "a hash of bcrypt, such as $2a$11$ and 53 letters",
    };
    unfit(expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of "pass", with a cost that a test can pay.
    const BCRYPT_HASH: &str = "$2a$04$lYW.Svt/4qlCNk0pEMCx0u24h0Hf9RWEkIg8gdFpMlsqKTYI0sDXC";
    /// Of "pass", likewise.
    const ARGON2_HASH: &str = "$argon2id$v=19$m=16,t=1,p=1$c2FsdHNhbHQ$0BzmRHcJiPIvu5pBvdDZkA";

    #[track_caller]
    fn check(text: &str, expected: Result<&str, &str>) {
        let users = text.parse::<Users>().map(|users| users.text()).map_err(|problem| problem.to_string());
        assert_eq!(users.as_deref().map_err(String::as_str), expected, "{text}");
    }

    #[test]
    fn users_are_written_as_they_are_read() {
        check("", Ok(""));
        check("alice:a", Ok("alice:a"));
        check("  alice:a\n\tbob:b:c ", Ok("alice:a bob:b:c"));
        let hashes = format!("alice:{BCRYPT_HASH} bob:{ARGON2_HASH}");
        check(&hashes, Ok(&hashes));
    }

    #[test]
    fn what_is_wrong_is_said_without_showing_it() {
        const NOT_ARGON2: &str =
            "expected a hash of argon2, as 'broker-server --hash-password' prints it, found something else";
        const LIST: &str =
            "expected a list of users such as 'alice:PASSWORD bob:PASSWORD', found something else";
        check("alice", Err(LIST));
        check("alice:a secret", Err(LIST));
        check(":secret", Err("expected a user's name, without white space and ':', found something else"));
        check("alice:", Err("the value is empty"));
        check("alice:secret alice:b", Err("'alice' is not one user, but two of that name"));
        check(
            "alice:$2a$04$secret",
            Err("expected a hash of bcrypt, such as $2a$11$ and 53 letters, found something else"),
        );
        check("alice:$argon2id$secret", Err(NOT_ARGON2));
        check("alice:$argon2id$v=19$m=16,t=1,p=1$c2FsdHNhbHQ", Err(NOT_ARGON2));
        check(&format!("alice:{}", ARGON2_HASH.replace("argon2id", "argon2x")), Err(NOT_ARGON2));
        check(&format!("alice:{}", "x".repeat(1025)), Err("1025 B is too large, the most is 1024 B"));
    }

    #[test]
    fn debug_shows_hashes_alone() {
        let users: Users = format!("alice:hunter42 bob:{BCRYPT_HASH}").parse().unwrap();
        let text = format!("{users:?}");
        assert!(!text.contains("hunter42") && text.contains(BCRYPT_HASH), "{text}");
    }
}
