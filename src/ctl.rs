//! `tessds ctl`: a client of the gateway, for people and scripts.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{WebSocketStream, client_async};

use tessds::cli::{CtlArgs, CtlCommand};
use tessds::control::documentation::commands_markdown;
use tessds::control::gateway::tokens_of;
use tessds::tls::{client_config, server_name};

/// What an answer may take: reading and cutting a large scenario.
const PATIENCE: Duration = Duration::from_secs(300);

trait Socket: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Socket for T {}
type Line = WebSocketStream<Box<dyn Socket>>;

/// Carries a command out and prints its answer. Exit code 0, or 1 when the answer is an error, or 2 when there is none.
pub fn ctl(args: &CtlArgs) -> ExitCode {
    if let CtlCommand::Commands { markdown: true } = args.command {
        print!("{}", commands_markdown());
        return ExitCode::SUCCESS;
    }
    match actix_rt::System::new().block_on(converse(args)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

async fn converse(args: &CtlArgs) -> Result<bool, String> {
    let mut line = connect(args).await?;
    let simulation = |param: Value| json!({"type1": "up", "type2": "simulation", "param": [param]});
    let message = match &args.command {
        CtlCommand::Load { choice } => {
            let key = if Path::new(choice).extension().is_some_and(|e| e == "sumocfg") { "file" } else { "netKey" };
            json!({"type1": "up", "type2": "loadNet", "param": [{key: choice}]})
        }
        CtlCommand::Start { paused } => simulation(json!({"action": "start", "paused": paused})),
        CtlCommand::Stop => simulation(json!({"action": "stop"})),
        CtlCommand::Pause => simulation(json!({"action": "pause"})),
        CtlCommand::Resume => simulation(json!({"action": "resume"})),
        CtlCommand::Step { steps } => simulation(json!({"action": "step", "steps": steps})),
        CtlCommand::Speed { factor } => simulation(json!({"action": "speed", "factor": factor})),
        CtlCommand::Status { watch: false } => json!({"type1": "down", "type2": "status"}),
        CtlCommand::Status { watch: true } => {
            json!({"type1": "up", "type2": "subscribe", "param": [{"topic": "health", "rate": 2}]})
        }
        CtlCommand::Commands { .. } => json!({"type1": "down", "type2": "commands"}),
        CtlCommand::Send { message } => {
            serde_json::from_str(message).map_err(|error| format!("the message is not valid JSON: {error}"))?
        }
    };
    line.send(Message::text(message.to_string())).await.map_err(|error| error.to_string())?;
    let reply = next(&mut line).await?;
    let is_good = reply["code"] == 200;
    if !matches!(args.command, CtlCommand::Status { watch: true }) || !is_good {
        print(args, &reply);
        return Ok(is_good);
    }
    loop {
        let update = next(&mut line).await?;
        if args.json {
            println!("{}", update["data"]);
        } else {
            println!("{}", status_line(&update["data"]));
        }
    }
}

async fn next(line: &mut Line) -> Result<Value, String> {
    loop {
        let message = tokio::time::timeout(PATIENCE, line.next()).await;
        match message.map_err(|_| "no response within 300 s".to_owned())? {
            Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).map_err(|error| error.to_string()),
            Some(Ok(Message::Close(_))) | None => return Err("the connection was closed".to_owned()),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(error.to_string()),
        }
    }
}

fn print(args: &CtlArgs, reply: &Value) {
    let data = &reply["data"];
    if reply["code"] != 200 {
        eprintln!("error {}: {}", reply["code"], reply["msg"].as_str().unwrap_or_default());
    } else if args.json || !matches!(args.command, CtlCommand::Status { .. }) {
        println!("{}", serde_json::to_string_pretty(data).unwrap_or_default());
    } else {
        println!("{}", status_line(data));
    }
}

fn status_line(status: &Value) -> String {
    let text = |key: &str| status[key].as_str().unwrap_or("-").to_owned();
    let vehicles = &status["vehicles"];
    format!(
        "{:<9} step {} ({} s), {} running, {} waiting, {} arrived; {:.1} x real time; snapshot of step {}; {} workers, {} partitions{}",
        text("state"),
        status["step"],
        status["time"],
        vehicles["running"],
        vehicles["waiting"],
        vehicles["arrived"],
        status["realTimeFactor"].as_f64().unwrap_or(0.0),
        status["committed"],
        status["workers"].as_array().map_or(0, Vec::len),
        status["partitions"].as_array().map_or(0, Vec::len),
        status["reason"].as_str().map_or(String::new(), |reason| format!("; {reason}")),
    )
}

async fn connect(args: &CtlArgs) -> Result<Line, String> {
    let address = &args.http;
    let token = match &args.token_file {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
            let (_, first) = tokens_of(&text)
                .next()
                .ok_or_else(|| format!("{} contains no token; put one token on a line", path.display()))?;
            Some(first.to_owned())
        }
        None => std::env::var("TESSDS_TOKEN").ok(),
    };
    let scheme = if args.ca.is_some() { "wss" } else { "ws" };
    let mut request = format!("{scheme}://{address}/ws").into_client_request().map_err(|error| error.to_string())?;
    if let Some(token) = token {
        let value = format!("Bearer {token}")
            .parse()
            .map_err(|_| "the access token contains characters that HTTP headers do not allow")?;
        request.headers_mut().insert("authorization", value);
    }
    let cannot = |error: String| {
        format!(
            "cannot connect to the gateway at {address}: {error}; check that a run listens there (tessds run --http {address})"
        )
    };
    let stream = TcpStream::connect(address).await.map_err(|error| cannot(error.to_string()))?;
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    let stream: Box<dyn Socket> = match &args.ca {
        None => Box::new(stream),
        Some(ca) => Box::new(secure(args, ca, stream).await.map_err(cannot)?),
    };
    let (line, _) = client_async(request, stream).await.map_err(|error| match error {
        tokio_tungstenite::tungstenite::Error::Http(response) => {
            let body = response.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
            cannot(format!("{} {body}", response.status()))
        }
        error => cannot(error.to_string()),
    })?;
    Ok(line)
}

async fn secure(
    args: &CtlArgs,
    ca: &Path,
    stream: TcpStream,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, String> {
    let own = args.certificate.as_deref().zip(args.key.as_deref());
    let config = client_config(ca, own).map_err(|error| error.to_string())?;
    let name = server_name(&args.http).map_err(|error| error.to_string())?;
    tokio_rustls::TlsConnector::from(config).connect(name, stream).await.map_err(|error| error.to_string())
}
