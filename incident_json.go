package lastnight

import (
	"bytes"
	"encoding/json"
)

// Lists that the stable part of the answer promises are never null, whoever made it.

// MarshalJSON gives incidents as a list even if there are none.
func (a Answer) MarshalJSON() ([]byte, error) {
	type plain Answer
	if a.Incidents == nil {
		a.Incidents = []Incident{}
	}
	return marshalPlain(plain(a))
}

// MarshalJSON gives similar as a list even if there are none.
func (i Incident) MarshalJSON() ([]byte, error) {
	type plain Incident
	if i.Similar == nil {
		i.Similar = []Similar{}
	}
	return marshalPlain(plain(i))
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
	return marshalPlain(plain(d))
}

// marshalPlain leaves < > & as they are, which log lines are full of; an encoder
// that wants them escaped does so with what it gets from here.
func marshalPlain(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
