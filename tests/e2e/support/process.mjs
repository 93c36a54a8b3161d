// Starts real programs on ports of their own, waits until they answer, and leaves none behind.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export const ROOT = resolve(import.meta.dirname, '../../..');
const READY_WITHIN = 60_000;
const STOPS_WITHIN = 5_000;

export async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}

/** Runs until `stop()`; ready as soon as `ready` answers. What it printed is shown when it does not come up. */
export async function start(command, args, { cwd = ROOT, env = {}, ready, headers = {} }) {
  const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  let gone;
  child.stdout.on('data', (text) => (log += text));
  child.stderr.on('data', (text) => (log += text));
  child.on('error', (error) => (gone = String(error)));
  child.on('exit', (code, signal) => (gone ??= `it ended with ${signal ?? code}`));
  // Whatever becomes of this process, the other does not outlive it.
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);

  const stop = async () => {
    process.off('exit', kill);
    if (gone !== undefined) return;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    const inTime = await Promise.race([ended.then(() => true), sleep(STOPS_WITHIN, false, { ref: false })]);
    if (!inTime) child.kill('SIGKILL');
  };

  const deadline = Date.now() + READY_WITHIN;
  while (Date.now() < deadline && gone === undefined) {
    if (await fetch(ready, { headers }).then((response) => response.ok, () => false)) return { stop, log: () => log };
    await sleep(50);
  }
  await stop();
  throw new Error(`${command} ${args.join(' ')} is not ready: ${gone ?? 'no answer in time'}\n${log}`);
}

/** Runs to its end. */
export async function run(command, args, { cwd = ROOT, env = {} } = {}) {
  const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (text) => (output += text));
  child.stderr.on('data', (text) => (output += text));
  const [code] = await once(child, 'close');
  return { code, output };
}

/** Asks until the answer is one: for what another process does in its own time. */
export async function until(ask, what) {
  const deadline = Date.now() + 15_000;
  while (Date.now() < deadline) {
    const answer = await ask();
    if (answer) return answer;
    await sleep(50);
  }
  throw new Error(`in vain: ${what}`);
}
