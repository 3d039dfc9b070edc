//! What a client says: a map of one entry, a command's name to its arguments.

use super::event::Hello;
use super::options::{OptionValues, client_name, credentials};
use super::read::Reader;
use super::skip::Kind;
use super::{VERSION, WireError};
use crate::outbox::Policy;
use crate::rate::MaxRate;
use crate::reason::ErrorCode;

/// One command, borrowed from the frame that it stands in.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Command<'a> {
    /// Turns on answers, events and options.
    Hello(Hello),
    /// Starts or replaces a subscription.
    Subscribe(Subscribe<'a>),
    /// Ends a subscription.
    Unsubscribe {
        /// The pattern that it was subscribed with.
        pattern: &'a str,
        /// Asks for an answer.
        id: Option<u64>,
    },
    /// Sends a message.
    Publish(Publish<'a>),
    /// Forgets retained messages.
    Clear {
        /// What their topics match; as written: not parsed yet.
        pattern: &'a str,
        /// Asks for an answer.
        id: Option<u64>,
    },
    /// Asks for a `Pong`, or for an `Ok` where it has an id.
    Ping {
        /// Asks for an answer.
        id: Option<u64>,
    },
    /// Answers the server's `Ping`.
    Pong,
    /// Asks the server to send what waits and to close.
    Close,
}

/// The arguments of `Subscribe`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subscribe<'a> {
    /// As written: not parsed yet.
    pub pattern: &'a str,
    /// Asks for an answer.
    pub id: Option<u64>,
    /// What happens when the outbox is full; the server's default if not given.
    pub policy: Option<Policy>,
    /// Whether retained messages are sent.
    pub retained: bool,
    /// Whether messages come with a third element.
    pub meta: bool,
    /// The group that it is to be in.
    pub group: Option<&'a str>,
    /// How many messages of each topic it is to get in a second, at the most.
    pub max_rate: Option<MaxRate>,
    /// Whether any option was given, which needs a `Hello`.
    pub has_options: bool,
}

/// The arguments of `Publish`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publish<'a> {
    /// The bytes of `[topic, value]`, as subscribers receive them.
    pub pair: &'a [u8],
    /// The topic's content, not validated yet.
    pub topic: &'a [u8],
    /// The bytes of the value.
    pub value: &'a [u8],
    /// The options, where there are any; boxed by nobody, borrowed from the frame.
    pub meta: Option<PublishMeta<'a>>,
}

/// The options of a `Publish`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PublishMeta<'a> {
    /// Asks for an answer.
    pub id: Option<u64>,
    /// Where answers go; not validated yet.
    pub reply: Option<&'a [u8]>,
    /// A map of str to str, checked.
    pub headers: Option<&'a [u8]>,
    /// A str or a bin, as it stands in the frame.
    pub key: Option<&'a [u8]>,
    /// Whether the message is to be retained.
    pub retain: Option<bool>,
    /// For how long the message holds, in milliseconds.
    pub ttl_ms: Option<u64>,
}

/// A frame that is no command: what to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandError {
    /// Its number on the wire.
    pub code: ErrorCode,
    /// The id of the command, if it got that far.
    pub id: Option<u64>,
    /// A sentence for people.
    pub text: String,
    /// It was a `Hello`: who says that wants to be told, though the session has not been introduced.
    pub greets: bool,
}

impl CommandError {
    pub(crate) fn new(code: ErrorCode, id: Option<u64>, text: impl Into<String>) -> Self {
        CommandError { code, id, text: text.into(), greets: false }
    }
}

impl From<WireError> for CommandError {
    fn from(error: WireError) -> Self {
        let code = match error {
            WireError::TooLarge { .. } | WireError::TooDeep { .. } => ErrorCode::TooLarge,
            _ => ErrorCode::Malformed,
        };
        CommandError::new(code, None, error.to_string())
    }
}

/// The commands that there are.
const NAMES: [&str; 8] = ["Publish", "Subscribe", "Unsubscribe", "Clear", "Ping", "Pong", "Close", "Hello"];

impl<'a> Command<'a> {
    /// Reads one whole frame, as [`FrameScanner`](super::FrameScanner) found it.
    ///
    /// # Errors
    ///
    /// What to answer; whether the connection ends is [`ErrorCode::closes`].
    pub fn parse(frame: &'a [u8]) -> Result<Command<'a>, CommandError> {
        let mut reader = Reader::new(frame);
        match reader.map("a map of one entry")? {
            1 => {}
            _ => {
                return Err(malformed(
                    "expected a map of one entry: a command's name to the array of its arguments",
                ));
            }
        }
        let name = reader.str("a command's name")?;
        if !NAMES.contains(&name) {
            let text = format!("there is no command '{}'", brief(name));
            return Err(CommandError::new(ErrorCode::UnknownCommand, id_of_unknown(reader), text));
        }
        let count = reader.array("the array of a command's arguments")?;
        let mut arguments = Arguments { reader, left: count };
        match name {
            "Publish" => arguments.publish(),
            "Subscribe" => arguments.subscribe(),
            "Unsubscribe" => {
                let pattern = arguments.pattern()?;
                let options = arguments.options("Unsubscribe", &[])?;
                Ok(Command::Unsubscribe { pattern, id: options.publish.id })
            }
            "Clear" => {
                let pattern = arguments.pattern()?;
                let options = arguments.options("Clear", &[])?;
                Ok(Command::Clear { pattern, id: options.publish.id })
            }
            "Ping" => Ok(Command::Ping { id: arguments.options("Ping", &[])?.publish.id }),
            "Pong" => arguments.none(Command::Pong),
            "Close" => arguments.none(Command::Close),
            _ => arguments.hello().map_err(|error| CommandError { greets: true, ..error }),
        }
    }
}

/// The arguments that have not been read.
struct Arguments<'a> {
    reader: Reader<'a>,
    left: u64,
}

