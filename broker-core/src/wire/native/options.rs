//! What stands in the maps of a command: its options, and what a `Hello` says.

use super::PublishMeta;
use super::WireError;
use super::command::{CommandError, brief, invalid_option};
use super::read::Reader;
use super::skip::Kind;
use crate::auth::Credentials;
use crate::outbox::Policy;
use crate::rate::MaxRate;

/// The longest name of a client or a group, in bytes.
const NAME_BYTES_MAX: usize = 256;

/// The longest time for which a message may hold, in milliseconds: 2^53, so that numbers of every language hold it.
pub const TTL_MS_MAX: u64 = 1 << 53;

/// Every option that there is; which of them a command may have is said where it is read.
#[derive(Default)]
pub(super) struct OptionValues<'a> {
    pub(super) given: bool,
    pub(super) publish: PublishMeta<'a>,
    pub(super) policy: Option<Policy>,
    pub(super) retained: Option<bool>,
    pub(super) meta: Option<bool>,
    pub(super) group: Option<&'a str>,
    pub(super) max_rate: Option<MaxRate>,
}

impl<'a> OptionValues<'a> {
    pub(super) fn set(&mut self, name: &str, value: &'a [u8]) -> Result<(), String> {
        let mut reader = Reader::new(value);
        let told = |error: WireError| error.to_string();
        match name {
            "id" => self.publish.id = Some(reader.unsigned("an unsigned integer").map_err(told)?),
            "reply" => self.publish.reply = Some(reader.str_bytes("a topic").map_err(told)?),
            "headers" => {
                headers(&mut reader).map_err(told)?;
                self.publish.headers = Some(value);
            }
            "key" => {
                reader.bytes("a str or a bin").map_err(told)?;
                self.publish.key = Some(value);
            }
            "retain" => self.publish.retain = Some(reader.bool("a bool").map_err(told)?),
            "policy" => self.policy = Some(reader.str("a policy").map_err(told)?.parse()?),
            "retained" => self.retained = Some(reader.bool("a bool").map_err(told)?),
            "meta" => self.meta = Some(reader.bool("a bool").map_err(told)?),
            "ttl" => {
                let ms = reader.unsigned("an unsigned integer").map_err(told)?;
                self.publish.ttl_ms = Some(ttl(ms)?);
            }
            "max_rate" => self.max_rate = Some(max_rate(&mut reader)?),
            "group" => self.group = Some(group_name(reader.str("a group").map_err(told)?)?),
            _ => return Err("unknown".to_owned()),
        }
        Ok(())
    }
}

/// Checks a map of str to str.
fn headers(reader: &mut Reader<'_>) -> Result<(), WireError> {
    for _ in 0..reader.map("a map of str to str")? {
        reader.str("a header's name as str")?;
        reader.str("a header's value as str")?;
    }
    Ok(())
}

fn ttl(ms: u64) -> Result<u64, String> {
    match ms {
        1..=TTL_MS_MAX => Ok(ms),
        _ => Err(format!("expected 1 to {TTL_MS_MAX} milliseconds, found {ms}")),
    }
}

fn max_rate(reader: &mut Reader<'_>) -> Result<MaxRate, String> {
    let per_second = reader.number("a number").map_err(|error| error.to_string())?;
    MaxRate::per_second(per_second).ok_or_else(|| {
        let (least, most) = (MaxRate::PER_SECOND_MIN, MaxRate::PER_SECOND_MAX);
        format!("expected {least} to {most} messages a second, found {per_second}")
    })
}

fn group_name(name: &str) -> Result<&str, String> {
    match name.len() {
        0 => Err("the name of a group is not empty".to_owned()),
        bytes if bytes > NAME_BYTES_MAX => {
            Err(format!("the name has {bytes} bytes, the limit is {NAME_BYTES_MAX}"))
        }
        _ => Ok(name),
    }
}

/// A token, or a map of `user` and `password`.
pub(super) fn credentials(reader: &mut Reader<'_>) -> Result<Credentials, String> {
    let told = |error: WireError| format!("auth: {error}");
    let mut credentials = Credentials::default();
    if reader.kind().map_err(told)? == Kind::Str {
        credentials.token = Some(reader.str("a token").map_err(told)?.to_owned());
        return Ok(credentials);
    }
    for _ in 0..reader.map("a token, or a map of user and password").map_err(told)? {
        let name = reader.str("the name of a field").map_err(told)?;
        let value = reader.str("a str").map_err(told)?.to_owned();
        match name {
            "user" => credentials.user = Some(value),
            "password" => credentials.password = Some(value),
            other => return Err(format!("auth has no field '{}'", brief(other))),
        }
    }
    Ok(credentials)
}

pub(super) fn client_name(name: &str) -> Result<String, CommandError> {
    if name.len() > NAME_BYTES_MAX {
        let text = format!("the name has {} bytes, the limit is {NAME_BYTES_MAX}", name.len());
        return Err(invalid_option(None, text));
    }
    Ok(name.to_owned())
}
