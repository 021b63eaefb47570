package apiserver

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestReadPage(t *testing.T) {
	read := func(s string) (items []string, meta listMeta, err error) {
		meta, err = readPage(json.NewDecoder(strings.NewReader(s)), func(raw json.RawMessage) { items = append(items, string(raw)) })
		return items, meta, err
	}
	items, meta, err := read(`{"kind":"List","items":[{"a":1},{"b":[2]}],"x":{"items":[3]},"metadata":{"resourceVersion":"7","continue":"c"}}`)
	if err != nil || len(items) != 2 || items[1] != `{"b":[2]}` || meta.ResourceVersion != "7" || meta.Continue != "c" {
		t.Errorf("%v, %+v, %v", items, meta, err)
	}
	if items, _, err := read(`{"items":null,"metadata":{}}`); err != nil || len(items) > 0 {
		t.Errorf("no items: %v, %v", items, err)
	}
	for _, bad := range []string{``, `[]`, `{"items":{}}`, `{"items":[{}`, `{"items":[{}]`, `{"metadata":7}`} {
		if _, _, err := read(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestReadLine(t *testing.T) {
	in := bufio.NewReaderSize(strings.NewReader("one\n\nthree is longer than the buffer\nno end"), 16)
	for _, want := range []string{"one", "", "three is longer than the buffer"} {
		if line, err := readLine(in, nil); err != nil || string(line) != want {
			t.Errorf("%q, %v, want %q", line, err, want)
		}
	}
	if line, err := readLine(in, nil); !errors.Is(err, io.EOF) || string(line) != "no end" {
		t.Errorf("the cut one: %q, %v", line, err)
	}
	if _, err := readLine(bufio.NewReader(bytes.NewReader(make([]byte, maxObject+1))), nil); !errors.Is(err, errTooLong) {
		t.Errorf("an endless line: %v", err)
	}
}

// Whatever a server sends: no panic, and what is given on is JSON.
func FuzzReadPage(f *testing.F) {
	f.Add([]byte(`{"kind":"PodList","metadata":{"resourceVersion":"7"},"items":[{"metadata":{"name":"a"}}]}`))
	f.Add([]byte(`{"items":[1,2`))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = readPage(json.NewDecoder(bytes.NewReader(b)), func(raw json.RawMessage) {
			if !json.Valid(raw) {
				t.Errorf("given on: %q", raw)
			}
		})
	})
}
