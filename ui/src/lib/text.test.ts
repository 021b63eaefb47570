import { describe, expect, test } from 'vitest'
import { clip, harmless, indexOfByte, runs, splitHits, wordsOf } from './text'

describe('harmless', () => {
  test.each([
    ['plain', 'plain'],
    ['a\tb\nc', 'a\tb\nc'],
    ['\u001b[2J', '⟨ESC⟩[2J'],
    ['nul\u0000bell\u0007', 'nul⟨NUL⟩bell⟨BEL⟩'],
    ['50%\r100%\r\nend\r', '50%⟨CR⟩100%\nend'],
    ['\u007f\u009b31m', '⟨DEL⟩⟨U+009B⟩31m'],
    ['abc\u202egnp.exe\u202c', 'abc⟨U+202E⟩gnp.exe⟨U+202C⟩'],
    ['zero\u200bwidth\ufeff', 'zero⟨U+200B⟩width⟨U+FEFF⟩'],
    ['tag\u{e0041}', 'tag⟨U+E0041⟩'],
    ['مرحبا', 'مرحبا'],
    ['<img onerror=alert(1)>', '<img onerror=alert(1)>'],
    ['emoji 👩‍💻', 'emoji 👩⟨U+200D⟩💻'],
  ])('%j is shown as %j', (text, want) => expect(harmless(text)).toBe(want))
})

describe('ANSI colours', () => {
  test('become looks', () => {
    expect(runs('\u001b[31mred\u001b[0m plain \u001b[1;92mok\u001b[39m!\u001b[m.')).toEqual([
      { text: 'red', look: 'ansi-red' }, { text: ' plain ', look: '' }, { text: 'ok', look: 'ansi-green ansi-bold' },
      { text: '!', look: 'ansi-bold' }, { text: '.', look: '' },
    ])
  })
  test('other sequences stay visible', () => {
    expect(runs('\u001b]0;title\u0007\u001b[2Jx')).toEqual([{ text: '⟨ESC⟩]0;title⟨BEL⟩⟨ESC⟩[2Jx', look: '' }])
  })
  test('a look is never more than our names', () => {
    for (const r of runs('\u001b[38;5;196mx\u001b[999999999999my\u001b[;;mz')) expect(r.look).toMatch(/^(ansi-[a-z]+( |$))*$/)
  })
})

test.each([
  ['abc', 0, 0], ['abc', 2, 2], ['abc', 9, 3], ['äbc', 2, 1], ['äbc', 3, 2], ['日本x', 6, 2], ['😀x', 4, 2], ['\ufffdx', 3, 1],
])('byte %2$d of %1$j', (text, at, want) => expect(indexOfByte(text, at)).toBe(want))

test('clip cuts no character in two', () => {
  expect(clip('abc', 3)).toEqual({ text: 'abc', left: 0 })
  expect(clip('abcd', 3)).toEqual({ text: 'abc', left: 1 })
  expect(clip('ab😀d', 3)).toEqual({ text: 'ab', left: 3 })
})

test.each([
  ['', []],
  ['timeout', ['timeout']],
  ['level:ERROR and "checkpoint expired"', ['checkpoint expired']],
  ['a or not b', ['a']],
  ['-gone -"gone too" kept', ['kept']],
  ['pod:(x or y) time*out (one or two) restart>=2', ['one', 'two']],
  ['"say \\"hi\\"" say', ['say "hi"', 'say']],
  ['java.io.IOException', ['java.io.IOException']],
] as [string, string[]][])('words to mark of %j', (q, want) => expect(wordsOf(q)).toEqual(want))

test('hits are the odd pieces', () => {
  expect(splitHits('Checkpoint expired; checkpoint', ['checkpoint'])).toEqual(['', 'Checkpoint', ' expired; ', 'checkpoint', ''])
  expect(splitHits('a.c abc', ['a.c'])).toEqual(['', 'a.c', ' abc'])
  expect(splitHits('CheckpointException: Exception', ['exception'])).toEqual(['CheckpointException: ', 'Exception', ''])
  expect(splitHits('(a/b) [x-1] 50% {#}', ['[x-1]', '(a/b)', '{#}'])).toEqual(['', '(a/b)', ' ', '[x-1]', ' 50% ', '{#}', ''])
  expect(splitHits('x', [])).toEqual(['x'])
})
