import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { ApiError, get, route } from '../../api/client'
import { needsName } from '../../api/session'
import type { CauseList, Coverage, Label, LabelInput, Queue, QueueItem } from '../../api/types'
import { useApi } from '../../api/use'
import { count } from '../../lib/numbers'
import { setParams, usePlace } from '../../lib/router'
import { Empty, Failed, Loading } from '../../parts/states'
import { TemplateText } from '../../parts/template-text'
import { askWho } from '../../parts/who'
import { useTitle } from '../title'
import { Form } from './form'
import { Item } from './item'
import { Labels, Merges } from './labels'
import { draftOf, emptyDraft, propose, review, saysSomething, targetName, type Draft } from './work'

const tabs = { templates: 'Templates', incidents: 'Unexplained incidents', review: 'To review', labels: 'All labels', merges: 'Merges' } as const
type Tab = keyof typeof tabs

/** What people know, said of one template after the other, with the keyboard alone. */
export function LabelConsole() {
  const { search } = usePlace()
  const p = new URLSearchParams(search)
  const asked = p.get('queue') ?? ''
  const tab: Tab = Object.hasOwn(tabs, asked) ? (asked as Tab) : 'templates'
  const coverage = useApi<Coverage>(route.coverage('now-30d'))
  useTitle('Label')
  return (
    <>
      <div class="head">
        <h1>Label</h1>
        {coverage.data && <p class="lead">{coverage.data.summary || `${Math.round(coverage.data.share * 100)} % of the failovers of 30 days are explained`}</p>}
      </div>
      <div class="choices states" role="group" aria-label="What to work on">
        {(Object.keys(tabs) as Tab[]).map((t) => <button type="button" key={t} aria-pressed={t === tab} onClick={() => setParams({ queue: t === 'templates' ? undefined : t, item: undefined, label: undefined, template: undefined })}>{tabs[t]}</button>)}
      </div>
      {tab === 'review' ? <Labels key="review" states={['proposed']} chosen={p.get('label') ?? ''} review />
        : tab === 'labels' ? <Labels key="labels" states={['draft', 'proposed', 'approved', 'retired']} chosen={p.get('label') ?? ''} review={false} />
        : tab === 'merges' ? <Merges />
        : <Work key={tab} kind={tab === 'incidents' ? 'incident' : 'template'} chosen={p.get('item') ?? ''} template={p.get('template') ?? ''} covered={coverage.again} />}
    </>
  )
}

interface Done {
  labels: Label[]
  item: string
}

function Work({ kind, chosen, template, covered }: { kind: 'template' | 'incident'; chosen: string; template: string; covered: () => void }) {
  const asked = useApi<Queue>(route.queue({ kind, limit: 100 }))
  const causes = useApi<CauseList>(route.causes())
  const [draft, setDraft] = useState<Draft>(emptyDraft)
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set())
  const [finished, setFinished] = useState<ReadonlySet<string>>(new Set())
  const [done, setDone] = useState<Done[]>([])
  const [said, setSaid] = useState('')
  const [error, setError] = useState<ApiError>()
  const [busy, setBusy] = useState(false)
  const [progress, setProgress] = useState(0)
  const stop = useRef(false)
  const items = useMemo(() => (asked.data?.items ?? []).filter((i) => !finished.has(i.id)), [asked.data, finished])
  const item = template ? undefined : (items.find((i) => i.id === chosen) ?? items[0])
  const templateId = template || (item?.kind === 'template' ? item.id : '')
  const bulk = items.filter((i) => picked.has(i.id))
  const targets: LabelInput['target'][] = bulk.length ? bulk.map((i) => i.target) : template ? [{ template: { id: template } }] : item ? [item.target] : []

  const next = (): void => {
    const at = items.findIndex((i) => i.id === item?.id)
    const to = items.slice(at + 1).find((i) => !picked.has(i.id)) ?? items.find((i) => i.id !== item?.id && !picked.has(i.id))
    setParams({ item: to?.id, template: undefined }, true)
  }
  const say = async (d: Draft): Promise<void> => {
    if (busy || !targets.length || !saysSomething(d)) return
    setBusy(true)
    setProgress(0)
    stop.current = false
    setError(undefined)
    const ids = bulk.length ? bulk.map((i) => i.id) : item ? [item.id] : []
    const made: Label[] = []
    try {
      for (const t of targets) {
        if (stop.current) throw new ApiError('you stopped it', '', 0)
        made.push(await propose(d, t))
        setProgress(made.length)
      }
      setFinished(new Set([...finished, ...ids]))
      setPicked(new Set())
      setDraft(emptyDraft)
      setSaid(`Proposed ${made.length === 1 ? `“${made[0]?.title || made[0]?.cause || ''}”` : `${made.length} labels`}. A second person approves ${made.length === 1 ? 'it' : 'them'}.`)
      next()
    } catch (e) {
      if (!(e instanceof ApiError)) throw e
      if (needsName(e)) askWho()
      setError(made.length ? new ApiError(`${made.length} of ${targets.length} were labeled, then: ${e.message}`, e.hint, e.status) : e)
    } finally {
      setBusy(false)
      if (made.length) setDone((all) => [...all, { labels: made, item: ids[0] ?? '' }])
      covered()
    }
  }
  const adopt = async (labelId: string): Promise<void> => {
    try {
      await say(draftOf(await get<Label>(route.label(labelId))))
    } catch (e) {
      setError(e instanceof ApiError ? e : new ApiError(String(e), '', 0))
    }
  }
  const undo = async (): Promise<void> => {
    const last = done.at(-1)
    if (!last) return
    try {
      for (const l of last.labels) await review(l, 'retire', 'undone')
      setDone(done.slice(0, -1))
      setFinished(new Set([...finished].filter((id) => id !== last.item)))
      setParams({ item: last.item || undefined }, true)
      setSaid('Undone: the label is retired, its history stays.')
      covered()
    } catch (e) {
      setError(e instanceof ApiError ? e : new ApiError(String(e), '', 0))
    }
  }

  const pick = (id: string): void => setPicked((old) => { const s = new Set(old); if (!s.delete(id)) s.add(id); return s })
  useWorkKeys({ next, undo, pick, item: item?.id })

  if (asked.error) return <Failed error={asked.error} again={asked.again} />
  if (!asked.data) return <Loading what="the queue" cancel={asked.cancel} />
  return (
    <>
      <p class="actions label-said">
        <span role="status">{said}</span>
        {busy && targets.length > 1 && <><progress max={targets.length} value={progress} aria-label="Labels made" /> {progress} of {targets.length} <button type="button" class="small" onClick={() => { stop.current = true }}>Stop</button></>}
        {done.length > 0 && <button type="button" class="small" onClick={() => void undo()}><kbd>u</kbd> Undo</button>}
        <span class="quiet label-keys"><kbd>l</kbd> label, <kbd>1</kbd>–<kbd>9</kbd> say what was said of a similar one, <kbd>s</kbd> skip, <kbd>x</kbd> choose for many, <kbd>p</kbd> preview, <kbd>u</kbd> undo</span>
      </p>
      {error && <Failed error={error} />}
      {!items.length && !template ? <Empty title={kind === 'template' ? 'Every template that took part in a failure is labeled' : 'Every incident is explained'}><p>Look at <a href="/label?queue=review">what waits for review</a>, or at <a href="/templates">all templates</a>.</p></Empty> : (
        <div class="label-work">
          <QueueList items={items} chosen={item?.id ?? ''} picked={picked} pick={pick} />
          <div class="label-detail">
            {bulk.length > 1 && <p class="badge warn">The form says the same of {bulk.length} chosen ones</p>}
            <Item key={templateId || item?.id || ''} item={item} template={templateId} picked={bulk.filter((i) => i.kind === 'template' && i.id !== templateId).map((i) => i.id)} adopt={(id) => void adopt(id)} changed={asked.again} />
            <Form draft={draft} set={setDraft} targets={targets} causes={causes.data?.items ?? []} submit={() => void say(draft)} busy={busy} />
          </div>
        </div>
      )}
    </>
  )
}

