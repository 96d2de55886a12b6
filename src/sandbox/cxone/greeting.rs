//! What somebody is told who starts the sandbox by hand: a configuration and commands that work.

use super::CxoneAgent;

impl CxoneAgent {
    /// Addresses, credentials, a piece of configuration and commands to try, for people.
    #[must_use]
    pub fn greeting(&self, seed: u64) -> String {
        let key = self.credentials();
        let endpoint = self.endpoint();
        let endpoint = endpoint.as_str().trim_end_matches('/');
        let control = format!("{}control/v1", self.control_url());
        let api = format!("{endpoint}/inContactAPI/services/v23.0");
        format!(
            "platform    cxone-agent at {endpoint}
control     {control}
client      {client} {client_secret}
access key  {id} {secret}
agents      {agents}
seed        {seed}

A session for Tieline, and its secrets:
  sessions:
    - name: cxone
      platform: cxone-agent
      endpoint: {endpoint}
      agent: {{ id: \"{agent}\" }}
      auth:
        grant: password
        client_id_env: CLIENT_ID
        client_secret_env: CLIENT_SECRET
        username_env: ACCESS_KEY_ID
        password_env: ACCESS_KEY_SECRET
  export CLIENT_ID='{client}' CLIENT_SECRET='{client_secret}'
  export ACCESS_KEY_ID='{id}' ACCESS_KEY_SECRET='{secret}'

A token, a session and its first events:
  TOKEN=$(curl -s -u {client}:{client_secret} -d grant_type=password --data-urlencode 'username={id}' --data-urlencode 'password={secret}' {endpoint}/auth/token | sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')
  ID=$(curl -s -H \"Authorization: Bearer $TOKEN\" -d '{{\"asAgentId\":\"{agent}\"}}' {api}/agent-sessions/join | sed 's/.*\"sessionId\":\"\\([^\"]*\\)\".*/\\1/')
  curl -si -H \"Authorization: Bearer $TOKEN\" \"{api}/agent-sessions/$ID/get-next-event?timeout=20\"
Something that happens, what was issued, and something that goes wrong:
  curl -H 'Content-Type: application/json' -d '{{\"change\":\"state\",\"state\":\"Available\"}}' {control}/agents/{agent}/change
  curl '{control}/ledger?after=0&limit=5'
  curl -X PUT -d '{{\"count\":1}}' {control}/faults/stale_session

",
            client = key.client_id,
            client_secret = key.client_secret,
            id = key.access_key_id,
            secret = key.access_key_secret,
            agent = key.agent,
            agents = self.agents().join(", "),
        )
    }

    /// What a script needs to know, on one line.
    #[must_use]
    pub fn announcement(&self, seed: u64) -> String {
        let key = self.credentials();
        let line = serde_json::json!({
            "endpoint": self.endpoint(),
            "control": format!("{}control/v1", self.control_url()),
            "client_id": key.client_id,
            "client_secret": key.client_secret,
            "access_key_id": key.access_key_id,
            "access_key_secret": key.access_key_secret,
            "agents": self.agents(),
            "seed": seed,
        });
        format!("{line}\n")
    }

    /// What came to pass, on one line.
    #[must_use]
    pub fn farewell(&self) -> String {
        let counters = self.counters();
        let struck: u64 = self
            .faults()
            .status()
            .iter()
            .map(|fault| fault.struck)
            .sum();
        let issued = self
            .facts(0, usize::MAX)
            .last()
            .map_or(0, |fact| fact.number);
        format!(
            "issued {issued}, sent {}, snapshots {}; tokens {}; faults struck {struck}\n",
            counters.facts_sent,
            counters.snapshots_sent,
            self.tokens_issued(),
        )
    }
}
