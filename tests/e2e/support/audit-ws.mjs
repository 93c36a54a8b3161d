// What the protocol graphql-transport-ws asks of a server, with `tick` as the subscription.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { WebSocket } from 'ws';

const TICKS = { query: 'subscription { tick(n: 3) }' };
const MANY_TICKS = { query: 'subscription { tick(n: 1000) }' };
const WAIT = 5_000;
/** The server gives ten seconds for `connection_init`. */
const LONG_WAIT = 20_000;

/** A socket, what it was told so far, and a way to wait for more. */
class Talk {
  constructor(url, protocol = 'graphql-transport-ws') {
    this.socket = new WebSocket(url, protocol);
    this.heard = [];
    this.waiting = new Set();
    const tell = () => this.waiting.forEach((look) => look());
    this.socket.on('message', (text) => {
      this.heard.push(JSON.parse(String(text)));
      tell();
    });
    this.socket.on('close', (code) => {
      this.closed = code;
      tell();
    });
    this.socket.on('error', (error) => (this.error = error));
  }

  async open() {
    await once(this.socket, 'open');
    return this;
  }

  say(message) {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
    return this;
  }

  subscribe(id, payload) {
    return this.say({ type: 'subscribe', id, payload });
  }

  until(what, wait = WAIT) {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = what(this);
        if (found === undefined || found === false) return;
        clearTimeout(giveUp);
        this.waiting.delete(look);
        resolve(found);
      };
      const giveUp = setTimeout(() => {
        this.waiting.delete(look);
        reject(new Error(`in vain; heard ${JSON.stringify(this.heard)}, closed with ${this.closed}`));
      }, wait);
      this.waiting.add(look);
      look();
    });
  }

  hears = (type, id) => this.until(({ heard }) => heard.find((message) => message.type === type && message.id === id));
  end = (wait) => this.until(({ closed }) => closed, wait);
}

/** Talks, and leaves whatever happens. */
const talk = (work, protocol) => async (url) => {
  const talking = new Talk(url, protocol);
  try {
    await work(talking, url);
  } finally {
    talking.socket.terminate();
  }
};

const begun = (work) =>
  talk(async (it) => {
    await it.open();
    it.say({ type: 'connection_init' });
    await it.hears('connection_ack');
    await work(it);
  });

const closes = (code, work) =>
  begun(async (it) => {
    await work(it);
    assert.equal(await it.end(), code);
  });

export const socketAudits = {
  'the subprotocol is spoken': talk(async (it) => {
    await it.open();
    assert.equal(it.socket.protocol, 'graphql-transport-ws');
  }),
  'an unknown subprotocol is refused': talk(async (it) => {
    assert.ok([1006, 4406].includes(await it.end()));
  }, 'nonsense'),
  'connection_init is acknowledged': begun(() => {}),
  'a ping is answered': begun(async (it) => {
    it.say({ type: 'ping', payload: { a: 1 } });
    await it.hears('pong');
  }),
  'a second connection_init closes with 4429': closes(4429, (it) => it.say({ type: 'connection_init' })),
  'subscribe before connection_init closes with 4401': talk(async (it) => {
    await it.open();
    it.subscribe('1', TICKS);
    assert.equal(await it.end(), 4401);
  }),
  'what is not JSON closes with 4400': closes(4400, (it) => it.say('}{')),
  'an unknown kind of message closes with 4400': closes(4400, (it) => it.say({ type: 'nonsense' })),
  'subscribe without an id closes with 4400': closes(4400, (it) => it.say({ type: 'subscribe', payload: TICKS })),
  'an id that is in use closes with 4409': closes(4409, (it) => it.subscribe('1', MANY_TICKS).subscribe('1', MANY_TICKS)),
  'a subscription is its results, then its end': begun(async (it) => {
    it.subscribe('a', TICKS);
    await it.hears('complete', 'a');
    const ticks = it.heard.filter(({ type, id }) => type === 'next' && id === 'a').map(({ payload }) => payload.data.tick);
    assert.deepEqual(ticks, [1, 2, 3]);
  }),
  'a query is one result, then its end': begun(async (it) => {
    it.subscribe('q', { query: '{ __typename }' });
    await it.hears('complete', 'q');
    assert.equal(it.heard.filter(({ type }) => type === 'next').length, 1);
  }),
  'what is not valid is an error, a list, and the end of it': begun(async (it) => {
    it.subscribe('e', { query: '{ nothing }' });
    const { payload } = await it.hears('error', 'e');
    assert.ok(Array.isArray(payload));
    it.say({ type: 'ping' });
    await it.hears('pong');
    assert.ok(!it.heard.some(({ type }) => type === 'complete'));
  }),
  'what does not parse is an error, too': begun(async (it) => {
    it.subscribe('e', { query: '{' });
    assert.ok(Array.isArray((await it.hears('error', 'e')).payload));
  }),
  'complete ends the stream, is not echoed, and frees the id': begun(async (it) => {
    it.subscribe('c', MANY_TICKS);
    await it.hears('next', 'c');
    it.say({ type: 'complete', id: 'c' }).say({ type: 'ping' });
    await it.hears('pong');
    const before = it.heard.length;
    it.subscribe('c', { query: '{ __typename }' });
    await it.until(({ heard }) => heard.slice(before).some(({ type }) => type === 'complete'));
    assert.deepEqual(it.heard.slice(before).map(({ type }) => type), ['next', 'complete']);
    assert.deepEqual(it.heard.filter(({ type }) => type === 'complete').length, 1);
  }),
  'without connection_init the socket is closed with 4408': talk(async (it) => {
    await it.open();
    assert.equal(await it.end(LONG_WAIT), 4408);
  }),
};
