package api

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lastnight"
)

// TestAppendDocument compares documents of any fields with what encoding/json makes of them.
func TestAppendDocument(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 2))
		var d lastnight.Document
		fill(r, reflect.ValueOf(&d).Elem())
		got, err := appendDocument(nil, &d)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(asJSON(t, &d)), string(got)); diff != "" {
			t.Fatalf("seed %d (-encoding/json +own):\n%s", seed, diff)
		}
	}
}

// asJSON is what encoding/json makes of a value.
func asJSON(t *testing.T, v any) []byte {
	t.Helper()
	var want bytes.Buffer
	enc := json.NewEncoder(&want)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSuffix(want.Bytes(), []byte("\n"))
}

// fill sets a value to anything, its zero now and then.
func fill(r *rand.Rand, v reflect.Value) {
	if r.IntN(4) == 0 {
		return
	}
	if v.Type() == reflect.TypeFor[time.Time]() {
		at := time.Unix(r.Int64N(1<<34), r.Int64N(1e9))
		if v.Set(reflect.ValueOf(at.UTC())); r.IntN(4) == 0 {
			v.Set(reflect.ValueOf(at.In(time.FixedZone("", 3600*(r.IntN(24)-12)))))
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for _, field := range v.Fields() {
			fill(r, field)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(r, v.Elem())
	case reflect.String:
		v.SetString(anyText(r))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(r.Int64N(1<<31) - 1<<30)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), r.IntN(3), 3))
		for i := range v.Len() {
			fill(r, v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range r.IntN(4) {
			key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(r, key)
			fill(r, elem)
			v.SetMapIndex(key, elem)
		}
	default:
		panic("a kind of field that is not known here: " + v.Kind().String())
	}
}

// anyText has what is escaped in JSON, what is not, and what is no text.
func anyText(r *rand.Rand) string {
	parts := []string{"a", "Z 9", `"`, `\`, "/", "<&>", "\n", "\r\t\b\f", "\x00\x1f\x7f", "é", "日本", "\u2028\u2029", "\ufffd", "\xff", "\xe2\x80", "😀"}
	var b strings.Builder
	for range r.IntN(8) {
		b.WriteString(parts[r.IntN(len(parts))])
	}
	return b.String()
}

// TestAppendDocumentTime: a time that JSON cannot have is an error, not an answer that cannot be read.
func TestAppendDocumentTime(t *testing.T) {
	if out, err := appendDocument(nil, &lastnight.Document{Time: time.Date(12_345, 1, 1, 0, 0, 0, 0, time.UTC)}); err == nil {
		t.Errorf("the year 12345 is %s", out)
	}
}

// FuzzAppendString compares any text with what encoding/json makes of it.
func FuzzAppendString(f *testing.F) {
	f.Add("a\"\\\n\x00\xff\u2028é")
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := string(appendString(nil, s)), string(asJSON(t, s)); got != want {
			t.Fatalf("%q is %s, want %s", s, got, want)
		}
	})
}

// TestBodyZipped: an answer that is compressed piece by piece is what it is without.
func TestBodyZipped(t *testing.T) {
	for accept, zips := range map[string]bool{"gzip": true, "br, GZIP;q=0.5": true, "gzip;q=0": false, "gzip; q=0.0, br": false, "deflate": false, "": false} {
		var want []byte
		for range 3 { // its memory is used again
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			r.Header.Set("Accept-Encoding", accept)
			w := httptest.NewRecorder()
			b := newBody()
			b.zipFor(r)
			b.buf.WriteByte('[')
			want = append(want[:0], '[')
			for i := range 2_000 {
				d := lastnight.Document{ID: strings.Repeat("x", i%50), Text: strings.Repeat("text ", i%99)}
				if err := b.encode(&d); err != nil {
					t.Fatal(err)
				}
				b.buf.WriteByte(',')
				b.zipSome()
				want = append(append(want, asJSON(t, &d)...), ',')
			}
			b.answer(w)
			b.release()
			got := w.Body.Bytes()
			if encoded := w.Header().Get("Content-Encoding") == "gzip"; encoded != zips {
				t.Fatalf("%q: compressed is %v", accept, encoded)
			}
			if zips {
				got = unzip(t, got)
			}
			if diff := cmp.Diff(string(want)+"\n", string(got)); diff != "" {
				t.Fatalf("%q: %s", accept, diff)
			}
		}
	}
}

func unzip(t *testing.T, zipped []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(zipped))
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
