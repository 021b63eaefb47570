import { useEffect, useState } from 'preact/hooks'
import { ApiError, route, send } from '../../api/client'
import { needsName } from '../../api/session'
import type { Label, LabelHistory, LabelList, LabelPreview, MergeList, TemplateDetail } from '../../api/types'
import { useApi } from '../../api/use'
import { safeUrl, templateHref } from '../../lib/address'
import { setParams } from '../../lib/router'
import { Empty, Failed, Loading } from '../../parts/states'
import { TemplateText } from '../../parts/template-text'
import { When } from '../../parts/when'
import { askWho } from '../../parts/who'
import { Preview } from './form'
import { draftOf, previewOf, review, targetName, undoTo, type Action } from './work'

/** Labels in some states, with what may be done to them. Several can be reviewed at once. */
export function Labels({ states, chosen, review: reviewing }: { states: Label['state'][]; chosen: string; review: boolean }) {
  const asked = useApi<LabelList>(route.labels({ state: states, limit: 500 }))
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set())
  const [error, setError] = useState<ApiError>()
  const [said, setSaid] = useState('')
  const items = asked.data?.items ?? []
  const act = async (labels: Label[], action: Action): Promise<void> => {
    setError(undefined)
    let n = 0
    try {
      for (const l of labels) { await review(l, action); n++ }
      setSaid(`${n} ${done[action]}`)
      setPicked(new Set())
    } catch (e) {
      if (!(e instanceof ApiError)) throw e
      if (needsName(e)) askWho()
      setError(n ? new ApiError(`${n} of ${labels.length} were done, then: ${e.message}`, e.hint, e.status) : e)
    }
    asked.again()
  }
  useEffect(() => {
    if (!reviewing) return
    const on = (e: KeyboardEvent): void => {
      if (e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey || (e.target as HTMLElement).matches('input:not([type=checkbox]), textarea, select')) return
      const id = document.activeElement?.closest('[data-id]')?.getAttribute('data-id')
      const l = items.find((x) => x.id === id)
      if (!l || (e.key !== 'a' && e.key !== 'r')) return
      e.preventDefault()
      void act([l], e.key === 'a' ? 'approve' : 'reject')
    }
    addEventListener('keydown', on)
    return () => removeEventListener('keydown', on)
  }, [reviewing, items])
  if (asked.error) return <Failed error={asked.error} again={asked.again} />
  if (!asked.data) return <Loading what="labels" cancel={asked.cancel} />
  const some = items.filter((l) => picked.has(l.id))
  return (
    <>
      {reviewing && items.length > 0 && (
        <p class="actions">
          <button type="button" disabled={!some.length} onClick={() => void act(some, 'approve')}>Approve {some.length || ''} chosen</button>
          <button type="button" disabled={!some.length} onClick={() => void act(some, 'reject')}>Reject {some.length || ''} chosen</button>
          <button type="button" class="small" onClick={() => setPicked(some.length === items.length ? new Set() : new Set(items.map((l) => l.id)))}>{some.length === items.length ? 'Choose none' : 'Choose all'}</button>
          <span class="quiet"><kbd>a</kbd> approve, <kbd>r</kbd> reject the row</span>
        </p>
      )}
      <p role="status">{said}</p>
      {error && <Failed error={error} />}
      {!items.length && (
        <Empty title={reviewing ? 'Nothing waits for review' : 'No labels yet'}>
          <p>{reviewing ? 'What is labeled in the queue comes here, for a second person to approve.' : <>Begin with <a href="/label">the queue</a>.</>}</p>
        </Empty>
      )}
      <ul class="plain label-list">
        {items.map((l) => (
          <LabelRow key={l.id} label={l} open={chosen === l.id} act={act} again={asked.again}
            picked={reviewing ? picked.has(l.id) : undefined} pick={() => { const next = new Set(picked); if (!next.delete(l.id)) next.add(l.id); setPicked(next) }} />
        ))}
      </ul>
    </>
  )
}

const done: Record<Action, string> = { approve: 'approved', reject: 'rejected', review: 'sent back to review', retire: 'retired', restore: 'restored', propose: 'proposed' }

const possible: Record<Label['state'], [Action, string][]> = {
  draft: [['propose', 'Propose'], ['retire', 'Retire']],
  proposed: [['approve', 'Approve'], ['reject', 'Reject'], ['retire', 'Retire']],
  approved: [['review', 'Back to review'], ['retire', 'Retire']],
  retired: [['restore', 'Restore']],
}

interface RowProps {
  label: Label
  open: boolean
  act: (labels: Label[], action: Action) => Promise<void>
  again: () => void
  picked: boolean | undefined
  pick: () => void
}

