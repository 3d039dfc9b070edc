//! Patterns and trees for serde.
//!
//! Owns the written form: a pattern is its dialect and its text, and is parsed when it is read, so that nothing comes in that
//! [`Pattern::parse`] would refuse under the default limits.

use std::hash::Hash;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Dialect, GlobTree, Pattern, PatternLimits, Separator};

/// A dialect as it is written.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Name {
    Glob,
    Subject,
    Path(char),
}

#[derive(Serialize, Deserialize)]
struct WrittenPattern<T> {
    dialect: Dialect,
    text: T,
}

#[derive(Serialize, Deserialize)]
struct WrittenTree<P> {
    reserved: Option<char>,
    pairs: P,
}

impl Serialize for Dialect {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let name = match self {
            Self::Glob => Name::Glob,
            Self::Subject => Name::Subject,
            Self::Path(separator) => Name::Path(separator.get()),
        };
        name.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Dialect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Name::deserialize(deserializer)? {
            Name::Glob => Self::Glob,
            Name::Subject => Self::Subject,
            Name::Path(found) => {
                let separator = Separator::new(found);
                Self::Path(separator.ok_or_else(|| D::Error::custom(format!("{found:?} is no separator")))?)
            }
        })
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        WrittenPattern { dialect: self.dialect(), text: self.as_str() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let WrittenPattern { dialect, text } = WrittenPattern::<String>::deserialize(deserializer)?;
        Self::parse(&text, dialect, &PatternLimits::default()).map_err(D::Error::custom)
    }
}

impl<V: Serialize> Serialize for GlobTree<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let pairs: Vec<(&Pattern, &V)> = self.iter().collect();
        WrittenTree { reserved: self.reserved(), pairs }.serialize(serializer)
    }
}

impl<'de, V: Deserialize<'de> + Eq + Hash> Deserialize<'de> for GlobTree<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let WrittenTree { reserved, pairs } = WrittenTree::<Vec<(Pattern, V)>>::deserialize(deserializer)?;
        let mut tree = reserved.map_or_else(Self::new, Self::with_reserved);
        for (pattern, value) in pairs {
            tree.insert(&pattern, value);
        }
        Ok(tree)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let mut tree = GlobTree::with_reserved('!');
        let dots = Dialect::Path(Separator::DOT);
        for (text, dialect) in
            [("a*", Dialect::Glob), ("a.>", Dialect::Subject), ("**.x", dots), ("é", Dialect::Glob)]
        {
            tree.insert(&Pattern::parse(text, dialect, &PatternLimits::default()).unwrap(), text.to_owned());
        }
        let text = serde_json::to_string(&tree).unwrap();
        let read: GlobTree<String> = serde_json::from_str(&text).unwrap();
        assert_eq!((read.len(), read.reserved()), (4, Some('!')));
        assert!(tree.iter().all(|(pattern, value)| read.contains(pattern, value)), "{text}");
    }

    #[test]
    fn the_written_form_is_small_and_checked() {
        let pattern = Pattern::path("a/**").unwrap();
        let text = r#"{"dialect":{"path":"/"},"text":"a/**"}"#;
        assert_eq!(serde_json::to_string(&pattern).unwrap(), text);
        assert_eq!(serde_json::from_str::<Pattern>(text).unwrap(), pattern);
        for wrong in [
            r#"{"dialect":"glob","text":"a["}"#,
            r#"{"dialect":{"path":"*"},"text":"a"}"#,
            r#"{"dialect":"shell","text":"a"}"#,
        ] {
            assert!(serde_json::from_str::<Pattern>(wrong).is_err(), "{wrong}");
        }
    }
}
