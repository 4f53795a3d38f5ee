//! What is said to model providers, and how their answers are understood: both protocols,
//! streamed and in one piece.

use std::time::Duration;

use domain::content::{ChatMessage, Role};
use serde_json::{Value, json};
use server::{
    llm::{Answer, Ask, BaseUrl, Door, Kind, LlmError, Provider, Retries, Settings, Usage},
    state::Clock,
};
use tokio_util::sync::CancellationToken;

use crate::support::{Act, BadProvider};

const KEY: &str = "sk-test-0123456789";

fn message(role: Role, content: &str) -> ChatMessage {
    ChatMessage {
        role,
        content: content.to_owned(),
        name: None,
        tool_call_id: None,
        tool_calls: None,
        cache_control: None,
    }
}

fn ask() -> Ask {
    let mut instructions = message(Role::System, "Be brief.");
    instructions.cache_control = Some(json!({"type": "ephemeral", "ttl": "1h"}));
    Ask {
        model: "small".to_owned(),
        messages: vec![instructions, message(Role::User, "Größe?")],
        temperature: Some(0.0),
        max_tokens: Some(64),
        seed: Some(7),
        stop: vec!["END".to_owned()],
        ..Ask::default()
    }
}

fn door(provider: &BadProvider, kind: Kind) -> Door {
    let remote = Provider::Remote {
        kind,
        base_url: BaseUrl::parse(&provider.url()).unwrap(),
        key: Some(KEY.into()),
    };
    let settings = Settings {
        retries: Retries {
            base: Duration::from_millis(1),
            ..Retries::default()
        },
        ..Settings::new("test", remote)
    };
    Door::new(settings, Clock::real()).unwrap()
}

async fn answer(door: &Door, ask: &Ask) -> Result<Answer, LlmError> {
    door.ask(ask, &CancellationToken::new()).await
}

fn events(events: &[Value]) -> Act {
    let written = |event: &Value| {
        let name = event["type"].as_str().unwrap_or("message");
        format!("event: {name}\ndata: {event}\n\n")
    };
    Act::Stream {
        wait: Duration::from_millis(5),
        pieces: events.iter().map(written).collect(),
    }
}

#[tokio::test]
async fn a_chat_completion_is_asked_for_and_read_as_a_stream_or_in_one_piece() {
    let text = "It is big.";
    let provider =
        BadProvider::acts(vec![Act::completion_stream(text), Act::completion(text)]).await;
    let door = door(&provider, Kind::OpenAi);
    let streamed = answer(&door, &ask()).await.unwrap();
    let whole = answer(&door, &ask()).await.unwrap();

    let ttft_ms = streamed.ttft_ms.unwrap();
    assert!(0.0 < ttft_ms && ttft_ms <= streamed.latency_ms);
    assert!(whole.latency_ms > 0.0);
    let expected = Answer {
        text: text.to_owned(),
        finish_reason: Some("stop".to_owned()),
        model: "small-1".to_owned(),
        fingerprint: Some("fp_1".to_owned()),
        usage: Usage {
            input_tokens: Some(12),
            output_tokens: Some(3),
            cache_read_tokens: Some(8),
            ..Usage::default()
        },
        left_out: vec!["cache_control".to_owned()],
        n_tries: 1,
        latency_ms: streamed.latency_ms,
        ttft_ms: streamed.ttft_ms,
        ..Answer::default()
    };
    assert_eq!(streamed, expected);
    assert_eq!(
        whole,
        Answer {
            latency_ms: whole.latency_ms,
            ttft_ms: None,
            ..expected
        }
    );
    assert_eq!(whole.usage.uncached_input_tokens(), Some(4));

    let question = &provider.questions()[0];
    assert_eq!(question.path, "/v1/chat/completions");
    assert_eq!(
        question.header("authorization"),
        Some("Bearer sk-test-0123456789")
    );
    assert_eq!(
        question.body,
        json!({
            "model": "small",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Größe?"},
            ],
            "temperature": 0.0, "seed": 7, "stop": ["END"], "max_tokens": 64,
            "stream": true, "stream_options": {"include_usage": true},
        })
    );
}

