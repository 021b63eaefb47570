// Putting records together that were loaded at different times. Pure.

import type { Document } from '../api/types'
import { compareTimes } from './time'

/** Adds records that are not there yet, at one end. */
export function join(items: Document[], more: Document[], atEnd: boolean): Document[] {
  const fresh = unknown(items, more)
  return atEnd ? [...items, ...fresh] : [...fresh, ...items]
}

/**
 * Adds records that have just arrived, each in its place by time: most belong to the newest end, but a node that was cut
 * off sends old ones. Those that are older than all that is held are left out where the log goes on before it (bounded): there they are loaded.
 */
export function arrive(items: Document[], more: Document[], oldestFirst: boolean, bounded: boolean): Document[] {
  const asc = oldestFirst ? items : [...items].reverse()
  const first = asc[0]
  const fresh = unknown(items, more).filter((d) => !bounded || !first || compareTimes(d.time, first.time) >= 0).sort((a, b) => compareTimes(a.time, b.time))
  if (!fresh.length) return items
  const out: Document[] = []
  let i = 0
  for (const d of asc) {
    for (let f = fresh[i]; f && compareTimes(f.time, d.time) < 0; f = fresh[++i]) out.push(f)
    out.push(d)
  }
  out.push(...fresh.slice(i))
  return oldestFirst ? out : out.reverse()
}

function unknown(items: Document[], more: Document[]): Document[] {
  const known = new Set(items.map((d) => d.id))
  return more.filter((d) => !known.has(d.id))
}
