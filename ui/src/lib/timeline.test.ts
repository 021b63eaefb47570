import { expect, test } from 'vitest'
import type { Document, StreamInfo } from '../api/types'
import { boundaries } from './boundaries'
import { median, startsOf, usual } from './lifecycle'
import { jobStates, podLanes, ticks } from './timeline'
import { parseTime } from './time'

const at = (s: string): string => `2026-11-21T03:${s}Z`
const record = (time: string, text: string, signals: string[] = ['transition'], id = 'aaaa.b.0'): Document => ({ id, kind: 'record', time: at(time), text, signals, restart: 0 })
const event = (time: string, kind: 'pod' | 'container', reason: string, name: string, more: object = {}): Document => ({
  id: `e${time}${reason}${name}`, kind: 'event', time: at(time), text: '', restart: 0, pod_uid: 'u',
  event: { id: 'e', time: at(time), kind, reason, object: { kind: 'Pod', name }, container: 'main', ...more },
})
const ms = (s: string): number => parseTime(at(s))
const run = [
  event('06:21', 'pod', 'Scheduled', 'jm'),
  record('06:41.618', 'Job x switched from state CREATED to RUNNING.'),
  event('06:42', 'pod', 'Scheduled', 'tm-1'),
  event('06:43', 'container', 'Running', 'tm-1', { state: 'running' }),
  record('07:09.463', 'Completed checkpoint 1 for job x', ['checkpoint']),
  event('07:46', 'container', 'OOMKilled', 'tm-1', { state: 'terminated', exit_code: 137, type: 'Warning' }),
  record('07:46.158', 'Job x switched from state RUNNING to RESTARTING.'),
  event('07:46', 'pod', 'Scheduled', 'tm-2'),
  event('07:47', 'container', 'Running', 'tm-2', { state: 'running' }),
  record('07:51.169', 'Job x switched from state RESTARTING to RUNNING.'),
  record('07:59.649', 'Completed checkpoint 5 for job x', ['checkpoint']),
]

test('the states of a job follow its transitions, within the interval', () => {
  expect(jobStates(run, ms('06:00'), ms('08:00')).map((s) => [s.name, s.from, s.to])).toEqual([
    ['RUNNING', ms('06:41.618'), ms('07:46.158')],
    ['RESTARTING', ms('07:46.158'), ms('07:51.169')],
    ['RUNNING', ms('07:51.169'), ms('08:00')],
  ])
  // A job that ran before the interval was in the state that it left.
  expect(jobStates(run.slice(6), ms('07:00'), ms('07:50')).map((s) => s.name)).toEqual(['RUNNING', 'RESTARTING'])
  expect(jobStates([], 0, 1)).toEqual([])
})

const stream = (pod: string, first: string, last: string, restart = 0, id = 'aaaa'): StreamInfo => ({
  id, namespace: 'n', pod, pod_uid: 'u', container: 'main', restart, job: 'x', first: at(first), last: at(last), lines: 1, bytes: 1,
})

test('a pod waits, runs, and ends with a mark', () => {
  const lanes = podLanes(run, [stream('tm-1', '06:43.090', '07:45.503')], ms('06:00'), ms('08:00'))
  const tm = lanes.find((l) => l.pod === 'tm-1')
  expect(tm?.spans.map((s) => s.name)).toEqual(['starting', 'main'])
  expect(tm?.marks.map((m) => [m.name, m.bad])).toEqual([['OOMKilled Pod tm-1 / main, exit code 137', true]])
  expect(lanes.map((l) => l.pod)).toEqual(['jm', 'tm-1', 'tm-2'])
})

test('the parts of a start, and what is usual', () => {
  const [first, again] = startsOf(run)
  expect(first).toMatchObject({ again: false, took: { resources: 21_000, image: 1000, checkpoint: 26_463 } })
  expect(again?.again).toBe(true)
  // Events have whole seconds: the pod that was scheduled in the second of the transition belongs to it.
  expect(again?.took).toEqual({ resources: 0, image: 842, deploy: 4169, checkpoint: 8480 })
  expect(usual([first!], 'image')).toEqual({ ms: 1000, of: 1 })
  expect(median([3, 1, 2, 10])).toBe(2.5)
  expect(median([])).toBeNaN()
})

test('where containers begin and end', () => {
  const items = [record('06:43.090', 'a', [], 'aaaa.g.0'), record('07:45.503', 'z', [], 'aaaa.g.9'), record('07:47.2', 'b', [], 'bbbb.g.0')]
  const ends = [event('07:46', 'container', 'OOMKilled', 'tm-1', { state: 'terminated', exit_code: 137, restart: 0 })]
  const found = boundaries(items, [stream('tm-1', '06:43.090', '07:45.503'), stream('tm-1', '07:47.2', '08:30', 1, 'bbbb')], ends)
  expect(found.get('aaaa.g.0')?.begins).toBe('tm-1 / main begins, first start')
  expect(found.get('aaaa.g.9')?.ends).toBe('tm-1 / main ended: OOMKilled, exit code 137, after 1 min 2 s')
  expect(found.get('bbbb.g.0')?.begins).toBe('tm-1 / main begins, restart 1; the one before ended: OOMKilled, exit code 137')
  expect(found.get('bbbb.g.0')?.ends).toBeUndefined() // Its log goes on below.
})

test('round times on an axis', () => {
  expect(ticks(ms('06:58'), ms('08:01'), 3).map((t) => new Date(t).toISOString().slice(14, 19))).toEqual(['07:00', '07:30', '08:00'])
  expect(ticks(0, 1e15, 5).length).toBeGreaterThan(0)
})
