// Sends logs as any OpenTelemetry sender does: a Flink job that fails while somebody looks.

export interface Line {
  at: number // ms since 1970
  text: string
}

export const failingNamespace = 'flink-live'

/** Sends lines of pods of a namespace. */
export async function post(url: string, namespace: string, pods: { pod: string; lines: Line[] }[]): Promise<void> {
  const resourceLogs = pods.map(({ pod, lines }) => ({
    resource: {
      attributes: Object.entries({
        'k8s.namespace.name': namespace, 'k8s.pod.name': pod, 'k8s.pod.uid': `${pod}-uid`, 'k8s.container.name': 'main', 'k8s.container.restart_count': '0',
      }).map(([key, value]) => ({ key, value: { stringValue: value } })),
    },
    scopeLogs: [{ logRecords: lines.map((l) => ({ timeUnixNano: `${Math.floor(l.at * 1000)}000`, body: { stringValue: l.text } })) }],
  }))
  const res = await fetch(`${url}/v1/logs`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ resourceLogs }) })
  if (!res.ok) throw new Error(`the server answered ${res.status} to logs: ${await res.text()}`)
}

/** What the job wrote when it failed: nothing that the catalogue knows. */
export const complaint = (shard: number): string => `Lantern shard ${shard} refused the handshake, its seal is broken`

/** Lets a job start, run for a while, fail for want of a seal, and run again. from is when it starts. */
export async function failJob(url: string, job: string, id: string, from: number): Promise<void> {
  const time = (ms: number): string => new Date(ms).toISOString().replace('T', ' ').replace('Z', '').replace('.', ',')
  const line = (after: number, level: string, logger: string, message: string): Line => ({ at: from + after, text: `${time(from + after)} ${level.padEnd(5)} ${logger} [] - ${message}` })
  const graph = 'org.apache.flink.runtime.executiongraph.ExecutionGraph'
  const attempt = 'e1ed994d1c2e1f65c2227b86b28d721a_f362c87ffabe89c8a91fa7d0a523ba6c_0_0'
  const lines = [
    line(0, 'INFO', graph, `Job ${job} (${id}) switched from state CREATED to RUNNING.`),
    line(1000, 'INFO', 'org.apache.flink.runtime.checkpoint.CheckpointCoordinator', `Completed checkpoint 1 for job ${id} (2120 bytes, checkpointDuration=10 ms, finalizationTime=1 ms).`),
    line(30_000, 'WARN', 'com.acme.lantern.Keeper', complaint(from % 97)),
    line(30_050, 'WARN', 'org.apache.flink.runtime.taskmanager.Task', `Source: lamps (1/1)#0 (${attempt}) switched from RUNNING to FAILED with failure cause:\ncom.acme.lantern.SealException: ${complaint(from % 97)}\n\tat com.acme.lantern.Keeper.open(Keeper.java:41)\n\tat java.base/java.lang.Thread.run(Thread.java:840)`),
    line(30_100, 'INFO', graph, `Job ${job} (${id}) switched from state RUNNING to RESTARTING.`),
    line(33_000, 'INFO', graph, `Job ${job} (${id}) switched from state RESTARTING to RUNNING.`),
    line(36_000, 'INFO', 'org.apache.flink.runtime.checkpoint.CheckpointCoordinator', `Completed checkpoint 2 for job ${id} (2120 bytes, checkpointDuration=10 ms, finalizationTime=1 ms).`),
  ]
  // The pod's name is one that Flink's native Kubernetes mode gives.
  await post(url, failingNamespace, [{ pod: `${job}-5c9d7f6b8-x2vlp`, lines }])
}
