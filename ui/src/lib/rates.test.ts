import { expect, test } from 'vitest'
import type { TemplateRates } from '../api/types'
import { templateLanes } from './rates'

const at = (s: number): string => new Date(s * 1000).toISOString()

test('lanes begin with what is in the chain, then errors, then what changed', () => {
  const rates = {
    step_seconds: 5, next_cursor: '', interval: { zone: 'UTC' },
    items: [
      { id: 'steady', text: 'a', level: 'INFO', count: 100, points: [{ start: at(0), count: 60 }, { start: at(100), count: 4 }] },
      { id: 'gone', text: 'b', level: 'INFO', count: 9, points: [{ start: at(50), count: 9 }] },
      { id: 'new', text: 'c', level: 'INFO', count: 1, points: [{ start: at(105), count: 1 }] },
      { id: 'error', text: 'd', level: 'ERROR', count: 2, points: [{ start: at(0), count: 1 }, { start: at(100), count: 1 }] },
      { id: 'chain', text: 'e', level: 'INFO', count: 1, points: [{ start: at(60), count: 1 }] },
    ],
  } satisfies TemplateRates
  const lanes = templateLanes(rates, { from: 100_000, to: 110_000 }, { from: 0, to: 200_000 }, new Set(['chain']))
  expect(lanes.map((l) => l.rate.id)).toEqual(['chain', 'error', 'new', 'gone', 'steady'])
  expect(lanes.map((l) => l.change)).toEqual(['', '', 'new', 'gone', ''])
  expect(lanes[0]?.inChain).toBe(true)
})
