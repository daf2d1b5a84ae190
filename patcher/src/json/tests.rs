//! Texts held against `serde_json`, which reads the same where both are strict, and writes the same.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn parsed(text: &str) -> Result<Json, String> {
    Json::parse(text.as_bytes()).map_err(|error| error.to_string())
}

/// Makes of a tree of `serde_json` what ours is to be.
fn tree(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Number(number) => number.as_u64().map_or(Json::OtherNumber, Json::Number),
        Value::String(text) => Json::Text(text.clone()),
        Value::Array(elements) => Json::List(elements.iter().map(tree).collect()),
        Value::Object(entries) => {
            Json::Object(entries.iter().map(|(key, value)| (key.clone(), tree(value))).collect())
        }
    }
}

/// Makes null of the numbers that are none of ours.
fn without_other_numbers(value: Value) -> Value {
    match value {
        Value::Number(number) if number.as_u64().is_none() => Value::Null,
        Value::Array(elements) => elements.into_iter().map(without_other_numbers).collect(),
        Value::Object(entries) => {
            entries.into_iter().map(|(key, value)| (key, without_other_numbers(value))).collect()
        }
        other => other,
    }
}

#[test]
fn texts_are_read_and_refused_as_by_serde_json() {
    for text in [
        "null",
        " true ",
        "false",
        "0",
        "10",
        "-0",
        "-1",
        "18446744073709551615",
        "18446744073709551616",
        "1.5",
        "1e3",
        "1E-3",
        "[]",
        "[1, 2]",
        "{}",
        "{\"a\": {\"b\": [null]}, \"c\": \"d\"}",
        "\"\"",
        "\"\\u00e9\\ud83d\\ude00\"",
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
        "\"é😀\"",
        "\t\r\n1\n",
        "\"\u{7f}\"",
        "",
        " ",
        "nul",
        "nullx",
        "tru",
        "01",
        "-",
        "-a",
        "+1",
        "1.",
        ".5",
        "1e",
        "1e+",
        "0x1",
        "[",
        "[1",
        "[1,",
        "[1,]",
        "[,]",
        "[1 2]",
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{a:1}",
        "{1:1}",
        "\"",
        "\"\\",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\ud800\"",
        "\"\\ud800\\n\"",
        "\"\\udc00\"",
        "\"\\ud800\\ud800\"",
        "\"\n\"",
        "\"\0\"",
        "1 1",
        "1,",
        "]",
        "\u{feff}1",
    ] {
        let theirs = serde_json::from_str::<Value>(text).ok().map(|value| tree(&value));
        assert_eq!(parsed(text).ok(), theirs, "{text:?}");
    }
}

#[test]
fn a_refusal_says_where_and_what_was_found_and_wanted() {
    for (text, wanted) in [
        ("", "byte 0: a value is wanted, found the end"),
        ("[1 2]", "byte 3: ',' or ']' is wanted, found '2'"),
        ("{\"a\" 1}", "byte 5: ':' is wanted, found '1'"),
        ("{\"a\":1,\"a\":2}", "byte 7: the key \"a\" stands there twice"),
        ("{\"a\":1,\"\\u0061\":2}", "byte 7: the key \"a\" stands there twice"),
        ("1 x", "byte 2: the end is wanted"),
        ("\"\\q\"", "byte 2: an escape of \" \\ / b f n r t u is wanted, found 'q'"),
        ("01", "byte 0: a number begins with 0"),
    ] {
        assert_eq!(parsed(text), Err(wanted.to_owned()), "{text}");
    }
    assert_eq!(Json::parse(b"\"\xff\"").unwrap_err().to_string(), "byte 0: a string is not UTF-8");
}

#[test]
fn what_is_written_has_the_form_that_serde_json_gives_it() {
    let text = r#"{"b":[],"a":{},"c":[1,[true,null],{"d":"e"}]}"#;
    let json = Json::parse(text.as_bytes()).unwrap();
    assert_eq!(json.to_string(), text, "in the order of its text");
    let sorted = json.sorted();
    let theirs: Value = serde_json::from_str(text).unwrap();
    assert_eq!(sorted.to_string(), theirs.to_string());
    assert_eq!(format!("{sorted:#}"), serde_json::to_string_pretty(&theirs).unwrap());
}

