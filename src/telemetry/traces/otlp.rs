//! The exporter: OTLP over gRPC or HTTP, as the standard variables say, with the program's own TLS.

use opentelemetry::KeyValue;
use opentelemetry_otlp::{SpanExporter, WithHttpConfig as _, WithTonicConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanExporter as _;

use super::settings::Settings;
use crate::telemetry::collector::{Problem, Protocol};

/// Builds it; within a runtime, for connections are made by tasks of it.
pub(super) fn exporter(settings: &Settings) -> Result<SpanExporter, Problem> {
    let builder = SpanExporter::builder();
    let mut exporter = match settings.protocol {
        // What trusts nobody, for it found nobody to trust, can still be spoken to in plaintext.
        Protocol::Grpc if settings.endpoint.scheme() == "http" => builder.with_tonic().build()?,
        Protocol::Grpc => builder
            .with_tonic()
            .with_tls_config(settings.tls.grpc()?)
            .build()?,
        Protocol::Http => {
            let client = settings.tls.http()?.timeout(settings.request_timeout);
            builder
                .with_http()
                .with_http_client(client.build()?)
                .build()?
        }
    };
    let attributes = settings.resource.iter();
    let attributes = attributes.map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    let resource = Resource::builder().with_attributes(attributes).build();
    exporter.set_resource(&resource);
    Ok(exporter)
}
