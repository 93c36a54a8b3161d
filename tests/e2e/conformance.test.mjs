// What auditors who are not ours say of our HTTP layer: Apollo's federation subgraph compatibility suite, and the audit of
// GraphQL over HTTP. Beside them our own of the two protocols that stream, after their specifications.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { serverAudits } from 'graphql-http';
import proto from '@apollo/usage-reporting-protobuf';
import { startConformance, startSuite } from './support/conformance.mjs';
import { eventStreamAudits } from './support/audit-sse.mjs';
import { socketAudits } from './support/audit-ws.mjs';
import { runSuite, SUITE } from './support/suite.mjs';

describe("Apollo's federation subgraph compatibility suite", () => {
  let suite;
  before(async () => (suite = await startSuite(SUITE)));
  after(() => suite?.stop());
  runSuite({ products: () => suite.products, router: () => suite.router });

  test('ftv1: the trace is one that Apollo can read', async () => {
    const response = await fetch(suite.products, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'apollo-federation-include-trace': 'ftv1' },
      body: JSON.stringify({ query: '{ it: product(id: "apollo-federation") { id research { outcome } } }' }),
    });
    const { extensions } = await response.json();
    const trace = proto.Trace.decode(Buffer.from(extensions.ftv1, 'base64'));
    const [product] = trace.root.child;
    assert.deepEqual(
      [product.responseName, product.originalFieldName, product.type, product.parentType],
      ['it', 'product', 'Product', 'Query'],
    );
    assert.deepEqual(product.child.map(({ responseName }) => responseName), ['id', 'research']);
    const [item] = product.child[1].child;
    assert.deepEqual([item.id, item.index, item.child[0].responseName], ['index', 0, 'outcome']);
    assert.ok(Number(product.startTime) <= Number(product.endTime));
    assert.ok(Number(product.endTime) <= Number(trace.durationNs));
    assert.ok(Math.abs(Number(trace.startTime.seconds) - Date.now() / 1000) < 60);
  });
});

describe('audits', () => {
  let server;
  before(async () => (server = await startConformance()));
  after(() => server?.stop());

  test('GraphQL over HTTP: MUST 13/13, SHOULD 23/23', async (t) => {
    const found = {};
    const failed = [];
    for (const audit of serverAudits({ url: server.url, fetchFn: fetch })) {
      const level = audit.name.split(' ')[0];
      found[level] ??= [0, 0];
      found[level][1] += 1;
      const result = await audit.fn();
      if (result.status === 'ok') found[level][0] += 1;
      else if (level !== 'MAY') failed.push(`${audit.id} ${audit.name}: ${result.reason}`);
    }
    t.diagnostic(Object.entries(found).map(([level, [passed, all]]) => `${level} ${passed}/${all}`).join(', '));
    assert.deepEqual(failed, []);
    assert.deepEqual([found.MUST, found.SHOULD], [[13, 13], [23, 23]]);
  });

  describe('graphql-transport-ws', () => {
    for (const [name, audit] of Object.entries(socketAudits)) {
      test(name, () => audit(server.url.replace('http', 'ws')));
    }
  });

  describe('GraphQL over SSE, distinct connections', () => {
    for (const [name, audit] of Object.entries(eventStreamAudits)) test(name, () => audit(server.url));
  });
});