#[tokio::test]
async fn a_chat_completions_tool_calls_are_put_together() {
    let delta = |delta: Value| json!({"choices": [{"index": 0, "delta": delta}]});
    let piece = |index: u64, call: Value| {
        let mut call = call;
        call["index"] = json!(index);
        delta(json!({"tool_calls": [call]}))
    };
    let call = |id: &str, name: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
    let calls = [call("a", "find", r#"{"q":1}"#), call("b", "stop", "{}")];
    let whole = json!({"choices": [{"finish_reason": "tool_calls",
        "message": {"role": "assistant", "content": null, "tool_calls": calls}}]});
    let provider = BadProvider::acts(vec![
        events(&[
            piece(0, call("a", "find", "")),
            // A number that no list could be as long as.
            piece(u64::MAX, call("b", "stop", "{}")),
            piece(0, json!({"function": {"arguments": r#"{"q""#}})),
            piece(0, json!({"function": {"arguments": ":1}"}})),
            json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}),
        ]),
        Act::json(200, &whole),
    ])
    .await;
    let door = door(&provider, Kind::OpenAi);
    let tools = vec![json!({"type": "function", "function": {"name": "find"}})];
    let question = Ask {
        tools: Some(tools.clone()),
        response_format: Some(json!({"type": "json_object"})),
        ..ask()
    };
    for _ in 0..2 {
        let answer = answer(&door, &question).await.unwrap();
        assert_eq!(answer.tool_calls, calls);
        assert_eq!(answer.finish_reason.as_deref(), Some("tool_calls"));
        assert_eq!(answer.text, "");
    }
    let asked = &provider.questions()[0].body;
    assert_eq!(asked["tools"], json!(tools));
    assert_eq!(asked["response_format"], json!({"type": "json_object"}));
}

#[tokio::test]
async fn a_message_is_asked_for_and_read_as_a_stream_or_in_one_piece() {
    let usage = json!({"input_tokens": 5, "output_tokens": 1, "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": 20,
        "cache_creation": {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 15}});
    let input = json!({"q": "größe"});
    let whole = json!({"type": "message", "role": "assistant", "model": "large-1",
        "content": [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "It is big."},
            {"type": "tool_use", "id": "t1", "name": "find", "input": input}],
        "stop_reason": "tool_use",
        "usage": {"input_tokens": 5, "output_tokens": 9, "cache_read_input_tokens": 100,
            "cache_creation_input_tokens": 20, "cache_creation": usage["cache_creation"]}});
    let delta = |index: u64, delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
    let begin = |index: u64, block: Value| json!({"type": "content_block_start", "index": index, "content_block": block});
    let provider = BadProvider::acts(vec![
        events(&[
            json!({"type": "message_start", "message": {"model": "large-1", "usage": usage}}),
            begin(0, json!({"type": "thinking", "thinking": ""})),
            delta(0, json!({"type": "thinking_delta", "thinking": "Hm."})),
            json!({"type": "ping"}),
            begin(1, json!({"type": "text", "text": ""})),
            delta(1, json!({"type": "text_delta", "text": "It is "})),
            delta(1, json!({"type": "text_delta", "text": "big."})),
            begin(
                2,
                json!({"type": "tool_use", "id": "t1", "name": "find", "input": {}}),
            ),
            delta(
                2,
                json!({"type": "input_json_delta", "partial_json": "{\"q\":"}),
            ),
            delta(
                2,
                json!({"type": "input_json_delta", "partial_json": "\"größe\"}"}),
            ),
            json!({"type": "content_block_stop", "index": 2}),
            json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"},
                "usage": {"output_tokens": 9, "input_tokens": null}}),
            json!({"type": "message_stop"}),
        ]),
        Act::json(200, &whole),
    ])
    .await;
    let door = door(&provider, Kind::Anthropic);
    for is_streamed in [true, false] {
        let answer = answer(&door, &ask()).await.unwrap();
        assert_eq!(answer.text, "It is big.");
        let function = json!({"name": "find", "arguments": "{\"q\":\"größe\"}"});
        let call = json!({"id": "t1", "type": "function", "function": function});
        assert_eq!(answer.tool_calls, [call]);
        assert_eq!(answer.finish_reason.as_deref(), Some("tool_calls"));
        assert_eq!(answer.model, "large-1");
        assert_eq!(answer.left_out, ["seed"]);
        assert_eq!(answer.ttft_ms.is_some(), is_streamed);
        let usage = Usage {
            input_tokens: Some(125),
            output_tokens: Some(9),
            cache_read_tokens: Some(100),
            cache_write_tokens: Some(20),
            cache_write_1h_tokens: Some(15),
        };
        assert_eq!(answer.usage, usage);
        assert_eq!(answer.usage.uncached_input_tokens(), Some(5));
    }
    let question = &provider.questions()[0];
    assert_eq!(question.path, "/v1/messages");
    assert_eq!(question.header("x-api-key"), Some(KEY));
    assert_eq!(question.header("authorization"), None);
    assert_eq!(question.header("anthropic-version"), Some("2023-06-01"));
    assert_eq!(
        question.body,
        json!({
            "model": "small",
            "max_tokens": 64,
            "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
            "messages": [{"role": "user", "content": [{"type": "text", "text": "Größe?"}]}],
            "temperature": 0.0, "stop_sequences": ["END"], "stream": true,
        })
    );
}

#[tokio::test]
async fn tools_and_their_results_are_written_in_anthropics_form() {
    let whole = json!({"content": [{"type": "text", "text": "ok"}], "stop_reason": "end_turn"});
    let provider = BadProvider::always(Act::json(200, &whole)).await;
    let mut call = message(Role::Assistant, "");
    let function = json!({"name": "find", "arguments": "{\"q\":1}"});
    call.tool_calls = Some(vec![
        json!({"id": "a", "type": "function", "function": function}),
        json!({"id": "b", "type": "function", "function": {"name": "stop", "arguments": ""}}),
    ]);
    let result = |id: &str, content| {
        let mut result = message(Role::Tool, content);
        result.tool_call_id = Some(id.to_owned());
        result
    };
    let schema = json!({"type": "object", "properties": {"q": {"type": "integer"}}});
    let ours = json!({"name": "other", "input_schema": {"type": "object"}});
    let question = Ask {
        model: "large".to_owned(),
        messages: vec![
            message(Role::User, "Go"),
            call,
            result("a", "found"),
            result("b", "stopped"),
            message(Role::Developer, "Be kind."),
            message(Role::User, "And?"),
        ],
        tools: Some(vec![
            json!({"type": "function", "function": {"name": "find", "description": "Finds.",
                "parameters": schema, "strict": true}}),
            ours.clone(),
        ]),
        response_format: Some(json!({"type": "json_schema", "json_schema": {"name": "a",
            "schema": {"type": "object"}}})),
        ..Ask::default()
    };
    let answer = answer(&door(&provider, Kind::Anthropic), &question)
        .await
        .unwrap();
    assert_eq!(answer.finish_reason.as_deref(), Some("stop"));
    assert!(answer.left_out.is_empty());
    let text = |text: &str| json!({"type": "text", "text": text});
    assert_eq!(
        provider.questions()[0].body,
        json!({
            "model": "large",
            "max_tokens": 4096,
            "system": [text("Be kind.")],
            "messages": [
                {"role": "user", "content": [text("Go")]},
                {"role": "assistant", "content": [
                    {"type": "tool_use", "id": "a", "name": "find", "input": {"q": 1}},
                    {"type": "tool_use", "id": "b", "name": "stop", "input": {}},
                ]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "a", "content": "found"},
                    {"type": "tool_result", "tool_use_id": "b", "content": "stopped"},
                ]},
                {"role": "user", "content": [text("And?")]},
            ],
            "tools": [
                {"name": "find", "input_schema": schema, "description": "Finds.", "strict": true},
                ours,
            ],
            "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}},
            "stream": true,
        })
    );
}

