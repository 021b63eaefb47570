package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A server that starts on a full disk answers what people ask; it takes
// lines again once there is room.
func TestStartsOnFullDisk(t *testing.T) {
	data, pods := filepath.Join(t.TempDir(), "data"), t.TempDir()
	disk := newSmallDisk(t, data)
	if disk == nil {
		t.Skip("only root may mount a small disk")
	}
	dir := filepath.Join(pods, "ns_pod_00000000-0000-0000-0000-000000000001", "main")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	addr := freeAddress(t)
	server := newProcess(t, "serve", "--data", data, "--listen", addr)
	collector := newProcess(t, "collect", "--pods-dir", pods, "--server", "http://"+addr, "--checkpoint", filepath.Join(t.TempDir(), "checkpoint"))
	write := func(text string) {
		f, err := os.OpenFile(filepath.Join(dir, "0.log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(time.Now().UTC().Format(time.RFC3339Nano) + " stdout F ERROR " + text + "\n"); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	found := func(text string) bool {
		b, err := getText(t.Context(), "http://"+addr+"/api/v1/search?start=now-1h&q="+text)
		return err == nil && strings.Contains(string(b), "ERROR "+text)
	}
	await := func(text string) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); !found(text); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%q is not found", text)
			}
		}
	}
	write("before")
	await("before")
	server.kill()
	disk.fill(t)
	server.start()
	await("before")
	write("while")
	time.Sleep(time.Second)
	server.kill()
	server.start()
	await("before")
	disk.empty(t)
	await("while")
	collector.kill()
	server.kill()
}
