import type { Document } from '../../api/types'
import { logsHref, templateHref } from '../../lib/address'
import { fold, shortName } from '../../lib/fold'
import { harmless, indexOfByte } from '../../lib/text'
import { shift } from '../../lib/time'
import { LogText } from '../../parts/log-text'
import { When } from '../../parts/when'
import { CopyButton } from '../../parts/copy-button'

/** Which parts of where it came from are not the same for all records in the list. */
export interface Differences {
  pod: boolean
  container: boolean
  restart: boolean
  prefix: number // characters that all pods' names begin with
}

interface Props {
  doc: Document
  chosen: boolean // it is the line of the address
  open: boolean // whole text and fields are shown
  toggle: () => void
  choose: () => void
  differ: Differences
  newDay: boolean // it is the first of its day in the list
  raw: boolean // whole lines, header included
  ansi: boolean // colour codes become colours
  words: string[]
  label: string | undefined // what people said of its template
}

/** The address of the record, with its log around it. */
function hrefOf(d: Document): string {
  if (d.kind === 'event') {
    return logsHref({ namespace: d.namespace, job: d.job, pod: d.job ? undefined : d.pod, start: shift(d.time, -5000), end: shift(d.time, 120_000), order: 'oldest', line: d.id })
  }
  return logsHref({ namespace: d.namespace, pod: d.pod, pod_uid: d.pod_uid, container: d.container, restart: d.restart, line: d.id })
}

/** One record or event: time, level, where from, and its text, a stack trace folded. */
export function Record({ doc: d, chosen, open, toggle, choose, differ, newDay, raw, ansi, words, label }: Props) {
  const event = d.kind === 'event'
  const level = event ? (d.event?.type === 'Warning' ? 'WARN' : '') : (d.level ?? '')
  return (
    <>
    {newDay && <p class="new-day"><When at={d.time} as="date" /></p>}
    <div
      class={`record ${level ? 'lv-' + level.toLowerCase() : ''} ${event ? 'is-event' : ''} ${chosen ? 'chosen' : ''}`}
      data-row tabIndex={-1} aria-current={chosen ? 'true' : undefined}
      onKeyDown={(e) => { if (e.key === 'Enter' && e.target === e.currentTarget) toggle() }}
    >
      <a class="record-time" href={hrefOf(d)} title="Link to this line" onClick={(e) => {
        if (e.ctrlKey || e.metaKey || e.shiftKey) return
        e.preventDefault()
        choose()
      }}>
        <When at={d.time} as="millis" />
      </a>
      <span class="level">{event ? 'EVENT' : level}</span>
      <div class="record-body">
        {chosen && <span class="chosen-mark">this line</span>}
        {!event && <Source doc={d} differ={differ} />}
        <Text doc={d} open={open} raw={raw} ansi={ansi} words={words} toggle={toggle} />
        {label && <a class="record-label" href={templateHref(d.template_id ?? '')} title="What people said of lines like it">{label}</a>}
        {open && <Details doc={d} />}
      </div>
    </div>
    </>
  )
}

function Source({ doc: d, differ }: { doc: Document; differ: Differences }) {
  const said = [differ.pod && (d.pod ?? '').slice(differ.prefix), differ.container && d.container, differ.restart && d.restart > 0 && `restart ${d.restart}`].filter(Boolean).join(' / ')
  return said ? <span class="record-source" title={d.pod}>{said}</span> : null
}

/** So much of one line is shown while the record is folded. */
const foldedChars = 1200

function Text({ doc: d, open, raw, ansi, words, toggle }: Pick<Props, 'doc' | 'open' | 'raw' | 'ansi' | 'words' | 'toggle'>) {
  const at = !raw && !open && d.message_at ? indexOfByte(d.text, d.message_at) : 0
  const text = d.text.slice(at)
  const folded = open ? undefined : fold(text)
  // The innermost exception is the one that people look for.
  const root = folded?.lines.findLastIndex((l) => l.cause)
  return (
    <>
      {d.event && <strong>{headOf(d.event)} </strong>}
      {at > 0 && d.logger && <span class="logger" title={d.logger}>{shortName(d.logger)} </span>}
      {folded
        ? folded.lines.map((l, i) => <span key={i} class={i > 0 && i === root ? 'line root' : 'line'}><LogText text={l.text} words={words} ansi={ansi} first={foldedChars} /></span>)
        : <span class="line"><LogText text={text} words={words} ansi={ansi} /></span>}
      {(d.alike ?? 0) > 1 && <span class="alike" title="So many alike in this container and minute"> × {d.alike} alike</span>}
      <button type="button" class={folded && !folded.hidden ? 'more fields' : 'more'} aria-expanded={open} onClick={toggle}>
        {open ? 'fold' : folded?.hidden ? `${folded.hidden} more lines` : 'fields'}
        <span class="sr"> of the record</span>
      </button>
    </>
  )
}

/** OOMKilled Pod/tm-1 container main, exit code 137 × 3 */
function headOf(e: NonNullable<Document['event']>): string {
  const container = e.kind === 'container' && e.container ? ` container ${e.container}` : ''
  const exit = e.exit_code === undefined ? '' : `, exit code ${e.exit_code}`
  const times = (e.count ?? 0) > 1 ? ` × ${e.count}` : ''
  return harmless(`${e.reason} ${e.object.kind}/${e.object.name}${container}${exit}${times}`)
}

function Details({ doc: d }: { doc: Document }) {
  const fields: [string, string | undefined][] = [
    ['@timestamp', d.time],
    ['log.level', d.level],
    ['log.logger', d.logger],
    ['thread.name', d.thread],
    ['k8s.pod.name', d.pod],
    ['k8s.container.name', d.container && (d.kind === 'event' ? d.container : `${d.container}, restart ${d.restart}`)],
    ['k8s.node.name', d.node],
    ['log.iostream', d.kind === 'record' ? (d.stderr ? 'stderr' : 'stdout') : undefined],
    ['exception.type', d.exception?.join(', caused by ')],
    ['k8s.event.reason', d.event?.reason],
    ['k8s.event.count', d.event?.count ? String(d.event.count) : undefined],
    ['reported by', d.event?.component],
    ['flink.job.name', d.flink_job_name],
    ['flink.job.id', d.flink_job_id],
    ['template.id', d.template_id],
    ...Object.entries(d.attrs ?? {}).map(([k, v]): [string, string] => [`attr.${k}`, v]),
  ]
  return (
    <div class="details">
      <dl>
        {fields.filter(([, v]) => v).map(([k, v]) => <div key={k}><dt>{k}</dt><dd><LogText text={v ?? ''} /></dd></div>)}
      </dl>
      <p class="actions">
        <a class="button" href={hrefOf(d)}>Show the log around it</a>
        {d.template_id && <a class="button" href={templateHref(d.template_id, { namespace: d.namespace, job: d.job })}>Its template</a>}
        {d.template_id && <a class="button" href={`/label?template=${encodeURIComponent(d.template_id)}`}>Label this</a>}
        <CopyButton text={() => location.origin + hrefOf(d)} icon="link">Copy link</CopyButton>
        <CopyButton text={() => d.text}>Copy text</CopyButton>
      </p>
    </div>
  )
}
