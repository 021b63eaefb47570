import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { writePods } from './hostile'

/** A running lastnight. */
export interface Server {
  url: string
  stop: () => Promise<void>
}

const bin = resolve(process.env['LASTNIGHT_BIN'] ?? join(import.meta.dirname, '../../bin/lastnight'))

/** True if there is a server to test: a binary, or one that runs at LASTNIGHT_URL. */
export const hasServer = !!process.env['LASTNIGHT_URL'] || existsSync(bin)

function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const s = createServer()
    s.on('error', fail)
    s.listen(0, '127.0.0.1', () => {
      const a = s.address()
      s.close(() => done(typeof a === 'object' && a ? a.port : 0))
    })
  })
}

/** Starts the demo in a data dir of its own, with a pod of hostile log lines beside it, and waits until it has incidents. */
export async function start(): Promise<Server> {
  const given = process.env['LASTNIGHT_URL']
  if (given) return { url: given.replace(/\/$/, ''), stop: () => Promise.resolve() }
  const dir = mkdtempSync(join(tmpdir(), 'lastnight-e2e-'))
  writePods(join(dir, 'pods'), Date.now())
  return serve(dir, join(dir, 'pods'), 'demo', async (url) => (await incidents(url)) > 0)
}

/** Starts a server on a pods directory that was imported. */
export async function startImported(pods: string): Promise<Server> {
  return serve(mkdtempSync(join(tmpdir(), 'lastnight-e2e-')), pods, 'serve', (url) => fetch(`${url}/readyz`).then((r) => r.ok, () => false))
}

/** Imports pods into a data dir below dir, starts the command on it, and waits until it is ready. */
async function serve(dir: string, pods: string, command: 'demo' | 'serve', ready: (url: string) => Promise<boolean>): Promise<Server> {
  const data = join(dir, 'data')
  const done = spawnSync(bin, ['import', pods, '--data', data], { encoding: 'utf8' })
  if (done.status !== 0) throw new Error(`lastnight import ended with ${done.status}:\n${done.stderr}`)
  const listen = `127.0.0.1:${await freePort()}`
  const child = spawn(bin, [command, '--listen', listen, '--data', data], { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  child.stdout.on('data', (b: Buffer) => { said += b.toString() })
  child.stderr.on('data', (b: Buffer) => { said += b.toString() })
  const ended = new Promise<void>((end) => child.once('exit', () => end()))
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM')
    await ended
    rmSync(dir, { recursive: true, force: true })
  }
  const url = `http://${listen}`
  for (let i = 0; i < 600; i++) {
    if (child.exitCode !== null) throw new Error(`lastnight ${command} ended with ${child.exitCode}:\n${said}`)
    if (await ready(url)) return { url, stop }
    await new Promise((r) => setTimeout(r, 250))
  }
  await stop()
  throw new Error(`lastnight ${command} was not ready after 150 s:\n${said}`)
}

/** A living node: a pods directory that is written to, and a server that can be stopped and started again at its address. */
export interface Living extends Server {
  write: (lines: string[]) => void
  down: () => Promise<void>
  up: () => Promise<void>
}

export const livingPod = 'ticker-0'

export async function startLiving(): Promise<Living> {
  const dir = mkdtempSync(join(tmpdir(), 'lastnight-e2e-'))
  const logs = join(dir, 'pods', `live_${livingPod}_22222222-2222-3333-4444-555555555555`, 'main')
  mkdirSync(logs, { recursive: true })
  const file = join(logs, '0.log')
  const write = (lines: string[]): void => {
    const base = Date.now() * 1000
    appendFileSync(file, lines.map((l, i) => {
      const us = base + i
      return `${new Date(Math.floor(us / 1000)).toISOString().slice(0, -1)}${String(us % 1000).padStart(3, '0')}000Z stdout F ${l}\n`
    }).join(''))
  }
  write(['the first line'])
  const listen = `127.0.0.1:${await freePort()}`
  const url = `http://${listen}`
  let child: ChildProcess | undefined
  const up = async (): Promise<void> => {
    const started = spawn(bin, ['run', '--pods-dir', join(dir, 'pods'), '--listen', listen, '--data', join(dir, 'data')], { stdio: 'ignore' })
    child = started
    for (let i = 0; i < 200; i++) {
      if (started.exitCode !== null) throw new Error(`lastnight run ended with ${started.exitCode}`)
      if (await fetch(`${url}/readyz`).then((r) => r.ok, () => false)) return
      await new Promise((r) => setTimeout(r, 100))
    }
    throw new Error('lastnight run was not ready after 20 s')
  }
  const down = async (): Promise<void> => {
    const was = child
    if (!was) return
    const ended = new Promise<void>((done) => was.once('exit', () => done()))
    was.kill('SIGTERM')
    await ended
    child = undefined
  }
  await up()
  const stop = async (): Promise<void> => {
    await down()
    rmSync(dir, { recursive: true, force: true })
  }
  return { url, stop, write, up, down }
}

async function incidents(url: string): Promise<number> {
  try {
    const res = await fetch(`${url}/api/v1/incidents?start=now-7d`)
    return res.ok ? ((await res.json()) as { items: unknown[] }).items.length : 0
  } catch {
    return 0
  }
}
