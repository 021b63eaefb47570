package lastnight

import (
	"context"
	"time"
)

// AuditEntry is one act that is written down for good: a sign-in, a denied attempt, a
// change of a label, an export, an administrative act. It never holds a secret.
type AuditEntry struct {
	Time    time.Time         `json:"time"`  // set by the log: strictly growing
	Actor   string            `json:"actor"` // who; "" if nobody is known
	Role    Role              `json:"role,omitempty"`
	Via     string            `json:"via,omitempty"`    // how the actor is known
	Action  string            `json:"action"`           // sign-in, sign-out, denied, export, label.approve …
	Target  string            `json:"target,omitempty"` // on what: a route, a label's id
	Outcome string            `json:"outcome"`          // done or refused
	Remote  string            `json:"remote,omitempty"` // address that it came from
	Detail  map[string]string `json:"detail,omitempty"`
}

// The outcomes of an AuditEntry.
const (
	AuditDone    = "done"
	AuditRefused = "refused"
)

// Auditor writes down who did what. Audit takes actor, role and via from the context's Actor
// where the entry leaves them empty; when it returns, the entry is durable. It does not fail its
// caller: an entry that cannot be written is logged and counted.
type Auditor interface {
	Audit(ctx context.Context, e AuditEntry)
}

// AuditRequest asks for entries. Empty fields do not restrict.
type AuditRequest struct {
	Start, End time.Time
	Actor      string
	Action     string // an action, or what it begins with: "label." finds all of labels
	Limit      int    // at most so many; 0: no limit
	Cursor     string // continue after the entry that this cursor names (see CursorOf)
}

// AuditReader gives what was written down.
type AuditReader interface {
	// Audits gives entries, newest first.
	Audits(ctx context.Context, req AuditRequest) ([]AuditEntry, error)
}
