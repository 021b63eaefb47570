package investigation

import (
	"context"
	"time"

	"lastnight"
)

const (
	mergeWithin = 10 * time.Minute // failovers of the same cause that are nearer are one incident
	lookback    = 15 * time.Minute // evidence may be so much older than the opener
)

// investigator works on one workload, once.
type investigator struct {
	source    Source
	catalogue *Catalogue
	now       time.Time
}

// investigate computes the incidents of a workload that begin in [from, to). unsettled says
// that something may still become an incident by mere passing of time.
func (x *investigator) investigate(_ context.Context, _ workloadKey, _, _ time.Time) (found []lastnight.Incident, unsettled bool, err error) {
	return nil, false, nil
}
