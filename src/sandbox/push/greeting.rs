//! What somebody is told who starts the sandbox by hand: a configuration and commands that work.

use super::{PushDialect, PushPlatform};

impl PushPlatform {
    /// Addresses, credentials, a piece of configuration and commands to try, for people.
    #[must_use]
    pub fn greeting(&self, seed: u64) -> String {
        let client = self.client_credentials();
        let endpoint = self.endpoint();
        let endpoint = endpoint.as_str().trim_end_matches('/');
        let control = format!("{}control/v1", self.control_url());
        let config = self.config();
        let platform = config.dialect.platform();
        let (curl_ca, tls) = match config.tls_ca_out {
            None => (String::new(), String::new()),
            Some(file) => (
                format!(" --cacert {}", file.display()),
                format!("\n    tls: {{ ca_file: {} }}", file.display()),
            ),
        };
        let rest = match &config.dialect {
            PushDialect::Described(profile) => {
                let profile = serde_json::to_string(profile).unwrap_or_default();
                format!("\n    channels: [agents]\n    profile: {profile}")
            }
            _ => String::new(),
        };
        format!(
            "platform   {platform} at {endpoint}
control    {control}
client id  {id}
secret     {secret}
seed       {seed}

A configuration for `tieline run`:
  export CLIENT_ID={id} CLIENT_SECRET={secret}
  cat > tieline.yaml <<'END'
journals: [{{ name: default, path: ./journal }}]
sessions:
  - name: contact-centre
    platform: {platform}
    endpoint: {endpoint}{tls}
    auth: {{ grant: client_credentials, client_id_env: CLIENT_ID, client_secret_env: CLIENT_SECRET }}{rest}
END
  tieline run --config tieline.yaml

A token; then open the WebSocket with it, and see what was told, and what goes wrong:
  curl -s{curl_ca} -d grant_type=client_credentials -d client_id={id} -d client_secret={secret} {endpoint}{token}
  curl '{control}/ledger?after=0&limit=5'
  curl '{control}/heartbeats?limit=5'
  curl -X PUT -d '{{\"count\":1}}' {control}/faults/websocket_reset

",
            id = client.id,
            secret = client.secret,
            token = self.token_path(),
        )
    }

    /// What a script needs to know, on one line.
    #[must_use]
    pub fn announcement(&self, seed: u64) -> String {
        let client = self.client_credentials();
        let line = serde_json::json!({
            "endpoint": self.endpoint(),
            "control": format!("{}control/v1", self.control_url()),
            "client_id": client.id,
            "client_secret": client.secret,
            "seed": seed,
        });
        format!("{line}\n")
    }

    /// What came to pass, on one line.
    #[must_use]
    pub fn farewell(&self) -> String {
        let counters = self.counters();
        let faults = self.faults().status();
        let struck: u64 = faults.iter().map(|fault| fault.struck).sum();
        format!(
            "facts {}, sent {}; sockets {}, of these idle {}; heartbeats {}; tokens {}; faults struck {struck}\n",
            self.issued(),
            counters.events_sent,
            counters.sockets_opened,
            counters.sockets_idle,
            counters.heartbeats,
            self.tokens_issued(),
        )
    }
}
