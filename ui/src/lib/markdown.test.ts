import { expect, test } from 'vitest'
import type { Incident } from '../api/types'
import { incidentMarkdown } from './markdown'

const incident: Incident = {
  id: 'i1', namespace: 'flink-prod', job: 'orders_enrich', start: '2026-11-21T01:00:00Z', end: '2026-11-21T01:01:34Z',
  failovers: 1, planned: false, recovered: true, open: false, similar: [],
  diagnosis: {
    explained: true, cause: 'tm-oomkilled', title: 'Out of memory', confidence: 0.93, action_needed: true, verdict: 'A container was <killed>.',
    advice: 'Raise it.',
    chain: [{ time: '2026-11-21T01:00:00Z', kind: 'record', what: 'exit [137](http://evil)', text: '```\n# not a heading\n\u202e', role: 'cause', link: '/logs', source: { pod: 'tm-1', node: 'n' } }],
    alternatives: [{ cause: 'heap-oom', confidence: 0.04 }],
  },
}

test('an incident as Markdown', () => {
  const md = incidentMarkdown(incident, 'http://127.0.0.1:7077/incidents/i1')
  expect(md).toContain('## orders\\_enrich: Out of memory')
  expect(md).toContain('recovered after 1 min 34 s')
  expect(md).toContain('- **Cause:** tm-oomkilled (93 %)')
  expect(md).toContain('- heap-oom (4 %)')
})

test('what came out of logs stays text', () => {
  const md = incidentMarkdown(incident, 'http://x/')
  expect(md).toContain('A container was \\<killed\\>.')
  expect(md).toContain('exit \\[137\\](http://evil)')
  expect(md).toContain('````text\n```\n# not a heading\n⟨U+202E⟩\n````')
})
