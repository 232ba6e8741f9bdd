//! The JSON messages of front ends: one object a request, one object a reply.

use serde::Serialize;
use serde_json::{Map, Value};

use super::error::CommandError;

/// Keys of a message that mean something to this program; others are ignored.
const TYPE1: &str = "type1";
const TYPE2: &str = "type2";
const TYPE3: &str = "type3";

/// Greatest number of objects in `param`.
const MAX_PARAMS: usize = 1000;

/// `type1`: which way the data goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The client sends data.
    Up,
    /// The client asks for data.
    Down,
    /// The client asks for loaded data to display.
    Load,
}

impl Direction {
    pub fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Load => "load",
        }
    }

    fn of(name: &str) -> Option<Self> {
        [Self::Up, Self::Down, Self::Load].into_iter().find(|direction| direction.name() == name)
    }
}

/// What a client has said.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub direction: Direction,
    /// `type2`.
    pub subject: String,
    /// `"ds"`: for the distributed part explicitly, or explicitly not.
    pub ds: Option<bool>,
    pub params: Vec<Map<String, Value>>,
    echo: Echo,
}

/// What a reply repeats of its request, as far as it could be read.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Echo {
    #[serde(skip_serializing_if = "Option::is_none")]
    type1: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    type2: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    type3: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Value>,
}

impl Echo {
    /// Only numbers, words and the like are repeated, and not at length.
    fn of(message: &Map<String, Value>) -> Self {
        let scalar = |key: &str| {
            let value = message.get(key)?;
            let is_short = match value {
                Value::String(text) => text.len() <= 256,
                Value::Number(_) | Value::Bool(_) => true,
                _ => false,
            };
            is_short.then(|| value.clone())
        };
        Self {
            type1: scalar(TYPE1),
            type2: scalar(TYPE2),
            type3: scalar(TYPE3),
            timestamp: scalar("timestamp"),
            id: scalar("id"),
        }
    }
}

/// The one answer to a request.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reply {
    #[serde(flatten)]
    pub echo: Echo,
    /// As HTTP uses it: 200, or what went wrong.
    pub code: u16,
    pub msg: String,
    pub data: Value,
}

impl Reply {
    pub fn new(echo: Echo, outcome: Result<Value, CommandError>) -> Self {
        match outcome {
            Ok(data) => Self { echo, code: 200, msg: "ok".to_owned(), data },
            Err(error) => Self { echo, code: error.code(), msg: error.to_string(), data: Value::Null },
        }
    }

    pub fn to_text(&self) -> String {
        serde_json::to_string(self).expect("a tree of strings and numbers can always be written")
    }
}

/// Reads a message. The echo is what the reply repeats, whether it is a request or not.
pub fn read(text: &str) -> (Echo, Result<Request, CommandError>) {
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(message)) => {
            let echo = Echo::of(&message);
            (echo.clone(), request(message, echo))
        }
        Ok(_) => (Echo::default(), Err(CommandError::Malformed("a message is a JSON object".to_owned()))),
        Err(error) => {
            (Echo::default(), Err(CommandError::Malformed(format!("the message is not valid JSON: {error}"))))
        }
    }
}

fn request(mut message: Map<String, Value>, echo: Echo) -> Result<Request, CommandError> {
    let malformed = |text: String| Err(CommandError::Malformed(text));
    let direction = match message.get(TYPE1) {
        Some(Value::String(name)) => match Direction::of(name) {
            Some(direction) => direction,
            None => return malformed("type1 has to be 'up', 'down' or 'load'".to_owned()),
        },
        _ => return malformed("type1 is missing; it says 'up', 'down' or 'load'".to_owned()),
    };
    let Some(Value::String(subject)) = message.remove(TYPE2) else {
        return malformed("type2 is missing; it names the command, see 'commands'".to_owned());
    };
    let ds = match message.get("ds") {
        None | Some(Value::Null) => None,
        Some(Value::Bool(ds)) => Some(*ds),
        Some(Value::String(ds)) if ds == "true" || ds == "false" => Some(ds == "true"),
        Some(_) => return malformed("ds has to be true or false".to_owned()),
    };
    let params = match message.remove("param") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Object(param)) => vec![param],
        Some(Value::Array(params)) if params.len() > MAX_PARAMS => {
            return malformed(format!("param has {} objects, at most {MAX_PARAMS} are allowed", params.len()));
        }
        Some(Value::Array(params)) => {
            let objects = params.into_iter().map(|param| match param {
                Value::Object(param) => Ok(param),
                _ => Err(CommandError::Malformed("param has to be a list of objects".to_owned())),
            });
            objects.collect::<Result<_, _>>()?
        }
        Some(_) => return malformed("param has to be a list of objects".to_owned()),
    };
    Ok(Request { direction, subject, ds, params, echo })
}

