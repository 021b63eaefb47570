import { expect, test } from 'vitest'
import { fold, shortName } from './fold'

const trace = `2026-11-21 11:54:46,547 WARN  org.apache.flink.runtime.taskmanager.Task [] - Source (1/2) switched from RUNNING to FAILED with failure cause:
org.apache.flink.util.FlinkException: wrapped
	at org.apache.flink.A.run(A.java:1)
	at org.apache.flink.B.run(B.java:2)
Caused by: java.net.UnknownHostException: gold-feed.internal
	at java.base/java.net.Inet.lookup(Inet.java:3)
	... 12 more
Caused by: java.io.IOException: last
	at x.Y.z(Y.java:9)`

test('a stack trace is folded to its exceptions', () => {
  const f = fold(trace)
  expect(f.lines.map((l) => l.text.split(':')[0])).toEqual([
    '2026-11-21 11', 'org.apache.flink.util.FlinkException', 'Caused by', 'Caused by',
  ])
  expect(f.lines.map((l) => l.cause)).toEqual([false, false, true, true])
  expect(f.hidden).toBe(5)
})

test('short records stay whole', () => {
  expect(fold('one')).toEqual({ lines: [{ text: 'one', cause: false }], hidden: 0 })
  expect(fold('a\nb\nc\nd').hidden).toBe(0)
})

test('long text that is no trace shows its head', () => {
  const f = fold(Array.from({ length: 30 }, (_, i) => `line ${i}`).join('\n'))
  expect(f.lines.map((l) => l.text)).toEqual(['line 0', 'line 1', 'line 2'])
  expect(f.hidden).toBe(27)
})

test('Python', () => {
  const f = fold('Traceback (most recent call last):\n  File "a.py", line 3, in main\n    run()\n  File "b.py", line 9, in run\n    raise ValueError("no")\nValueError: no')
  expect(f.lines.map((l) => l.text)).toEqual(['Traceback (most recent call last):', 'ValueError: no'])
})

test('names without packages', () => {
  expect(shortName('java.net.UnknownHostException')).toBe('UnknownHostException')
  expect(shortName('Task')).toBe('Task')
})
