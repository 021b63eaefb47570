import { useState } from 'preact/hooks'
import type { Evidence } from '../api/types'
import { logsHref, safeLink } from '../lib/address'
import { after } from '../lib/time'
import { LogText } from '../parts/log-text'
import { Icon } from '../parts/icons'
import { When } from '../parts/when'

const roles: Record<Evidence['role'], string> = { cause: 'Cause', effect: 'Effect', recovery: 'Recovery' }
const kinds: Record<Evidence['kind'], string> = { record: 'log', event: 'event', transition: 'state change' }

/** How it came about: the very lines and events, in time order. */
export function Chain({ chain, start }: { chain: Evidence[]; start: string }) {
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
          <Link key={`${e.record_id ?? e.event_id ?? ''}${n}`} evidence={e} start={start} open={open.has(n)} toggle={() => {
            const next = new Set(open)
            if (!next.delete(n)) next.add(n)
            setOpen(next)
          }} />
        ))}
      </ol>
    </section>
  )
}

function Link({ evidence: e, start, open, toggle }: { evidence: Evidence; start: string; open: boolean; toggle: () => void }) {
  const href = linkOf(e)
  return (
    <li class={`link ${e.role}`}>
      <div class="link-time"><When at={e.time} as="millis" /><span class="quiet">{after(start, e.time)}</span></div>
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

/** Where the evidence stands in the log: the server's link, or one made from its source. */
function linkOf(e: Evidence): string | undefined {
  const given = safeLink(e.link)
  if (given) return given
  if (!e.source.pod) return undefined
  return logsHref({ namespace: e.source.namespace, pod: e.source.pod, container: e.source.container, line: e.record_id })
}
