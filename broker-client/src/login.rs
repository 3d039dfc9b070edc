//! Who a client is, for a server that asks: a token, or a user with a password.
//!
//! Invariant: a token or a password is in no `Debug`, no error and no log. Whoever wants it shown has to ask the wire for it.

use std::{env, fmt};

use broker_core::Credentials;

/// The environment variable of the token.
const TOKEN: &str = "BROKER_TOKEN";
/// That of the user's name.
const USER: &str = "BROKER_USER";
/// That of the password.
const PASSWORD: &str = "BROKER_PASSWORD";

/// A text that is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// Who a client is.
///
/// ```
/// use broker_client::Login;
///
/// let login = Login::User { name: "alice".to_owned(), password: "hunter42".into() };
/// assert!(!format!("{login:?}").contains("hunter42"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum Login {
    /// Somebody who knows the server's token.
    Token(Secret),
    /// One of the server's users.
    User {
        /// How the server calls it.
        name: String,
        /// What the server knows it by.
        password: Secret,
    },
}

/// Flags and variables that do not make a [`Login`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoginError {
    /// Both were given.
    #[error("a token and a user exclude each other")]
    Both,
    /// A name without a password.
    #[error("user {user:?} needs a password")]
    NoPassword {
        /// The name.
        user: String,
    },
    /// A password without a name.
    #[error("a password needs a user")]
    NoUser,
    /// A variable that is not text.
    #[error("{name} is not UTF-8")]
    NotText {
        /// The variable.
        name: &'static str,
    },
}

impl Login {
    /// What the flags of a program say and, where they say nothing, the environment: `BROKER_TOKEN`, or `BROKER_USER` with
    /// `BROKER_PASSWORD`. A user of the flags may have the password of the environment. Variables that are empty are as good as none.
    ///
    /// # Errors
    ///
    /// What was given contradicts itself, or is one half of two.
    pub fn from_flags(
        user: Option<String>,
        password: Option<Secret>,
        token: Option<Secret>,
    ) -> Result<Option<Login>, LoginError> {
        resolve(Given { user, password, token }, |name| match env::var(name) {
            Ok(text) => Ok(Some(text).filter(|text| !text.is_empty())),
            Err(env::VarError::NotPresent) => Ok(None),
            Err(env::VarError::NotUnicode(_)) => Err(LoginError::NotText { name }),
        })
    }

    /// As it goes over the wire.
    pub(crate) fn credentials(&self) -> Credentials {
        match self {
            Login::Token(Secret(token)) => {
                Credentials { token: Some(token.clone()), ..Credentials::default() }
            }
            Login::User { name, password: Secret(password) } => {
                Credentials { user: Some(name.clone()), password: Some(password.clone()), token: None }
            }
        }
    }
}

/// What one place says.
#[derive(Default)]
struct Given {
    user: Option<String>,
    password: Option<Secret>,
    token: Option<Secret>,
}

fn resolve(
    flags: Given,
    variable: impl Fn(&'static str) -> Result<Option<String>, LoginError>,
) -> Result<Option<Login>, LoginError> {
    let secret = |name| Ok(variable(name)?.map(Secret));
    let given = match flags {
        Given { user: None, password: None, token: None } => {
            Given { user: variable(USER)?, password: secret(PASSWORD)?, token: secret(TOKEN)? }
        }
        Given { user: Some(user), password: None, token } => {
            Given { user: Some(user), password: secret(PASSWORD)?, token }
        }
        // Whoever types a password changes that of the user in the environment.
        Given { user: None, password: Some(password), token: None } => {
            Given { user: variable(USER)?, password: Some(password), token: None }
        }
        flags => flags,
    };
    match given {
        Given { user: None, password: None, token } => Ok(token.map(Login::Token)),
        Given { token: Some(_), .. } => Err(LoginError::Both),
        Given { user: Some(name), password: Some(password), .. } => Ok(Some(Login::User { name, password })),
        Given { user: Some(user), password: None, .. } => Err(LoginError::NoPassword { user }),
        Given { user: None, password: Some(_), .. } => Err(LoginError::NoUser),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(token: &str) -> Login {
        Login::Token(token.into())
    }

    fn user(name: &str, password: &str) -> Login {
        Login::User { name: name.to_owned(), password: password.into() }
    }

    /// User, password and token of the flags, and the environment.
    fn resolved(flags: [&str; 3], environment: &[(&str, &str)]) -> Result<Option<Login>, LoginError> {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let [user, password, token] = flags.map(given);
        let flags = Given { user, password: password.map(Secret), token: token.map(Secret) };
        resolve(flags, |name| {
            Ok(environment.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned()))
        })
    }

    #[track_caller]
    fn check(flags: [&str; 3], environment: &[(&str, &str)], expected: &Login) {
        assert_eq!(resolved(flags, environment).as_ref(), Ok(&Some(expected.clone())));
    }

    #[track_caller]
    fn check_refused(flags: [&str; 3], environment: &[(&str, &str)], expected: &LoginError) {
        assert_eq!(resolved(flags, environment).as_ref(), Err(expected));
    }

    #[test]
    fn flags_win_over_the_environment() {
        let alice = [(USER, "alice"), (PASSWORD, "a")];
        assert_eq!(resolved(["", "", ""], &[]), Ok(None));
        check(["", "", ""], &[(TOKEN, "t")], &token("t"));
        check(["", "", ""], &alice, &user("alice", "a"));
        check(["bob", "b", ""], &alice, &user("bob", "b"));
        check(["bob", "b", ""], &[(TOKEN, "t")], &user("bob", "b"));
        check(["bob", "", ""], &alice, &user("bob", "a"));
        check(["", "b", ""], &alice, &user("alice", "b"));
        check(["", "", "t"], &alice, &token("t"));
    }

    #[test]
    fn halves_and_contradictions() {
        check_refused(["bob", "b", "t"], &[], &LoginError::Both);
        check_refused(["bob", "", "t"], &[], &LoginError::Both);
        check_refused(["", "b", "t"], &[], &LoginError::Both);
        check_refused(["", "", ""], &[(TOKEN, "t"), (USER, "u"), (PASSWORD, "p")], &LoginError::Both);
        check_refused(["bob", "", ""], &[], &LoginError::NoPassword { user: "bob".to_owned() });
        check_refused(["", "b", ""], &[], &LoginError::NoUser);
        check_refused(["", "", ""], &[(PASSWORD, "p")], &LoginError::NoUser);
    }

    #[test]
    fn nothing_shows_a_secret() {
        for login in [token("hunter42"), user("alice", "hunter42")] {
            let options = crate::Options::new().login(login.clone());
            let shown = format!("{login:?} {options:?} {:?}", login.credentials());
            assert!(!shown.contains("hunter42"), "{shown}");
        }
    }
}
