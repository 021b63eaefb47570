// The records that the log viewer has loaded: a window on a log of any length, which grows at
// both ends as it is read and is cut at the far one, so that it stays small.

import { useEffect, useReducer, useRef } from 'preact/hooks'
import { ApiError, get, getLines, route } from '../../api/client'
import type { ContextList, Document, DocumentList } from '../../api/types'
import { isLine, type LogsState } from '../../lib/address'
import { arrive, join } from '../../lib/join'
import { parseTime, plusNano } from '../../lib/time'
import { cancelled } from '../../api/use'
import { asksForLog, boundsOf, filtersOf } from './asked'
import { useTail, type TailState } from './tail'

const page = 200
const around = 100

/** So many records are held at most; what is far from what is read goes, and is asked for again. */
export const maxHeld = 4000
const cutTo = 3000
const maxLive = 5000

export interface Records {
  items: Document[] // in the order shown
  loading: boolean // nothing is there yet
  busy: boolean // more is under way
  error: ApiError | undefined
  above: (() => void) | undefined // loads what stands above, if there is more
  below: (() => void) | undefined
  around: boolean // they stand around a line, so that there may be more on both sides
  anchor: string // id of the record at the time that the address asks for
  again: () => void
  cancel: () => void
  tail: TailState | undefined
}

interface State {
  items: Document[]
  loading: boolean
  busy: boolean
  error: ApiError | undefined
  above: boolean
  below: boolean
  context: boolean
  anchor: string
}

const nothing: State = { items: [], loading: false, busy: false, error: undefined, above: false, below: false, context: false, anchor: '' }

function searchUrl(s: LogsState, later: boolean, bounds: { start?: string; end?: string }, limit: number, cursor = ''): string {
  return route.search({ ...filtersOf(s), ...boundsOf(s), ...bounds, order: later ? 'oldest' : 'newest', limit, cursor })
}

const contextMode = (s: LogsState): boolean => isLine(s.line) && !s.q && !s.at && !s.live

/** What is shown at first. A search tells what it has found so far: the rest of a large archive may take a while. */
async function first(s: LogsState, signal: AbortSignal, sofar: (items: Document[]) => void): Promise<State> {
  const turned = (items: Document[], ascending: boolean): Document[] => (ascending === s.oldest ? items : [...items].reverse())
  if (contextMode(s)) {
    const got = await get<ContextList>(route.context(s.line, around, around), signal)
    const at = got.items.findIndex((d) => d.id === s.line)
    const earlier = at >= around
    const later = got.items.length - 1 - at >= around
    return { ...nothing, context: true, items: turned(got.items, true), above: s.oldest ? earlier : later, below: s.oldest ? later : earlier }
  }
  if (s.at) {
    const none = { items: [], next_cursor: '' }
    const { start, end } = boundsOf(s)
    const [later, earlier] = await Promise.all([
      parseTime(s.at) >= parseTime(end) ? none : get<DocumentList>(searchUrl(s, true, { start: s.at }, page), signal),
      parseTime(s.at) <= parseTime(start) ? none : get<DocumentList>(searchUrl(s, false, { end: s.at }, around), signal),
    ])
    const asc: Document[] = [...[...earlier.items].reverse(), ...later.items]
    const anchor = (later.items[0] ?? earlier.items[0]) as Document | undefined
    const [more, before] = [later.next_cursor !== '', earlier.next_cursor !== '']
    return { ...nothing, items: turned(asc, true), anchor: anchor?.id ?? '', above: s.oldest ? before : more, below: s.oldest ? more : before }
  }
  const later = s.oldest && !s.live
  const found = await getLines<Document>(searchUrl(s, later, {}, page + 1), signal, (docs) => sofar(turned(docs.slice(0, page), later)))
  const items = turned(found.slice(0, page), later)
  const more = found.length > page
  // Live, one reads the end of the log: what is before it is above where the oldest is first.
  return s.live && s.oldest ? { ...nothing, items, above: more } : { ...nothing, items, below: more }
}

