// All state of the UI is in the address. These are the pure halves: reading it and writing it.

import { parseTime, ranges, type RangeName } from './time'

export type Patch = Record<string, string | number | boolean | undefined | null>

/** The search part with some parameters changed; empty ones go. Begins with ? unless nothing is left. */
export function withParams(search: string, patch: Patch): string {
  const p = new URLSearchParams(search)
  for (const [k, v] of Object.entries(patch)) {
    if (v === undefined || v === null || v === '' || v === false) p.delete(k)
    else p.set(k, v === true ? '1' : String(v))
  }
  const s = p.toString()
  return s ? '?' + s : ''
}

export type Screen =
  | { name: 'home' }
  | { name: 'incident'; id: string }
  | { name: 'logs' }
  | { name: 'jobs' }
  | { name: 'job'; namespace: string; job: string }
  | { name: 'templates' }
  | { name: 'template'; id: string }
  | { name: 'label' }
  | { name: 'unknown' }

/** Which screen a path means. */
export function screenOf(path: string): Screen {
  const parts = path.split('/').filter(Boolean)
  let p: string[]
  try {
    p = parts.map(decodeURIComponent)
  } catch {
    return { name: 'unknown' }
  }
  const [first, a, b] = p
  if (first === undefined || (first === 'incidents' && p.length === 1)) return { name: 'home' }
  if (first === 'incidents' && a && p.length === 2) return { name: 'incident', id: a }
  if (first === 'logs' && p.length === 1) return { name: 'logs' }
  if (first === 'jobs' && p.length === 1) return { name: 'jobs' }
  if (first === 'jobs' && a && b && p.length === 3) return { name: 'job', namespace: a, job: b }
  if (first === 'templates' && p.length === 1) return { name: 'templates' }
  if (first === 'templates' && a && p.length === 2) return { name: 'template', id: a }
  if (first === 'label' && p.length === 1) return { name: 'label' }
  return { name: 'unknown' }
}

export const incidentHref = (id: string): string => `/incidents/${encodeURIComponent(id)}`

export const jobHref = (namespace: string, job: string): string =>
  `/jobs/${encodeURIComponent(namespace)}/${encodeURIComponent(job)}`

export const templateHref = (id: string, patch: Patch = {}): string => `/templates/${encodeURIComponent(id)}` + withParams('', patch)

export const templatesHref = (patch: Patch): string => '/templates' + withParams('', patch)

export const logsHref = (patch: Patch): string => '/logs' + withParams('', patch)

/** A link that came with data: only within this UI, never elsewhere. */
export function safeLink(link: string | undefined): string | undefined {
  return link && /^\/(?![/\\])/.test(link) ? link : undefined
}

/** An address elsewhere that a person wrote down: http and https only. */
export function safeUrl(href: string): string | undefined {
  try {
    const u = new URL(href)
    return u.protocol === 'https:' || u.protocol === 'http:' ? u.href : undefined
  } catch {
    return undefined
  }
}

/** True for the id of a line, which has a log around it; an event's id has none. */
export const isLine = (id: string): boolean => id.includes('.')

/** What the log viewer shows. */
export interface LogsState {
  namespace: string
  job: string
  pod: string
  podUid: string
  container: string
  restart: number | undefined
  q: string
  important: boolean
  oldest: boolean
  start: string
  end: string
  line: string
  at: string // the time that the list is to show, wherever its beginning is
  mark: string // words to mark without searching for them
  live: boolean // what arrives is shown as it does
  wrap: boolean
  raw: boolean
  ansi: boolean // colour codes become colours
}

export function readLogs(search: string): LogsState {
  const p = new URLSearchParams(search)
  const get = (k: string): string => p.get(k) ?? ''
  const line = get('line')
  const restart = get('restart')
  // Links of the command line say ns=, and at= for a moment that is not a line's.
  const at = Number.isNaN(parseTime(get('at'))) ? '' : get('at')
  const live = get('live') === '1'
  // Around a line one reads downwards; a search and the end of a log are read from the newest on.
  const order = get('order') || (at || live || (isLine(line) && !get('q')) ? 'oldest' : 'newest')
  return {
    namespace: get('namespace') || get('ns'), job: get('job'), pod: get('pod'), podUid: get('pod_uid'), container: get('container'),
    restart: /^\d{1,9}$/.test(restart) ? Number(restart) : undefined,
    q: get('q'), important: get('scope') === 'important', oldest: order === 'oldest',
    start: get('start'), end: live ? '' : get('end'), line, wrap: get('wrap') !== '0', raw: get('raw') === '1',
    at: live ? '' : at, mark: get('mark'), live, ansi: get('ansi') !== '0',
  }
}

/** The quick choice of a time range in the address; unknown ones are the fallback. */
export function readRange(search: string, fallback: RangeName): RangeName {
  const r = new URLSearchParams(search).get('range') ?? ''
  return Object.hasOwn(ranges, r) ? (r as RangeName) : fallback
}
