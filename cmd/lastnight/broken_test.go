package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// broken writes a case in which nearly everything is broken, and one healthy pod.
func broken(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	put := func(name string, b []byte) {
		t.Helper()
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	line := func(sec int, text string) string {
		return fmt.Sprintf("2026-11-21T03:00:%02d.5Z stdout F %s\n", sec, text)
	}
	pods := "nodes/n1/var/log/pods/"
	put(pods+"ns_healthy_u1/main/0.log", []byte(line(1, "INFO one")+line(2, "INFO two")))
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	for i := range 3000 {
		_, _ = fmt.Fprintf(w, "2026-11-21T02:%02d:%02d.5Z stdout F INFO value %d of a file that ends too early\n", i/60%60, i%60, i*7919)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	put(pods+"ns_truncated-gzip_u2/main/0.log.20260101-000000.gz", z.Bytes()[:z.Len()/2])
	put(pods+"ns_junk_u3/main/0.log", bytes.Repeat([]byte{0, 0xff, '\n', 0x1b, 'x'}, 500))
	put(pods+"ns_long_u4/main/0.log", []byte(line(1, strings.Repeat("x", 10<<20))+line(2, "after the long one")))
	put(pods+"ns_utf8_u5/main/0.log", []byte(line(1, "bad \xff\xfe utf8 \xc3\x28 here")))
	put(pods+"ns_wrong-time_u6/main/0.log", []byte("not-a-time stdout F hello\n"+line(3, "INFO good")+"2026-99-99T99:99:99Z stdout F bad month\n"))
	put(pods+"ns_clock_u7/main/0.log", []byte(line(30, "INFO later")+line(10, "INFO earlier")+line(20, "INFO between")))
	put(pods+"..%2f..%2fetc_-rf $(reboot)_u8/ma in/0.log", []byte(line(1, "INFO odd name")))
	put(pods+"noname/main/0.log", []byte(line(1, "INFO no pod")))
	put(pods+"ns_empty_u9/main/0.log", nil)
	put("events.json", []byte(`{"kind":"List","items":[{"kind":"Event","metadata":{"uid":"e1"},"reason":"Good","lastTimestamp":"2026-11-21T03:00:05Z","involvedObject":{"kind":"Pod","namespace":"ns","name":"healthy"},"message":"fine","surprise":{"a":[1]}},{"kind":"Event","metadata":7},"nonsense"]}`))
	put("events-watch.jsonl", []byte("{\"type\":\"ADDED\",\"object\":{\"kind\":\"Event\"\n\nnull\n{\"type\":\"ADDED\",\"object\":{\"kind\":\"Event\",\"metadata\":{\"uid\":\"e2\"},\"reason\":\"AlsoGood\",\"lastTimestamp\":\"2026-11-21T03:00:06Z\",\"involvedObject\":{\"kind\":\"Pod\",\"namespace\":\"ns\",\"name\":\"healthy\"}}}\n"))
	put("pods-before.json.gz", []byte("this is no gzip"))
	for _, dir := range []string{"ns_nothing_u10", "ns_nothing_u11/main"} {
		if err := os.MkdirAll(filepath.Join(root, pods, dir), 0o750); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{
		"ns_loop_u12": ".", "ns_dangling_u13": "nowhere", pods + "again": "../../../../..",
	} {
		if err := os.Symlink(to, filepath.Join(root, filepath.FromSlash(link))); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// What is broken is named and counted, and stops nothing else.
func TestImportBroken(t *testing.T) {
	dir := broken(t)
	data := filepath.Join(t.TempDir(), "data")
	var out, talk bytes.Buffer
	if code := run(t.Context(), []string{"import", "--data", data, dir}, nil, &out, &talk); code != 0 {
		t.Fatalf("exit code %d: %s", code, talk.String())
	}
	t.Log(talk.String())
	for _, file := range []string{
		"0.log.20260101-000000.gz", "ns_junk_u3", "ns_wrong-time_u6", "events.json", "events-watch.jsonl", "pods-before.json.gz",
	} {
		if !strings.Contains(talk.String(), file+":") && !strings.Contains(talk.String(), file+"/main/0.log:") {
			t.Errorf("%s is not named", file)
		}
	}
	ask := func(want string, args ...string) {
		t.Helper()
		var out, talk bytes.Buffer
		if code := run(t.Context(), append([]string{"--data", data}, args...), nil, &out, &talk); code != 0 {
			t.Errorf("%v: exit code %d: %s", args, code, talk.String())
		}
		if !strings.Contains(out.String(), want) {
			t.Errorf("%v: %.300q has no %.100q", args, out.String(), want)
		}
	}
	ask("INFO one\nINFO two\n", "logs", "healthy", "--raw")
	ask("of a file that ends too early\n", "logs", "truncated-gzip", "--raw")
	ask(strings.Repeat("x", 10<<20)+"\nafter the long one\n", "logs", "long", "--raw")
	ask("bad \xff\xfe utf8 \xc3\x28 here\n", "logs", "utf8", "--raw")
	ask("INFO later\nINFO earlier\nINFO between\n", "logs", "clock", "--raw")
	ask("INFO good", "logs", "wrong-time", "--raw")
	ask("hello", "logs", "wrong-time", "--raw")
	ask("INFO odd name\n", "logs", "--raw", "-n", "..%2f..%2fetc", "--", "-rf $(reboot)")
	ask("Good", "search", "reason:Good", "--scope", "important")
	ask("AlsoGood", "search", "reason:AlsoGood", "--scope", "important")
	if code := run(t.Context(), []string{"import", "--strict", "--data", data, dir}, nil, &out, &talk); code != 1 {
		t.Errorf("with --strict the exit code is %d, want 1", code)
	}
}
