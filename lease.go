package lastnight

import (
	"context"
	"time"
)

// Lease says which of several servers does what only one may do at a time.
type Lease struct {
	Duty   string    `json:"duty"`   // archive, incidents or notify
	Holder string    `json:"holder"` // name of a server's process; "": nobody, it is taken within seconds
	Term   int64     `json:"term"`   // grows each time that it is taken
	Since  time.Time `json:"since"`  // by the clock of the holder, or of who gave it up
	TTL    string    `json:"ttl"`    // how long the holder may be silent before another takes it, such as "15s"
}

// LeaseReader gives what servers that share everything have agreed on.
type LeaseReader interface {
	// Leases gives one for each duty that ever had a holder, by name; none where a server shares nothing. A holder that
	// was killed is in it until another server has waited for the TTL.
	Leases(ctx context.Context) ([]Lease, error)
}
