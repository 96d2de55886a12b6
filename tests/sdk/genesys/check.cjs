// The vendor's JavaScript SDK against `tieline sandbox --platform genesys-notifications`.
//
//     NODE_PATH=… node check.cjs ANNOUNCEMENT
//
// ANNOUNCEMENT is the line that the sandbox prints first with --json. Prints one line for each check
// and ends non-zero if any failed.
'use strict';

const assert = require('node:assert/strict');
const platform = require('purecloud-platform-client-v2');
const WebSocket = require('ws');

const PATIENCE = 20_000;
const sandbox = JSON.parse(process.argv[2]);
const client = platform.ApiClient.instance;

async function change(body) {
  const answer = await fetch(`${sandbox.control}/changes`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  assert.equal(answer.status, 200, await answer.clone().text());
  return answer.json();
}

// Frames of a socket, one by one.
function frames(uri) {
  const socket = new WebSocket(uri);
  const waiting = [];
  const come = [];
  socket.on('message', (data) => {
    const frame = JSON.parse(data);
    const taker = waiting.shift();
    if (taker) taker(frame);
    else come.push(frame);
  });
  const opened = new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  const next = () =>
    come.length ? Promise.resolve(come.shift()) : new Promise((resolve) => waiting.push(resolve));
  return { socket, opened, next };
}

const checks = {
  async token() {
    const { hostname, protocol, port } = new URL(sandbox.endpoint);
    client.setGateway({ host: hostname, protocol: protocol.replace(':', ''), port: Number(port) });
    const granted = await client.loginClientCredentialsGrant(
      sandbox.client_id,
      sandbox.client_secret,
    );
    assert.ok(granted.accessToken);
    assert.equal((await new platform.TokensApi().getTokensMe()).OAuthClient.id, sandbox.client_id);
  },

  async usersAndQueues() {
    const users = await new platform.UsersApi().getUsers({ pageSize: 5, expand: ['presence'] });
    assert.equal(users.entities.length, 5);
    assert.ok(users.entities[0].presence.presenceDefinition.systemPresence);
    const queues = await new platform.RoutingApi().getRoutingQueues({ name: 'support' });
    assert.equal(queues.entities[0].name, 'Support');
  },

  async observations() {
    const queues = await new platform.RoutingApi().getRoutingQueues();
    const observed = await new platform.AnalyticsApi().postAnalyticsQueuesObservationsQuery({
      filter: { type: 'or', predicates: [{ dimension: 'queueId', value: queues.entities[0].id }] },
      metrics: ['oOnQueueUsers', 'oWaiting'],
    });
    assert.ok(observed.results.length > 0);
  },

  async channelAndEvents() {
    const [user] = (await new platform.UsersApi().getUsers({ pageSize: 1 })).entities;
    const api = new platform.NotificationsApi();
    const channel = await api.postNotificationsChannels();
    const topic = `v2.users.${user.id}.presence`;
    const answer = await api.putNotificationsChannelSubscriptions(channel.id, [{ id: topic }]);
    assert.equal(answer.entities[0].state, 'Permitted');
    const { socket, opened, next } = frames(channel.connectUri);
    await opened;
    socket.send(JSON.stringify({ message: 'ping' }));
    let frame = await next();
    while (frame.eventBody.message !== 'pong') frame = await next();
    await change({ change: 'presence', user: user.id, presence: 'TRAINING' });
    while (frame.topicName !== topic) frame = await next();
    assert.equal(frame.eventBody.presenceDefinition.systemPresence, 'TRAINING');
    socket.close();
  },

  async refusals() {
    await assert.rejects(new platform.UsersApi().getUserRoutingstatus('nobody'), { status: 404 });
  },
};

async function main() {
  const limit = setTimeout(() => {
    console.log('FAILED  it takes too long');
    process.exit(1);
  }, 3 * PATIENCE);
  let failed = 0;
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check();
      console.log(`passed  ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED  ${name}: ${error.message ?? JSON.stringify(error)}`);
    }
  }
  clearTimeout(limit);
  process.exit(failed ? 1 : 0);
}

main();
