import { expect, test } from 'vitest'
import type { TemplateInfo } from '../api/types'
import { completionAt, withChoice } from './complete'
import { compare, valuesOf, variablesOf } from './templates'

const t = (id: string, count: number, level = 'INFO'): TemplateInfo => ({ id, text: id, level, count, first_seen: '', last_seen: '' })

test('what changed between two windows, whatever their lengths', () => {
  const got = compare([t('a', 60), t('b', 600), t('gone', 60), t('seldom', 1)], [t('a', 10), t('b', 2000), t('new', 1, 'ERROR')], 60, 10)
  expect(Object.fromEntries(got.map((c) => [c.template.id, c.change]))).toEqual({ a: 'same', b: 'spiking', gone: 'missing', seldom: 'same', new: 'new' })
  expect(got[0]?.template.id).toBe('new')
  expect(compare([], [], 1, 1)).toEqual([])
})

test.each([
  ['Job <*> switched from <*> to <*>.', 'Job a b switched from X to Y.', ['a b', 'X', 'Y']],
  ['<*>', 'all of it', ['all of it']],
  ['a <*>', 'b c', undefined],
  ['a <*> z', 'a b', undefined],
  ['no variables', 'no variables', []],
  ['<*> of <*>', 'one of two of three', ['one', 'two of three']],
  ['at <*>:<*>', 'at host:80', ['host', '80']],
])('%s', (template, message, want) => expect(variablesOf(template, message)).toEqual(want))

test('values are counted, and hostile messages cost no time', () => {
  expect(valuesOf('n=<*>', ['n=1', 'n=2', 'n=1', 'other'])).toEqual([[{ value: '1', count: 2 }, { value: '2', count: 1 }]])
  const many = '<*>a'.repeat(200)
  const began = performance.now()
  variablesOf(many, 'a'.repeat(100_000) + 'b')
  expect(performance.now() - began).toBeLessThan(500)
})

test.each([
  ['lev', 3, { field: '', prefix: 'lev', from: 0, to: 3 }],
  ['level:ER', 8, { field: 'level', prefix: 'ER', from: 6, to: 8 }],
  ['a and not pod:"x', 16, { field: 'pod', prefix: 'x', from: 14, to: 16 }],
  ['"a phrase lev', 13, undefined],
  ['pod:(a', 6, { field: 'pod', prefix: 'a', from: 5, to: 6 }],
  ['(ns', 3, { field: '', prefix: 'ns', from: 1, to: 3 }],
  ['', 0, undefined],
])('what may follow in %s', (query, caret, want) => expect(completionAt(query, caret)).toEqual(want))

test('a choice takes the place of what was typed', () => {
  const put = (query: string, choice: string): string => {
    const w = completionAt(query, query.length)
    return w ? withChoice(query, w, choice).value : query
  }
  expect(put('lev', 'level')).toBe('level:')
  expect(put('level:er', 'ERROR')).toBe('level:ERROR ')
  expect(put('logger:x', 'a "b" c')).toBe('logger:"a \\"b\\" c" ')
  expect(put('kind:o', 'or')).toBe('kind:"or" ')
})
