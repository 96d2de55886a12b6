//! The two discovery documents. Pure.
//!
//! The base that the platform is reached by stands in `token_endpoint`, `jwks_uri`, `auth_endpoint`
//! and `api_endpoint`, which are to be followed. `cluster` and `acdDomain` are such that
//! `https://api-{cluster}.{acdDomain}` is this sandbox, too, for those who resolve every name below
//! `localhost` to loopback; so are `area` and `domain`.

use serde_json::{Value, json};

use super::agent::Tenant;

/// `GET /.well-known/openid-configuration`.
pub(super) fn openid(base: &str) -> Value {
    json!({
        "issuer": base,
        "authorization_endpoint": format!("{base}/auth/authorize"),
        "token_endpoint": format!("{base}/auth/token"),
        "userinfo_endpoint": format!("{base}/auth/userinfo"),
        "jwks_uri": format!("{base}/auth/jwks"),
        "end_session_endpoint": format!("{base}/auth/authorize/logout"),
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "subject_types_supported": ["public"],
        "scopes_supported": ["openid"],
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
        "display_values_supported": ["page", "popup"],
    })
}

/// `GET /.well-known/cxone-configuration?tenantId=`; `base` is where the services are.
pub(super) fn cxone(tenant: &Tenant, base: &str, services: &str) -> Value {
    let host = services
        .split_once("://")
        .map_or(services, |(_, host)| host);
    let port = host.rsplit_once(':').map_or("", |(_, port)| port);
    let domain = match services == base {
        true if port.is_empty() => "localhost".to_owned(),
        true => format!("localhost:{port}"),
        false => host
            .split_once('.')
            .map_or(host, |(_, rest)| rest)
            .to_owned(),
    };
    json!({
        "private": false,
        "area": tenant.area,
        "cluster": tenant.cluster,
        "domain": domain,
        "acdDomain": domain,
        "uhDomain": domain,
        "ui_endpoint": services,
        "auth_endpoint": base,
        "api_endpoint": services,
        "tenantId": tenant.id,
    })
}
