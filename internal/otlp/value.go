package otlp

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// The kinds of an AnyValue: its field numbers.
const (
	kindString = 1
	kindBool   = 2
	kindInt    = 3
	kindDouble = 4
	kindArray  = 5
	kindMap    = 6
	kindBytes  = 7
)

// value is an AnyValue as it lies in the request.
type value struct {
	kind  protowire.Number // 0: there is none
	bytes []byte           // of a string, bytes, an array, a map
	num   uint64
}

func readValue(b []byte) (value, error) {
	var v value
	c := cursor{b}
	var f field
	for {
		ok, err := c.next(&f)
		if err != nil || !ok {
			return v, err
		}
		if f.num >= kindString && f.num <= kindBytes {
			v = value{kind: f.num, bytes: f.bytes, num: f.num64}
		}
	}
}

// keyValue reads a KeyValue.
func keyValue(b []byte) (key []byte, v value, err error) {
	c := cursor{b}
	var f field
	for {
		ok, err := c.next(&f)
		if err != nil || !ok {
			return key, v, err
		}
		switch {
		case f.isMessage(1):
			key = f.bytes
		case f.isMessage(2):
			if v, err = readValue(f.bytes); err != nil {
				return nil, v, err
			}
		}
	}
}

// text gives a string or bytes as they are; nil for anything else.
func (v value) text() []byte {
	if v.kind == kindString || v.kind == kindBytes {
		return v.bytes
	}
	return nil
}

// int gives a number, also one written as a string, as some senders do; 0 for anything else.
func (v value) int() int64 {
	switch v.kind {
	case kindInt:
		return int64(v.num)
	case kindString:
		if len(v.bytes) <= 20 {
			if n, err := strconv.ParseInt(string(v.bytes), 10, 64); err == nil {
				return n
			}
		}
	}
	return 0
}

// list gives the values of an array.
func (v value) list(maxItems int) ([]value, error) {
	var out []value
	if v.kind != kindArray {
		return nil, nil
	}
	c := cursor{v.bytes}
	var f field
	for len(out) < maxItems {
		ok, err := c.next(&f)
		if err != nil || !ok {
			return out, err
		}
		if f.isMessage(1) {
			x, err := readValue(f.bytes)
			if err != nil {
				return nil, err
			}
			out = append(out, x)
		}
	}
	return out, nil
}

// show gives any value as text: numbers as they are, arrays and maps as JSON, deep ones cut off.
func (v value) show() string {
	switch v.kind {
	case kindString, kindBytes:
		return string(v.bytes)
	case kindArray, kindMap:
		b, err := json.Marshal(v.plain(maxDepth))
		if err != nil {
			return ""
		}
		return string(b)
	case kindBool:
		return strconv.FormatBool(v.num != 0)
	case kindInt:
		return strconv.FormatInt(int64(v.num), 10)
	case kindDouble:
		return strconv.FormatFloat(math.Float64frombits(v.num), 'g', -1, 64)
	}
	return ""
}

// plain gives a value as package json takes it. What is malformed inside is left out.
func (v value) plain(depth int) any {
	if depth == 0 {
		return nil
	}
	switch v.kind {
	case kindString:
		return string(v.bytes)
	case kindBytes:
		return base64.StdEncoding.EncodeToString(v.bytes)
	case kindArray:
		items, err := v.list(maxAllAttr)
		if err != nil {
			return nil
		}
		out := make([]any, len(items))
		for i, x := range items {
			out[i] = x.plain(depth - 1)
		}
		return out
	case kindMap:
		out := map[string]any{}
		_ = v.entries(func(key []byte, x value) bool {
			out[string(key)] = x.plain(depth - 1)
			return true
		})
		return out
	case kindDouble:
		if f := math.Float64frombits(v.num); math.IsNaN(f) || math.IsInf(f, 0) {
			return v.show()
		}
		return json.Number(v.show())
	case kindBool:
		return v.num != 0
	case kindInt:
		return int64(v.num)
	}
	return nil
}

// entries calls f for each entry of a map until it says no.
func (v value) entries(f func(key []byte, x value) bool) error {
	if v.kind != kindMap {
		return nil
	}
	c := cursor{v.bytes}
	var fl field
	for {
		ok, err := c.next(&fl)
		if err != nil || !ok {
			return err
		}
		if !fl.isMessage(1) {
			continue
		}
		key, x, err := keyValue(fl.bytes)
		if err != nil {
			return err
		}
		if !f(key, x) {
			return nil
		}
	}
}
