package kube

import "time"

// The objects of the Kubernetes API as far as they are read here: the names of fields are the
// API's (k8s.io/api), what is not looked at is not there. So a pod's version takes a kilobyte or
// two and not ten, and the program does not carry the types of all APIs.

// Meta is an object's metadata.
type Meta struct {
	Name                       string            `json:"name"`
	Namespace                  string            `json:"namespace,omitempty"`
	UID                        string            `json:"uid,omitempty"`
	ResourceVersion            string            `json:"resourceVersion,omitempty"`
	CreationTimestamp          time.Time         `json:"creationTimestamp,omitzero"`
	DeletionTimestamp          time.Time         `json:"deletionTimestamp,omitzero"`
	DeletionGracePeriodSeconds int64             `json:"deletionGracePeriodSeconds,omitempty"`
	Labels                     map[string]string `json:"labels,omitempty"`
	Annotations                map[string]string `json:"annotations,omitempty"`
	OwnerReferences            []OwnerReference  `json:"ownerReferences,omitempty"`
	ManagedFields              []ManagedFields   `json:"managedFields,omitempty"`
}

// Metadata gives the metadata itself, for code that takes objects of any kind.
func (m *Meta) Metadata() *Meta { return m }

// OwnerReference names what an object belongs to.
type OwnerReference struct {
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	UID        string `json:"uid"`
	Controller bool   `json:"controller,omitempty"`
}

// ManagedFields says when somebody last wrote an object.
type ManagedFields struct {
	Time time.Time `json:"time,omitzero"`
}

// Controller gives the owner that controls the object, nil if there is none.
func (m *Meta) Controller() *OwnerReference {
	for i := range m.OwnerReferences {
		if m.OwnerReferences[i].Controller {
			return &m.OwnerReferences[i]
		}
	}
	return nil
}

// Written gives the newest time at which the object was written, where the API server told.
func (m *Meta) Written() time.Time {
	var n newest
	n.see(m.CreationTimestamp)
	for i := range m.ManagedFields {
		n.see(m.ManagedFields[i].Time)
	}
	return n.Time
}

// Pod is a pod.
type Pod struct {
	Meta `json:"metadata"`
	Spec struct {
		NodeName   string `json:"nodeName"`
		Containers []struct {
			Image string `json:"image"`
		} `json:"containers"`
	} `json:"spec"`
	Status struct {
		Phase                      string            `json:"phase"`
		Reason                     string            `json:"reason"`
		Message                    string            `json:"message"`
		PodIP                      string            `json:"podIP"`
		StartTime                  time.Time         `json:"startTime"`
		Conditions                 []Condition       `json:"conditions"`
		InitContainerStatuses      []ContainerStatus `json:"initContainerStatuses"`
		ContainerStatuses          []ContainerStatus `json:"containerStatuses"`
		EphemeralContainerStatuses []ContainerStatus `json:"ephemeralContainerStatuses"`
	} `json:"status"`
}

// Condition is a condition of a pod or node.
type Condition struct {
	Type               string    `json:"type"`
	Status             string    `json:"status"` // True, False or Unknown
	Reason             string    `json:"reason"`
	Message            string    `json:"message"`
	LastTransitionTime time.Time `json:"lastTransitionTime"`
	LastHeartbeatTime  time.Time `json:"lastHeartbeatTime"` // of nodes
}

// ContainerStatus is the state of one container of a pod.
type ContainerStatus struct {
	Name                 string         `json:"name"`
	RestartCount         int32          `json:"restartCount"`
	ContainerID          string         `json:"containerID"`
	State                ContainerState `json:"state"`
	LastTerminationState ContainerState `json:"lastState"`
}

// ContainerState is one of three.
type ContainerState struct {
	Waiting    *StateWaiting    `json:"waiting"`
	Running    *StateRunning    `json:"running"`
	Terminated *StateTerminated `json:"terminated"`
}

// StateWaiting says why a container does not run yet.
type StateWaiting struct {
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// StateRunning says since when a container runs.
type StateRunning struct {
	StartedAt time.Time `json:"startedAt"`
}

// StateTerminated says how a container's instance ended.
type StateTerminated struct {
	ExitCode    int32     `json:"exitCode"`
	Signal      int32     `json:"signal"`
	Reason      string    `json:"reason"`
	Message     string    `json:"message"`
	StartedAt   time.Time `json:"startedAt"`
	FinishedAt  time.Time `json:"finishedAt"`
	ContainerID string    `json:"containerID"`
}

// Node is a node.
type Node struct {
	Meta `json:"metadata"`
	Spec struct {
		Unschedulable bool    `json:"unschedulable"`
		Taints        []Taint `json:"taints"`
	} `json:"spec"`
	Status struct {
		Conditions []Condition `json:"conditions"`
	} `json:"status"`
}

// Taint keeps pods off a node.
type Taint struct {
	Key       string    `json:"key"`
	Value     string    `json:"value"`
	Effect    string    `json:"effect"`
	TimeAdded time.Time `json:"timeAdded"`
}

// Event is an Event object of core/v1.
type Event struct {
	Meta           `json:"metadata"`
	InvolvedObject ObjectReference `json:"involvedObject"`
	Reason         string          `json:"reason"`
	Message        string          `json:"message"`
	Type           string          `json:"type"`
	Count          int32           `json:"count"`
	Source         struct {
		Component string `json:"component"`
		Host      string `json:"host"`
	} `json:"source"`
	FirstTimestamp      time.Time    `json:"firstTimestamp"`
	LastTimestamp       time.Time    `json:"lastTimestamp"`
	EventTime           time.Time    `json:"eventTime"`
	Series              *EventSeries `json:"series"`
	ReportingController string       `json:"reportingComponent"`
	ReportingInstance   string       `json:"reportingInstance"`
}

// ObjectReference says what an Event is about.
type ObjectReference struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	UID       string `json:"uid"`
	FieldPath string `json:"fieldPath"`
}

// EventSeries counts repeats of an Event.
type EventSeries struct {
	Count            int32     `json:"count"`
	LastObservedTime time.Time `json:"lastObservedTime"`
}

// newEvent is an Event object of events.k8s.io/v1: the same object under other names.
type newEvent struct {
	Meta       `json:"metadata"`
	Regarding  ObjectReference `json:"regarding"`
	Reason     string          `json:"reason"`
	Note       string          `json:"note"`
	Type       string          `json:"type"`
	Count      int32           `json:"deprecatedCount"`
	Deprecated struct {
		Component string `json:"component"`
		Host      string `json:"host"`
	} `json:"deprecatedSource"`
	FirstTimestamp      time.Time    `json:"deprecatedFirstTimestamp"`
	LastTimestamp       time.Time    `json:"deprecatedLastTimestamp"`
	EventTime           time.Time    `json:"eventTime"`
	Series              *EventSeries `json:"series"`
	ReportingController string       `json:"reportingController"`
	ReportingInstance   string       `json:"reportingInstance"`
}

// What the API calls things.
const (
	typeNormal  = "Normal"
	typeWarning = "Warning"

	conditionTrue  = "True"
	conditionFalse = "False"

	podScheduled     = "PodScheduled"
	podReady         = "Ready"
	disruptionTarget = "DisruptionTarget"
	nodeReady        = "Ready"

	phaseRunning   = "Running"
	phaseSucceeded = "Succeeded"
	phaseFailed    = "Failed"
	phaseUnknown   = "Unknown"

	unschedulableTaint = "node.kubernetes.io/unschedulable"
	mirrorAnnotation   = "kubernetes.io/config.mirror"
)
