package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// writeLog appends CRI lines to a pod's log.
func writeLog(t *testing.T, root, pod, name string, texts ...string) string {
	t.Helper()
	path := filepath.Join(root, "shop_"+pod+"_uid-"+pod, "main", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range texts {
		if _, err = f.WriteString(time.Now().UTC().Format(time.RFC3339Nano) + " stdout F " + text + "\n"); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(40 * time.Second); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never came to this: %s", what)
		}
	}
}

// pair is a server, a collector and the wire between them.
func pair(t *testing.T, root string, flags ...string) (r *rack, addr string) {
	t.Helper()
	addr = freeAddress(t)
	r = &rack{t: t, metrics: freeAddress(t), checkpoint: filepath.Join(t.TempDir(), "checkpoint")}
	r.server = newProcess(t, "serve", "--data", filepath.Join(t.TempDir(), "data"), "--listen", addr)
	r.wire = newProxy(t, addr)
	r.collector = newProcess(t, append([]string{
		"collect", "--pods-dir", root, "--server", "http://" + r.wire.l.Addr().String(), "--checkpoint", r.checkpoint,
		"--node", "n1", "--patience", "300ms", "--metrics-listen", r.metrics,
	}, flags...)...)
	r.awaitCollector()
	return r, addr
}

// What rules find never leaves the node; lines keep their length, and everything else of them.
func TestCollectRedacts(t *testing.T) {
	root := t.TempDir()
	own := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(own, []byte("rules:\n- name: customer\n  pattern: 'customer=(\\d+)'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, addr := pair(t, root, "--redact", "email,token", "--redact-file", own)
	writeLog(t, root, "pod-a", "0.log",
		`{"level":"WARN","message":"login","user":"jane@example.org","password":"hunter2"}`,
		"2026-11-21 12:00:00,000 ERROR a.B - charge of customer=4711 failed", "nothing to hide")
	var text string
	await(t, "the lines are there", func() bool {
		b, err := getText(t.Context(), "http://"+addr+"/api/v1/logs/raw?"+url.Values{"namespace": {"shop"}, "pod": {"pod-a"}}.Encode())
		text = string(b)
		return err == nil && strings.Contains(text, "nothing to hide")
	})
	want := `{"level":"WARN","message":"login","user":"****************","password":"*******"}
2026-11-21 12:00:00,000 ERROR a.B - charge of customer=**** failed
nothing to hide
`
	if text != want {
		t.Errorf("raw lines are\n%swant\n%s", text, want)
	}
	for _, secret := range []string{"hunter2", "jane@example.org", "4711"} {
		b, err := getText(t.Context(), "http://"+addr+"/api/v1/search?"+url.Values{"q": {`pod:pod-a`}, "limit": {"100"}}.Encode())
		if err != nil || strings.Contains(string(b), secret) {
			t.Errorf("%s is to be found (%v): %s", secret, err, b)
		}
	}
	// Lines are there before the collector has the answer, after which it counts.
	var n float64
	await(t, "three places are counted", func() bool {
		var err error
		n, err = r.metric("redacted_total")
		return err == nil && n >= 3
	})
	if n != 3 {
		t.Errorf("%.0f places were counted, want 3", n)
	}
}

// Bytes that could not be kept are measured, counted, and told of as an event that searches and a pod's log show.
func TestLossIsTold(t *testing.T) {
	root := t.TempDir()
	r, addr := pair(t, root, "--spool-max", "1KiB", "--held-max", "1B")
	path := writeLog(t, root, "pod-a", "0.log", "the first line")
	await(t, "the first line is there", func() bool { n, err := r.metric("acked_bytes_total"); return err == nil && n > 0 })
	r.wire.set(true)
	writeLog(t, root, "pod-b", "0.log", "somebody finds that the server is away")
	await(t, "the server is away", func() bool { n, err := r.metric("server_away"); return err == nil && n == 1 })
	writeLog(t, root, "pod-a", "0.log", strings.Repeat("x", 5000))
	await(t, "it is behind", func() bool { n, err := r.metric("lag_bytes"); return err == nil && n > 5000 })
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	await(t, "it is lost", func() bool { n, err := r.metric("lost_bytes_total"); return err == nil && n > 5000 })
	var out bytes.Buffer
	if code := run(t.Context(), []string{"debug", filepath.Join(r.checkpoint, "checkpoint")}, nil, &out, os.Stderr); code != 0 || !strings.Contains(out.String(), `"offset": `) {
		t.Errorf("debug of a checkpoint: code %d, %s", code, &out)
	}
	r.wire.set(false)
	for _, q := range []url.Values{
		{"q": {"reason:LogsLost"}, "scope": {"important"}},
		{"q": {"pod:pod-a"}, "scope": {"important"}, "kind": {"event"}},
	} {
		var found string
		await(t, "the event is there: "+q.Encode(), func() bool {
			b, err := getJSON(t, "http://"+addr+"/api/v1/search?"+q.Encode())
			found = b
			return err == nil && strings.Contains(b, "bytes of this pod are missing")
		})
		if !strings.Contains(found, `"pod-a"`) {
			t.Errorf("the event does not name the pod: %s", found)
		}
	}
	var told bytes.Buffer
	if code := run(t.Context(), []string{"logs", "pod-a", "-n", "shop", "--server", "http://" + addr}, nil, io.Discard, &told); code != 0 || !strings.Contains(told.String(), "note: about 50") {
		t.Errorf("logs of the pod: code %d, %s", code, &told)
	}
}

func getJSON(t *testing.T, u string) (string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, u, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var doc json.RawMessage
	err = json.NewDecoder(resp.Body).Decode(&doc)
	return string(doc), err
}
