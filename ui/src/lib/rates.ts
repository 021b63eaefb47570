// Which templates are worth a lane in an incident's timeline. Pure.

import type { TemplateRates } from '../api/types'
import { parseTime } from './time'

export type Rate = TemplateRates['items'][number]

/** A template over time, and why it is worth looking at. */
export interface TemplateLane {
  rate: Rate
  change: 'new' | 'more' | 'gone' | '' // against the time before the incident that is shown
  inChain: boolean
  points: { at: number; count: number }[]
}

const weights: Record<string, number> = { FATAL: 6, ERROR: 5, WARN: 3 }
const changes = { new: 4, more: 2, gone: 2, '': 0 }

/** Lanes, the most telling first: those in the causal chain, then errors, then what is new or more frequent than before. */
export function templateLanes(rates: TemplateRates, window: { from: number; to: number }, shown: { from: number; to: number }, chain: ReadonlySet<string>): TemplateLane[] {
  const before = Math.max(1, window.from - shown.from)
  const during = Math.max(1000, window.to - window.from)
  const lanes = rates.items.map((rate): TemplateLane & { weight: number } => {
    const points = rate.points.map((p) => ({ at: parseTime(p.start), count: p.count }))
    const step = rates.step_seconds * 1000
    let early = 0
    let meanwhile = 0
    for (const p of points) {
      if (p.at + step <= window.from) early += p.count
      else if (p.at <= window.to) meanwhile += p.count
    }
    const times = early ? (meanwhile / during) / (early / before) : Infinity
    const change = meanwhile && !early ? 'new' : meanwhile >= 3 && times >= 3 ? 'more' : early >= 5 && !meanwhile ? 'gone' : ''
    const inChain = chain.has(rate.id)
    return { rate, change, inChain, points, weight: (inChain ? 20 : 0) + (weights[rate.level ?? ''] ?? 0) * 2 + changes[change] }
  })
  return lanes.sort((a, b) => b.weight - a.weight || b.rate.count - a.rate.count)
}

/** What the change means, in words. */
export const laneChanges: Record<TemplateLane['change'], string> = { new: 'new in the incident', more: 'more often than before', gone: 'not in the incident', '': '' }