impl Request {
    /// The command without what is only echoed, as the command log keeps it.
    pub fn to_text(&self) -> String {
        let mut message = Map::new();
        message.insert(TYPE1.to_owned(), self.direction.name().into());
        message.insert(TYPE2.to_owned(), self.subject.clone().into());
        if !self.params.is_empty() {
            message.insert("param".to_owned(), self.params.iter().cloned().map(Value::Object).collect());
        }
        Value::Object(message).to_string()
    }

    pub fn echo(&self) -> &Echo {
        &self.echo
    }

    /// Its `param` as one object; without one, an empty one.
    ///
    /// # Errors
    /// There are several.
    pub fn only_param(&self) -> Result<Map<String, Value>, CommandError> {
        match &self.params[..] {
            [] => Ok(Map::new()),
            [param] => Ok(param.clone()),
            several => Err(CommandError::Malformed(format!(
                "'{}' takes one object in param, {} are given",
                self.subject,
                several.len()
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_messages_of_real_front_ends_are_read() {
        let (echo, request) = read(r#"{"type3":"1","type2":"global","type1":"down","timestamp":"1704271327166"}"#);
        let request = request.expect("a request");
        assert_eq!((request.direction, &*request.subject, request.ds), (Direction::Down, "global", None));
        let reply = Reply::new(echo, Ok(json!({"a": 1})));
        let expected = json!({"type1": "down", "type2": "global", "type3": "1", "timestamp": "1704271327166",
            "code": 200, "msg": "ok", "data": {"a": 1}});
        assert_eq!(serde_json::from_str::<Value>(&reply.to_text()).expect("JSON"), expected);

        let (_, request) =
            read(r#"{"type2":"bgmapsize","param":[{"width":"6120","height":"5090"}],"type1":"up","ds":"true"}"#);
        let request = request.expect("a request");
        assert_eq!((request.ds, request.params.len()), (Some(true), 1));
    }

    #[test]
    fn what_is_no_request_gets_an_error_that_says_why() {
        let cases = [
            ("", "not valid JSON"),
            ("{", "not valid JSON"),
            ("[]", "JSON object"),
            ("{}", "type1 is missing"),
            (r#"{"type1":7,"type2":"global"}"#, "type1 is missing"),
            (r#"{"type1":"sideways","type2":"global"}"#, "'up', 'down' or 'load'"),
            (r#"{"type1":"up"}"#, "type2 is missing"),
            (r#"{"type1":"up","type2":["global"]}"#, "type2 is missing"),
            (r#"{"type1":"up","type2":"global","ds":"maybe"}"#, "ds has to be"),
            (r#"{"type1":"up","type2":"global","param":7}"#, "list of objects"),
            (r#"{"type1":"up","type2":"global","param":[[]]}"#, "list of objects"),
        ];
        for (text, expected) in cases {
            let (_, request) = read(text);
            let error = request.expect_err(text);
            assert_eq!(error.code(), 400);
            assert!(error.to_string().contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn deep_nesting_is_an_error_and_no_overflow() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(read(&deep).1.is_err());
        let inside = format!(r#"{{"type1":"up","type2":"global","param":{deep}}}"#);
        assert!(read(&inside).1.is_err());
    }

    #[test]
    fn a_reply_does_not_repeat_what_is_long_or_no_word() {
        let (echo, _) = read(&format!(r#"{{"type1":"up","timestamp":"{}","id":{{"a":1}}}}"#, "9".repeat(5000)));
        assert!(Reply::new(echo, Ok(Value::Null)).to_text().len() < 100);
    }
}
