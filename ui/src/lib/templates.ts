// Templates compared between two windows of time, and the values of their variables. Pure.

import type { TemplateInfo } from '../api/types'

export type Change = 'new' | 'missing' | 'spiking' | 'rarer' | 'same'

export interface Compared {
  template: TemplateInfo
  before: number // counts
  during: number
  change: Change
  times: number // how much more often a minute than before; Infinity for a new one
}

/** So many times as often a minute as before is a spike. */
const spike = 4

/** What changed from one window to another of other length, the most telling first. */
export function compare(before: TemplateInfo[], during: TemplateInfo[], minutesBefore: number, minutesDuring: number): Compared[] {
  const old = new Map(before.map((t) => [t.id, t]))
  const now = new Map(during.map((t) => [t.id, t]))
  const out: Compared[] = []
  for (const [id, template] of new Map([...old, ...now])) {
    const b = old.get(id)?.count ?? 0
    const d = now.get(id)?.count ?? 0
    const rateBefore = b / Math.max(0.05, minutesBefore)
    const rateNow = d / Math.max(0.05, minutesDuring)
    const times = b === 0 ? Infinity : rateNow / rateBefore
    // Few more or fewer of what is rare anyway say nothing.
    const change: Change = b === 0 ? 'new' : d === 0 ? (rateBefore * minutesDuring >= 3 ? 'missing' : 'same')
      : times >= spike && d >= 5 ? 'spiking' : times <= 1 / spike && rateBefore * minutesDuring >= 8 ? 'rarer' : 'same'
    out.push({ template, before: b, during: d, change, times })
  }
  return out.sort((a, b) => weight(b) - weight(a) || b.during - a.during || b.before - a.before)
}

const levels: Record<string, number> = { FATAL: 5, ERROR: 4, WARN: 3 }
const changes: Record<Change, number> = { new: 3, spiking: 2, missing: 1.5, rarer: 1, same: 0 }

function weight(c: Compared): number {
  return changes[c.change] * 10 + (levels[c.template.level ?? ''] ?? 0) * (c.change === 'same' ? 0 : 4)
}

/** The variables of a message of the template, in order; undefined if it is not of it. Linear in the message. */
export function variablesOf(template: string, message: string): string[] | undefined {
  const parts = template.split('<*>')
  const head = parts[0] ?? ''
  if (!message.startsWith(head)) return undefined
  const out: string[] = []
  let at = head.length
  for (let i = 1; i < parts.length; i++) {
    const literal = parts[i] as string
    const lastOne = i === parts.length - 1
    const to = lastOne ? (literal === '' ? message.length : message.lastIndexOf(literal)) : literal === '' ? at : message.indexOf(literal, at)
    if (to < at) return undefined
    out.push(message.slice(at, to))
    at = to + literal.length
  }
  return at === message.length || parts.length === 1 ? out : undefined
}

/** How often each value of each variable occurs in the messages, the frequent ones first. */
export function valuesOf(template: string, messages: string[]): { value: string; count: number }[][] {
  const counts: Map<string, number>[] = []
  for (const m of messages) {
    variablesOf(template, m)?.forEach((v, i) => {
      const c = (counts[i] ??= new Map<string, number>())
      c.set(v, (c.get(v) ?? 0) + 1)
    })
  }
  return counts.map((c) => [...c].map(([value, count]) => ({ value, count })).sort((a, b) => b.count - a.count))
}
