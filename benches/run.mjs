// Runs the scenarios of the bench side by side, and prints one table of ratios:  node benches/run.mjs [--quick]
//
// It starts a private PostgreSQL with 100,000 users, Denizen (release build), L1 (the practical limit) and Apollo, checks
// that all three answer the same, and then lets them take turns under `wrk`. Rounds during which somebody else was using
// the machine are run again. Everything is stopped and removed at the end.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(here);
const target = process.env.CARGO_TARGET_DIR ?? join(root, 'target');
const quick = process.argv.includes('--quick');
const rounds = quick ? 3 : 7;
const seconds = quick ? 3 : 6;
const users = 100_000;
const orgs = 1_000;
const folder = mkdtempSync(join(tmpdir(), 'denizen-bench-'));
const started = [];
const say = (text) => process.stderr.write(`bench: ${text}\n`);

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

function start(name, command, args, env) {
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (text) => (said = (said + text).slice(-4000)));
  child.on('exit', (code) => {
    if (!stopping && code !== 0) {
      say(`${name} ended with ${code}: ${said}`);
      process.exit(1);
    }
  });
  started.push(child);
  return child;
}

async function until(what, ready) {
  for (let tries = 0; tries < 600; tries += 1) {
    if (await ready().catch(() => false)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${what} did not become ready`);
}

// ── the database ──
function postgresTool(name) {
  const found = spawnSync('sh', ['-c', `command -v ${name}`]).stdout.toString().trim();
  if (found) return found;
  const versions = readdirSync('/usr/lib/postgresql').sort((a, b) => b - a);
  return `/usr/lib/postgresql/${versions[0]}/bin/${name}`;
}

async function database() {
  const port = await freePort();
  const data = join(folder, 'postgres');
  const asRoot = process.getuid() === 0;
  if (asRoot) execFileSync('chown', ['-R', 'postgres', folder]);
  const as = (command, args) =>
    asRoot ? ['setpriv', ['--reuid=postgres', '--regid=postgres', '--clear-groups', '--', command, ...args]] : [command, args];
  const run = (command, args) => execFileSync(...as(command, args), { stdio: ['ignore', 'ignore', 'inherit'] });
  run(postgresTool('initdb'), ['-D', data, '-U', 'denizen', '--auth=trust', '-E', 'UTF8', '--locale=C']);
  const settings = { port, listen_addresses: '127.0.0.1', unix_socket_directories: '', shared_buffers: '512MB', synchronous_commit: 'on', autovacuum: 'off' };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  start('PostgreSQL', ...as(postgresTool('postgres'), ['-D', data, ...flags]), {});
  const url = `postgres://denizen@127.0.0.1:${port}/postgres`;
  const psql = (...args) => execFileSync(postgresTool('psql'), ['-X', '-q', url, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  await until('PostgreSQL', async () => spawnSync(postgresTool('psql'), ['-X', '-q', url, '-c', 'SELECT 1']).status === 0);
  return { url, psql };
}

// ── the three ──
const denizen = join(target, 'release', 'denizen');
const settings = (url, port) => ({
  DENIZEN_DATABASE_URL: url,
  DENIZEN_LISTEN: `127.0.0.1:${port}`,
  DENIZEN_SECRET: Buffer.alloc(32, 'bench secret ').toString('base64'),
  DENIZEN_ADMIN_EMAIL: 'root@example.org',
  DENIZEN_ADMIN_PASSWORD: 'seven lanterns on a bridge',
  DENIZEN_BCRYPT_COST: '10',
  DENIZEN_ACCESS_TOKEN_TTL: '24h',
  DENIZEN_LOG: 'warn',
});

async function post(url, body, token) {
  const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) };
  const answer = await fetch(url, { method: 'POST', headers, body: typeof body === 'string' ? body : JSON.stringify(body) });
  return answer.json();
}

const typeId = (prefix, kind, number) => {
  const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';
  let bits = BigInt(`0x${kind.toString(16).padStart(8, '0')}000070008000${number.toString(16).padStart(12, '0')}`);
  let text = '';
  for (let place = 0; place < 26; place += 1, bits >>= 5n) text = alphabet[Number(bits & 31n)] + text;
  return `${prefix}_${text}`;
};
// The same numbers in every run.
let seed = 42;
const random = (below) => (seed = (seed * 1103515245 + 12345) % 2147483648) % below;
const someone = () => typeId('user', 2, 1 + random(users));

const Q1 = 'query ($id: ID!) { user(by: { id: $id }) { id userName name email status organization { id code name } roles { id code permissions } } }';
const Q2 = '{ users(first: 50) { edges { node { id userName name email organization { name } roles { code } } } } }';
const Q3 = 'query ($r: [_Any!]!) { _entities(representations: $r) { ... on User { id userName name email organization { name } } } }';

function scenarios() {
  const one = Array.from({ length: 1000 }, someone);
  const many = Array.from({ length: 50 }, () => Array.from({ length: 100 }, someone));
  const graphql = (query, variables) => JSON.stringify({ query, variables });
  return {
    Q1: {
      graphql: one.map((id) => graphql(Q1, { id })),
      l1: { method: 'GET', path: '/q1?id=', bodies: one },
    },
    Q2: { graphql: [graphql(Q2)], l1: { method: 'GET', path: '/q2', bodies: [''] } },
    Q3: {
      graphql: many.map((ids) => graphql(Q3, { r: ids.map((id) => ({ __typename: 'User', id })) })),
      l1: { method: 'POST', path: '/q3', bodies: many.map((ids) => JSON.stringify(ids)) },
    },
  };
}

// ── measuring ──
/** Jiffies of all processes, and those of nobody. */
function busy() {
  const fields = readFileSync('/proc/stat', 'utf8').split('\n')[0].split(/\s+/).slice(1).map(Number);
  const idle = fields[3] + fields[4];
  return { idle, all: fields.slice(0, 8).reduce((sum, field) => sum + field, 0), stolen: fields[7] };
}

/** Waits until nobody else uses the machine. Says whether that came true. */
async function quiet() {
  for (let tries = 0; tries < 60; tries += 1) {
    const before = busy();
    await new Promise((resolve) => setTimeout(resolve, 500));
    const after = busy();
    if ((after.idle - before.idle) / (after.all - before.all) > 0.85) return true;
  }
  return false;
}

function wrk(base, load, token) {
  const bodies = join(folder, 'bodies');
  writeFileSync(bodies, load.bodies.join('\n') + '\n');
  const env = { ...process.env, BODIES: bodies, METHOD: load.method, URL_PATH: load.path, TOKEN: token ?? '' };
  return new Promise((resolve, reject) => {
    const child = spawn('wrk', ['-t1', '-c32', `-d${seconds}s`, '-s', join(here, 'load.lua'), base], { env });
    let out = '';
    child.stdout.on('data', (text) => (out += text));
    child.on('exit', () => {
      const result = /RESULT (\S+) (\S+) (\d+)/.exec(out);
      if (!result || Number(result[3]) > 0) return reject(new Error(`wrk against ${base}${load.path}: ${out}`));
      resolve({ rate: Number(result[1]), p99: Number(result[2]) });
    });
  });
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const ratio = (values) =>
  `${median(values).toFixed(2)} (${Math.min(...values).toFixed(2)} to ${Math.max(...values).toFixed(2)})`;
/** Resident memory of a process, in MiB. */
const memory = (pid) => Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024);

let stopping = false;
function stop() {
  stopping = true;
  for (const child of started.toReversed()) child.kill(child.spawnargs.some((arg) => arg.endsWith('/postgres')) ? 'SIGINT' : 'SIGTERM');
}

async function main() {
  say('building');
  execFileSync('cargo', ['build', '--release', '--quiet'], { cwd: root, stdio: 'inherit' });
  const l1Target = join(target, 'bench');
  execFileSync('cargo', ['build', '--release', '--quiet', '--locked', '--target-dir', l1Target], { cwd: join(here, 'peers/l1'), stdio: 'inherit' });

  say(`filling PostgreSQL with ${users} users`);
  const { url, psql } = await database();
  const [port, l1Port, apolloPort] = [await freePort(), await freePort(), await freePort()];
  execFileSync(denizen, ['migrate'], { env: { ...process.env, ...settings(url, port) }, stdio: ['ignore', 'ignore', 'inherit'] });
  const server = start('Denizen', denizen, ['serve'], settings(url, port));
  const base = `http://127.0.0.1:${port}`;
  await until('Denizen', async () => (await fetch(`${base}/health/ready`)).ok);
  psql('-v', `users=${users}`, '-v', `orgs=${orgs}`, '-f', join(here, 'data.sql'));
  start('L1', join(l1Target, 'release/l1'), [], { DATABASE_URL: url, LISTEN: `127.0.0.1:${l1Port}` });
  start('Apollo', 'node', [join(here, 'peers/apollo/server.mjs')], { DATABASE_URL: url, PORT: String(apolloPort), NODE_ENV: 'production' });
  const [l1, apollo] = [`http://127.0.0.1:${l1Port}`, `http://127.0.0.1:${apolloPort}`];
  await until('L1', async () => (await fetch(`${l1}/q2`)).ok);
  await until('Apollo', async () => (await post(`${apollo}/`, { query: '{ __typename }' })).data);
  const login = 'mutation { login(input: { identifier: "admin", password: "seven lanterns on a bridge" }) { tokens { accessToken } } }';
  const token = (await post(`${base}/graphql`, { query: login })).data.login.tokens.accessToken;

  const work = scenarios();
  for (const [name, scenario] of Object.entries(work)) {
    for (let index = 0; index < Math.min(5, scenario.graphql.length); index += 1) {
      const ours = (await post(`${base}/graphql`, scenario.graphql[index], token)).data;
      const theirs = (await post(`${apollo}/`, scenario.graphql[index])).data;
      const { method, path, bodies } = scenario.l1;
      const limit = method === 'GET' ? await (await fetch(l1 + path + bodies[index])).json() : await post(l1 + path, bodies[index]);
      for (const [peer, data] of [['Apollo', theirs], ['L1', limit.data]]) {
        if (!isDeepStrictEqual(ours, data)) {
          throw new Error(`${name}: ${peer} answers otherwise:\n${JSON.stringify(ours).slice(0, 600)}\n${JSON.stringify(data).slice(0, 600)}`);
        }
      }
    }
  }
  say('all three give the same answers');

  const graphql = (scenario, path) => ({ method: 'POST', path, bodies: scenario.graphql });
  const rows = [];
  let disturbed = 0;
  for (const [name, scenario] of Object.entries(work)) {
    const peers = [
      ['denizen', () => wrk(base, graphql(scenario, '/graphql'), token)],
      ['l1', () => wrk(l1, scenario.l1)],
      ['apollo', () => wrk(apollo, graphql(scenario, '/'))],
    ];
    // Connections, statements and the just-in-time compiler warm up unmeasured.
    for (const [, run] of peers) await run();
    const measured = { denizen: [], l1: [], apollo: [] };
    for (let round = 0; round < rounds; round += 1) {
      for (const [peer, run] of round % 2 ? peers.toReversed() : peers) {
        if (!(await quiet())) disturbed += 1;
        measured[peer].push(await run());
      }
      say(`${name} round ${round + 1}: ${Object.entries(measured).map(([peer, all]) => `${peer} ${Math.round(all.at(-1).rate)}/s`).join(', ')}`);
    }
    const against = (peer) => ratio(measured.denizen.map(({ rate }, round) => rate / measured[peer][round].rate));
    const tail = ratio(measured.denizen.map(({ p99 }, round) => p99 / measured.l1[round].p99));
    rows.push(`| ${name} | ${against('l1')} | ${against('apollo')} | ${tail} |`);
  }
  const table = [
    '| | Throughput against L1 | against Apollo | p99 against L1 |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
    `Median and range of ${rounds} rounds of ${seconds} s, taken in turns; 32 connections; ${users} users; ${cpus().length} cores shared by`,
    `the server, PostgreSQL and wrk. Denizen held ${memory(server.pid)} MiB after it.`,
    disturbed ? `${disturbed} measurements were taken although the machine was not quiet.` : '',
  ].join('\n');
  console.log(table);
  if (!quick) writeFileSync(join(here, 'RESULTS.md'), `# The last run of \`make bench\`\n\n${table.trim()}\n`);
}

process.on('SIGINT', () => process.exit(130));
process.on('exit', () => {
  stop();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
});
await main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
process.exit();
