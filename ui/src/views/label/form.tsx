import { useState } from 'preact/hooks'
import { ApiError } from '../../api/client'
import type { CauseList, LabelInput, LabelPreview } from '../../api/types'
import { incidentHref } from '../../lib/address'
import { Failed } from '../../parts/states'
import { When } from '../../parts/when'
import { layers, previewOf, saysSomething, severities, type Draft } from './work'

interface Props {
  draft: Draft
  set: (d: Draft) => void
  targets: LabelInput['target'][] // all of them get the label
  causes: CauseList['items']
  submit: () => void
  busy: boolean
}

/** What a label says, and which incidents it would explain. Empty fields are as the catalogue says. */
export function Form({ draft: d, set, targets, causes, submit, busy }: Props) {
  const [previews, setPreviews] = useState<LabelPreview[]>()
  const [error, setError] = useState<ApiError>()
  const known = causes.find((c) => c.id === d.cause)
  const put = (change: Partial<Draft>): void => { setPreviews(undefined); set({ ...d, ...change }) }
  const text = (k: 'title' | 'owner' | 'link' | 'why', label: string, placeholder = '') => (
    <label>{label}<input type="text" value={d[k]} placeholder={placeholder} maxLength={500} onInput={(e) => put({ [k]: e.currentTarget.value })} /></label>
  )
  const preview = async (): Promise<void> => {
    setError(undefined)
    try {
      setPreviews(await Promise.all(targets.map((t) => previewOf(d, t))))
    } catch (e) {
      setError(e instanceof ApiError ? e : new ApiError(String(e), '', 0))
    }
  }
  return (
    <form class="label-form" aria-label="Label" onSubmit={(e) => { e.preventDefault(); submit() }}
      onKeyDown={(e) => { if (e.key === 'Enter' && (e.ctrlKey || e.metaKey)) { e.preventDefault(); submit() } }}>
      <label>Cause<input type="text" list="all-causes" data-label value={d.cause} placeholder="of the catalogue, or an own id" maxLength={100} onInput={(e) => put({ cause: e.currentTarget.value })} /></label>
      <datalist id="all-causes">{causes.map((c) => <option key={c.id} value={c.id}>{c.title}</option>)}</datalist>
      {text('title', 'Root cause in one line', known?.title ?? '')}
      <label>Advice<textarea rows={3} value={d.advice} placeholder={known?.advice ?? 'What to do'} maxLength={4000} onInput={(e) => put({ advice: e.currentTarget.value })} /></label>
      <div class="label-row">
        <label>Severity<select value={d.severity} onChange={(e) => put({ severity: e.currentTarget.value })}><option value="">{known ? `as known: ${known.severity}` : 'not said'}</option>{severities.map((x) => <option key={x}>{x}</option>)}</select></label>
        <label>Layer<select value={d.layer} onChange={(e) => put({ layer: e.currentTarget.value })}><option value="">{known ? `as known: ${known.layer}` : 'not said'}</option>{layers.map((x) => <option key={x}>{x}</option>)}</select></label>
        <label>Action needed<select value={d.action} onChange={(e) => put({ action: e.currentTarget.value as Draft['action'] })}><option value="">{known ? `as known: ${known.action_needed ? 'yes' : 'no'}` : 'yes'}</option><option value="yes">yes</option><option value="no">no</option></select></label>
      </div>
      {text('owner', 'Who has to act', known?.owner ?? '')}
      {text('link', 'Runbook or ticket', 'https://…')}
      {text('why', 'Why (for the history)')}
      <p class="actions">
        <button type="submit" class="primary" disabled={busy || !saysSomething(d)} title="Ctrl Enter">{targets.length > 1 ? `Label ${targets.length} and next` : 'Label and next'}</button>
        <button type="button" disabled={!saysSomething(d)} data-key="p" onClick={() => void preview()}>Preview</button>
        <span class="quiet"><kbd>Ctrl</kbd> <kbd>Enter</kbd> labels, <kbd>Esc</kbd> <kbd>p</kbd> previews</span>
      </p>
      {error && <Failed error={error} />}
      {previews && <Preview previews={previews} />}
    </form>
  )
}

export function Preview({ previews }: { previews: LabelPreview[] }) {
  const incidents = [...new Map(previews.flatMap((p) => p.incidents).map((i) => [i.id, i])).values()]
  const replaces = previews.reduce((n, p) => n + p.replaces, 0)
  return (
    <div role="status" class="label-preview">
      <p><strong>{incidents.length} incident{incidents.length === 1 ? '' : 's'}</strong> of the last 90 days would be explained by it{replaces ? `, ${replaces} of them are explained otherwise now` : ''}.</p>
      <ul class="plain">{incidents.slice(0, 20).map((i) => <li key={i.id}><a href={incidentHref(i.id)}>{i.job} · <When at={i.start} /></a> <span class="quiet">{i.cause || 'unexplained'}</span></li>)}</ul>
    </div>
  )
}