impl<'a> Arguments<'a> {
    fn next(&mut self, expected: &'static str) -> Result<&mut Reader<'a>, CommandError> {
        self.left = self.left.checked_sub(1).ok_or_else(|| malformed(format!("{expected} is missing")))?;
        Ok(&mut self.reader)
    }

    fn pattern(&mut self) -> Result<&'a str, CommandError> {
        let bytes = self.next("a pattern")?.str_bytes("a pattern")?;
        std::str::from_utf8(bytes)
            .map_err(|_| CommandError::new(ErrorCode::InvalidPattern, None, "the pattern is not UTF-8"))
    }

    fn publish(mut self) -> Result<Command<'a>, CommandError> {
        let reader = self.next("the array of topic and value")?;
        let start = reader.rest();
        if reader.array("the array of topic and value")? != 2 {
            return Err(malformed("expected an array of two: topic and value"));
        }
        let topic = reader.str_bytes("a topic")?;
        let value = reader.value()?;
        let pair = start.get(..start.len() - reader.rest().len()).unwrap_or_default();
        let options = self.options("Publish", &["reply", "headers", "key", "retain", "ttl"])?;
        Ok(Command::Publish(Publish { pair, topic, value, meta: options.given.then_some(options.publish) }))
    }

    fn subscribe(mut self) -> Result<Command<'a>, CommandError> {
        let pattern = self.pattern()?;
        let options = self.options("Subscribe", &["policy", "retained", "meta", "group", "max_rate"])?;
        if options.max_rate.is_some() && options.group.is_some() {
            let text = "a member of a group has no max_rate: which messages it gets is not its own affair";
            return Err(invalid_option(options.publish.id, text.to_owned()));
        }
        Ok(Command::Subscribe(Subscribe {
            pattern,
            id: options.publish.id,
            policy: options.policy,
            retained: options.retained.unwrap_or(true),
            meta: options.meta.unwrap_or(false),
            group: options.group,
            max_rate: options.max_rate,
            has_options: options.given,
        }))
    }

    fn hello(mut self) -> Result<Command<'a>, CommandError> {
        let reader = self.next("the map of a Hello")?;
        let mut hello = Hello::default();
        for _ in 0..reader.map("the map of a Hello")? {
            match reader.str("the name of a field")? {
                "version" => hello.version = u32::try_from(reader.unsigned("a version")?).unwrap_or(u32::MAX),
                "name" => hello.name = Some(client_name(reader.str("a name")?)?),
                "auth" => hello.auth = Some(credentials(reader).map_err(|text| invalid_option(None, text))?),
                other => return Err(invalid_option(None, format!("Hello has no field '{}'", brief(other)))),
            }
        }
        if hello.version != VERSION {
            let text = format!("this server speaks version {VERSION} of the protocol, not {}", hello.version);
            return Err(CommandError::new(ErrorCode::UnsupportedVersion, None, text));
        }
        self.none(Command::Hello(hello))
    }

    fn none(mut self, command: Command<'a>) -> Result<Command<'a>, CommandError> {
        // An empty map of options is as good as none.
        if self.left == 1 && matches!(self.reader.kind()?, Kind::Map) && self.reader.map("options")? == 0 {
            self.left = 0;
        }
        if self.left == 0 { Ok(command) } else { Err(malformed("too many arguments")) }
    }

    /// The last argument, if there is one: a map of `id` and of `names`.
    fn options(&mut self, command: &str, names: &[&str]) -> Result<OptionValues<'a>, CommandError> {
        let mut options = OptionValues::default();
        match self.left {
            0 => return Ok(options),
            1 => self.left = 0,
            _ => return Err(malformed("too many arguments")),
        }
        let entries = self.reader.map("a map of options")?;
        options.given = entries > 0;
        // The first error is told when all is read, because the id may come behind it.
        let mut wrong = None;
        for _ in 0..entries {
            let name = self.reader.str("the name of an option")?;
            let value = self.reader.value()?;
            let outcome = if name == "id" || names.contains(&name) {
                options.set(name, value).map_err(|error| format!("option '{name}': {error}"))
            } else {
                Err(format!("{command} has no option '{}'", brief(name)))
            };
            wrong = wrong.or(outcome.err());
        }
        match wrong {
            Some(text) => Err(invalid_option(options.publish.id, text)),
            None => Ok(options),
        }
    }
}

/// The id that a command of an unknown name asks for an answer with, if its last argument is a map that has one.
fn id_of_unknown(mut reader: Reader<'_>) -> Option<u64> {
    let arguments = reader.array("arguments").ok()?;
    for _ in 1..arguments {
        reader.value().ok()?;
    }
    for _ in 0..reader.map("options").ok()? {
        match reader.str("the name of an option").ok()? {
            "id" => return reader.unsigned("an id").ok(),
            _ => drop(reader.value().ok()?),
        }
    }
    None
}

/// A name of the client's as it may stand in an error.
pub(super) fn brief(name: &str) -> String {
    name.chars().take(64).collect()
}

fn malformed(text: impl Into<String>) -> CommandError {
    CommandError::new(ErrorCode::Malformed, None, text)
}

pub(super) fn invalid_option(id: Option<u64>, text: String) -> CommandError {
    CommandError::new(ErrorCode::InvalidOption, id, text)
}
