// Processes, ports, PostgreSQL, `wrk`, and what the machine was doing meanwhile.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const benches = dirname(dirname(fileURLToPath(import.meta.url)));
export const folder = mkdtempSync(join(tmpdir(), 'denizen-bench-'));
// PostgreSQL runs as a user of its own where we are root, and must get through.
chmodSync(folder, 0o755);
export const say = (text) => process.stderr.write(`bench: ${text}\n`);
export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const started = [];
let stopping = false;

export const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

export function start(name, command, args, env) {
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (text) => (said = (said + text).slice(-4000)));
  child.on('exit', (code) => {
    if (stopping || child.dismissed || code === 0) return;
    say(`${name} ended with ${code}: ${said}`);
    process.exit(1);
  });
  started.push(child);
  return child;
}

/** Ends one of them, and waits for it. */
export async function end(child) {
  child.dismissed = true;
  const gone = new Promise((resolve) => child.on('exit', resolve));
  child.kill('SIGTERM');
  await gone;
}

export async function until(what, ready) {
  for (let tries = 0; tries < 600; tries += 1) {
    if (await ready().catch(() => false)) return;
    await sleep(100);
  }
  throw new Error(`${what} did not become ready`);
}

process.on('SIGINT', () => process.exit(130));
process.on('SIGTERM', () => process.exit(143));
process.on('exit', () => {
  stopping = true;
  // PostgreSQL takes SIGINT for "at once, but in order".
  for (const child of started.toReversed()) child.kill(child.spawnfile.endsWith('/postgres') || child.spawnfile === 'setpriv' ? 'SIGINT' : 'SIGTERM');
  spawnSync('sleep', ['0.5']);
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
});

// ── PostgreSQL ──
function postgresTool(name) {
  const versions = readdirSync('/usr/lib/postgresql').sort((a, b) => b - a);
  return versions.length ? `/usr/lib/postgresql/${versions[0]}/bin/${name}` : name;
}

/** A server of our own, with a database for each name that is asked for. */
export async function postgres() {
  const port = await freePort();
  const data = join(folder, 'postgres');
  const asRoot = process.getuid() === 0;
  execFileSync('mkdir', [data]);
  if (asRoot) execFileSync('chown', ['postgres', data]);
  const as = (command, args) =>
    asRoot ? ['setpriv', ['--reuid=postgres', '--regid=postgres', '--clear-groups', '--', command, ...args]] : [command, args];
  const cwd = '/';
  execFileSync(...as(postgresTool('initdb'), ['-D', data, '-U', 'denizen', '--auth=trust', '-E', 'UTF8', '--locale=C']), {
    cwd,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const settings = { port, listen_addresses: '127.0.0.1', unix_socket_directories: '', shared_buffers: '512MB', autovacuum: 'off', max_wal_size: '4GB' };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  start('PostgreSQL', ...as(postgresTool('postgres'), ['-D', data, ...flags]), {});
  const url = (database) => `postgres://denizen@127.0.0.1:${port}/${database}`;
  const psql = (database, ...args) =>
    execFileSync(postgresTool('psql'), ['-X', '-q', '-v', 'ON_ERROR_STOP=1', url(database), ...args], { stdio: ['ignore', 'pipe', 'inherit'] }).toString();
  await until('PostgreSQL', async () => spawnSync(postgresTool('psql'), ['-X', '-q', url('postgres'), '-c', 'SELECT 1']).status === 0);
  return { url, psql };
}

// ── measuring ──
const stat = (pid) => readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');

/** Jiffies of all processors: all of them, those that worked for processes, and those that another guest had. */
function machine() {
  const [user, nice, system, idle, iowait, irq, softirq, stolen] = readFileSync('/proc/stat', 'utf8').split('\n')[0].split(/\s+/).slice(1, 9).map(Number);
  return { all: user + nice + system + idle + iowait + irq + softirq + stolen, worked: user + nice + system, stolen };
}

/** Jiffies that we, our children and theirs have used. */
function ours() {
  const parents = new Map();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const fields = stat(pid);
      // Its own, and those of its children that have ended.
      const used = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
      parents.set(pid, { parent: fields[1], used });
    } catch {
      // It has ended meanwhile.
    }
  }
  const me = String(process.pid);
  const isOurs = (pid) => pid === me || (parents.has(pid) && isOurs(parents.get(pid).parent));
  let used = 0;
  for (const [pid, process] of parents) if (isOurs(pid)) used += process.used;
  return used;
}

/** Runs it, and says which share of the machine others had meanwhile. */
export async function watched(run) {
  const [before, mine] = [machine(), ours()];
  const result = await run();
  const [after, later] = [machine(), ours()];
  const foreign = after.worked - before.worked - (later - mine) + after.stolen - before.stolen;
  return { result, foreign: Math.max(0, foreign / (after.all - before.all)) };
}

/** So much of the machine for others is noise; more is somebody at work. */
const TOLERATED = 0.06;

/** Waits a while for others to leave the machine alone. */
async function quiet() {
  for (let tries = 0; tries < 20; tries += 1) {
    if ((await watched(() => sleep(300))).foreign < TOLERATED) return;
  }
}

/**
 * Takes turns: in each round everybody runs once. A round during which somebody else used the machine is run again, but
 * no more than as many again as there are rounds: the rest is taken as it is, and counted.
 */
export async function inTurns(rounds, runs, tell) {
  const measured = Object.fromEntries(Object.keys(runs).map((name) => [name, []]));
  let disturbed = 0;
  let spare = rounds;
  for (let round = 0; round < rounds; round += 1) {
    const taken = {};
    let worst = 0;
    const turns = Object.entries(runs);
    for (const [name, run] of round % 2 ? turns.toReversed() : turns) {
      if (spare > 0) await quiet();
      const { result, foreign } = await watched(run);
      taken[name] = result;
      worst = Math.max(worst, foreign);
    }
    if (worst > TOLERATED && spare > 0) {
      spare -= 1;
      round -= 1;
      continue;
    }
    if (worst > TOLERATED) disturbed += 1;
    for (const [name, result] of Object.entries(taken)) measured[name].push(result);
    tell(taken);
  }
  return { measured, disturbed };
}

export function wrk(base, load, token, seconds, connections = 32, expected = '') {
  const bodies = join(folder, 'bodies');
  writeFileSync(bodies, load.bodies.join('\n') + '\n');
  const env = { ...process.env, BODIES: bodies, METHOD: load.method, URL_PATH: load.path, TOKEN: token ?? '', EXPECT: expected };
  return new Promise((resolve, reject) => {
    const child = spawn('wrk', ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '30s', '-s', join(benches, 'load.lua'), base], { env });
    let out = '';
    child.stdout.on('data', (text) => (out += text));
    child.stderr.on('data', (text) => (out += text));
    child.on('error', reject);
    child.on('exit', () => {
      const result = /RESULT (\S+) (\S+) (\d+) (\S+)/.exec(out);
      if (!result || Number(result[3]) > 0) return reject(new Error(`wrk against ${base}${load.path}: ${out}`));
      resolve({ rate: Number(result[1]), p99: Number(result[2]), found: Number(result[4]) });
    });
  });
}

export const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/** The median of the rounds' ratios, and their range. */
export function ratio(above, below, figure) {
  const values = above.map((round, index) => figure(round) / figure(below[index]));
  return `${median(values).toFixed(2)} (${Math.min(...values).toFixed(2)} to ${Math.max(...values).toFixed(2)})`;
}

/** The most memory that a process has held so far, in MiB. */
export const peak = (pid) => Math.round(Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024);
