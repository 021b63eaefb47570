package investigation

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"lastnight"
)

const (
	siblingWindow = 5 * time.Minute // between the starts of incidents that one fault may have caused
	maxSiblings   = 5               // shown in a chain
	maxPlaces     = 500             // looked at in an incident
)

// sharedLayers are those where one fault hits several jobs.
var sharedLayers = []string{"storage", "network", "node-hardware", "kubernetes", "upstream-downstream"}

// place finds what jobs may share in the text of evidence: absolute paths of at least
// two parts, and addresses with a port.
var place = regexp.MustCompile(`(?:^|[\s'":=(\[])(?:[a-z0-9]+:(?://)?)?((?:/[\w.+-]+){2,}|[\w-]+(?:\.[\w-]+)+:\d{2,5})`)

// withSiblings adds to an incident's chain that other jobs of the namespace failed over at
// the same time, for the same cause, at the same place: one volume, one node, one service.
// It is done when somebody asks, since the incidents of one fault are found one by one.
func (v *Investigator) withSiblings(ctx context.Context, in *lastnight.Incident) error {
	d := &in.Diagnosis
	if !d.Explained || in.Planned || !slices.Contains(sharedLayers, d.Layer) {
		return nil
	}
	others, err := v.keeper.Incidents(ctx, lastnight.IncidentsRequest{
		Namespace: in.Namespace, Start: in.Start.Add(-siblingWindow), End: in.Start.Add(siblingWindow),
	})
	if err != nil {
		return fmt.Errorf("list incidents beside %s: %w", in.ID, err)
	}
	own := places(d)
	var found []lastnight.Evidence
	for i := range others {
		o := &others[i]
		if o.ID == in.ID || o.Job == in.Job || o.Workload == in.Workload || o.Diagnosis.Cause != d.Cause || !own.meets(places(&o.Diagnosis)) {
			continue
		}
		if e, ok := asSibling(o); ok {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b lastnight.Evidence) int { return a.Time.Compare(b.Time) })
	// The chain may be the keeper's own.
	d.Chain = append(slices.Clone(d.Chain), found[:min(len(found), maxSiblings)]...)
	slices.SortStableFunc(d.Chain, func(a, b lastnight.Evidence) int { return a.Time.Compare(b.Time) })
	return nil
}

// asSibling is the evidence that a job failed over, told to the reader of another one.
func asSibling(o *lastnight.Incident) (lastnight.Evidence, bool) {
	at := slices.IndexFunc(o.Diagnosis.Chain, func(e lastnight.Evidence) bool {
		return e.Kind == "transition" && e.Role != lastnight.RoleRecovery
	})
	if at < 0 {
		at = slices.IndexFunc(o.Diagnosis.Chain, func(e lastnight.Evidence) bool { return e.Role != lastnight.RoleRecovery })
	}
	if at < 0 {
		return lastnight.Evidence{}, false
	}
	e := o.Diagnosis.Chain[at]
	e.Role = lastnight.RoleEffect
	e.What = fmt.Sprintf("%s failed over too, for the same cause at the same place", o.Job)
	return e, true
}

// placeSet is what the evidence of a cause names: directories, addresses, nodes.
type placeSet map[string]bool

func places(d *lastnight.Diagnosis) placeSet {
	set := placeSet{}
	for i := range d.Chain {
		e := &d.Chain[i]
		if e.Role != lastnight.RoleCause {
			continue
		}
		if d.Layer == "node-hardware" || d.Layer == "kubernetes" {
			if e.Source.Node != "" {
				set["node "+e.Source.Node] = true
			}
			continue
		}
		for _, m := range place.FindAllStringSubmatch(e.Text, maxPlaces) {
			set.add(m[1])
		}
	}
	return set
}

// add puts in an address, or a path with its parents of at least two parts.
func (s placeSet) add(p string) {
	for len(s) < maxPlaces {
		s[p] = true
		i := strings.LastIndexByte(p, '/')
		if i <= 0 || strings.Count(p[:i], "/") < 2 {
			return
		}
		p = p[:i]
	}
}

func (s placeSet) meets(t placeSet) bool {
	for p := range s {
		if t[p] {
			return true
		}
	}
	return false
}
