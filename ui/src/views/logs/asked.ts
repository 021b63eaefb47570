// What the address asks of the log viewer, in the words of the API.

import type { LogsState } from '../../lib/address'

/** Where a search without a pod, a job or a time begins: everything ever kept would take long. */
export const defaultStart = 'now-7d'

/** True if the log of something is asked for, rather than which log there is. */
export const asksForLog = (s: LogsState): boolean => !!(s.pod || s.job || s.q || s.line || s.live)

export const boundsOf = (s: LogsState): { start: string; end: string } => ({
  start: s.start || (s.pod || s.job ? '' : defaultStart),
  end: s.end,
})

/** What the search asks for, apart from time and order. */
export const filtersOf = (s: LogsState) => ({
  q: s.q, scope: s.important ? ('important' as const) : undefined,
  namespace: s.namespace, job: s.pod ? '' : s.job, pod: s.pod, pod_uid: s.podUid, container: s.container, restart: s.restart,
})