#[test]
fn a_control_character_is_escaped_as_by_serde_json() {
    let text: String = (0..=0x80_u8).map(char::from).collect();
    assert_eq!(text.to_json().to_string(), Value::from(text).to_string());
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parsed(&nested(64)).is_ok());
    assert!(parsed(&nested(65)).unwrap_err().contains("more than 64 values within one another"));
    assert!(parsed(&"[".repeat(1_000_000)).is_err());
}

#[derive(Debug, PartialEq)]
struct Sample {
    number: u16,
    list: Vec<Inner>,
    text: Option<String>,
    more: Vec<String>,
}

object_json!(Sample { number, list, text or default, more or default });

#[derive(Debug, PartialEq)]
struct Inner {
    is: bool,
    word: Word,
}

object_json!(Inner { is, word });

#[derive(Debug, PartialEq)]
enum Word {
    OneWord,
    Other,
}

value::words_json!(Word { OneWord = "one-word", Other = "other" });

#[test]
fn values_are_taken_from_the_tree_or_refused_with_the_keys_that_lead_there() {
    let sample = |text: &str| read::<Sample>(text.as_bytes()).map_err(|error| error.to_string());
    let inner = |is, word| Inner { is, word };
    assert_eq!(
        sample(
            r#"{"number": 7, "list": [{"is": true, "word": "one-word"}, {"word": "other", "is": false}]}"#
        ),
        Ok(Sample {
            number: 7,
            list: vec![inner(true, Word::OneWord), inner(false, Word::Other)],
            text: None,
            more: Vec::new()
        })
    );
    assert_eq!(sample(r#"{"number": 1, "list": [], "text": "t"}"#).unwrap().text.as_deref(), Some("t"));
    for text in [r#"{"number":1,"list":[],"text":"t"}"#, r#"{"number":1,"list":[],"more":["m"]}"#] {
        assert_eq!(sample(text).unwrap().to_json().to_string(), text, "what is the default is left out");
    }
    for (text, wanted) in [
        ("[1, [], null]", "an object is wanted, found an array"),
        (r#"{"list": []}"#, "the key \"number\" is missing"),
        (r#"{"number": 1, "list": [], "x": 1}"#, "the key \"x\" is not known"),
        (r#"{"number": 65536, "list": []}"#, "number: 65536 is more than 65535"),
        (r#"{"number": -1, "list": []}"#, "number: a whole number from 0 is wanted, found a negative"),
        (r#"{"number": "1", "list": []}"#, "number: a whole number from 0 is wanted, found a string"),
        (r#"{"number": 1, "list": {}}"#, "list: an array is wanted, found an object"),
        (r#"{"number": 1, "list": [{"is": true, "word": "x"}]}"#, "list[0].word: \"x\" is not known"),
        (
            r#"{"number": 1, "list": [{"is": true, "word": 1}]}"#,
            "list[0].word: a string is wanted, found a number",
        ),
        (
            r#"{"number": 1, "list": [{"is": null, "word": "other"}]}"#,
            "list[0].is: true or false is wanted, found null",
        ),
        (r#"{"number": 1, "list": [{"is": true}]}"#, "list[0]: the key \"word\" is missing"),
        (r#"{"number": 1, "list": [], "more": null}"#, "more: an array is wanted, found null"),
        (r#"{"number": 1, "list": [], "text": 1}"#, "text: a string is wanted, found a number"),
    ] {
        let message = sample(text).unwrap_err();
        assert!(message.starts_with(wanted), "{text}: {message}");
    }
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_serde_json_writes_is_read(value in values()) {
        prop_assert_eq!(parsed(&value.to_string()).unwrap(), tree(&value));
        prop_assert_eq!(parsed(&serde_json::to_string_pretty(&value).unwrap()).unwrap(), tree(&value));
    }

    #[test]
    fn what_we_write_is_what_serde_json_writes(value in values()) {
        let (ours, theirs) = (tree(&value), without_other_numbers(value));
        prop_assert_eq!(ours.to_string(), theirs.to_string());
        prop_assert_eq!(format!("{ours:#}"), serde_json::to_string_pretty(&theirs).unwrap());
    }

    #[test]
    fn damage_is_judged_as_by_serde_json(value in values(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut text = value.to_string().into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        let theirs = serde_json::from_slice::<Value>(&text).ok().map(|value| tree(&value));
        let ours = Json::parse(&text);
        let is_twice = ours.as_ref().is_err_and(|error| error.to_string().contains("stands there twice"));
        // A float that is too large for theirs is any other number to us.
        prop_assert!(is_twice || theirs.is_none_or(|theirs| ours.map(Json::sorted) == Ok(theirs)));
    }
}
