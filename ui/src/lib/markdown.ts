// An incident as Markdown, for a ticket or a chat. What came out of logs stands in fences that it cannot leave.

import type { Evidence, Incident } from '../api/types'
import { harmless } from './text'
import { date, duration, parseTime } from './time'

const maxText = 1500

/** Text within a line: what Markdown or HTML would read as more than text is escaped. */
function inline(text: string): string {
  return harmless(text).replace(/\s+/g, ' ').replace(/[\\`*_{}[\]<>#|~&]/g, '\\$&').trim()
}

function fenced(text: string): string {
  let t = harmless(text)
  if (t.length > maxText) t = t.slice(0, maxText) + '\n…'
  const longest = Math.max(2, ...[...t.matchAll(/`+/g)].map((m) => m[0].length))
  const fence = '`'.repeat(longest + 1)
  return `${fence}text\n${t}\n${fence}`
}

function utc(iso: string): string {
  return `${date(iso, 'utc')} ${new Date(parseTime(iso)).toISOString().slice(11, 19)} UTC`
}

/** How it stands: recovered, open, given up, or planned. */
export function stateOf(i: Pick<Incident, 'recovered' | 'open' | 'planned'>): 'recovered' | 'open' | 'given up' {
  return i.recovered ? 'recovered' : i.open ? 'open' : 'given up'
}

function link(e: Evidence): string {
  return [e.source.pod, e.source.container, e.source.node && `on ${e.source.node}`].filter(Boolean).join(' ')
}

/** The whole incident. href is its address. */
export function incidentMarkdown(i: Incident, href: string): string {
  const d = i.diagnosis
  const took = duration(parseTime(i.end) - parseTime(i.start))
  const out = [
    `## ${inline(i.job)}: ${inline(d.title || d.verdict)}`,
    '',
    inline(d.verdict),
    '',
    `- **When:** ${utc(i.start)}, ${i.open ? 'still open' : `${stateOf(i)} after ${took}`}`,
    `- **Job:** ${inline(i.namespace)}/${inline(i.job)}, ${i.failovers} failover${i.failovers === 1 ? '' : 's'}`,
    d.explained
      ? `- **Cause:** ${inline(d.cause ?? '')} (${Math.round(d.confidence * 100)} %)`
      : '- **Cause:** unexplained',
    `- **Action needed:** ${d.action_needed ? 'yes' : 'no'}${i.planned ? ' (planned)' : ''}`,
    `- **Link:** <${href}>`,
  ]
  if (d.advice) out.push('', '### What to do', '', inline(d.advice))
  if (d.chain.length) out.push('', '### What happened')
  for (const e of d.chain) {
    out.push('', `**${utc(e.time)}** ${e.role}: ${inline(e.what)}${link(e) ? ` (${inline(link(e))})` : ''}`, '', fenced(e.text))
  }
  if (d.alternatives.length) {
    out.push('', '### Less likely', '')
    for (const a of d.alternatives) out.push(`- ${inline(a.title || a.cause)} (${Math.round(a.confidence * 100)} %)`)
  }
  return out.join('\n') + '\n'
}
