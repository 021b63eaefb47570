import { useState } from 'preact/hooks'
import type { Evidence, Incident } from '../api/types'
import { logsHref, safeLink } from '../lib/address'
import { after, shift } from '../lib/time'
import { LogText } from '../parts/log-text'
import { Icon } from '../parts/icons'
import { When } from '../parts/when'

const roles: Record<Evidence['role'], string> = { cause: 'Cause', effect: 'Effect', recovery: 'Recovery' }
const kinds: Record<Evidence['kind'], string> = { record: 'log', event: 'event', transition: 'state change' }

/** How it came about: the very lines and events, in time order. */
export function Chain({ incident }: { incident: Incident }) {
  const { chain } = incident.diagnosis
  // The first cause is open: its line is what the reader came for.
  const first = Math.max(0, chain.findIndex((e) => e.role === 'cause'))
  const [open, setOpen] = useState<ReadonlySet<number>>(() => new Set([first]))
  if (!chain.length) return <section><h2>What happened</h2><p class="quiet">No evidence was kept.</p></section>
  const all = open.size === chain.length
  return (
    <section aria-labelledby="chain">
      <h2 id="chain">What happened <button type="button" class="small" onClick={() => setOpen(all ? new Set() : new Set(chain.keys()))}>{all ? 'Fold all' : 'Unfold all'}</button></h2>
      <ol class="chain">
        {chain.map((e, n) => (
          <Link key={`${e.record_id ?? e.event_id ?? ''}${n}`} evidence={e} incident={incident} open={open.has(n)} toggle={() => {
            const next = new Set(open)
            if (!next.delete(n)) next.add(n)
            setOpen(next)
          }} />
        ))}
      </ol>
    </section>
  )
}

function Link({ evidence: e, incident, open, toggle }: { evidence: Evidence; incident: Incident; open: boolean; toggle: () => void }) {
  const href = linkOf(e, incident)
  return (
    <li class={`link ${e.role}`}>
      <div class="link-time"><When at={e.time} as="millis" /><span class="quiet">{after(incident.start, e.time)}</span></div>
      <div class="link-body">
        <button type="button" class="link-what" data-row aria-expanded={open} onClick={toggle}>
          <span class="role">{roles[e.role]}</span>
          <span><LogLine text={e.what} /></span>
        </button>
        <p class="link-source">
          <span>{kinds[e.kind]}{e.reason ? ` ${e.reason}` : ''}{e.exit_code !== undefined ? `, exit code ${e.exit_code}` : ''}</span>
          <Source evidence={e} />
          {href && <a href={href}>Open in the log</a>}
        </p>
        {open && <pre class="evidence" tabIndex={0} aria-label="The record or event itself"><LogText text={e.text} /></pre>}
      </div>
    </li>
  )
}

function LogLine({ text }: { text: string }) {
  return <LogText text={text.length > 400 ? text.slice(0, 400) + '…' : text} />
}

function Source({ evidence: e }: { evidence: Evidence }) {
  const s = e.source
  if (s.pod) return <span><Icon name="log" /> {s.pod}{s.container ? ` / ${s.container}` : ''}{s.node ? ` on ${s.node}` : ''}</span>
  if (e.object) return <span>{e.object.kind} {e.object.name}{s.node && e.object.kind !== 'Node' ? ` on ${s.node}` : ''}</span>
  return s.node ? <span>{s.node}</span> : null
}

/** Where the evidence stands in the log: of a record the server's link; of an event the log around it, with the event in line. */
function linkOf(e: Evidence, i: Incident): string | undefined {
  const { namespace, pod, container } = e.source
  const workload = i.workload || i.job
  if (e.kind === 'event' && e.event_id) {
    const ofJob = !pod || pod.startsWith(workload)
    return logsHref({
      namespace: namespace || i.namespace, job: ofJob ? workload : undefined, pod: ofJob ? undefined : pod,
      start: shift(e.time, -5000), end: shift(e.time, 120_000), order: 'oldest', line: e.event_id,
    })
  }
  return safeLink(e.link) ?? (pod && logsHref({ namespace, pod, container, line: e.record_id }))
}
