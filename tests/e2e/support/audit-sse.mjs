// What "distinct connections" of the GraphQL over SSE protocol asks of a server, with `tick` as the subscription.
import assert from 'node:assert/strict';

const TICKS = 'subscription { tick(n: 3) }';

const post = (url, query, accept = 'text/event-stream') =>
  fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept },
    body: JSON.stringify({ query }),
  });

/** The named events of a stream, without the comments that keep it alive. */
function events(text) {
  const blocks = text.split('\n\n').map((block) => {
    const lines = block.split('\n').filter((line) => line.includes(':') && !line.startsWith(':'));
    return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]));
  });
  return blocks.filter(({ event }) => event !== undefined);
}

const kinds = (text) => events(text).map(({ event }) => event);
const stream = (response) => {
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type'), /^text\/event-stream/);
  return response.text();
};

export const eventStreamAudits = {
  async 'a subscription is its results, then its end'(url) {
    const text = await stream(await post(url, TICKS));
    assert.deepEqual(kinds(text), ['next', 'next', 'next', 'complete']);
    assert.deepEqual(events(text).slice(0, 3).map(({ data }) => JSON.parse(data).data.tick), [1, 2, 3]);
  },
  async 'a query is one result, then the end'(url) {
    assert.deepEqual(kinds(await stream(await post(url, '{ __typename }'))), ['next', 'complete']);
  },
  async 'GET will do, for the EventSource of a page'(url) {
    const response = await fetch(`${url}?query=${encodeURIComponent(TICKS)}`, { headers: { accept: 'text/event-stream' } });
    assert.equal(kinds(await stream(response)).at(-1), 'complete');
  },
  async 'a document that is not valid ends at once, with its errors'(url) {
    const response = await post(url, 'subscription { nothing }');
    const text = await response.text();
    assert.match(text, /errors/);
    if (response.status < 400) assert.deepEqual(kinds(text), ['next', 'complete']);
  },
  async 'a client that reads no stream gets no subscription'(url) {
    const response = await post(url, TICKS, 'application/json');
    assert.match(await response.text(), /errors/);
  },
  async 'each result comes when it is there'(url) {
    const begun = Date.now();
    const response = await post(url, TICKS);
    const times = [];
    const decoder = new TextDecoder();
    for await (const chunk of response.body) {
      if (decoder.decode(chunk, { stream: true }).includes('event: next')) times.push(Date.now() - begun);
    }
    assert.ok(times.at(-1) > times[0], `all at once, after ${times}`);
  },
};
