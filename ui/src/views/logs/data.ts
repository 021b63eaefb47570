// The records that the log viewer has loaded, and how to get more of them.

import { useEffect, useReducer, useRef } from 'preact/hooks'
import { ApiError, get, route } from '../../api/client'
import type { ContextList, Document, DocumentList } from '../../api/types'
import { isLine, type LogsState } from '../../lib/address'

const page = 200
const around = 100

/** So many records are kept at most; a browser holds no more of them well. */
export const maxLoaded = 50_000

/** Where a search without a pod, a job or a time begins: everything ever kept would take long. */
export const defaultStart = 'now-7d'

export interface Records {
  items: Document[] // in the order shown
  loading: boolean // nothing is there yet
  busy: boolean // more is under way
  error: ApiError | undefined
  above: (() => void) | undefined // loads what stands above, if there is more
  below: (() => void) | undefined
  around: boolean // they stand around a line, so that there may be more on both sides
  again: () => void
  full: boolean // maxLoaded is reached
}

interface State {
  items: Document[]
  loading: boolean
  busy: boolean
  error: ApiError | undefined
  cursor: string // of a search; '' is the end
  earlier: boolean // around a line: there is more
  later: boolean
  context: boolean
}

const nothing: State = { items: [], loading: false, busy: false, error: undefined, cursor: '', earlier: false, later: false, context: false }

/** True if the log of something is asked for, rather than which log there is. */
export const asksForLog = (s: LogsState): boolean => !!(s.pod || s.job || s.q || s.line)

export const boundsOf = (s: LogsState): { start: string; end: string } => ({
  start: s.start || (s.pod || s.job ? '' : defaultStart),
  end: s.end,
})

function searchUrl(s: LogsState, cursor: string): string {
  return route.search({
    q: s.q, ...boundsOf(s), scope: s.important ? 'important' : undefined,
    namespace: s.namespace, job: s.job, pod: s.pod, pod_uid: s.podUid, container: s.container, restart: s.restart,
    order: s.oldest ? 'oldest' : 'newest', limit: page, cursor,
  })
}

/** Adds records that are not there yet, at one end. */
export function join(items: Document[], more: Document[], atEnd: boolean): Document[] {
  const known = new Set(items.map((d) => d.id))
  const fresh = more.filter((d) => !known.has(d.id))
  return atEnd ? [...items, ...fresh] : [...fresh, ...items]
}

async function first(s: LogsState, signal: AbortSignal): Promise<State> {
  if (isLine(s.line) && !s.q) {
    const got = await get<ContextList>(route.context(s.line, around, around), signal)
    const at = got.items.findIndex((d) => d.id === s.line)
    const items = s.oldest ? got.items : [...got.items].reverse()
    return { ...nothing, context: true, items, earlier: at >= around, later: got.items.length - 1 - at >= around }
  }
  const got = await get<DocumentList>(searchUrl(s, ''), signal)
  return { ...nothing, items: got.items, cursor: got.next_cursor }
}

export function useRecords(s: LogsState): Records {
  const [state, update] = useReducer((old: State, change: Partial<State>) => ({ ...old, ...change }), nothing)
  const [turn, again] = useReducer((n: number) => n + 1, 0)
  const now = useRef({ state, question: '', mode: '' })
  now.current.state = state
  const question = searchUrl(s, '')
  const mode = (isLine(s.line) && !s.q ? 'around ' : 'search ') + String(s.oldest)
  const running = useRef<AbortController | undefined>(undefined)

  useEffect(() => {
    // A line that is on the screen is only marked: the list must not jump under the reader's hand.
    const was = now.current
    const same = was.question === question || (was.mode === mode && was.state.context)
    now.current = { ...was, question, mode }
    if (same && was.state.items.some((d) => d.id === s.line)) return
    running.current?.abort()
    if (!asksForLog(s)) {
      update(nothing)
      return
    }
    const gone = new AbortController()
    running.current = gone
    update({ ...nothing, loading: true })
    first(s, gone.signal).then(update, (e: unknown) => {
      if (!gone.signal.aborted) update({ ...nothing, error: toError(e) })
    })
  }, [question, mode, s.line, turn])
  useEffect(() => () => running.current?.abort(), [])

  const load = (atEnd: boolean, ask: (signal: AbortSignal) => Promise<Partial<State>>): void => {
    if (state.busy || state.loading) return
    const gone = new AbortController()
    running.current = gone
    update({ busy: true })
    ask(gone.signal).then(
      ({ items = [], ...rest }) => update({ ...rest, busy: false, items: join(now.current.state.items, items, atEnd) }),
      (e: unknown) => { if (!gone.signal.aborted) update({ busy: false, error: toError(e) }) },
    )
  }
  const next = (): void => load(true, async (signal) => {
    const got = await get<DocumentList>(searchUrl(s, state.cursor), signal)
    // A cursor that does not move would be asked for ever.
    return { items: got.items, cursor: got.next_cursor === state.cursor ? '' : got.next_cursor }
  })
  const beyond = (later: boolean): void => {
    const atEnd = later === s.oldest
    const edge = atEnd ? state.items.at(-1) : state.items[0]
    if (!edge) return
    load(atEnd, async (signal) => {
      const got = await get<ContextList>(route.context(edge.id, later ? 0 : page, later ? page : 0), signal)
      const items = s.oldest ? got.items : [...got.items].reverse()
      return { items, [later ? 'later' : 'earlier']: got.items.length > page }
    })
  }
  const full = state.items.length >= maxLoaded
  const up = s.oldest ? state.earlier : state.later
  const down = s.oldest ? state.later : state.earlier
  return {
    items: state.items, loading: state.loading, busy: state.busy, error: state.error, full, around: state.context,
    above: !full && state.context && up ? () => beyond(!s.oldest) : undefined,
    below: full ? undefined : state.context ? (down ? () => beyond(s.oldest) : undefined) : state.cursor ? next : undefined,
    again: () => { now.current.question = ''; again(undefined) },
  }
}

function toError(e: unknown): ApiError {
  return e instanceof ApiError ? e : new ApiError(String(e), '', 0)
}
