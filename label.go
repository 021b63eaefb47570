package lastnight

import (
	"fmt"
	"time"
)

// SystemActor is the name under which lastnight itself changes labels. Nobody else may use it.
const SystemActor = "lastnight"

// LabelState is where a label stands in its life.
type LabelState string

// The states of a label.
const (
	LabelDraft    LabelState = "draft"    // being written; explains nothing
	LabelProposed LabelState = "proposed" // waits for review
	LabelApproved LabelState = "approved" // explains
	LabelRetired  LabelState = "retired"  // explains no more; kept for ever
)

// Label is a root cause and advice that people attached to a template or a signature. It
// applies, when a diagnosis is read, to all past and future incidents that match its target.
//
// An approved label that is edited goes on explaining as it was approved until the
// edit is approved too: see ApprovedVersion.
type Label struct {
	ID              string      `json:"id"`      // readable, never changes: lower case letters, digits, dashes
	Version         int         `json:"version"` // 1, 2, …: how many changes there were. The ETag
	State           LabelState  `json:"state"`
	Title           string      `json:"title"`                   // the root cause in one line; empty: as the catalogue says
	Cause           string      `json:"cause,omitempty"`         // id of the catalogue, or an own one; empty: the label's id
	Advice          string      `json:"advice,omitempty"`        // empty: as the catalogue says
	Severity        string      `json:"severity,omitempty"`      // critical, high, medium, low, info
	Layer           string      `json:"layer,omitempty"`         // as in Cause
	Owner           string      `json:"owner,omitempty"`         // who has to act
	ActionNeeded    *bool       `json:"action_needed,omitempty"` // nil: as the catalogue says, else true
	Links           []string    `json:"links,omitempty"`         // http or https: a runbook, a ticket
	Target          LabelTarget `json:"target"`
	Author          string      `json:"author"`                     // who wrote what it says now
	ApprovedBy      string      `json:"approved_by,omitempty"`      // who approved the version that explains
	ApprovedVersion int         `json:"approved_version,omitempty"` // the version that explains; 0: none does
	Created         time.Time   `json:"created"`
	Updated         time.Time   `json:"updated"`
}

// LabelTarget is what a label applies to: a template or a signature, exactly one of them.
type LabelTarget struct {
	Template  *TemplateRef `json:"template,omitempty"`
	Signature *Signature   `json:"signature,omitempty"`
}

// TemplateRef names a template. A label follows it where it grows or is merged.
type TemplateRef struct {
	ID   string `json:"id"`
	Text string `json:"text,omitempty"` // as it was when it was labeled, for people
}

// Signature is what an incident must have, all of it.
type Signature struct {
	Templates  []TemplateRef `json:"templates,omitempty"`
	Exceptions []string      `json:"exceptions,omitempty"` // full class names
	Reasons    []string      `json:"reasons,omitempty"`    // of events and containers: OOMKilled, FailedScheduling …
	ExitCodes  []int         `json:"exit_codes,omitempty"`
	Layer      string        `json:"layer,omitempty"` // that the catalogue's diagnosis names
	Namespace  string        `json:"namespace,omitempty"`
	Job        string        `json:"job,omitempty"`
}

// LabelAction is what was done to a label.
type LabelAction string

// The actions of a history.
const (
	ActionCreate  LabelAction = "create"
	ActionEdit    LabelAction = "edit"
	ActionPropose LabelAction = "propose"
	ActionApprove LabelAction = "approve"
	ActionReject  LabelAction = "reject"  // a proposal goes back to draft; what was approved before stays
	ActionReview  LabelAction = "review"  // an approved label returns to review and explains no more
	ActionRetire  LabelAction = "retire"  // from any state
	ActionUndo    LabelAction = "undo"    // a new version that says what an earlier one said
	ActionImport  LabelAction = "import"  // made or changed by a file
	ActionRestore LabelAction = "restore" // a retired one becomes a draft again
)

// LabelChange is one entry of a label's history. None is ever changed or removed.
type LabelChange struct {
	Action LabelAction `json:"action"`
	By     string      `json:"by"`
	At     time.Time   `json:"at"`
	Why    string      `json:"why,omitempty"`
	Label  Label       `json:"label"` // as it was afterwards
}

// LabelConflict is the cause (Err) of an error of CodeConflict: somebody changed the label in between.
type LabelConflict struct {
	Current Label `json:"current"` // as it is
	Yours   Label `json:"yours"`   // as it was to become
}

// Error tells of it.
func (c *LabelConflict) Error() string {
	return fmt.Sprintf("label %s has version %d since %s changed it", c.Current.ID, c.Current.Version, c.Current.Author)
}

// TemplateMerge is a merge or a split of templates that a person made. It holds for what is
// there and for what comes, until it is undone; nothing of it is ever removed.
type TemplateMerge struct {
	ID     string    `json:"id"`
	Kind   string    `json:"kind"`           // merge or split
	From   []string  `json:"from"`           // merge: the templates that become Into. split: the one template that is split
	Into   string    `json:"into"`           // merge: the template they become. split: the template that is split off
	Text   string    `json:"text,omitempty"` // split: the text of what is split off, with fewer variables than that of From
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Why    string    `json:"why,omitempty"`
	Undone bool      `json:"undone"`
}

// The kinds of TemplateMerge.
const (
	KindMerge = "merge"
	KindSplit = "split"
)

// MergePreview is what a merge or a split touches.
type MergePreview struct {
	Merge     TemplateMerge   `json:"merge"`
	Templates []Template      `json:"templates"` // that take part
	Labels    []LabelTouched  `json:"labels"`
	Incidents []IncidentRef   `json:"incidents"` // whose templates take part, newest first, at most 100
	Touched   int             `json:"touched"`   // how many incidents in all
	Counts    []TemplateTotal `json:"counts"`    // how often each template occurred in the last 30 days
}

// LabelTouched is a label that a merge or split makes apply to something else.
type LabelTouched struct {
	Label  LabelRef `json:"label"`
	Title  string   `json:"title"`
	Before int      `json:"before"` // incidents that it explains now
	After  int      `json:"after"`  // and then
}

// TemplateTotal is how often a template occurred.
type TemplateTotal struct {
	Template string `json:"template_id"`
	Count    int64  `json:"count"`
}

// IncidentRef points to an incident.
type IncidentRef struct {
	ID        string    `json:"id"`
	Namespace string    `json:"namespace"`
	Job       string    `json:"job"`
	Start     time.Time `json:"start"`
	Failovers int       `json:"failovers"`
	Explained bool      `json:"explained"`
	Cause     string    `json:"cause,omitempty"`
}
