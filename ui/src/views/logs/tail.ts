// The live tail: documents as they arrive, by server-sent events, in batches that a screen can take.

import { useEffect, useRef, useState } from 'preact/hooks'
import { route } from '../../api/client'
import type { Document } from '../../api/types'
import type { LogsState } from '../../lib/address'
import { compareTimes } from '../../lib/time'
import { filtersOf } from './asked'

export interface TailState {
  open: boolean // the server is heard
  arrived: number // since it was switched on
}

const drawEvery = 250 // ms: oftener nobody can read
const maxWaiting = 5000 // documents between two drawings; older ones of a flood are dropped from the screen (a search has them)
const comeBack = 2000

/** Gives what arrives to take until on is false. What is on the screen already is left out by take. */
export function useTail(on: boolean, s: LogsState, items: Document[], take: (fresh: Document[]) => void): TailState | undefined {
  const [state, setState] = useState<TailState>({ open: false, arrived: 0 })
  const newest = useRef('')
  const taker = useRef(take)
  taker.current = take
  const edge = s.oldest ? items.at(-1) : items[0]
  newest.current = edge?.time ?? ''
  const filters = JSON.stringify(filtersOf(s))
  useEffect(() => {
    if (!on) return
    let cursor = ''
    let waiting: Document[] = []
    let arrived = 0
    let source: EventSource | undefined
    let retry: ReturnType<typeof setTimeout> | undefined
    const connect = (): void => {
      const { scope, ...rest } = filtersOf(s)
      source = new EventSource(route.tail({ ...rest, scope, ...(cursor ? { cursor } : { start: newest.current || 'now-10s' }) }))
      source.onopen = () => setState((t) => ({ ...t, open: true }))
      source.onmessage = (e: MessageEvent<string>) => {
        cursor = e.lastEventId
        waiting.push(JSON.parse(e.data) as Document)
        arrived++
        if (waiting.length > maxWaiting) waiting = waiting.slice(-maxWaiting)
      }
      // A browser connects again by itself only after some errors: after a refusal, say of a server that starts, it does not.
      source.onerror = () => {
        setState((t) => ({ ...t, open: false }))
        source?.close()
        retry = setTimeout(connect, comeBack)
      }
    }
    connect()
    const draw = setInterval(() => {
      if (!waiting.length) return
      const fresh = waiting
      waiting = []
      taker.current(fresh.sort((a, b) => compareTimes(a.time, b.time)))
      setState((t) => ({ ...t, arrived }))
    }, drawEvery)
    return () => {
      source?.close()
      clearTimeout(retry)
      clearInterval(draw)
      setState({ open: false, arrived: 0 })
    }
  }, [on, filters, s.oldest])
  return on ? state : undefined
}