interface WorkKeys {
  next: () => void
  undo: () => Promise<void>
  pick: (id: string) => void
  item: string | undefined
}

/** The keys of the queue; typing into a field is left alone. */
function useWorkKeys(now: WorkKeys): void {
  const keys = useRef(now)
  keys.current = now
  useEffect(() => {
    const on = (e: KeyboardEvent): void => {
      const t = e.target as HTMLElement
      if (e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey || t.closest('dialog') || t.matches('input:not([type=checkbox]), textarea, select')) return
      const k = keys.current
      if (e.key === 's') k.next()
      else if (e.key === 'u') void k.undo()
      else if (e.key === 'l') document.querySelector<HTMLElement>('[data-label]')?.focus()
      else if (e.key === 'x' && k.item) k.pick(focusedItem() ?? k.item)
      else if ('pmt'.includes(e.key) && e.key.length === 1) document.querySelector<HTMLButtonElement>(`[data-key="${e.key}"]`)?.click()
      else if (/^[1-9]$/.test(e.key)) document.querySelectorAll<HTMLButtonElement>('.label-item ol button.small')[Number(e.key) - 1]?.click()
      else return
      e.preventDefault()
    }
    addEventListener('keydown', on)
    return () => removeEventListener('keydown', on)
  }, [])
}

/** The item of the queue that has the focus. */
const focusedItem = (): string | undefined => document.activeElement?.closest('[data-item]')?.getAttribute('data-item') ?? undefined

function QueueList({ items, chosen, picked, pick }: { items: QueueItem[]; chosen: string; picked: ReadonlySet<string>; pick: (id: string) => void }) {
  return (
    <nav class="queue" aria-label="Queue">
      <ol class="plain">
        {items.map((i) => (
          <li key={i.id} data-item={i.id} class={i.id === chosen ? 'current' : ''}>
            <input type="checkbox" checked={picked.has(i.id)} onChange={() => pick(i.id)} aria-label={`Choose for many: ${i.title}`} />
            <button type="button" class="link-like" data-row aria-current={i.id === chosen ? 'true' : undefined} onClick={() => setParams({ item: i.id, template: undefined }, true)}>
              <TemplateText text={i.title || targetName(i.target)} max={110} />
              <span class="quiet">{count(i.failovers)} failover{i.failovers === 1 ? '' : 's'}, {count(i.jobs)} job{i.jobs === 1 ? '' : 's'}{i.explained < i.failovers ? `, ${count(i.failovers - i.explained)} unexplained` : ''}</span>
            </button>
          </li>
        ))}
      </ol>
    </nav>
  )
}
