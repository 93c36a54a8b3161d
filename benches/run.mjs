// Runs the scenarios of the bench side by side, and prints one table of ratios:  node benches/run.mjs [--quick]
//
// It starts a PostgreSQL of its own with 100,000 users, Denizen (release build) on it and on SQLite, L1 (the practical
// limit) and Apollo, checks that all of them answer the same, and lets them take turns. Rounds during which somebody else
// used the machine are run again. Everything is stopped and removed at the end.
import { execFileSync } from 'node:child_process';
import { createWriteStream, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import * as data from './lib/data.mjs';
import { benches, end, folder, freePort, inTurns, median, peak, postgres, ratio, say, sleep, start, until, wrk } from './lib/machine.mjs';

const root = dirname(benches);
const target = process.env.CARGO_TARGET_DIR ?? join(root, 'target');
const quick = process.argv.includes('--quick');
const only = process.argv.find((word) => word.startsWith('--only='))?.slice(7).split(',');
const rounds = quick ? 5 : 7;
const seconds = quick ? 1 : 5;
// A short run has fewer people, for the sake of the time that it takes to bring them in.
const [users, orgs] = [quick ? 20_000 : 100_000, 1_000];
const password = 'seven lanterns on a bridge';
const cost = 12;

// ── what is asked ──
// The same numbers in every run.
let seed = 42;
const random = (below) => (seed = (seed * 1103515245 + 12345) % 2147483648) % below;
const someone = () => 1 + random(users);
const known = (number) => data.typeId('user', 2, number);
const one = Array.from({ length: 1000 }, someone);
const many = Array.from({ length: 50 }, () => Array.from({ length: 100 }, () => known(someone())));

const Q1 = 'query ($id: ID!) { user(by: { id: $id }) { id userName name email status organization { id code name } roles { code permissions } } }';
const Q2 = '{ users(first: 50) { edges { node { id userName name email organization { name } roles { code } } } } }';
const Q3 = 'query ($r: [_Any!]!) { _entities(representations: $r) { ... on User { id userName name email organization { name } } } }';
const TEXT = 'query ($text: String!) { users(first: 20, filter: { text: $text }) { edges { node { userName } } } }';
const LOGIN = 'mutation ($name: String!, $password: String!) { login(input: { identifier: $name, password: $password }) { tokens { accessToken } errors { code } } }';

/** Whom SQLite knows by other ids, `elsewhere` says. */
function scenarios(elsewhere) {
  const ids = one.map(known);
  const graphql = (query, variables) => JSON.stringify({ query, variables });
  const [person, page] = [(id) => graphql(Q1, { id }), [graphql(Q2)]];
  return {
    Q1: { graphql: ids.map(person), sqlite: elsewhere.map(person), l1: { method: 'GET', path: '/q1?id=', bodies: ids } },
    Q2: { graphql: page, sqlite: page, l1: { method: 'GET', path: '/q2', bodies: [''] } },
    Q3: {
      graphql: many.map((ids) => graphql(Q3, { r: ids.map((id) => ({ __typename: 'User', id })) })),
      l1: { method: 'POST', path: '/q3', bodies: many.map((ids) => JSON.stringify(ids)) },
    },
  };
}

async function post(url, body, token) {
  const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) };
  const answer = await fetch(url, { method: 'POST', headers, body: typeof body === 'string' ? body : JSON.stringify(body) });
  return answer.json();
}

// ── who is asked ──
const denizen = process.env.BENCH_DENIZEN ?? join(target, 'release/denizen');
const l1Binary = join(target, 'bench/release/l1');

/** Denizen on this database, filled by `fill` and started again, and an administrator's token. */
async function serve(database, fill) {
  const port = await freePort();
  const env = {
    DENIZEN_DATABASE_URL: database,
    DENIZEN_LISTEN: `127.0.0.1:${port}`,
    DENIZEN_SECRET: Buffer.alloc(32, 'bench secret ').toString('base64'),
    DENIZEN_ADMIN_EMAIL: 'root@example.org',
    DENIZEN_ADMIN_PASSWORD: password,
    DENIZEN_BCRYPT_COST: String(cost),
    DENIZEN_ACCESS_TOKEN_TTL: '24h',
    DENIZEN_LOG: 'warn',
  };
  const base = `http://127.0.0.1:${port}`;
  const url = `${base}/graphql`;
  const begin = async () => {
    const server = start('Denizen', denizen, ['serve'], env);
    await until('Denizen', async () => (await fetch(`${base}/health/ready`)).ok);
    return server;
  };
  const first = await begin();
  const { data: found } = await post(url, { query: LOGIN, variables: { name: 'admin', password } });
  const token = found.login.tokens.accessToken;
  await fill({ url, token, env });
  await end(first);
  const server = await begin();
  return { base, url, token, pid: server.pid, end: () => end(server) };
}

