//! Parameters of a request, read and refused as nats-server does.

/// As they stand behind the `?`. Of two with one name the first counts.
pub(super) type Pairs = Vec<(String, String)>;

/// The value of a parameter; none if it is missing or empty.
pub(super) fn first<'a>(pairs: &'a Pairs, name: &str) -> Option<&'a str> {
    let found = pairs.iter().find(|(key, _)| key == name);
    found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
}

/// A switch, in one of Go's spellings.
pub(super) fn switch(pairs: &Pairs, name: &str) -> Result<bool, String> {
    match first(pairs, name) {
        None | Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
        Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
        Some(other) => Err(format!(
            "Error decoding boolean for '{name}': strconv.ParseBool: parsing {other:?}: invalid syntax"
        )),
    }
}

/// A number; negative ones are as good as 0.
pub(super) fn number(pairs: &Pairs, name: &str) -> Result<usize, String> {
    let Some(text) = first(pairs, name) else { return Ok(0) };
    match text.parse::<i64>() {
        Ok(number) => Ok(usize::try_from(number).unwrap_or(0)),
        Err(_) => {
            Err(format!("Error decoding int for '{name}': strconv.Atoi: parsing {text:?}: invalid syntax"))
        }
    }
}

/// The number of a connection.
pub(super) fn id(pairs: &Pairs, name: &str) -> Result<Option<u64>, String> {
    let Some(text) = first(pairs, name) else { return Ok(None) };
    match text.parse::<u64>() {
        Ok(number) => Ok(Some(number).filter(|number| *number > 0)),
        Err(_) => Err(format!(
            "Error decoding uint64 for '{name}': strconv.ParseUint: parsing {text:?}: invalid syntax"
        )),
    }
}

/// One page of a long list: from where, and how many at the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) offset: usize,
    pub(super) limit: usize,
}

/// Rows on a page, where the request does not say.
const LIMIT: usize = 1024;

impl Window {
    pub(super) fn read(pairs: &Pairs) -> Result<Self, String> {
        let (offset, limit) = (number(pairs, "offset")?, number(pairs, "limit")?);
        Ok(Window { offset, limit: if limit == 0 { LIMIT } else { limit } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Pairs {
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (name.to_owned(), value.to_owned())
        };
        text.split('&').filter(|part| !part.is_empty()).map(pair).collect()
    }

    /// The wording is that of nats-server 2.9.10.
    #[test]
    fn wrong_values_are_refused_as_nats_server_does() {
        let wrong = "Error decoding boolean for 'subs': strconv.ParseBool: parsing \"2\": invalid syntax";
        assert_eq!(switch(&pairs("subs=2"), "subs"), Err(wrong.to_owned()));
        let wrong = "Error decoding int for 'limit': strconv.Atoi: parsing \"x\": invalid syntax";
        assert_eq!(Window::read(&pairs("limit=x")), Err(wrong.to_owned()));
        let wrong = "Error decoding uint64 for 'cid': strconv.ParseUint: parsing \"-1\": invalid syntax";
        assert_eq!(id(&pairs("cid=-1"), "cid"), Err(wrong.to_owned()));
    }

    #[test]
    fn windows() {
        #[track_caller]
        fn check(text: &str, offset: usize, limit: usize) {
            assert_eq!(Window::read(&pairs(text)), Ok(Window { offset, limit }), "{text}");
        }
        check("", 0, 1024);
        check("limit=7&offset=3&limit=8", 3, 7);
        check("limit=-1&offset=-3", 0, 1024);
        check("limit=", 0, 1024);
    }

    #[test]
    fn switches() {
        assert_eq!(switch(&pairs("auth=true"), "auth"), Ok(true));
        assert_eq!(switch(&pairs("auth=0"), "auth"), Ok(false));
        assert_eq!(switch(&pairs("auth"), "auth"), Ok(false));
        assert_eq!(id(&pairs("cid=7"), "cid"), Ok(Some(7)));
        assert_eq!(id(&pairs("cid=0"), "cid"), Ok(None));
    }
}