/** What comes after the edge in time, or before it, in ascending order; and whether there is more. */
async function beyond(s: LogsState, edge: Document, later: boolean, context: boolean, signal: AbortSignal): Promise<{ items: Document[]; more: boolean }> {
  if (context) {
    const got = await get<ContextList>(route.context(edge.id, later ? 0 : page, later ? page : 0), signal)
    return { items: got.items, more: got.items.length > page }
  }
  // By time rather than by cursor: the edge may be where others were let go.
  const bounds = later ? { start: edge.time } : { end: plusNano(edge.time) }
  let got = await get<DocumentList>(searchUrl(s, later, bounds, page), signal)
  for (let n = 0; n < 20 && got.next_cursor && got.items.every((d) => d.time === edge.time); n++) {
    const next = await get<DocumentList>(searchUrl(s, later, bounds, page, got.next_cursor), signal)
    got = { ...next, items: [...got.items, ...next.items] } // More of one instant than a page has.
  }
  return { items: later ? got.items : [...got.items].reverse(), more: got.next_cursor !== '' }
}

export function useRecords(s: LogsState): Records {
  const [state, update] = useReducer((old: State, change: Partial<State>) => ({ ...old, ...change }), nothing)
  const [turn, again] = useReducer((n: number) => n + 1, 0)
  const now = useRef({ state, question: '', mode: '' })
  now.current.state = state
  const question = searchUrl(s, s.oldest, {}, page) + s.at + String(s.live)
  const mode = (contextMode(s) ? 'around ' : 'search ') + String(s.oldest) + s.at + String(s.live)
  const running = useRef<AbortController | undefined>(undefined)

  useEffect(() => {
    // A line that is on the screen is only marked: the list must not jump under the reader's hand.
    const was = now.current
    const same = was.question === question || (was.mode === mode && was.state.context)
    now.current = { ...was, question, mode }
    if (same && s.line && was.state.items.some((d) => d.id === s.line)) return
    if (was.question === question && was.state.items.length && !isLine(s.line)) return
    running.current?.abort()
    if (!asksForLog(s)) {
      update(nothing)
      return
    }
    const gone = new AbortController()
    running.current = gone
    update({ ...nothing, loading: true })
    first(s, gone.signal, (items) => { if (!gone.signal.aborted) update({ items, loading: false, busy: true }) }).then(
      (found) => { if (!gone.signal.aborted) update(found) },
      (e: unknown) => { if (!gone.signal.aborted) update({ busy: false, loading: false, error: toError(e) }) },
    )
  }, [question, mode, s.line, turn])
  useEffect(() => () => running.current?.abort(), [])

  // What is far from the end that grew is let go, in a step of its own: the list keeps its place by one end at a time.
  const grew = useRef<'above' | 'below'>('below')
  useEffect(() => {
    if (s.live || state.items.length <= maxHeld) return
    if (grew.current === 'below') update({ items: state.items.slice(-cutTo), above: true })
    else update({ items: state.items.slice(0, cutTo), below: true })
  }, [state.items.length])

  const load = (end: 'above' | 'below'): void => {
    const edge = end === 'below' ? state.items.at(-1) : state.items[0]
    if (state.busy || state.loading || !edge) return
    const gone = new AbortController()
    running.current = gone
    update({ busy: true, error: undefined })
    const later = (end === 'below') === s.oldest
    beyond(s, edge, later, state.context, gone.signal).then(
      ({ items, more }) => {
        grew.current = end
        const shown = s.oldest ? items : [...items].reverse()
        update({ busy: false, items: join(now.current.state.items, shown, end === 'below'), [end]: more })
      },
      (e: unknown) => { if (!gone.signal.aborted) update({ busy: false, error: toError(e) }) },
    )
  }

  const tail = useTail(s.live && !state.loading && !state.error, s, state.items, (fresh) => {
    const had = now.current.state.items
    const items = arrive(had, fresh, s.oldest, s.oldest ? now.current.state.above : now.current.state.below)
    if (items.length <= maxLive) update({ items })
    else update(s.oldest ? { items: items.slice(-maxLive + 1000), above: true } : { items: items.slice(0, maxLive - 1000), below: true })
  })

  return {
    items: state.items, loading: state.loading, busy: state.busy, error: state.error, around: state.context, anchor: state.anchor, tail,
    above: state.above ? () => load('above') : undefined,
    below: state.below ? () => load('below') : undefined,
    again: () => { now.current.question = ''; again(undefined) },
    cancel: () => { running.current?.abort(); update({ busy: false, loading: false, error: cancelled('Ask for a shorter time, or one pod, and it is quicker.') }) },
  }
}

function toError(e: unknown): ApiError {
  return e instanceof ApiError ? e : new ApiError(String(e), '', 0)
}
