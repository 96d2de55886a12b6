// The vendor's client exchanges a token, discovers the services, joins a session and receives what
// happens: agent states, a contact from its offer to its end, and a snapshot after a stale id.
'use strict';

const assert = require('node:assert/strict');
const { install } = require('./browser.cjs');

const PATIENCE = 20_000;
const sandbox = JSON.parse(process.argv[2]);
const endpoint = sandbox.endpoint.replace(/\/$/, '');
const agent = sandbox.agents[0];
install(endpoint);
const { CXoneAuth, ACDSessionManager, CXoneLeaderElector } = require(process.argv[3]);

async function step(name, work) {
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${name}: nothing within ${PATIENCE} ms`)), PATIENCE);
  });
  try {
    const made = await Promise.race([work(), limit]);
    console.log(`ok   ${name}`);
    return made;
  } finally {
    clearTimeout(timer);
  }
}

async function control(method, path, body) {
  const answer = await fetch(`${sandbox.control}/${path}`, {
    method,
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  assert.equal(answer.status, 200, await answer.clone().text());
  return answer.json();
}

const change = (body) => control('POST', `agents/${agent}/change`, body);

/** The grant of back-end clients, which the browser's client does not have. */
async function serviceToken() {
  const basic = Buffer.from(`${sandbox.client_id}:${sandbox.client_secret}`).toString('base64');
  const answer = await fetch(`${endpoint}/auth/token`, {
    method: 'POST',
    headers: { Authorization: `Basic ${basic}` },
    body: new URLSearchParams({
      grant_type: 'password',
      username: sandbox.access_key_id,
      password: sandbox.access_key_secret,
    }),
  });
  assert.equal(answer.status, 200);
  return (await answer.json()).access_token;
}

/** The next value that a test accepts. */
function next(subject, accept) {
  return new Promise((resolve) => {
    const subscription = subject.subscribe((value) => {
      if (accept(value)) {
        subscription.unsubscribe();
        resolve(value);
      }
    });
  });
}

async function main() {
  const accessToken = await step('a back-end token by access key', serviceToken);
  const auth = CXoneAuth.instance;
  auth.init({ cxoneHostname: endpoint, clientId: sandbox.client_id, redirectUri: endpoint });
  const token = await step('the client exchanges it, verifies the id token and discovers', () =>
    auth.getAccessTokenByToken({ accessToken }));
  assert.notEqual(token.accessToken, accessToken);
  const config = auth.getCXoneConfig();
  assert.equal(config.acdApiBaseUri.replace(/\/$/, ''), endpoint);

  const session = ACDSessionManager.instance;
  session.initialize(token.accessToken, config, { icAgentId: agent });
  Object.defineProperty(CXoneLeaderElector.instance, 'isLeader', { value: true, writable: true });
  const started = next(session.onAgentSessionChange, (change) =>
    change.status === 'SessionStart' && change.data.agentId === agent);
  const state = next(session.agentStateSubject, () => true);
  await step('it joins the session of an agent', () => session.joinSession({ agentId: agent }));
  // It would ask the administration API first whether to poll or to open a socket.
  session.startGetNextEvents();
  await step('the session begins with what is', () => Promise.all([started, state]));

  const lunch = next(session.agentStateSubject, (event) => event.currentState.reason === 'Lunch');
  await change({ change: 'state', state: 'Unavailable', reason: 'Lunch' });
  await step('a state of the agent arrives', () => lunch);

  const offered = next(session.callContactEventSubject, (event) => event.status === 'Incoming');
  const { contact } = await change({ change: 'offer', kind: 'call' });
  const call = await step('a call is offered', () => offered);
  assert.equal(call.contactId, contact);
  assert.equal(call.masterId, contact);
  assert.equal(call.finalState, false);

  const again = next(session.callContactEventSubject, (event) => event.contactId === contact);
  await control('PUT', 'faults/stale_session', { count: 1 });
  await step('a stale id brings the contact once more', () => again);

  const ended = next(session.callContactEventSubject, (event) => event.finalState === true);
  await change({ change: 'contact', contact, status: 'Disconnected', ended: true });
  assert.equal((await step('the call ends', () => ended)).contactId, contact);

  const digital = next(session.digitalContactSubject, () => true);
  await change({ change: 'offer', kind: 'digital' });
  await step('a digital contact is offered', () => digital);

  const over = next(session.onAgentSessionChange, (change) => change.status === 'SessionEnd');
  await change({ change: 'sign_out' });
  await step('the session ends', () => over);
  await change({ change: 'sign_in' });
}

main().then(() => process.exit(0), (error) => {
  console.error(`FAIL ${error?.stack ?? error}`);
  process.exit(1);
});
