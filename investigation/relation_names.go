package investigation

// Relations that a predicate may name. Each is a judgement over several documents.
const (
	relTaskFailedInUserCode = "task-failed-in-user-code"           // Flink gives an exception as the task's failure, and no part of Flink threw it
	relContainerEnded       = "container-ended-abnormally"         // a container of the workload ended with an error by itself
	relProbeFailed          = "probe-failed-when-stopped"          // the kubelet stopped a container in the second in which its probe failed
	relPodDeleted           = "pod-deleted"                        // a single pod was deleted, neither by Flink nor with the whole workload
	relEvictedFromCordoned  = "pod-evicted-from-cordoned-node"     // a pod was deleted from a node that had just been cordoned
	relNodeNotReady         = "node-of-pod-not-ready"              // the node of a pod of the job became NotReady
	relSilentHeartbeat      = "heartbeat-lost-while-container-ran" // heartbeats ended while the container ran on and its node was well
	relUpstreamDown         = "upstream-pod-down"                  // the pod behind the address that failed ended or restarted then
	relMountConfig          = "mount-of-missing-config"            // a volume of a missing ConfigMap or Secret kept the pod from starting
	relMountKeptFailing     = "mount-kept-failing"                 // a volume kept the pod from starting
	relStoppedByRequest     = "stopped-by-request"                 // somebody stopped or cancelled the job
	relDeploymentDeleted    = "deployment-deleted"                 // every pod of the workload was deleted at once
	relManyNodesSilent      = "heartbeats-of-several-nodes-lost"   // heartbeats of pods on different nodes, or of pods that went on logging, were lost, and no container ended
	relNodeSilent           = "many-pods-of-node-silent"           // heartbeats of several pods of one node ended together, no container did
	relRestartStorm         = "more-than-three-failovers-in-ten-minutes"
)

var relationNames = []string{
	relTaskFailedInUserCode, relContainerEnded, relProbeFailed, relPodDeleted, relEvictedFromCordoned, relNodeNotReady, relSilentHeartbeat,
	relUpstreamDown, relMountConfig, relMountKeptFailing, relStoppedByRequest, relDeploymentDeleted, relManyNodesSilent,
	relNodeSilent, relRestartStorm,
}
