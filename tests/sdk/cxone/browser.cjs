// What the vendor's client expects of a browser, for Node.js: storage, workers, and names.
'use strict';

const rxjs = require('rxjs');
const { fromFetch } = require('rxjs/fetch');

class Storage {
  #items = new Map();
  getItem(key) { return this.#items.has(key) ? this.#items.get(key) : null; }
  setItem(key, value) { this.#items.set(key, String(value)); }
  removeItem(key) { this.#items.delete(key); }
  clear() { this.#items.clear(); }
  key(index) { return [...this.#items.keys()][index] ?? null; }
  get length() { return this.#items.size; }
}

const scripts = new Map();

/** Runs a worker's script in this thread; messages are handed over one turn later. */
class Worker {
  constructor(url) {
    this.terminated = false;
    const self = {
      importScripts: () => { self.rxjs = { ...rxjs, fetch: { fromFetch } }; },
      postMessage: (data) => setTimeout(() => {
        if (!this.terminated && this.onmessage) this.onmessage({ data });
      }, 0),
    };
    this.inside = self;
    const silent = { log() {}, info() {}, error() {}, warn() {} };
    const ready = scripts.get(url).then((script) => {
      new Function('self', 'console', script)(self, silent);
    });
    this.ready = ready;
  }
  postMessage(data) {
    this.ready.then(() => { if (!this.terminated) this.inside.onmessage({ data }); });
  }
  terminate() { this.terminated = true; }
  addEventListener() {}
  removeEventListener() {}
}

/** Makes this process look like a browser whose resolver knows `*.localhost`. */
function install(endpoint) {
  const define = (name, value) => Object.defineProperty(globalThis, name, {
    value, writable: true, configurable: true,
  });
  define('window', globalThis);
  define('self', globalThis);
  define('localStorage', new Storage());
  define('sessionStorage', new Storage());
  define('Worker', Worker);
  define('location', new URL(endpoint));
  const listeners = { addEventListener() {}, removeEventListener() {}, dispatchEvent() {} };
  Object.assign(globalThis, listeners);
  define('document', {
    ...listeners, cookie: '', visibilityState: 'visible', createElement: () => ({ style: {} }),
    getElementsByTagName: () => [], documentElement: { style: {} }, head: { appendChild() {} },
  });
  define('navigator', { onLine: true, userAgent: 'node', language: 'en', locks: undefined });
  URL.createObjectURL = (blob) => {
    const url = `blob:${scripts.size}`;
    scripts.set(url, blob.text());
    return url;
  };
  // `https://api-{cluster}.{acdDomain}` is the sandbox where names below localhost are loopback.
  const base = new URL(endpoint);
  const plain = globalThis.fetch;
  globalThis.fetch = (input, init) => {
    const url = new URL(typeof input === 'string' ? input : input.url ?? input.href);
    if (url.hostname.endsWith('.localhost')) {
      url.protocol = base.protocol;
      url.host = base.host;
    }
    return plain(url.href, init ?? (input instanceof Request ? input : undefined));
  };
}

module.exports = { install };
