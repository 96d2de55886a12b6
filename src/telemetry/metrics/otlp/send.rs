//! [`Way`]: how a request gets to the collector, over gRPC or over HTTP.

use std::str::FromStr as _;

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use prost::Message as _;
use tonic::client::Grpc;
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;
use url::Url;

use super::message::{Request, Response};
use super::settings::Settings;
use crate::telemetry::collector::{Problem, Protocol};

const METHOD: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");

/// A way to the collector, made once.
pub(super) enum Way {
    Grpc(Grpc<Channel>, MetadataMap),
    Http(reqwest::Client, Url, HeaderMap),
}

impl Way {
    /// Within a runtime, for connections are made by tasks of it.
    pub(super) fn new(settings: &Settings) -> Result<Self, Problem> {
        let headers = headers(&settings.headers)?;
        Ok(match settings.protocol {
            Protocol::Grpc => {
                let mut endpoint = Endpoint::from_shared(settings.endpoint.to_string())?;
                if settings.endpoint.scheme() == "https" {
                    endpoint = endpoint.tls_config(settings.tls.grpc()?)?;
                }
                let grpc = Grpc::new(endpoint.connect_lazy());
                Self::Grpc(grpc, MetadataMap::from_headers(headers))
            }
            Protocol::Http => {
                let client = settings.tls.http()?.build()?;
                Self::Http(client, settings.endpoint.clone(), headers)
            }
        })
    }

    /// Sends one request and waits until it was taken.
    pub(super) async fn send(&mut self, request: Request) -> Result<(), Problem> {
        let answer = match self {
            Self::Grpc(grpc, metadata) => {
                let mut request = tonic::Request::new(request);
                *request.metadata_mut() = metadata.clone();
                grpc.ready().await?;
                let codec = ProstCodec::<Request, Response>::default();
                let path = PathAndQuery::from_static(METHOD);
                grpc.unary(request, path, codec).await?.into_inner()
            }
            Self::Http(client, url, headers) => {
                let sent = client.post(url.clone()).headers(headers.clone());
                let sent = sent.header(header::CONTENT_TYPE, PROTOBUF);
                let answer = sent.body(request.encode_to_vec()).send().await?;
                let answer = answer.error_for_status()?;
                Response::decode(answer.bytes().await?)?
            }
        };
        match answer
            .partial_success
            .filter(|partial| partial.rejected > 0)
        {
            Some(partial) => Err(format!("{} refused: {}", partial.rejected, partial.error).into()),
            None => Ok(()),
        }
    }
}

fn headers(pairs: &[(String, String)]) -> Result<HeaderMap, Problem> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let mut value = HeaderValue::from_str(value)?;
        value.set_sensitive(true);
        headers.insert(HeaderName::from_str(name)?, value);
    }
    Ok(headers)
}
