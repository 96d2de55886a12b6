//! What somebody is told who starts the sandbox by hand: a configuration and commands that work.

use super::json::put;
use super::{GuestDialect, GuestPlatform};

impl GuestPlatform {
    /// Addresses, credentials, a piece of configuration and commands to try, for people.
    #[must_use]
    pub fn greeting(&self, seed: u64) -> String {
        let config = self.config();
        let endpoint = self.endpoint();
        let endpoint = endpoint.as_str().trim_end_matches('/');
        let control = format!("{}control/v1", self.control_url());
        let platform = config.dialect.platform();
        let (curl_ca, tls) = match &config.tls_ca_out {
            None => (String::new(), String::new()),
            Some(file) => (
                format!(" --cacert {}", file.display()),
                format!("\n    tls: {{ ca_file: {} }}", file.display()),
            ),
        };
        let client = self.client_credentials();
        let (id, secret) = (&client.id, &client.secret);
        let (who, exported, fields, attempt) = match config.dialect {
            GuestDialect::WebMessaging => {
                let deployment = &config.deployment_id;
                let origin = config.allowed_origins.first();
                let origin = origin.map_or_else(String::new, |o| format!("\n    origin: {o}"));
                (
                    format!("deployment {deployment}\n"),
                    String::new(),
                    format!("\n    deployment_id: {deployment}{origin}"),
                    format!("{endpoint}/webdeployments/v1/deployments/{deployment}/config.json"),
                )
            }
            GuestDialect::Webchat => (
                format!("client id  {id}\nsecret     {secret}\n"),
                format!("  export CLIENT_ID={id} CLIENT_SECRET={secret}\n"),
                "\n    auth: { grant: client_credentials, client_id_env: CLIENT_ID, client_secret_env: CLIENT_SECRET }"
                    .to_owned(),
                format!("-d grant_type=client_credentials -d client_id={id} -d client_secret={secret} {endpoint}/oauth/token"),
            ),
        };
        format!(
            "platform   {platform} at {endpoint}
control    {control}
{who}seed       {seed}

A configuration for `tieline run`; guests' sessions are made of its template:
{exported}  cat > tieline.yaml <<'END'
journals: [{{ name: default, path: ./journal }}]
session_templates:
  - name: guests
    platform: {platform}
    endpoint: {endpoint}{fields}{tls}
END
  tieline run --config tieline.yaml

Ask the platform something; then see what guests said, let the agent answer, and let something go wrong:
  curl -s{curl_ca} {attempt}
  curl '{control}/messages?after=0&limit=5'
  curl -X POST -d '{{\"text\":\"How can I help?\"}}' '{control}/sessions/*/say'
  curl -X PUT -d '{{\"count\":1}}' {control}/faults/cut_after_taking
  curl -X POST -d '{{\"down\":\"2s\"}}' {control}/restart

"
        )
    }

    /// What a script needs to know, on one line.
    #[must_use]
    pub fn announcement(&self, seed: u64) -> String {
        let config = self.config();
        let mut line = serde_json::json!({
            "platform": config.dialect.platform(),
            "endpoint": self.endpoint(),
            "control": format!("{}control/v1", self.control_url()),
            "seed": seed,
        });
        match config.dialect {
            GuestDialect::WebMessaging => {
                put(&mut line, "deployment_id", config.deployment_id);
                put(&mut line, "allowed_origins", config.allowed_origins);
            }
            GuestDialect::Webchat => {
                let client = self.client_credentials();
                put(&mut line, "client_id", client.id);
                put(&mut line, "client_secret", client.secret);
            }
        }
        format!("{line}\n")
    }

    /// What came to pass, on one line.
    #[must_use]
    pub fn farewell(&self) -> String {
        let counters = self.counters();
        let faults = self.faults().status();
        let struck: u64 = faults.iter().map(|fault| fault.struck).sum();
        format!(
            "sessions {}, sockets {}; messages taken {}, throttled {}, refused {}; agent said {}, pushed {}; handshakes {}, at most {} in a second, refused {}; faults struck {struck}\n",
            counters.sessions_begun,
            counters.sockets_opened,
            counters.messages_taken,
            counters.messages_throttled,
            counters.messages_refused,
            self.said().len(),
            counters.agent_messages_pushed,
            counters.handshakes,
            counters.handshakes_per_second_most,
            counters.handshakes_throttled,
        )
    }
}
