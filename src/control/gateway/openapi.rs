//! The description of the HTTP interface for tools.

use serde_json::{Value, json};

use crate::control::documentation::commands_json;

/// An OpenAPI 3.1 document.
pub fn openapi() -> Value {
    let reply = json!({
        "description": "the one answer to the command",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Reply"}}}
    });
    let codes = ["200", "400", "401", "403", "404", "409", "410", "413", "422", "503"];
    let replies: serde_json::Map<String, Value> =
        codes.into_iter().map(|code| (code.to_owned(), reply.clone())).collect();
    let probe = |summary: &str| {
        json!({"get": {"summary": summary, "security": [], "responses": {
        "200": {"description": "yes"}, "503": {"description": "no"}}}})
    };
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "TessDS",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Drives a traffic simulation before and while it runs. docs/commands.md lists the commands."
        },
        "security": [{"bearer": []}],
        "paths": {
            "/command": {"post": {
                "summary": "one command, one reply",
                "requestBody": {"required": true,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Request"}}}},
                "responses": replies
            }},
            "/ws": {"get": {
                "summary": "a WebSocket: commands as on /command, and streams of states",
                "parameters": [{"name": "ticket", "in": "query", "schema": {"type": "string"},
                    "description": "from POST /ticket, for browsers"}],
                "responses": {"101": {"description": "switching protocols"}, "401": reply, "403": reply, "503": reply}
            }},
            "/ticket": {"post": {"summary": "opens one WebSocket within 30 s", "responses": {"200": reply, "401": reply}}},
            "/status": {"get": {"summary": "state of the run", "responses": {"200": reply, "401": reply}}},
            "/commands": {"get": {"summary": "all commands", "responses": {"200": {"description": "a list"}}}},
            "/healthz": probe("the process is alive"),
            "/readyz": probe("workers and commands are taken"),
            "/metrics": {"get": {"summary": "metrics for Prometheus", "security": [], "responses": {
                "200": {"description": "docs/metrics.md"}}}}
        },
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                "Request": {
                    "type": "object",
                    "required": ["type1", "type2"],
                    "properties": {
                        "type1": {"enum": ["up", "down", "load"], "description": "which way the data goes"},
                        "type2": {"type": "string", "description": "the subject of the command"},
                        "type3": {"description": "echoed"},
                        "timestamp": {"description": "echoed"},
                        "id": {"description": "echoed"},
                        "ds": {"enum": ["true", "false", true, false]},
                        "param": {"type": "array", "items": {"type": "object"}}
                    }
                },
                "Reply": {
                    "type": "object",
                    "required": ["code", "msg", "data"],
                    "properties": {"code": {"type": "integer"}, "msg": {"type": "string"}, "data": {}}
                }
            }
        },
        "x-commands": commands_json()
    })
}