/// Refuses, one after the other, what a model may refuse, in the providers' own words.
fn picky(question: &Value) -> Act {
    let no = |param: &str, words: &str| {
        let error = json!({"message": words, "param": param, "type": "invalid_request_error"});
        Act::json(400, &json!({"error": error}))
    };
    if question.get("max_tokens").is_some() && question.get("system").is_none() {
        return no(
            "max_tokens",
            "Unsupported parameter: 'max_tokens' is not supported with this model. \
             Use 'max_completion_tokens' instead.",
        );
    }
    if question.get("temperature").is_some() {
        return no("", "`temperature` is deprecated for this model.");
    }
    if question.get("stream_options").is_some() {
        return no("", "Unrecognized request argument supplied: stream_options");
    }
    if question.get("stream").is_some() {
        return no(
            "stream",
            "Your organization must be verified to stream this model.",
        );
    }
    let whole = json!({"content": [{"type": "text", "text": "ok"}],
        "choices": [{"message": {"content": "ok"}}]});
    Act::json(200, &whole)
}

#[tokio::test]
async fn what_a_model_refuses_is_left_out_recorded_and_remembered() {
    for (kind, first, left_out) in [
        (Kind::OpenAi, 5, vec!["cache_control", "temperature"]),
        (Kind::Anthropic, 3, vec!["seed", "temperature"]),
    ] {
        let provider = BadProvider::start(|_, question| picky(&question.body)).await;
        let door = door(&provider, kind);
        for n_tries in [first, 1] {
            let answer = answer(&door, &ask()).await.unwrap();
            assert_eq!((answer.n_tries, answer.text.as_str()), (n_tries, "ok"));
            assert_eq!(answer.left_out, left_out);
        }
        // It is the model's quirk, not the provider's; and what was not asked for is not missed.
        let other = Ask {
            model: "other".to_owned(),
            temperature: None,
            ..ask()
        };
        let answer = answer(&door, &other).await.unwrap();
        assert_eq!(answer.n_tries, first - 1);
        assert!(!answer.left_out.contains(&"temperature".to_owned()));
    }
}

