package client_test

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"lastnight"
	"lastnight/api/client"
)

// canned answers every request with the same bytes.
type canned struct {
	kind string
	body []byte
}

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", Request: r,
		Header: http.Header{"Content-Type": {c.kind}}, Body: io.NopCloser(bytes.NewReader(c.body)),
	}, nil
}

// FuzzStream reads streams of any bytes: each line is a document, or there is an error.
func FuzzStream(f *testing.F) {
	for _, s := range []string{
		"", "{}\n", `{"id":"a","time":"2026-11-21T03:00:00Z"}` + "\n" + `{"error":{"code":"internal","detail":"x","status":500}}` + "\n",
		`{"stream":{"pod":"p"},"id":"a","bytes":"/w=="}` + "\n", `{"error":{}}`, "null\n", "[]\n", "\n\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := client.New("http://localhost", client.WithHTTPClient(&http.Client{Transport: canned{"application/x-ndjson", body}}))
		if err != nil {
			t.Fatal(err)
		}
		whole := bytes.Count(body, []byte("\n"))
		docs, err := collect(c.Search(t.Context(), lastnight.SearchRequest{}))
		if len(docs) > whole || (err == nil && (len(docs) != whole || len(body) > 0 && body[len(body)-1] != '\n')) {
			t.Errorf("%d documents of %d lines, %v", len(docs), whole, err)
		}
		lines, err := collect(c.RawLines(t.Context(), lastnight.SearchRequest{}))
		if len(lines) > whole || (err == nil && len(lines) != whole) {
			t.Errorf("%d lines of %d, %v", len(lines), whole, err)
		}
	})
}
