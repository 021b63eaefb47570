package blevestore

import (
	"bytes"
	"encoding/binary"

	bolt "go.etcd.io/bbolt"

	"lastnight"
	"lastnight/query"
)

// keeps tells from a value in the bucket of a day whether its document is wanted.
type keeps func(b *bolt.Bucket, value []byte) bool

// wanted tells, from the source of a value, most documents that a request leaves out before more of them is decoded.
func wanted(f *query.Filter) keeps {
	r := &f.Request
	if r.Namespace == "" && r.Job == "" && r.Pod == "" && r.PodUID == "" && r.Container == "" && r.Node == "" {
		return nil
	}
	known := map[[8]byte]sourceMatch{}
	return func(b *bolt.Bucket, value []byte) bool {
		_, n := binary.Uvarint(value)
		if n <= 0 || len(value) < n+9 {
			return true // decoding says so
		}
		key := [8]byte(value[n : n+8])
		m, ok := known[key]
		if !ok {
			m = matchSource(b.Bucket(srcBucket).Get(key[:]), r)
			known[key] = m
		}
		// A job may be one of a session cluster: then its name stands in the body.
		return m.rest && (m.job || value[n+8] != sealPlain || bytes.Contains(value[n+9:], []byte(r.Job)))
	}
}

// sourceMatch tells whether a source is of the job that is asked for, and has the rest of what is.
type sourceMatch struct{ job, rest bool }

// matchSource compares what encodeSource wrote, without a copy of it: of 2,000 jobs one is asked for.
func matchSource(source []byte, req *lastnight.SearchRequest) sourceMatch {
	r := reader{b: source}
	is := func(want string) bool {
		have := r.bytes()
		return want == "" || want == string(have)
	}
	is("") // the cluster
	m := sourceMatch{rest: true}
	for _, want := range []string{req.Namespace, req.Pod, req.PodUID, req.Container, req.Node} {
		if !is(want) {
			m.rest = false
		}
	}
	m.job = is(req.Job)
	if r.err != nil {
		return sourceMatch{true, true} // decoding says so
	}
	return m
}