/** Fills a database through the doors that there are: its shell does not know everything that our SQLite knows. */
async function bringIn({ url, token, env }) {
  for (let from = 1; from <= orgs; from += 100) {
    const query = 'mutation ($o: [OrganizationInput!]!) { upsertOrganizations(input: { organizations: $o }) { errors { message } } }';
    const answer = await post(url, { query, variables: { o: data.organizations(from, from + 99) } }, token);
    if (answer.errors ?? answer.data.upsertOrganizations.errors.length) throw new Error(JSON.stringify(answer));
  }
  const file = join(folder, 'people.ndjson');
  const lines = createWriteStream(file);
  for (const line of data.people(users, orgs)) lines.write(line);
  await new Promise((resolve) => lines.end(resolve));
  execFileSync(denizen, ['import', file], { env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'pipe'] });
}

/** The ids of those who are asked for. */
async function idsOf({ url, token }) {
  const ids = new Map();
  const query = 'query ($names: [String!]) { users(first: 100, filter: { userNames: $names }) { edges { node { id userName } } } }';
  for (let from = 0; from < one.length; from += 100) {
    const names = one.slice(from, from + 100).map((number) => `user${number}`);
    const { data: found } = await post(url, { query, variables: { names } }, token);
    for (const { node } of found.users.edges) ids.set(node.userName, node.id);
  }
  return one.map((number) => ids.get(`user${number}`));
}

async function peers(url) {
  const [l1Port, apolloPort] = [await freePort(), await freePort()];
  start('L1', l1Binary, [], { DATABASE_URL: url, LISTEN: `127.0.0.1:${l1Port}` });
  start('Apollo', 'node', [join(benches, 'peers/apollo/server.mjs')], { DATABASE_URL: url, PORT: String(apolloPort), NODE_ENV: 'production' });
  const [l1, apollo] = [`http://127.0.0.1:${l1Port}`, `http://127.0.0.1:${apolloPort}`];
  await until('L1', async () => (await fetch(`${l1}/q2`)).ok);
  await until('Apollo', async () => (await post(`${apollo}/`, { query: '{ __typename }' })).data);
  return { l1, apollo };
}

async function checkSame(name, scenario, onPostgres, onSqlite, { l1, apollo }) {
  for (let index = 0; index < Math.min(5, scenario.graphql.length); index += 1) {
    const body = scenario.graphql[index];
    const { data: ours, errors } = await post(onPostgres.url, body, onPostgres.token);
    if (errors) throw new Error(`${name}: ${JSON.stringify(errors)}`);
    const { method, path, bodies } = scenario.l1;
    const limit = method === 'GET' ? await (await fetch(l1 + path + bodies[index])).json() : await post(l1 + path, bodies[index]);
    const others = { L1: limit.data, Apollo: (await post(`${apollo}/`, body)).data };
    if (scenario.sqlite) others.SQLite = (await post(onSqlite.url, scenario.sqlite[index], onSqlite.token)).data;
    for (const [peer, theirs] of Object.entries(others)) {
      // SQLite was filled by an import, which gives ids of its own.
      const shown = (answer) => JSON.parse(JSON.stringify(answer, (key, value) => (peer === 'SQLite' && key === 'id' ? null : value)));
      if (isDeepStrictEqual(shown(ours), shown(theirs))) continue;
      throw new Error(`${name}: ${peer} answers otherwise:\n${JSON.stringify(ours).slice(0, 800)}\n${JSON.stringify(theirs).slice(0, 800)}`);
    }
  }
}

// ── the scenarios ──
const table = [];
const notes = [];
const row = (what, ratios, goal) => table.push(`| ${what} | ${ratios} | ${goal} |`);

