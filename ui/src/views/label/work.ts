// What the labeling console does: make, review and undo labels. Pure but for asking the server.

import { route, send } from '../../api/client'
import type { Label, LabelInput, LabelPreview } from '../../api/types'

/** What a person fills in. */
export interface Draft {
  title: string
  cause: string
  advice: string
  severity: string
  layer: string
  owner: string
  action: '' | 'yes' | 'no'
  link: string
  why: string
}

export const emptyDraft: Draft = { title: '', cause: '', advice: '', severity: '', layer: '', owner: '', action: '', link: '', why: '' }

export const severities = ['critical', 'high', 'medium', 'low', 'info']
export const layers = ['flink-platform', 'job-config', 'kubernetes', 'network', 'node-hardware', 'resource-scheduling', 'storage', 'upstream-downstream', 'user-code']

/** The label that a draft means; what is empty is as the catalogue says. */
export function labelOf(d: Draft, target: LabelInput['target']): LabelInput {
  const said = Object.fromEntries((['title', 'cause', 'advice', 'severity', 'layer', 'owner'] as const).map((k) => [k, d[k].trim()]).filter(([, v]) => v))
  return {
    ...said, target, state: 'proposed',
    ...(d.action ? { action_needed: d.action === 'yes' } : {}),
    ...(d.link.trim() ? { links: [d.link.trim()] } : {}),
  }
}

/** A draft that says what a label says. */
export function draftOf(l: Label): Draft {
  return {
    title: l.title, cause: l.cause ?? '', advice: l.advice ?? '', severity: l.severity ?? '', layer: l.layer ?? '', owner: l.owner ?? '',
    action: l.action_needed === undefined ? '' : l.action_needed ? 'yes' : 'no', link: l.links?.[0] ?? '', why: '',
  }
}

export const saysSomething = (d: Draft): boolean => !!(d.title.trim() || d.cause.trim())

export const propose = (d: Draft, target: LabelInput['target']): Promise<Label> =>
  send<Label>('POST', route.labels({}), { label: labelOf(d, target), why: d.why })

export const previewOf = (d: Draft, target: LabelInput['target']): Promise<LabelPreview> =>
  send<LabelPreview>('POST', route.preview(), { label: labelOf(d, target) })

export type Action = 'propose' | 'approve' | 'reject' | 'review' | 'retire' | 'restore'

export const review = (l: Label, action: Action, why = ''): Promise<Label> =>
  send<Label>('POST', route.label(l.id, 'review'), { action, why }, l.version)

export const undoTo = (l: Label, to: number): Promise<Label> =>
  send<Label>('POST', route.label(l.id, 'undo'), { to }, l.version)

/** A template or a signature in words. */
export function targetName(t: LabelInput['target']): string {
  if (t.template) return t.template.text || t.template.id
  const s = t.signature
  if (!s) return 'nothing'
  return [
    ...(s.templates ?? []).map((x) => x.text || x.id), ...(s.exceptions ?? []), ...(s.reasons ?? []), ...(s.exit_codes ?? []).map((c) => `exit code ${c}`),
    s.layer && `layer ${s.layer}`, s.job && `job ${s.job}`, s.namespace && `namespace ${s.namespace}`,
  ].filter(Boolean).join(' + ')
}
