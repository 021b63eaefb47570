package lastnight

import "time"

// Interval is start inclusive, end exclusive. Zone is the IANA name in which it was asked.
type Interval struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	Zone  string    `json:"zone,omitempty"`
}

// Incident is the failovers of one job that have the same cause and are less than
// ten minutes apart, with their signals.
type Incident struct {
	ID        string    `json:"id"` // from the job and its first opener; never changes
	Cluster   string    `json:"cluster,omitempty"`
	Namespace string    `json:"namespace"`
	Job       string    `json:"job"`
	Workload  string    `json:"workload,omitempty"`
	Start     time.Time `json:"start"` // time of the first opener
	End       time.Time `json:"end"`   // recovered, given up, or the last signal so far
	Failovers int       `json:"failovers"`
	Planned   bool      `json:"planned"`   // a person asked for it
	Recovered bool      `json:"recovered"` // every task runs again, or a later checkpoint completed
	Open      bool      `json:"open"`      // neither recovered nor given up yet
	Diagnosis Diagnosis `json:"diagnosis"`
	Similar   []Similar `json:"similar"`
	Features  []string  `json:"features,omitempty"` // what it is compared by: templates, exception types, reasons, exit codes
}

// Similar points to an incident like another. Score is in [0, 1].
type Similar struct {
	ID        string    `json:"id"`
	Namespace string    `json:"namespace,omitempty"`
	Job       string    `json:"job,omitempty"`
	Start     time.Time `json:"start"`
	Cause     string    `json:"cause,omitempty"`
	Score     float64   `json:"score"`
}

// Diagnosis is what an investigation says of an incident.
type Diagnosis struct {
	Explained    bool          `json:"explained"`
	Cause        string        `json:"cause,omitempty"` // catalogue id; empty if unexplained
	Title        string        `json:"title,omitempty"`
	Confidence   float64       `json:"confidence"` // in [0, 1]
	Layer        string        `json:"layer,omitempty"`
	Severity     string        `json:"severity,omitempty"`
	ActionNeeded bool          `json:"action_needed"`
	Advice       string        `json:"advice,omitempty"`
	Verdict      string        `json:"verdict"` // one sentence for people
	Label        *LabelRef     `json:"label,omitempty"`
	Chain        []Evidence    `json:"chain"` // in time order
	Alternatives []Alternative `json:"alternatives"`
}

// LabelRef names the label that explains an incident.
type LabelRef struct {
	ID     string `json:"id"`
	Author string `json:"author"`
	State  string `json:"state"`
}

// Alternative is a cause that was ranked below the named one.
type Alternative struct {
	Cause      string  `json:"cause"`
	Title      string  `json:"title,omitempty"`
	Confidence float64 `json:"confidence"`
}

// The roles of evidence in the causal chain.
const (
	RoleCause    = "cause"
	RoleEffect   = "effect"
	RoleRecovery = "recovery"
)

// Evidence is a record or event that supports a diagnosis, and its place in the chain.
type Evidence struct {
	Time     time.Time  `json:"time"`
	Kind     string     `json:"kind"` // record, event or transition (a record that is a change of the job's state)
	What     string     `json:"what"` // one line for people
	Text     string     `json:"text"` // the record or event itself, at most 64 KiB
	RecordID string     `json:"record_id,omitempty"`
	Template string     `json:"template_id,omitempty"` // of a record
	EventID  string     `json:"event_id,omitempty"`
	Role     string     `json:"role"`
	Cause    string     `json:"cause,omitempty"`  // catalogue id that it supports
	Reason   string     `json:"reason,omitempty"` // of an event
	Object   *ObjectRef `json:"object,omitempty"` // of an event
	ExitCode *int       `json:"exit_code,omitempty"`
	Link     string     `json:"link"` // address in the UI, relative: /logs?…
	Source   Source     `json:"source"`
}

// Source is where evidence comes from.
type Source struct {
	Node      string `json:"node,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Pod       string `json:"pod,omitempty"`
	Container string `json:"container,omitempty"`
}

// Answer is what why says: the incidents of a job that begin in an interval.
type Answer struct {
	Job       string     `json:"job"`
	Cluster   string     `json:"cluster,omitempty"`
	Namespace string     `json:"namespace"`
	Interval  Interval   `json:"interval"`
	Incidents []Incident `json:"incidents"`
}
