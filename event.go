package lastnight

import "time"

// EventKind says where an event comes from.
type EventKind string

// The kinds of events.
const (
	EventKubernetes EventKind = "event"     // an Event object (core/v1 or events.k8s.io)
	EventPod        EventKind = "pod"       // a change of a pod's phase, condition or existence
	EventContainer  EventKind = "container" // a change of a container's state
	EventNode       EventKind = "node"      // a change of a node's condition, taint or schedulability
	EventCollector  EventKind = "collector" // what a collector has to say, such as bytes that were lost
)

// ObjectRef names the object that an event is about.
type ObjectRef struct {
	Kind      string `json:"kind"` // Pod, Node, Deployment …
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	UID       string `json:"uid,omitempty"`
}

// Event is one occurrence of a Kubernetes event, or one change of a pod,
// container or node seen by a watch or between two lists.
type Event struct {
	ID   string    `json:"id"`   // the same for the same occurrence, however it was read
	Time time.Time `json:"time"` // when it happened; Kubernetes often gives whole seconds only
	Kind EventKind `json:"kind"`
	Type string    `json:"type,omitempty"` // Normal or Warning
	// Reason: of an Event object its own. Of a container change the terminated or
	// waiting reason (OOMKilled, Error, Completed, ImagePullBackOff …) or Running.
	// Of a pod change: Scheduled, Unschedulable, Deleted (deletion was asked for), Removed
	// (gone from the API), the DisruptionTarget condition's reason, status.reason (Evicted …), or the new phase.
	// Of a node change: NodeReady, NodeNotReady, Cordoned, Uncordoned, a condition's type, Tainted.
	Reason    string    `json:"reason"`
	Object    ObjectRef `json:"object"`
	Message   string    `json:"message,omitempty"`
	Cluster   string    `json:"cluster,omitempty"`
	Node      string    `json:"node,omitempty"`
	Container string    `json:"container,omitempty"`
	Restart   int       `json:"restart,omitempty"`   // of the container instance that a container change is about
	State     string    `json:"state,omitempty"`     // container change: waiting, running or terminated
	ExitCode  *int      `json:"exit_code,omitempty"` // container change: of a terminated one
	Signal    int       `json:"signal,omitempty"`
	Count     int       `json:"count,omitempty"`     // Event object: how often so far
	Component string    `json:"component,omitempty"` // who reported it: kubelet, default-scheduler …
	Workload  string    `json:"workload,omitempty"`  // job that the object belongs to; "" if none is known
}

// Pod is what is known of a pod, living or gone.
type Pod struct {
	Cluster     string            `json:"cluster,omitempty"`
	Namespace   string            `json:"namespace"`
	Name        string            `json:"name"`
	UID         string            `json:"uid"`
	Node        string            `json:"node,omitempty"`
	IP          string            `json:"ip,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"` // those that the collector was told to keep
	Owner       ObjectRef         `json:"owner,omitzero"`        // controlling owner: ReplicaSet, StatefulSet, Job …
	Images      []string          `json:"images,omitempty"`
	Created     time.Time         `json:"created,omitzero"`
	Deleted     time.Time         `json:"deleted,omitzero"` // when deletion was asked for
}