#[tokio::test]
async fn a_value_out_of_range_is_the_askers_mistake() {
    let words = "temperature: range: 0..1";
    let provider = BadProvider::always(Act::json(400, &json!({"error": {"message": words}}))).await;
    let error = answer(&door(&provider, Kind::Anthropic), &ask())
        .await
        .unwrap_err();
    let expected = LlmError::Refused {
        status: 400,
        message: words.to_owned(),
    };
    assert_eq!(error, expected);
    assert_eq!(provider.questions().len(), 1);
}

#[tokio::test]
async fn a_connection_carries_one_question_after_the_other() {
    let provider = BadProvider::acts(vec![
        Act::completion_stream("one"),
        Act::completion("two"),
        Act::too_many("0"),
        Act::completion_stream("three"),
    ])
    .await;
    let door = door(&provider, Kind::OpenAi);
    for text in ["one", "two", "three"] {
        assert_eq!(answer(&door, &ask()).await.unwrap().text, text);
    }
    assert_eq!(
        (provider.questions().len(), provider.n_connections()),
        (4, 1)
    );
}

#[tokio::test]
async fn an_error_within_a_stream_counts_like_one_before_it() {
    let overloaded = json!({"type": "error",
        "error": {"type": "overloaded_error", "message": "Overloaded"}});
    let start = json!({"type": "message_start", "message": {"model": "m"}});
    let provider = BadProvider::always(events(&[start, overloaded])).await;
    let error = answer(&door(&provider, Kind::Anthropic), &ask())
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "the provider failed (529): Overloaded");
    assert_eq!(provider.questions().len(), 5);

    let full = json!({"error": {"code": 400, "message": "context is full"}});
    let provider = BadProvider::always(events(&[full])).await;
    let error = answer(&door(&provider, Kind::OpenAi), &ask())
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the provider refused (400): context is full"
    );
    assert_eq!(provider.questions().len(), 1);
}
