package lastnight

import "time"

// VarKind is the type of a template's variable.
type VarKind uint8

// The kinds of variables.
const (
	VarWord VarKind = iota
	VarNumber
	VarDuration
	VarSize
	VarIP
	VarHostPort
	VarPath
	VarURL
	VarUUID
	VarHex
	VarTime
	VarQuoted
	VarMAC
	VarList
)

var varKindNames = [...]string{"word", "number", "duration", "size", "ip", "hostport", "path", "url", "uuid", "hex", "time", "quoted", "mac", "list"}

// String gives the kind's name in JSON.
func (k VarKind) String() string {
	if int(k) < len(varKindNames) {
		return varKindNames[k]
	}
	return "word"
}

// Wildcard stands for a variable in a template's text.
const Wildcard = "<*>"

// Template is a log pattern with typed variables. Its id never changes: when it
// grows more general or is linked to another, the old id still leads to it.
type Template struct {
	ID        string    `json:"id"`
	Text      string    `json:"text"` // variables as <*>
	Level     string    `json:"level,omitempty"`
	Link      string    `json:"link,omitempty"`      // the template that this one turned out to be
	Exception []string  `json:"exception,omitempty"` // exception types of a template of stack traces
	Example   string    `json:"example,omitempty"`   // one record's text, at most 4 KiB
	FirstSeen time.Time `json:"first_seen"`
	LastSeen  time.Time `json:"last_seen"`
}

// TemplateCount is how often a template occurred for a job in a minute.
type TemplateCount struct {
	Namespace string    `json:"namespace"`
	Job       string    `json:"job"`
	Template  string    `json:"template_id"`
	Level     string    `json:"level,omitempty"`
	Minute    time.Time `json:"minute"` // its start, UTC
	Count     int64     `json:"count"`
}
