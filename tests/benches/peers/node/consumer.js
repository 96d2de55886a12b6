// What a team writes by hand: reads a WebSocket, parses each event, and passes it on to every reader
// of a gRPC stream. Nothing is stored, nothing is resumed, nothing is missed loudly.
//
//   node consumer.js PORT WEBSOCKET-URL
'use strict';

const grpc = require('@grpc/grpc-js');
const WebSocket = require('ws');

const [port, url] = process.argv.slice(2);
const readers = new Set();
let sequence = 0;

const plain = (bytes) => bytes;
const service = {
  Subscribe: {
    path: '/tieline.v1.EventService/Subscribe',
    requestStream: false,
    responseStream: true,
    requestSerialize: plain,
    requestDeserialize: plain,
    responseSerialize: (event) => Buffer.from(JSON.stringify(event)),
    responseDeserialize: plain,
  },
};

const server = new grpc.Server();
server.addService(service, {
  Subscribe(call) {
    readers.add(call);
    call.on('cancelled', () => readers.delete(call));
    call.on('close', () => readers.delete(call));
    // So that a reader knows that it is there.
    call.write({ opened: true });
  },
});
server.bindAsync(`127.0.0.1:${port}`, grpc.ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
  const socket = new WebSocket(url);
  socket.on('open', () => socket.send('{}'));
  socket.on('message', (data) => {
    const event = JSON.parse(data.toString());
    if (event.eventType === undefined) return;
    sequence += 1;
    event.received = sequence;
    for (const reader of readers) reader.write(event);
  });
});
