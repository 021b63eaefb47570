import type { ComponentChildren } from 'preact'
import type { Incident } from '../api/types'
import { stateOf } from '../lib/markdown'
import { Icon, type IconName } from './icons'

type Tone = 'bad' | 'warn' | 'good' | 'calm'

function Badge({ tone, icon, children }: { tone: Tone; icon: IconName; children: ComponentChildren }) {
  return (
    <span class={`badge ${tone}`}>
      <Icon name={icon} />
      {children}
    </span>
  )
}

/** Whether somebody has to do something: what the reader wants to know first. */
export function ActionBadge({ incident: i }: { incident: Incident }) {
  if (i.planned) return <Badge tone="calm" icon="hand">Planned</Badge>
  if (i.diagnosis.action_needed) return <Badge tone="bad" icon="alert">Action needed</Badge>
  if (!i.diagnosis.explained) return <Badge tone="warn" icon="question">Unexplained</Badge>
  return <Badge tone="calm" icon="none">No action needed</Badge>
}

/** Whether the job runs again. */
export function StateBadge({ incident }: { incident: Incident }) {
  // What a person ended is not a job that is lost.
  if (incident.planned && stateOf(incident) !== 'recovered') return <Badge tone="calm" icon="none">Ended</Badge>
  switch (stateOf(incident)) {
    case 'recovered': return <Badge tone="good" icon="check">Recovered</Badge>
    case 'open': return <Badge tone="warn" icon="open">Open</Badge>
    case 'given up': return <Badge tone="bad" icon="cross">Not recovered</Badge>
  }
}
