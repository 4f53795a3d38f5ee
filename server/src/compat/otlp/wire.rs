//! The two encodings of OTLP over HTTP. Whatever is answered, errors too, comes in the request's.

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use serde_json::json;

use super::parts;
use crate::api::error::{ApiError, Result};

/// How a request is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// `application/x-protobuf`.
    Protobuf,
    /// `application/json`.
    Json,
}

/// `google.rpc.Status`, as far as OTLP asks for it.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

impl Encoding {
    /// What the request says it is.
    pub fn of(headers: &HeaderMap) -> Result<Self> {
        let said = headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let media = said.split(';').next().unwrap_or_default().trim();
        if media.eq_ignore_ascii_case("application/x-protobuf") {
            Ok(Self::Protobuf)
        } else if media.eq_ignore_ascii_case("application/json") {
            Ok(Self::Json)
        } else {
            Err(ApiError::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "media_type_not_supported",
                "send spans as application/x-protobuf or application/json",
            ))
        }
    }

    /// Reads a request.
    pub fn read(self, bytes: &[u8]) -> Result<ExportTraceServiceRequest> {
        let n_parts = match self {
            Self::Protobuf => parts::of_protobuf(bytes),
            Self::Json => parts::of_json(bytes),
        };
        if n_parts > parts::MOST {
            return Err(ApiError::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                format!(
                    "the body holds more than {} spans and attributes: send smaller batches",
                    parts::MOST
                ),
            ));
        }
        match self {
            Self::Protobuf => ExportTraceServiceRequest::decode(bytes)
                .map_err(|error| ApiError::malformed(format!("the body is not OTLP: {error}"))),
            Self::Json => serde_json::from_slice(bytes)
                .map_err(|error| ApiError::malformed(format!("the body is not OTLP: {error}"))),
        }
    }

    /// Says what became of the spans.
    pub fn answer(self, rejected: usize, message: &str) -> Response {
        let rejected = i64::try_from(rejected).unwrap_or(i64::MAX);
        let is_partial = rejected > 0 || !message.is_empty();
        match self {
            Self::Protobuf => {
                let partial_success = is_partial.then(|| ExportTracePartialSuccess {
                    rejected_spans: rejected,
                    error_message: message.to_owned(),
                });
                let answer = ExportTraceServiceResponse { partial_success };
                self.respond(StatusCode::OK, answer.encode_to_vec())
            }
            // In JSON, protobuf's 64-bit integers are strings.
            Self::Json if is_partial => {
                let answer = json!({
                    "partialSuccess": { "rejectedSpans": rejected.to_string(), "errorMessage": message }
                });
                self.respond(StatusCode::OK, answer.to_string().into_bytes())
            }
            Self::Json => self.respond(StatusCode::OK, b"{}".to_vec()),
        }
    }

    /// Says why nothing was taken: with the status, its number in gRPC's count, and the reason.
    pub fn refuse(self, error: &ApiError) -> Response {
        let problem = error.problem();
        let status =
            StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let code = grpc_code(status);
        let body = match self {
            Self::Protobuf => Status {
                code,
                message: problem.detail.clone(),
            }
            .encode_to_vec(),
            Self::Json => json!({ "code": code, "message": problem.detail })
                .to_string()
                .into_bytes(),
        };
        let mut response = self.respond(status, body);
        let headers = response.headers_mut();
        if let Some(seconds) = problem.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if status == StatusCode::UNSUPPORTED_MEDIA_TYPE {
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }

    fn respond(self, status: StatusCode, body: Vec<u8>) -> Response {
        let media = match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        };
        let headers = [
            (header::CONTENT_TYPE, media),
            (header::CACHE_CONTROL, "no-store"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        (status, headers, body).into_response()
    }
}

/// The number gRPC gives to what a status says.
fn grpc_code(status: StatusCode) -> i32 {
    match status.as_u16() {
        401 => 16,
        403 => 7,
        404 => 5,
        408 => 4,
        413 | 429 => 8,
        500 => 13,
        503 => 14,
        // Whatever else is refused was a bad argument.
        _ => 3,
    }
}
