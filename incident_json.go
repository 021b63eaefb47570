package lastnight

import "encoding/json"

// Lists that the stable part of the answer promises are never null, whoever made it.

// MarshalJSON gives incidents as a list even if there are none.
func (a Answer) MarshalJSON() ([]byte, error) {
	type plain Answer
	if a.Incidents == nil {
		a.Incidents = []Incident{}
	}
	return json.Marshal(plain(a))
}

// MarshalJSON gives similar as a list even if there are none.
func (i Incident) MarshalJSON() ([]byte, error) {
	type plain Incident
	if i.Similar == nil {
		i.Similar = []Similar{}
	}
	return json.Marshal(plain(i))
}

// MarshalJSON gives chain and alternatives as lists even if there are none.
func (d Diagnosis) MarshalJSON() ([]byte, error) {
	type plain Diagnosis
	if d.Chain == nil {
		d.Chain = []Evidence{}
	}
	if d.Alternatives == nil {
		d.Alternatives = []Alternative{}
	}
	return json.Marshal(plain(d))
}
