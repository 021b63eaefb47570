package otlp

import "time"

// DecodeFieldwise is Decode without the step that takes what our encoder writes first at once.
func DecodeFieldwise(data []byte, now time.Time) (*Request, error) {
	return (&Decoder{own: record{fieldwise: true}}).Decode(data, now)
}