function LabelRow({ label: l, open, act, again, picked, pick }: RowProps) {
  const [preview, setPreview] = useState<LabelPreview>()
  return (
    <li data-id={l.id}>
      <div class="label-head">
        {picked !== undefined && <input type="checkbox" checked={picked} onChange={pick} aria-label={`Choose ${l.title || l.id}`} />}
        <button type="button" class="link-like" data-row aria-expanded={open} onClick={() => setParams({ label: open ? undefined : l.id }, true)}>{l.title || l.cause || l.id}</button>
        <span class="badge calm">{l.state}</span>
        <span class="quiet">{l.cause}, by {l.author}{l.approved_by ? `, approved by ${l.approved_by}` : ''}, <When at={l.updated} /></span>
      </div>
      <p class="label-target">{l.target.template ? 'Template ' : 'Signature '}<code>{targetName(l.target)}</code></p>
      {l.advice && <p>{l.advice}</p>}
      {l.links?.map((link) => {
        const href = safeUrl(link)
        return href ? <p key={link}><a href={href} rel="noreferrer noopener" target="_blank">{link}</a></p> : null
      })}
      <p class="actions">
        {possible[l.state].map(([action, name]) => <button type="button" key={action} class="small" onClick={() => void act([l], action)}>{name}</button>)}
        <button type="button" class="small" onClick={() => void previewOf(draftOf(l), l.target).then(setPreview, () => setPreview(undefined))}>What it explains</button>
        {l.target.template && <a href={`/label?template=${encodeURIComponent(l.target.template.id)}`}>its template</a>}
      </p>
      {preview && <Preview previews={[preview]} />}
      {open && <History label={l} again={again} />}
    </li>
  )
}

/** All that was done to a label; any earlier state can be taken back. */
function History({ label: l, again }: { label: Label; again: () => void }) {
  const asked = useApi<LabelHistory>(route.label(l.id, 'history'))
  const [error, setError] = useState<ApiError>()
  if (asked.error) return <Failed error={asked.error} again={asked.again} />
  if (!asked.data) return <Loading what="the history" cancel={asked.cancel} />
  const back = (version: number): void => {
    undoTo(l, version).then(() => { again(); asked.again() }, (e: unknown) => setError(e instanceof ApiError ? e : new ApiError(String(e), '', 0)))
  }
  return (
    <section>
      <h3>History</h3>
      {error && <Failed error={error} />}
      <ol class="plain">
        {[...asked.data.items].reverse().map((c) => (
          <li key={c.label.version}>
            <When at={c.at} /> <strong>{c.by}</strong> {c.action}{c.why && `: ${c.why}`} <span class="quiet">version {c.label.version}, {c.label.title || c.label.cause}</span>{' '}
            {c.label.version < l.version && <button type="button" class="small" onClick={() => back(c.label.version)}>Back to this</button>}
          </li>
        ))}
      </ol>
    </section>
  )
}

/** Merges and splits that people made; each can be undone. */
export function Merges() {
  const asked = useApi<MergeList>(route.merges())
  const [error, setError] = useState<ApiError>()
  if (asked.error) return <Failed error={asked.error} again={asked.again} />
  if (!asked.data) return <Loading what="merges" cancel={asked.cancel} />
  if (!asked.data.items.length) return <Empty title="No template was merged or split by hand"><p>It is done beside a template in <a href="/label">the queue</a>.</p></Empty>
  const undo = (id: string): void => {
    send('POST', `${route.merges()}/${encodeURIComponent(id)}/undo`, {}).then(asked.again, (e: unknown) => setError(e instanceof ApiError ? e : new ApiError(String(e), '', 0)))
  }
  return (
    <>
      {error && <Failed error={error} />}
      <ul class="plain label-list">
        {[...asked.data.items].reverse().map((m) => (
          <li key={m.id}>
            <p><strong>{m.kind === 'merge' ? 'Merged' : 'Split off'}</strong></p>
            {m.from.map((f) => <Named key={f} id={f} />)}
            <p class="quiet">{m.kind === 'merge' ? 'into' : 'as'}</p>
            {m.kind === 'split' && m.text ? <p><TemplateText text={m.text} /></p> : <Named id={m.into} />}
            <p class="actions"><span class="quiet">{m.by}, <When at={m.at} /> {m.why}</span> {m.undone ? <span class="quiet">undone</span> : <button type="button" class="small" onClick={() => undo(m.id)}>Undo</button>}</p>
          </li>
        ))}
      </ul>
    </>
  )
}

/** A template by its text, as far as it is known. */
function Named({ id }: { id: string }) {
  const asked = useApi<TemplateDetail>(route.template(id))
  return <p><a data-row href={templateHref(id)}>{asked.data ? <TemplateText text={asked.data.text} /> : <code>{id}</code>}</a></p>
}
