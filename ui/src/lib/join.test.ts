import { expect, test } from 'vitest'
import type { Document } from '../api/types'
import { arrive, join } from './join'

const doc = (id: string, second: number): Document => ({ id, kind: 'record', time: `2026-11-21T03:00:${String(second).padStart(2, '0')}Z`, text: id, restart: 0 })
const ids = (docs: Document[]): string => docs.map((d) => d.id).join(' ')
const held = [doc('a', 10), doc('c', 30)]

test('what was loaded is added once, at its end', () => {
  expect(ids(join(held, [doc('c', 30), doc('d', 40)], true))).toBe('a c d')
  expect(ids(join(held, [doc('z', 1), doc('a', 10)], false))).toBe('z a c')
})

test('what arrives comes into its place by time', () => {
  expect(ids(arrive(held, [doc('d', 40), doc('b', 20), doc('c', 30)], true, false))).toBe('a b c d')
  expect(ids(arrive([...held].reverse(), [doc('b', 20), doc('d', 40)], false, false))).toBe('d c b a')
  expect(ids(arrive(held, [doc('e', 30)], true, false))).toBe('a c e')
  expect(arrive(held, [doc('a', 10)], true, false)).toBe(held)
})

test('older than all that is held is left out only where the log goes on before it', () => {
  expect(ids(arrive(held, [doc('z', 1)], true, false))).toBe('z a c')
  expect(ids(arrive(held, [doc('z', 1)], true, true))).toBe('a c')
})
