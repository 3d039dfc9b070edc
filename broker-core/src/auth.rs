//! Who a client says to be. Whether that is true is for the owner of the connection to find out: it may take long, and core waits for
//! nothing.

use std::fmt;

/// What a client proves itself with.
#[derive(Clone, Default, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct Credentials {
    /// Its name.
    pub user: Option<String>,
    /// And its password.
    pub password: Option<String>,
    /// In place of both.
    pub token: Option<String>,
}

impl fmt::Debug for Credentials {
    /// Without the secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .field("password", &self.password.as_ref().map(|_| "…"))
            .field("token", &self.token.as_ref().map(|_| "…"))
            .finish()
    }
}

/// How far a session is with that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Auth {
    /// It may do everything: it was accepted, or nobody asks.
    #[default]
    Open,
    /// It has to say who it is, before all else.
    Required,
    /// It has said so, and the owner has not answered.
    Checking(Credentials),
}

impl Auth {
    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Auth::Open)
    }

    pub(crate) fn credentials(&self) -> Option<&Credentials> {
        match self {
            Auth::Checking(credentials) => Some(credentials),
            Auth::Open | Auth::Required => None,
        }
    }
}