async function reads(onPostgres, onSqlite, { l1, apollo }) {
  const goals = { Q1: ['≥ 0.7', '≥ 10'], Q2: ['≥ 0.55', '≥ 6'], Q3: ['≥ 0.55', '≥ 6'] };
  for (const [name, scenario] of Object.entries(scenarios(onSqlite.ids))) {
    if (only && !only.includes(name)) continue;
    const graphql = (path) => ({ method: 'POST', path, bodies: scenario.graphql });
    const runs = {
      denizen: () => wrk(onPostgres.base, graphql('/graphql'), onPostgres.token, seconds),
      l1: () => wrk(l1, scenario.l1, null, seconds),
      apollo: () => wrk(apollo, graphql('/'), null, seconds),
      ...(scenario.sqlite && {
        sqlite: () => wrk(onSqlite.base, { ...graphql('/graphql'), bodies: scenario.sqlite }, onSqlite.token, seconds),
      }),
    };
    // Connections, statements and the just-in-time compiler warm up unmeasured.
    for (const run of Object.values(runs)) await run();
    const tell = (taken) => say(`${name}: ${Object.entries(taken).map(([peer, { rate }]) => `${peer} ${Math.round(rate)}/s`).join(', ')}`);
    const { measured, disturbed } = await inTurns(rounds, runs, tell);
    const rate = (round) => round.rate;
    row(`${name}: throughput against L1`, ratio(measured.denizen, measured.l1, rate), goals[name][0]);
    row(`${name}: throughput against Apollo`, ratio(measured.denizen, measured.apollo, rate), goals[name][1]);
    row(`${name}: 99th percentile against L1's`, ratio(measured.denizen, measured.l1, (round) => round.p99), '');
    if (scenario.sqlite) row(`${name}: SQLite against our PostgreSQL`, ratio(measured.sqlite, measured.denizen, rate), '≥ 0.8');
    if (disturbed) notes.push(`${disturbed} of the rounds of ${name} were taken although others used the machine.`);
  }
}

const whoever = Array.from({ length: 500 }, (_, index) => JSON.stringify({ query: LOGIN, variables: { name: `user${1 + index}`, password } }));

/** Logins, each as soon as there is an answer to another one. */
async function loginsInTurn(server, duration) {
  const load = { method: 'POST', path: '/graphql', bodies: whoever };
  const { found } = await wrk(server.base, load, null, duration, 4 * cpus().length, 'accessToken');
  return { rate: found };
}

/** So many logins a second, however long they take. */
async function loginsAtOnce({ url }, duration, perSecond) {
  const counts = { done: 0, shed: 0, untold: 0, other: 0 };
  const until = Date.now() + duration * 1000;
  const one = async (body) => {
    const { data: found, errors } = await post(url, body);
    if (Date.now() > until) return;
    if (found?.login?.tokens) counts.done += 1;
    else if (errors?.some((error) => error.extensions?.retryAfterSeconds > 0)) counts.shed += 1;
    else if (errors) counts.untold += 1;
    else counts.other += 1;
  };
  const all = [];
  while (Date.now() < until) {
    all.push(one(whoever[all.length % whoever.length]));
    await sleep(1000 / perSecond);
  }
  await Promise.all(all);
  return counts;
}

async function hashing(server) {
  const long = quick ? 3 : 10;
  const raw = async () => ({ rate: Number(execFileSync(l1Binary, ['bcrypt', String(cost), String(long)]).toString()) });
  await loginsInTurn(server, 2);
  const times = quick ? 1 : 5;
  const tell = (taken) => say(`Q4: ${Object.entries(taken).map(([peer, { rate }]) => `${peer} ${rate.toFixed(1)}/s`).join(', ')}`);
  // Longer than the rest: a login takes long, and the first two seconds do not count.
  const { measured } = await inTurns(times, { raw, logins: () => loginsInTurn(server, 2 * long) }, tell);
  row('Q4: logins against raw bcrypt on all cores', ratio(measured.logins, measured.raw, ({ rate }) => rate), '≥ 0.95');

  const capacity = median(measured.logins.map(({ rate }) => rate));
  const q1 = { method: 'POST', path: '/graphql', bodies: scenarios([]).Q1.graphql };
  const read = () => wrk(server.base, q1, server.token, long);
  const storm = async () => {
    const [read, login] = await Promise.all([wrk(server.base, q1, server.token, long), loginsAtOnce(server, long, 3 * capacity)]);
    return { ...read, login };
  };
  await read();
  const told = ({ alone, under }) => say(`mixed: ${Math.round(alone.rate)}/s alone, ${Math.round(under.rate)}/s under ${JSON.stringify(under.login)}`);
  const mixed = (await inTurns(times, { alone: read, under: storm }, told)).measured;
  row('Q1 while three times as many logins arrive as fit: throughput kept', ratio(mixed.under, mixed.alone, ({ rate }) => rate), '≥ 0.8');
  row('… 99th percentile against that without logins', ratio(mixed.under, mixed.alone, ({ p99 }) => p99), '≤ 4');
  const sum = (what) => mixed.under.reduce((all, { login }) => all + login[what], 0);
  row('… of the logins: let in, told when to come back, failed otherwise', `${sum('done')}, ${sum('shed')}, ${sum('untold') + sum('other')}`, 'the last is 0');
}

