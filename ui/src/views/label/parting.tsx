import { useState } from 'preact/hooks'
import { ApiError, route, send } from '../../api/client'
import type { MergePreview, TemplateDetail } from '../../api/types'
import { count } from '../../lib/numbers'
import { Failed } from '../../parts/states'
import { TemplateText } from '../../parts/template-text'

/** Making two templates one, or one two: shown what it touches before it is done. */
export function Parting({ template: t, picked, changed }: { template: TemplateDetail; picked: string[]; changed: () => void }) {
  const [what, setWhat] = useState<'merge' | 'split'>()
  const [from, setFrom] = useState('')
  const [text, setText] = useState(t.text)
  const [preview, setPreview] = useState<MergePreview>()
  const [error, setError] = useState<ApiError>()
  const [done, setDone] = useState('')
  const ids = from.split(/[\s,]+/).filter(Boolean)
  const ask = async (really: boolean): Promise<void> => {
    setError(undefined)
    try {
      const got = what === 'merge'
        ? await send<MergePreview>('POST', route.merges(!really), { from: ids, into: t.id })
        : await send<MergePreview>('POST', route.split(t.id, !really), { text })
      if (!really) { setPreview(got); return }
      setDone(what === 'merge' ? 'Merged. It can be undone under Merges.' : 'Split. It can be undone under Merges.')
      setPreview(undefined)
      setWhat(undefined)
      changed()
    } catch (e) {
      setPreview(undefined)
      setError(e instanceof ApiError ? e : new ApiError(String(e), '', 0))
    }
  }
  return (
    <section>
      <h3>Is it one template?</h3>
      <p class="actions">
        <button type="button" class="small" aria-expanded={what === 'merge'} data-key="m" onClick={() => { setWhat('merge'); setFrom(picked.join(' ')); setPreview(undefined) }}><kbd>m</kbd> Merge {picked.length ? `the ${picked.length} chosen` : 'others'} into it…</button>
        <button type="button" class="small" aria-expanded={what === 'split'} data-key="t" onClick={() => { setWhat('split'); setPreview(undefined) }}><kbd>t</kbd> Split a part off…</button>
        <span role="status">{done}</span>
      </p>
      {what && (
        <form class="stack" aria-label={what === 'merge' ? 'Merge' : 'Split'} ref={(el) => { if (el && !el.contains(document.activeElement)) el.querySelector<HTMLElement>('input, textarea')?.focus() }} onSubmit={(e) => { e.preventDefault(); void ask(false) }}>
          {what === 'merge'
            ? <label>Ids of the templates that become this one<input type="text" required value={from} onInput={(e) => { setFrom(e.currentTarget.value); setPreview(undefined) }} /></label>
            : <label>The text of the part, with values instead of some variables<textarea rows={3} required value={text} onInput={(e) => { setText(e.currentTarget.value); setPreview(undefined) }} /></label>}
          <p class="actions"><button>Show what it touches</button>{preview && <button type="button" class="primary" ref={(el) => el?.focus()} onClick={() => void ask(true)}>{what === 'merge' ? 'Merge them' : 'Split it'}</button>} <button type="button" onClick={() => { setWhat(undefined); setPreview(undefined) }}>Not now</button></p>
        </form>
      )}
      {error && <Failed error={error} />}
      {preview && (
        <div role="status">
          <p>{count(preview.touched)} incidents, {count(preview.labels.length)} labels{preview.labels.some((l) => l.before !== l.after) ? ': ' + preview.labels.filter((l) => l.before !== l.after).map((l) => `${l.title} explains ${l.after} instead of ${l.before}`).join(', ') : ''}.</p>
          <ul class="plain">{preview.templates.map((x) => <li key={x.id}><code>{x.id}</code> <TemplateText text={x.text} /> <span class="quiet">{count(preview.counts.find((c) => c.template_id === x.id)?.count ?? 0)} records in 30 days</span></li>)}</ul>
        </div>
      )}
    </section>
  )
}
