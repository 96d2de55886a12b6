//! What somebody is told who starts the sandbox by hand: a configuration and commands that work.

use super::GenesysCloud;

impl GenesysCloud {
    /// Addresses, credentials, a piece of configuration and commands to try, for people.
    #[must_use]
    pub fn greeting(&self, seed: u64) -> String {
        let client = self.client_credentials();
        let endpoint = self.endpoint();
        let endpoint = endpoint.as_str().trim_end_matches('/');
        let control = format!("{}control/v1", self.control_url());
        let ca = self.ca_file();
        let (curl_ca, tls) = match &ca {
            None => (String::new(), String::new()),
            Some(file) => (
                format!(" --cacert {file}"),
                format!("\n    tls: {{ ca_file: {file} }}"),
            ),
        };
        let world = self.world();
        let user = world.users.keys().next().map_or("", String::as_str);
        format!(
            "platform   genesys-notifications at {endpoint} (login, API and sockets)
control    {control}
client id  {id}
secret     {secret}
seed       {seed}

A configuration for `tieline run`:
  export GENESYS_CLIENT_ID={id} GENESYS_CLIENT_SECRET={secret}
  cat > tieline.yaml <<'END'
journals: [{{ name: default, path: ./journal }}]
sessions:
  - name: contact-centre
    platform: genesys-notifications
    endpoint: {endpoint}{tls}
    auth: {{ grant: client_credentials, client_id_env: GENESYS_CLIENT_ID, client_secret_env: GENESYS_CLIENT_SECRET }}
    topics:
      - v2.users.{{id}}?presence&routingStatus: all
      - v2.routing.queues.{{id}}.conversations: [Support, Sales]
      - v2.analytics.queues.{{id}}.observations: all
END
  tieline run --config tieline.yaml

A token, the users, a channel and its topics; then open the channel's connectUri with any WebSocket client:
  TOKEN=$(curl -s{curl_ca} -u {id}:{secret} -d grant_type=client_credentials {endpoint}/oauth/token | sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')
  curl{curl_ca} -H \"Authorization: Bearer $TOKEN\" '{endpoint}/api/v2/users?expand=presence,routingStatus'
  CHANNEL=$(curl -s{curl_ca} -X POST -H \"Authorization: Bearer $TOKEN\" {endpoint}/api/v2/notifications/channels | sed 's/.*\"id\":\"\\([^\"]*\\)\".*/\\1/')
  curl{curl_ca} -X PUT -H \"Authorization: Bearer $TOKEN\" -d '[{{\"id\":\"v2.users.{user}.presence\"}}]' {endpoint}/api/v2/notifications/channels/$CHANNEL/subscriptions
Something that happens, what was told, and something that goes wrong:
  curl -H 'Content-Type: application/json' -d '{{\"change\":\"presence\",\"user\":\"{user}\",\"presence\":\"MEAL\"}}' {control}/changes
  curl '{control}/ledger?after=0&limit=5'
  curl -X PUT -d '{{\"notice\":\"5s\",\"count\":1}}' {control}/faults/socket_closing

",
            id = client.id,
            secret = client.secret,
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
            "facts {}, sent {}; channels {}, of these evicted {}; tokens {}; faults struck {struck}\n",
            self.ledger(0, 0).issued,
            counters.events_sent,
            counters.channels_made,
            counters.channels_evicted,
            self.tokens_issued(),
        )
    }
}