/** Finding people by a part of their name among a million, with and without the index. */
async function text({ url, psql }) {
  const many = 1_000_000;
  say(`filling another database with ${many} users`);
  psql('postgres', '-c', 'CREATE DATABASE million');
  const million = await serve(url('million'), () => psql('million', '-v', `users=${many}`, '-v', `orgs=${orgs}`, '-f', join(benches, 'data.sql')));
  const search = async (round) => {
    const begun = performance.now();
    const found = await post(million.url, { query: TEXT, variables: { text: `given${700_000 + 137 * round} family` } }, million.token);
    if (found.data?.users?.edges?.length !== 1) throw new Error(`the text search found ${JSON.stringify(found)}`);
    return { time: performance.now() - begun };
  };
  const timed = async () => { const all = []; for (let round = 0; round < 2 * rounds; round += 1) all.push(await search(round)); return all; };
  await timed();
  const indexed = await timed();
  psql('million', '-c', 'DROP INDEX ix__users__text');
  await search(0);
  const unindexed = await timed();
  await million.end();
  row('Text search among a million users: times faster than without its index', ratio(unindexed, indexed, ({ time }) => time), '≥ 10');
}

async function main() {
  if (!process.env.BENCH_DENIZEN) {
    say('building');
    execFileSync('cargo', ['build', '--release', '--quiet', '--locked'], { cwd: root, stdio: 'inherit' });
  }
  execFileSync('cargo', ['build', '--release', '--quiet', '--locked', '--target-dir', join(target, 'bench')], { cwd: join(benches, 'peers/l1'), stdio: 'inherit' });

  say(`filling PostgreSQL and SQLite with ${users} users`);
  const database = await postgres();
  const { url, psql } = database;
  psql('postgres', '-c', 'CREATE DATABASE people');
  const onPostgres = await serve(url('people'), () => {
    psql('people', '-v', `users=${users}`, '-v', `orgs=${orgs}`, '-f', join(benches, 'data.sql'));
    psql('people', '-c', `INSERT INTO passwords SELECT u.id, p.hash, p.changed_at FROM passwords p, users u WHERE u.created_at <= 1767225600500`);
  });
  const onSqlite = await serve(`sqlite://${join(folder, 'people.db')}`, bringIn);
  onSqlite.ids = await idsOf(onSqlite);
  const others = await peers(url('people'));
  for (const [name, scenario] of Object.entries(scenarios(onSqlite.ids))) await checkSame(name, scenario, onPostgres, onSqlite, others);
  say('all give the same answers');

  await reads(onPostgres, onSqlite, others);
  const held = [peak(onPostgres.pid), peak(onSqlite.pid)];
  if (!only || only.includes('Q4')) await hashing(onPostgres);
  row('Most memory held on PostgreSQL: after the reads, after the logins', `${held[0]}, ${peak(onPostgres.pid)} MiB`, '≤ 100');
  row('Most memory held on SQLite: after the reads', `${held[1]} MiB`, '≤ 250');
  if (only ? only.includes('text') : !quick) await text(database);

  const shown = [
    '| | Median (range) | Goal |',
    '| --- | --- | --- |',
    ...table,
    '',
    `Ratios of what was measured in turns within one run: ${rounds} rounds of ${seconds} s, 32 connections, ${users} users, an administrator's token`,
    `on every request; ${cpus().length} cores, shared by the server, PostgreSQL and \`wrk\`.`,
    ...notes,
  ].join('\n');
  console.log(shown);
  if (!quick && !only) writeFileSync(join(benches, 'RESULTS.md'), `# The last run of \`make bench\`\n\n${shown}\n`);
}

await main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
process.exit();
