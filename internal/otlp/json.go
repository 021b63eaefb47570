package otlp

import (
	"encoding/json"
	"strconv"
	"time"

	logs "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"lastnight"
)

// maxJSON bounds a request in JSON, in bytes: generated types take many times that in memory.
const maxJSON = 8 << 20

// DecodeJSON is Decode for a request in OTLP's JSON, of at most 8 MiB.
func DecodeJSON(data []byte, now time.Time) (*Request, error) {
	if len(data) > maxJSON {
		return nil, tooLarge("%d bytes of JSON, at most %d", len(data), maxJSON)
	}
	// LogsData is ExportLogsServiceRequest under another name, without gRPC. Trace ids are hex
	// rather than base64 in OTLP's JSON, which reads as other bytes: nobody uses them here.
	var m logs.LogsData
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true, RecursionLimit: 100}).Unmarshal(data, &m); err != nil {
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "see OTLP's JSON encoding", "the request is no OTLP: %w", err)
	}
	b, err := proto.Marshal(&m)
	if err != nil {
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "", "the request is no OTLP: %w", err)
	}
	return Decode(b, now)
}

// Response gives the ExportLogsServiceResponse: empty if nothing was rejected.
func Response(rejected int64, reason string, asJSON bool) []byte {
	switch {
	case rejected == 0 && asJSON:
		return []byte("{}")
	case rejected == 0:
		return nil
	case asJSON:
		b, err := json.Marshal(map[string]any{"partialSuccess": map[string]string{
			"rejectedLogRecords": strconv.FormatInt(rejected, 10), "errorMessage": reason,
		}})
		if err != nil { // cannot be: two strings
			return []byte("{}")
		}
		return b
	}
	p := protowire.AppendTag(nil, 1, protowire.VarintType)
	p = protowire.AppendVarint(p, uint64(rejected))
	return appendBytes(nil, 1, appendString(p, 2, reason))
}

// Rejected reads a response in protobuf: how many log records the server left out, and why.
func Rejected(response []byte) (n int64, reason string, err error) {
	p, err := message(response, 1)
	if err != nil {
		return 0, "", err
	}
	c := cursor{p}
	var f field
	for {
		ok, err := c.next(&f)
		if err != nil || !ok {
			return n, reason, err
		}
		switch {
		case f.num == 1 && f.typ == protowire.VarintType:
			n = int64(f.num64)
		case f.isMessage(2):
			reason = string(f.bytes)
		}
	}
}

// Failure gives a google.rpc.Status, which OTLP answers errors with.
func Failure(code int, text string, asJSON bool) []byte {
	if asJSON {
		b, err := json.Marshal(map[string]any{"code": code, "message": text})
		if err != nil { // cannot be: a number and a string
			return []byte("{}")
		}
		return b
	}
	b := protowire.AppendTag(nil, 1, protowire.VarintType)
	b = protowire.AppendVarint(b, uint64(code))
	return appendString(b, 2, text)
}

// FailureText reads what Failure gave in protobuf; "" if it is something else.
func FailureText(b []byte) string {
	text, err := message(b, 2)
	if err != nil {
		return ""
	}
	return string(text)
}
